//! Types: the directive `.btf`, whose lines are those that `ebpfasm btf --format raw` and
//! `bpftool btf dump ... format raw` print, and the numbers of types in other directives.
//!
//! ```text
//! .btf
//! [1] INT 'int' size=4 bits_offset=0 nr_bits=32 encoding=SIGNED
//! [2] STRUCT 'pair' size=8 vlen=2
//!         'a' type_id=1 bits_offset=0
//!         'b' type_id=1 bits_offset=32
//! ```
//!
//! The listing and not C, since it says all that the format holds, in the order that numbers
//! count by, and is what tools print of types. A number may be that of a type further down,
//! so that what it leads to is looked at when all is read.
//!
//! Who writes types may leave out what follows from the rest: `vlen=`, the number of parts;
//! `nr_bits=`, `bits_offset=0` and `encoding=(none)` of an integer; `kind_flag=` of a struct, which
//! has bit fields if a member has `bitfield_size=`. What stands in round brackets behind a variable
//! of a section is a comment.
//!
//! Read before: `../btf/raw.rs`.

use super::directive::is_directive;
use super::object::Extent;
use super::parse::Parser;
use super::spelling::Wrong;
use super::words::{Word, Words};
use crate::btf::core::{Access, CoreKind, CoreRelocation};
use crate::btf::raw::{ANONYMOUS, ENCODINGS};
use crate::btf::{
    Bitfields, Btf, Forward, IntEncoding, Kind, KindNumber, Linkage, Member, SecVar, Signedness,
    StrId, Tag, TypeId,
};
use crate::near::near;
use std::fmt::{self, Write};

/// A number of a type, and where it stands.
pub(super) struct Mentioned {
    id: TypeId,
    line: u32,
    begin: u32,
    end: u32,
}

/// The type whose parts are being read.
struct Open<'a> {
    name: StrId,
    kind: Kind,
    /// The sizes of bit fields, by member.
    bits: Vec<u32>,
    /// The line that it begins in.
    line: u32,
    /// How many parts there are to be, and where that stands.
    wanted: Option<(usize, Word<'a>)>,
    /// The first offset that no member of a type with bit fields can have, and its line.
    wide: Option<(Word<'a>, u32)>,
}

impl<'a> Parser<'a> {
    /// `.btf`, and the types below it.
    pub(super) fn types(&mut self, words: &mut Words<'a>) -> Result<(), Wrong> {
        words.end()?;
        self.object.btf.get_or_insert_with(Btf::new);
        let mut open = None;
        while !self.rest.is_empty() && !is_directive(self.rest) {
            self.number += 1;
            let text = self.next_line();
            let mut words = Words::new(text)?;
            let Some(first) = words.next() else { continue };
            if first.text.starts_with('[') {
                self.close(open.take())?;
                open = Some(self.open(&first, &mut words)?);
                continue;
            }
            match &mut open {
                Some(open) => self.part(open, first, words)?,
                None => return Err(first.wrong("expected a type, like [1] INT 'int' ...")),
            }
        }
        self.close(open)
    }

    /// The first line of a type, of which `[N]` is read.
    fn open(&mut self, number: &Word<'a>, words: &mut Words<'a>) -> Result<Open<'a>, Wrong> {
        let next = self.types_so_far() + 1;
        if number.text != format!("[{next}]") {
            let message = format!("expected [{next}]: types are numbered one after the other");
            return Err(number.wrong(message));
        }
        let kind = words.wants("a kind of type, like INT")?;
        let name = words.wants("a name in quotes, or '(anon)'")?;
        let name = self.name_of_type(&name)?;
        let mut fields = Fields::of(words)?;
        let wanted = match fields.find("vlen") {
            Some(word) => {
                let count: u16 = word.number("a number of parts")?;
                Some((count.into(), word))
            }
            None => None,
        };
        let open = Open {
            name,
            kind: self.kind(&kind, &mut fields)?,
            bits: Vec::new(),
            line: self.number,
            wanted,
            wide: None,
        };
        fields.end()?;
        Ok(open)
    }

    /// What the first line of a type says.
    fn kind(&mut self, word: &Word<'a>, fields: &mut Fields<'a>) -> Result<Kind, Wrong> {
        let number = Kind::named(word.text).ok_or_else(|| no_kind(word))?;
        match number {
            KindNumber::Int => integer(fields),
            KindNumber::Ptr => self.ty(fields, "type_id").map(Kind::Ptr),
            KindNumber::Array => self.array(fields),
            KindNumber::Struct => structure(fields),
            KindNumber::Union => union(fields),
            KindNumber::Enum => enumeration(fields),
            KindNumber::Enum64 => wide_enumeration(fields),
            KindNumber::Fwd => forward(fields),
            KindNumber::Typedef => self.ty(fields, "type_id").map(Kind::Typedef),
            KindNumber::Volatile => self.ty(fields, "type_id").map(Kind::Volatile),
            KindNumber::Const => self.ty(fields, "type_id").map(Kind::Const),
            KindNumber::Restrict => self.ty(fields, "type_id").map(Kind::Restrict),
            KindNumber::Func => self.function_type(fields),
            KindNumber::FuncProto => self.prototype(fields),
            KindNumber::Var => self.typed_variable(fields),
            KindNumber::DataSec => section(fields),
            KindNumber::Float => float(fields),
            KindNumber::DeclTag => self.declaration_tag(fields),
            KindNumber::TypeTag => self.type_tag(fields),
        }
    }

    fn array(&mut self, fields: &mut Fields<'a>) -> Result<Kind, Wrong> {
        Ok(Kind::Array {
            element: self.ty(fields, "type_id")?,
            index: self.ty(fields, "index_type_id")?,
            len: fields.number("nr_elems")?,
        })
    }

    fn function_type(&mut self, fields: &mut Fields<'a>) -> Result<Kind, Wrong> {
        Ok(Kind::Func {
            proto: self.ty(fields, "type_id")?,
            linkage: linkage(fields)?,
        })
    }

    fn prototype(&mut self, fields: &mut Fields<'a>) -> Result<Kind, Wrong> {
        Ok(Kind::FuncProto {
            ret: self.ty(fields, "ret_type_id")?,
            params: Vec::new(),
        })
    }

    fn typed_variable(&mut self, fields: &mut Fields<'a>) -> Result<Kind, Wrong> {
        Ok(Kind::Var {
            ty: self.ty(fields, "type_id")?,
            linkage: linkage(fields)?,
        })
    }

    fn declaration_tag(&mut self, fields: &mut Fields<'a>) -> Result<Kind, Wrong> {
        Ok(Kind::DeclTag {
            ty: self.ty(fields, "type_id")?,
            component: fields.signed("component_idx")?,
            tag: tag(fields)?,
        })
    }

    fn type_tag(&mut self, fields: &mut Fields<'a>) -> Result<Kind, Wrong> {
        Ok(Kind::TypeTag {
            ty: self.ty(fields, "type_id")?,
            tag: tag(fields)?,
        })
    }

    /// A line that is a part of a type: a member, an enumerator, a parameter, a variable.
    fn part(
        &mut self,
        open: &mut Open<'a>,
        first: Word<'a>,
        mut words: Words<'a>,
    ) -> Result<(), Wrong> {
        if let Kind::DataSec { vars, .. } = &mut open.kind {
            let mut fields = Fields::beginning(first, &mut words)?;
            vars.push(SecVar {
                var: self.ty(&mut fields, "type_id")?,
                offset: fields.number("offset")?,
                size: fields.number("size")?,
            });
            return fields.end();
        }
        let name = self.name_of_type(&first)?;
        let mut fields = Fields::of(&mut words)?;
        match &mut open.kind {
            Kind::Struct { members, .. } | Kind::Union { members, .. } => {
                let ty = self.ty(&mut fields, "type_id")?;
                let place = fields.wants("bits_offset")?;
                let offset: u32 = place.number("a number of 32 bits")?;
                if offset >> 24 != 0 {
                    open.wide.get_or_insert((place, self.number));
                }
                members.push(Member { name, ty, offset });
                open.bits
                    .push(fields.number_or("bitfield_size", 0_u8)?.into());
            }
            Kind::Enum { values, .. } => {
                let value = fields.wants("val")?;
                let number = number(&value)?;
                let fits =
                    i32::try_from(number).or_else(|_| u32::try_from(number).map(|n| n as i32));
                let fits = fits.map_err(|_| value.wrong(format!("{number} does not fit 32 bits")));
                values.push((name, fits?));
            }
            Kind::Enum64 { values, .. } => {
                let value = fields.wants("val")?;
                let number = number(&value)?;
                let fits =
                    i64::try_from(number).or_else(|_| u64::try_from(number).map(|n| n as i64));
                let fits = fits.map_err(|_| value.wrong(format!("{number} does not fit 64 bits")));
                values.push((name, fits?));
            }
            Kind::FuncProto { params, .. } => {
                params.push((name, self.ty(&mut fields, "type_id")?));
            }
            other => {
                let message = format!("a type of kind {} has no parts", other.name());
                return Err(first.wrong(message));
            }
        }
        fields.end()
    }

    /// Adds a type whose parts are all read.
    fn close(&mut self, open: Option<Open<'a>>) -> Result<(), Wrong> {
        let Some(mut open) = open else { return Ok(()) };
        let have = open.kind.parts();
        if let Some((count, word)) = open.wanted.filter(|(count, _)| *count != have) {
            self.number = open.line;
            return Err(word.wrong(format!("{count} parts are announced, and {have} follow")));
        }
        if u16::try_from(have).is_err() {
            self.number = open.line;
            return Err(Wrong::line(format!("{have} parts: 65535 are the most")));
        }
        if let Kind::Struct {
            members, bitfields, ..
        }
        | Kind::Union {
            members, bitfields, ..
        } = &mut open.kind
        {
            if open.bits.iter().any(|bits| *bits != 0) {
                *bitfields = Bitfields::Yes;
            }
            if *bitfields == Bitfields::Yes {
                if let Some((place, line)) = open.wide {
                    self.number = line;
                    return Err(place.wrong("expected 24 bits at most: the type has bit fields"));
                }
                for (member, bits) in members.iter_mut().zip(&open.bits) {
                    member.offset |= bits << 24;
                }
            }
        }
        if let Some(btf) = &mut self.object.btf {
            btf.push(open.name, open.kind);
        }
        Ok(())
    }

    fn types_so_far(&self) -> usize {
        self.object.btf.as_ref().map_or(0, Btf::len)
    }

    /// The name that a word in quotes is.
    fn name_of_type(&mut self, word: &Word<'a>) -> Result<StrId, Wrong> {
        if !word.text.starts_with('\'') {
            return Err(word.wrong("expected a name in single quotes, or '(anon)'"));
        }
        let is_anonymous = word.text.trim_matches('\'') == ANONYMOUS;
        let name = word.bytes()?;
        if name.contains(&0) {
            return Err(word.wrong("expected a name without a NUL in it"));
        }
        Ok(match (&mut self.object.btf, is_anonymous) {
            (Some(btf), false) => btf.intern_bytes(&name),
            _ => StrId(0),
        })
    }

    /// The number of a type in a field.
    fn ty(&mut self, fields: &mut Fields<'a>, name: &str) -> Result<TypeId, Wrong> {
        let word = fields.wants(name)?;
        self.type_id(&word)
    }

    /// The number of a type, which may be one further down.
    pub(super) fn type_id(&mut self, word: &Word<'_>) -> Result<TypeId, Wrong> {
        let id = TypeId(word.number("a type's number")?);
        if id.0 as usize > self.types_so_far() {
            self.mentioned.push(Mentioned {
                id,
                line: self.number,
                begin: word.begin,
                end: word.end,
            });
        }
        Ok(id)
    }

    /// Looks whether all types are there that were mentioned.
    pub(super) fn finish_types(&mut self) -> Result<(), Wrong> {
        let count = self.types_so_far();
        let is_missing = |mentioned: &&Mentioned| mentioned.id.0 as usize > count;
        let Some(missing) = self.mentioned.iter().find(is_missing) else {
            return Ok(());
        };
        self.number = missing.line;
        let (begin, end) = (missing.begin, missing.end);
        let help = match &self.object.btf {
            None => Some("types stand below '.btf'".to_owned()),
            Some(_) => None,
        };
        let message = format!("there is no type {}, and {count} in all", missing.id.0);
        Err(Wrong {
            begin,
            end,
            ..Wrong::line(message)
        }
        .help(help))
    }

    /// `.core_relo KIND type_id=N access=0:1`: what the next instruction asks of the kernel.
    pub(super) fn core_relocation(&mut self, words: &mut Words<'a>) -> Result<(), Wrong> {
        let word = words.wants("what is asked, like FIELD_BYTE_OFFSET")?;
        let Some(kind) = CoreKind::from_name(word.text) else {
            let names = CoreKind::all().map(CoreKind::name);
            let meant = near(word.text, names);
            return Err(word
                .wrong(format!("'{}' is nothing that can be asked", word.text))
                .help(meant.map(|meant| format!("did you mean '{meant}'?"))));
        };
        let mut fields = Fields::of(words)?;
        let type_id = self.ty(&mut fields, "type_id")?;
        let access = fields.wants("access")?;
        let access = Access::parse(access.text)
            .ok_or_else(|| access.wrong("expected numbers with colons between them, at most 64"))?;
        fields.end()?;
        let Some(current) = &mut self.current else {
            return Err(words.wrong("'.core_relo' outside any program"));
        };
        current.assembler.core(CoreRelocation {
            kind,
            type_id,
            access,
        });
        Ok(())
    }
}

/// Writes the types as the directive that makes them.
pub(super) fn print_types(out: &mut dyn Write, btf: &Btf) -> fmt::Result {
    writeln!(out, ".btf")?;
    let mut types = btf.types().filter_map(|(id, _)| btf.raw(id));
    types.try_for_each(|ty| writeln!(out, "{ty}"))
}

/// Writes ` field=7`, if there is a type and types are printed.
pub(super) fn print_type_id(
    out: &mut dyn Write,
    field: &str,
    id: Option<TypeId>,
    extent: Extent,
) -> fmt::Result {
    match id.filter(|_| extent == Extent::Whole) {
        Some(id) => write!(out, " {field}={}", id.0),
        None => Ok(()),
    }
}

/// Writes what an instruction asks as the directive before it.
pub(super) fn print_core_relocation(
    out: &mut dyn Write,
    relocation: &CoreRelocation,
) -> fmt::Result {
    let CoreRelocation {
        kind,
        type_id,
        access,
    } = relocation;
    let id = type_id.0;
    writeln!(out, ".core_relo {kind} type_id={id} access={access}")
}

/// The `name=value` of a line, each of which is taken once.
struct Fields<'a> {
    all: Vec<(Word<'a>, Word<'a>)>,
    /// The end of the line.
    end: Wrong,
}

impl<'a> Fields<'a> {
    fn of(words: &mut Words<'a>) -> Result<Fields<'a>, Wrong> {
        let mut all = Vec::new();
        for word in words.by_ref() {
            // `(VAR 'name')` behind a variable of a section says nothing new.
            if word.text.starts_with('(') {
                break;
            }
            all.push(field(word)?);
        }
        for _ in words.by_ref() {}
        let end = words.behind("");
        Ok(Fields { all, end })
    }

    /// Those of a line whose first word is read.
    fn beginning(first: Word<'a>, words: &mut Words<'a>) -> Result<Fields<'a>, Wrong> {
        let first = field(first)?;
        let mut fields = Fields::of(words)?;
        fields.all.insert(0, first);
        Ok(fields)
    }

    fn find(&mut self, name: &str) -> Option<Word<'a>> {
        let at = self.all.iter().position(|(known, _)| known.text == name)?;
        Some(self.all.remove(at).1)
    }

    fn wants(&mut self, name: &str) -> Result<Word<'a>, Wrong> {
        let found = self.find(name);
        found.ok_or_else(|| Wrong {
            message: format!("expected {name}="),
            ..self.end.clone()
        })
    }

    fn number<T: TryFrom<u64>>(&mut self, name: &str) -> Result<T, Wrong> {
        self.wants(name)?.number(&bits_of::<T>())
    }

    fn number_or<T: TryFrom<u64>>(&mut self, name: &str, other: T) -> Result<T, Wrong> {
        match self.find(name) {
            Some(word) => word.number(&bits_of::<T>()),
            None => Ok(other),
        }
    }

    fn signed(&mut self, name: &str) -> Result<i32, Wrong> {
        let word = self.wants(name)?;
        let number = number(&word)?;
        i32::try_from(number).map_err(|_| word.wrong(format!("{number} does not fit 32 bits")))
    }

    /// The one of `all` that has the name.
    fn choose<T: Copy>(
        &mut self,
        field: &str,
        all: &[T],
        name: fn(T) -> &'static str,
    ) -> Result<T, Wrong> {
        let word = self.wants(field)?;
        let found = all.iter().copied().find(|one| name(*one) == word.text);
        found.ok_or_else(|| {
            let names: Vec<&str> = all.iter().map(|one| name(*one)).collect();
            word.wrong(format!("expected {}", names.join(" or ")))
        })
    }

    /// # Errors
    /// If a field is left.
    fn end(self) -> Result<(), Wrong> {
        match self.all.first() {
            Some((name, _)) => Err(name.wrong(format!("no '{}' here", name.text))),
            None => Ok(()),
        }
    }
}

/// What a field of this type takes.
fn bits_of<T>() -> String {
    format!("a number of {} bits", 8 * size_of::<T>())
}

/// `name=value`; bpftool puts a comma behind some.
fn field<'a>(word: Word<'a>) -> Result<(Word<'a>, Word<'a>), Wrong> {
    let (name, value) = word
        .split_at_equals()
        .ok_or_else(|| word.wrong("expected a name, = and a value"))?;
    let text = value.text.trim_end_matches(',');
    Ok((name, Word { text, ..value }))
}

/// A number of up to 64 bits with a sign, and the `LL` or `ULL` of C behind.
fn number(word: &Word<'_>) -> Result<i128, Wrong> {
    let text = word.text.trim_end_matches("LL").trim_end_matches('U');
    let digits = text.strip_prefix('-');
    let plain = Word {
        text: digits.unwrap_or(text),
        ..*word
    };
    let number = i128::from(plain.number64("a number")?);
    Ok(if digits.is_some() { -number } else { number })
}

fn no_kind(word: &Word<'_>) -> Wrong {
    let meant = near(word.text, Kind::names());
    word.wrong(format!("'{}' is no kind of type", word.text))
        .help(meant.map(|meant| format!("did you mean '{meant}'?")))
}

fn structure(fields: &mut Fields<'_>) -> Result<Kind, Wrong> {
    Ok(Kind::Struct {
        size: fields.number("size")?,
        members: Vec::new(),
        bitfields: bitfields(fields)?,
    })
}

fn union(fields: &mut Fields<'_>) -> Result<Kind, Wrong> {
    Ok(Kind::Union {
        size: fields.number("size")?,
        members: Vec::new(),
        bitfields: bitfields(fields)?,
    })
}

fn enumeration(fields: &mut Fields<'_>) -> Result<Kind, Wrong> {
    Ok(Kind::Enum {
        signed: signedness(fields)?,
        size: fields.number("size")?,
        values: Vec::new(),
    })
}

fn wide_enumeration(fields: &mut Fields<'_>) -> Result<Kind, Wrong> {
    Ok(Kind::Enum64 {
        signed: signedness(fields)?,
        size: fields.number("size")?,
        values: Vec::new(),
    })
}

fn forward(fields: &mut Fields<'_>) -> Result<Kind, Wrong> {
    let forward = fields.choose("fwd_kind", &Forward::ALL, Forward::name)?;
    Ok(Kind::Fwd(forward))
}

fn section(fields: &mut Fields<'_>) -> Result<Kind, Wrong> {
    Ok(Kind::DataSec {
        size: fields.number("size")?,
        vars: Vec::new(),
    })
}

fn float(fields: &mut Fields<'_>) -> Result<Kind, Wrong> {
    let size = fields.number("size")?;
    Ok(Kind::Float { size })
}

fn linkage(fields: &mut Fields<'_>) -> Result<Linkage, Wrong> {
    fields.choose("linkage", &Linkage::ALL, Linkage::name)
}

fn integer(fields: &mut Fields<'_>) -> Result<Kind, Wrong> {
    let size = fields.number("size")?;
    Ok(Kind::Int {
        size,
        offset: fields.number_or("bits_offset", 0)?,
        bits: fields.number_or("nr_bits", size.saturating_mul(8) as u8)?,
        encoding: encoding(fields)?,
    })
}

fn encoding(fields: &mut Fields<'_>) -> Result<IntEncoding, Wrong> {
    let Some(word) = fields.find("encoding") else {
        return Ok(IntEncoding::default());
    };
    match ENCODINGS.iter().find(|(name, _)| *name == word.text) {
        Some((_, encoding)) => Ok(*encoding),
        None => {
            let bits: u8 = word.number("(none), SIGNED, CHAR, BOOL or a number")?;
            match bits {
                0..16 => Ok(IntEncoding(bits)),
                _ => Err(word.wrong("an encoding has 4 bits")),
            }
        }
    }
}

fn signedness(fields: &mut Fields<'_>) -> Result<Signedness, Wrong> {
    fields.choose("encoding", &Signedness::ALL, Signedness::name)
}

fn kind_flag(fields: &mut Fields<'_>) -> Result<u8, Wrong> {
    let Some(word) = fields.find("kind_flag") else {
        return Ok(0);
    };
    match word.number("0 or 1")? {
        flag @ (0 | 1) => Ok(flag),
        _ => Err(word.wrong("expected 0 or 1")),
    }
}

fn bitfields(fields: &mut Fields<'_>) -> Result<Bitfields, Wrong> {
    Ok(match kind_flag(fields)? {
        0 => Bitfields::No,
        _ => Bitfields::Yes,
    })
}

fn tag(fields: &mut Fields<'_>) -> Result<Tag, Wrong> {
    Ok(match kind_flag(fields)? {
        0 => Tag::Btf,
        _ => Tag::Attribute,
    })
}
