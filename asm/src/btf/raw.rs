//! Types as lines of text: one a type and one for each of its parts, as
//! `bpftool btf dump file FILE format raw` prints them. Nothing is lost: `text/types.rs` reads
//! the same types back.
//!
//! Where bpftool would leave something out, more is said than it says: the bits of an encoding
//! that has no name, and a `kind_flag` that nothing else tells of. In a name what is no
//! printable character, a quote or a backslash stands as `\xff`, and so does the bracket of a
//! name that is `(anon)`.
//!
//! Read before: `mod.rs`, `kinds.rs`, `fields.rs`.

use super::fields::Field;
use super::{
    Bitfields, Btf, Forward, IntEncoding, Kind, Linkage, Member, SecVar, Signedness, StrId, Tag,
    Type, TypeId,
};
use std::fmt::{self, Display, Formatter};

/// What stands for the name of what has none.
pub(crate) const ANONYMOUS: &str = "(anon)";
/// What says that a `kind_flag` is set.
pub(crate) const KIND_FLAG: &str = "kind_flag=1";

/// A type as lines of text: without the end of the last.
pub struct RawType<'b> {
    btf: &'b Btf,
    id: TypeId,
    ty: &'b Type,
}

impl Btf {
    /// The type with this number as lines of text; `None` for `void` and beyond the last.
    pub fn raw(&self, id: TypeId) -> Option<RawType<'_>> {
        let ty = self.get(id)?;
        Some(RawType { btf: self, id, ty })
    }

    fn quoted(&self, id: StrId) -> Name<'_> {
        Name(self.bytes(id))
    }
}

/// A name in quotes, or that there is none.
struct Name<'b>(&'b [u8]);

impl Display for Name<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'\'' | b'\\');
        match std::str::from_utf8(self.0) {
            Ok("") => write!(f, "'{ANONYMOUS}'"),
            Ok(name) if self.0.iter().all(plain) && name != ANONYMOUS => write!(f, "'{name}'"),
            _ => {
                f.write_str("'")?;
                for (at, byte) in self.0.iter().enumerate() {
                    match plain(byte) && !(at == 0 && *byte == b'(') {
                        true => write!(f, "{}", char::from(*byte))?,
                        false => write!(f, "\\x{byte:02x}")?,
                    }
                }
                f.write_str("'")
            }
        }
    }
}

impl Display for RawType<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (btf, ty) = (self.btf, self.ty);
        write!(
            f,
            "[{}] {} {}",
            self.id.0,
            ty.kind.name(),
            btf.quoted(ty.name)
        )?;
        ty.kind.fields(|key, value| {
            if matches!(value, Field::Tag(Tag::Btf)) {
                return Ok(());
            }
            // As bpftool has it.
            f.write_str(match (&ty.kind, value) {
                (Kind::Var { .. }, Field::Word(_)) => ", ",
                _ => " ",
            })?;
            f.write_str(key)?;
            f.write_str("=")?;
            value.fmt(f)
        })?;
        match &ty.kind {
            Kind::Struct {
                members, bitfields, ..
            }
            | Kind::Union {
                members, bitfields, ..
            } => self.members(f, members, *bitfields),
            Kind::Enum { .. } => self.enumerators(f, ""),
            Kind::Enum64 { signed, .. } => self.enumerators(
                f,
                match signed {
                    Signedness::Signed => "LL",
                    Signedness::Unsigned => "ULL",
                },
            ),
            Kind::FuncProto { params, .. } => self.params(f, params),
            Kind::DataSec { vars, .. } => self.variables(f, vars),
            _ => Ok(()),
        }
    }
}

impl Display for Field {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Field::Number(number) | Field::Type(TypeId(number)) => number.fmt(f),
            Field::Signed(number) => number.fmt(f),
            Field::Word(word) => f.write_str(word),
            Field::Encoding(encoding) => encoding.fmt(f),
            Field::Tag(Tag::Attribute) => f.write_str("1"),
            Field::Tag(Tag::Btf) => f.write_str("0"),
        }
    }
}

impl RawType<'_> {
    /// The values of an enum; `suffix` stands behind their numbers.
    fn enumerators(&self, f: &mut Formatter<'_>, suffix: &str) -> fmt::Result {
        write!(f, " vlen={}", self.ty.kind.parts())?;
        let mut values = self.ty.kind.enumerators();
        values.try_for_each(|(id, number)| {
            let name = self.btf.quoted(id);
            write!(f, "\n\t{name} val={number}{suffix}")
        })
    }

    fn params(&self, f: &mut Formatter<'_>, params: &[(StrId, TypeId)]) -> fmt::Result {
        write!(f, " vlen={}", params.len())?;
        params.iter().try_for_each(|(id, ty)| {
            let name = self.btf.quoted(*id);
            write!(f, "\n\t{name} type_id={}", ty.0)
        })
    }

    fn variables(&self, f: &mut Formatter<'_>, vars: &[SecVar]) -> fmt::Result {
        write!(f, " vlen={}", vars.len())?;
        vars.iter().try_for_each(|var| {
            let (id, offset, size) = (var.var.0, var.offset, var.size);
            write!(f, "\n\ttype_id={id} offset={offset} size={size}")?;
            let known = self.btf.get(var.var);
            let kind = known.map_or("?", |ty| ty.kind.name());
            let name = known.map_or(Name(b"?"), |ty| self.btf.quoted(ty.name));
            write!(f, " ({kind} {name})")
        })
    }

    fn members(
        &self,
        f: &mut Formatter<'_>,
        members: &[Member],
        bitfields: Bitfields,
    ) -> fmt::Result {
        write!(f, " vlen={}", members.len())?;
        let is_bitfield = |member: &Member| member.place(bitfields).1.is_some();
        if bitfields == Bitfields::Yes && !members.iter().any(is_bitfield) {
            write!(f, " {KIND_FLAG}")?;
        }
        members.iter().try_for_each(|member| {
            let (offset, bits) = member.place(bitfields);
            let (name, ty) = (self.btf.quoted(member.name), member.ty.0);
            write!(f, "\n\t{name} type_id={ty} bits_offset={offset}")?;
            match bits {
                None => Ok(()),
                Some(bits) => write!(f, " bitfield_size={bits}"),
            }
        })
    }
}

/// The encodings that have names.
pub(crate) const ENCODINGS: [(&str, IntEncoding); 4] = [
    ("(none)", IntEncoding(0)),
    ("SIGNED", IntEncoding::SIGNED),
    ("CHAR", IntEncoding::CHAR),
    ("BOOL", IntEncoding::BOOL),
];

/// The name, or the number of one that has none.
impl Display for IntEncoding {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match ENCODINGS.iter().find(|(_, known)| known == self) {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "{:#x}", self.0),
        }
    }
}

impl Signedness {
    /// Both.
    pub(crate) const ALL: [Signedness; 2] = [Signedness::Signed, Signedness::Unsigned];

    /// What bpftool calls it: `SIGNED` or `UNSIGNED`.
    pub fn name(self) -> &'static str {
        match self {
            Signedness::Signed => "SIGNED",
            Signedness::Unsigned => "UNSIGNED",
        }
    }
}

impl Forward {
    /// Both.
    pub(crate) const ALL: [Forward; 2] = [Forward::Struct, Forward::Union];

    /// The word of C that it declares with.
    pub fn name(self) -> &'static str {
        match self {
            Forward::Struct => "struct",
            Forward::Union => "union",
        }
    }
}

impl Linkage {
    /// All.
    pub(crate) const ALL: [Linkage; 3] = [Linkage::Static, Linkage::Global, Linkage::Extern];

    /// What bpftool calls it: `static`, `global` or `extern`.
    pub fn name(self) -> &'static str {
        match self {
            Linkage::Static => "static",
            Linkage::Global => "global",
            Linkage::Extern => "extern",
        }
    }
}
