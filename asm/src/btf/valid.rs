//! Which BTF the kernel takes (`BPF_BTF_LOAD`): what it asks of types beyond the format.
//!
//! The law: what the kernel takes is taken here, what it refuses is refused. The differential test
//! `rules::types` holds it, with the BTF of objects changed at random. The kernel is Linux 6.18
//! alone, whatever release a program is for: another may take less, or more. What is said of a flaw
//! is in words of our own, and not in those of the kernel's log. What special fields it finds in
//! structures is another matter, which the verifier knows.
//!
//! Source: `Documentation/bpf/btf.rst`, and observation on Linux 6.18.
//!
//! Read before: `mod.rs`, `kinds.rs`. Read next: `resolve.rs`, `settle.rs`.

use super::kinds::POINTER;
use super::resolve::check_ways;
use super::sizes::Sizes;
use super::{Bitfields, Btf, IntEncoding, Kind, Linkage, Member, SecVar, StrId, Type, TypeId};

/// Why the kernel takes no such BTF.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unloadable {
    /// There are no types.
    #[error("there are no types")]
    Empty,
    /// There are more types than it takes.
    #[error("there are {count} types, and at most {MOST_TYPES} are taken")]
    TooMany {
        /// How many.
        count: usize,
    },
    /// It takes none with such a type.
    #[error("type {id} ({kind} '{name}'): {what}")]
    Type {
        /// The type.
        id: u32,
        /// Its kind.
        kind: &'static str,
        /// Its name, which may be empty.
        name: String,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// What is wrong with a type.
pub(super) type Flaw = &'static str;
pub(super) type Checked<T = ()> = Result<T, Flaw>;

/// The most types.
const MOST_TYPES: usize = 0xf_ffff;
/// The longest name that has a form, in bytes.
const LONGEST_NAME: usize = 512;
/// The most bits of an integer, and of one with the bits before it in its first byte.
const MOST_BITS: u32 = 128;
/// Bits of an enum that is a bit field.
const ENUM_BITS: u32 = 32;

impl Btf {
    /// That the kernel takes these types, as they are.
    ///
    /// # Errors
    /// The first type that it refuses.
    pub fn check_loadable(&self) -> Result<(), Unloadable> {
        match self.len() {
            0 => return Err(Unloadable::Empty),
            count if count > MOST_TYPES => return Err(Unloadable::TooMany { count }),
            _ => {}
        }
        for (id, ty) in self.types() {
            check_alone(self, ty).map_err(|flaw| self.flawed(id, flaw))?;
        }
        let sizes = Sizes::of(self);
        check_ways(self, &sizes).map_err(|(id, flaw)| self.flawed(id, flaw))?;
        for (id, ty) in self.types() {
            check_among(self, &sizes, ty).map_err(|flaw| self.flawed(id, flaw))?;
        }
        Ok(())
    }

    fn flawed(&self, id: TypeId, what: Flaw) -> Unloadable {
        Unloadable::Type {
            id: id.0,
            kind: self.get(id).map_or("void", |ty| ty.kind.name()),
            name: self.name(id).to_owned(),
            what,
        }
    }
}

/// `flaw`, unless `holds`.
fn ensure(holds: bool, flaw: Flaw) -> Checked {
    match holds {
        true => Ok(()),
        false => Err(flaw),
    }
}

/// What a type says without others: its name and its own numbers.
fn check_alone(btf: &Btf, ty: &Type) -> Checked {
    check_name(btf, ty)?;
    match &ty.kind {
        Kind::Int {
            size,
            encoding,
            offset,
            bits,
        } => check_int(*size, *encoding, u32::from(*bits) + u32::from(*offset)),
        Kind::Array { element, index, .. } => {
            ensure(*element != TypeId::VOID, "its elements are of no type")?;
            ensure(*index != TypeId::VOID, "its index is of no type")
        }
        Kind::Struct {
            size,
            members,
            bitfields,
        } => check_members(btf, (*size, members, *bitfields), Layout::Behind),
        Kind::Union {
            size,
            members,
            bitfields,
        } => check_members(btf, (*size, members, *bitfields), Layout::Over),
        Kind::Enum { size, values, .. } => {
            check_enum(btf, *size, values.iter().map(|(name, _)| *name))
        }
        Kind::Enum64 { size, values, .. } => {
            check_enum(btf, *size, values.iter().map(|(name, _)| *name))
        }
        Kind::Func { linkage, .. } => ensure(*linkage != Linkage::Extern, "is not defined here"),
        Kind::Var { ty, linkage } => {
            ensure(*linkage != Linkage::Extern, "is not defined here")?;
            ensure(*ty != TypeId::VOID, "is of no type")
        }
        Kind::DataSec { size, vars } => check_places(*size, vars),
        Kind::Float { size } => ensure(
            matches!(size, 2 | 4 | 8 | 12 | 16),
            "numbers with a point have not this size",
        ),
        Kind::DeclTag { component, .. } => ensure(*component >= -1, "names no part"),
        _ => Ok(()),
    }
}

/// That an integer can have such an encoding, and room for its bits and those before them.
fn check_int(size: u32, encoding: IntEncoding, bits: u32) -> Checked {
    ensure(
        encoding.0.count_ones() <= 1 && encoding.0 <= 4,
        "its encoding is none",
    )?;
    ensure(bits <= MOST_BITS, "has more than 128 bits")?;
    let room = u64::from(size) * 8;
    ensure(u64::from(bits) <= room, "has more bits than its size has")
}

/// What the name of a type is like.
fn check_name(btf: &Btf, ty: &Type) -> Checked {
    let name = btf.bytes(ty.name);
    let wrong = "has a name that it cannot have";
    match ty.kind {
        Kind::Ptr(_)
        | Kind::Array { .. }
        | Kind::Volatile(_)
        | Kind::Const(_)
        | Kind::Restrict(_)
        | Kind::FuncProto { .. } => ensure(ty.name == StrId(0), "has a name"),
        Kind::Struct { .. } | Kind::Union { .. } | Kind::Enum { .. } | Kind::Enum64 { .. } => {
            ensure(ty.name == StrId(0) || is_identifier(name), wrong)
        }
        Kind::Fwd(_) | Kind::Typedef(_) | Kind::Func { .. } | Kind::Var { .. } => {
            ensure(is_identifier(name), wrong)
        }
        Kind::DataSec { .. } => ensure(is_section(name), wrong),
        Kind::DeclTag { .. } | Kind::TypeTag { .. } => ensure(!name.is_empty(), "says nothing"),
        Kind::Int { .. } | Kind::Float { .. } => Ok(()),
    }
}

/// What C calls so; and with dots, as compilers do. Letters are those of Latin-1.
fn is_identifier(name: &[u8]) -> bool {
    let is_first = |byte: u8| is_letter(byte) || matches!(byte, b'_' | b'.');
    name.first().is_some_and(|first| is_first(*first))
        && name.len() <= LONGEST_NAME
        && name
            .iter()
            .all(|&byte| is_first(byte) || byte.is_ascii_digit())
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || (byte >= 0xc0 && byte != 0xd7 && byte != 0xf7)
}

/// The names of sections: what can be printed in Latin-1.
fn is_section(name: &[u8]) -> bool {
    let is_shown = |byte: &u8| matches!(byte, b' '..=b'~' | 0xa0..);
    !name.is_empty() && name.len() <= LONGEST_NAME && name.iter().all(is_shown)
}

/// How the members of a type lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// One behind the other, as in a struct.
    Behind,
    /// All at the beginning, as in a union.
    Over,
}

/// Where the members of a struct or union are.
fn check_members(
    btf: &Btf,
    (size, members, bitfields): (u32, &[Member], Bitfields),
    layout: Layout,
) -> Checked {
    let mut last = 0;
    for member in members {
        ensure(
            member.name == StrId(0) || is_identifier(btf.bytes(member.name)),
            "a member has a name that it cannot have",
        )?;
        ensure(member.ty != TypeId::VOID, "a member is of no type")?;
        let (offset, _) = member.place(bitfields);
        ensure(
            layout == Layout::Behind || offset == 0,
            "a member is not at its beginning",
        )?;
        ensure(offset >= last, "its members are not in order")?;
        ensure(offset.div_ceil(8) <= size, "a member begins behind it")?;
        last = offset;
    }
    Ok(())
}

fn check_enum(btf: &Btf, size: u32, mut names: impl Iterator<Item = StrId>) -> Checked {
    ensure(matches!(size, 1 | 2 | 4 | 8), "enums have not this size")?;
    ensure(
        names.all(|name| is_identifier(btf.bytes(name))),
        "a value has a name that it cannot have",
    )
}

/// Where the variables of a section are.
fn check_places(size: u32, vars: &[SecVar]) -> Checked {
    ensure(size != 0, "has no bytes")?;
    let mut end = 0u64;
    for var in vars {
        ensure(var.var != TypeId::VOID, "a variable is of no type")?;
        let begin = u64::from(var.offset);
        ensure(
            begin >= end && var.offset < size,
            "a variable is in another or outside",
        )?;
        ensure(
            var.size != 0 && var.size <= size,
            "a variable has no such size",
        )?;
        end = begin + u64::from(var.size);
        ensure(end <= u64::from(size), "a variable ends behind it")?;
    }
    Ok(())
}

/// What a type says of others, among which nothing is round a circle.
fn check_among(btf: &Btf, sizes: &Sizes<'_>, ty: &Type) -> Checked {
    match &ty.kind {
        Kind::Ptr(to) | Kind::TypeTag { ty: to, .. } => check_behind(sizes, *to),
        Kind::Typedef(to) | Kind::Volatile(to) | Kind::Const(to) | Kind::Restrict(to) => {
            let tagged = matches!(sizes.kind(*to), Some(Kind::TypeTag { .. }));
            ensure(!tagged, "is before a tag, and tags come first")?;
            check_behind(sizes, *to)
        }
        Kind::Array {
            element,
            index,
            len,
        } => {
            ensure(is_regular(sizes, *index), "its index is no usual integer")?;
            let size = sizes.size(*element).ok_or("its elements have no size")?;
            let integers = matches!(sizes.behind(*element), Some(Kind::Int { .. }));
            let usual = !integers || is_regular(sizes, *element);
            ensure(usual, "its elements are no usual integers")?;
            ensure(size.checked_mul(*len).is_some(), "has too many bytes")
        }
        Kind::Struct {
            size,
            members,
            bitfields,
        }
        | Kind::Union {
            size,
            members,
            bitfields,
        } => members
            .iter()
            .try_for_each(|member| check_member(sizes, *size, member, *bitfields)),
        Kind::Func { proto, .. } => check_function(sizes, *proto),
        Kind::FuncProto { ret, params } => check_prototype(btf, sizes, *ret, params),
        Kind::Var { ty, .. } => ensure(sizes.size(*ty).is_some(), "its type has no size"),
        Kind::DataSec { vars, .. } => vars.iter().try_for_each(|var| check_variable(sizes, var)),
        Kind::DeclTag { ty, component, .. } => check_declaration(sizes, *ty, *component),
        Kind::Int { .. }
        | Kind::Enum { .. }
        | Kind::Enum64 { .. }
        | Kind::Fwd(_)
        | Kind::Float { .. } => Ok(()),
    }
}

/// What pointers and modifiers lead to: a type, and neither a variable nor what stands for several.
fn check_behind(sizes: &Sizes<'_>, to: TypeId) -> Checked {
    match sizes.kind(to) {
        Some(Kind::Var { .. } | Kind::DataSec { .. } | Kind::DeclTag { .. }) => {
            Err("leads to no type")
        }
        _ => Ok(()),
    }
}

/// Whether a type is an integer that begins at its first bit and has 1, 2, 4, 8 or 16 bytes.
fn is_regular(sizes: &Sizes<'_>, id: TypeId) -> bool {
    matches!(
        sizes.behind(id),
        Some(Kind::Int {
            offset: 0,
            bits: 8 | 16 | 32 | 64 | 128,
            ..
        })
    )
}

/// That a member is of a type that it can have, and ends in its struct or union.
fn check_member(sizes: &Sizes<'_>, size: u32, member: &Member, bitfields: Bitfields) -> Checked {
    let own = sizes
        .size(member.ty)
        .ok_or("the type of a member has no size")?;
    let (offset, field) = member.place(bitfields);
    let flagged = bitfields == Bitfields::Yes;
    match (sizes.behind(member.ty), field) {
        (
            Some(Kind::Int {
                bits,
                offset: first,
                ..
            }),
            None,
        ) if !flagged => {
            let begin = u64::from(offset) + u64::from(*first);
            let copied = (begin % 8) as u32 + u32::from(*bits);
            ensure(copied <= MOST_BITS, "a member has more than 128 bits")?;
            within(size, begin - begin % 8, copied)
        }
        (Some(Kind::Int { bits, .. }), field) => {
            ensure(is_regular(sizes, member.ty), "a member is no usual integer")?;
            let bits = bits_of(offset, field, (*bits).into())?;
            let copied = bits + offset % 8;
            ensure(copied <= MOST_BITS, "a member has more than 128 bits")?;
            within(size, offset.into(), bits)
        }
        (Some(Kind::Enum { .. } | Kind::Enum64 { .. }), field) if flagged => {
            within(size, offset.into(), bits_of(offset, field, ENUM_BITS)?)
        }
        (_, Some(_)) => Err("a bit field is of no integer"),
        (kind, None) => {
            ensure(offset.is_multiple_of(8), "a member begins within a byte")?;
            if let Some(Kind::Float { size }) = kind {
                // The kernel aligns them as it does in its own memory.
                let aligned = (offset / 8).is_multiple_of(POINTER.min(*size));
                ensure(aligned, "a member is at an odd place")?;
            }
            let end = u64::from(offset / 8) + u64::from(own);
            ensure(end <= u64::from(size), "a member ends behind it")
        }
    }
}

/// How many bits a member has: those of the bit field, or all `bits` of its type from a byte on.
fn bits_of(offset: u32, field: Option<u32>, bits: u32) -> Checked<u32> {
    match field {
        None => {
            ensure(offset.is_multiple_of(8), "a member begins within a byte")?;
            Ok(bits)
        }
        Some(field) => {
            ensure(field <= bits, "a bit field has more bits than its type")?;
            Ok(field)
        }
    }
}

/// That so many bits from the bit `begin` on end in a struct of `size` bytes.
fn within(size: u32, begin: u64, bits: u32) -> Checked {
    let end = (begin + u64::from(bits)).div_ceil(8);
    ensure(end <= u64::from(size), "a member ends behind it")
}

/// That a function is of a prototype whose parameters all have names.
fn check_function(sizes: &Sizes<'_>, proto: TypeId) -> Checked {
    let Some(Kind::FuncProto { params, .. }) = sizes.kind(proto) else {
        return Err("is of no prototype");
    };
    let nameless = |(name, ty): &(StrId, TypeId)| *name == StrId(0) && *ty != TypeId::VOID;
    ensure(!params.iter().any(nameless), "a parameter has no name")
}

fn check_prototype(
    btf: &Btf,
    sizes: &Sizes<'_>,
    ret: TypeId,
    params: &[(StrId, TypeId)],
) -> Checked {
    ensure(
        ret == TypeId::VOID || sizes.size(ret).is_some(),
        "returns what has no size",
    )?;
    let params = match params.split_last() {
        // More may follow.
        Some(((StrId(0), TypeId::VOID), before)) => before,
        _ => params,
    };
    for (name, ty) in params {
        ensure(
            sizes.size(*ty).is_some(),
            "the type of a parameter has no size",
        )?;
        ensure(
            *name == StrId(0) || is_identifier(btf.bytes(*name)),
            "a parameter has a name that it cannot have",
        )?;
    }
    Ok(())
}

fn check_variable(sizes: &Sizes<'_>, place: &SecVar) -> Checked {
    let Some(Kind::Var { ty, .. }) = sizes.kind(place.var) else {
        return Err("lists what is no variable");
    };
    let size = sizes
        .size(*ty)
        .ok_or("the type of a variable has no size")?;
    ensure(
        size <= place.size,
        "a variable has less room than its type wants",
    )
}

/// That a declaration is about what can have one.
fn check_declaration(sizes: &Sizes<'_>, of: TypeId, component: i32) -> Checked {
    let parts = match sizes.kind(of) {
        Some(Kind::Struct { members, .. } | Kind::Union { members, .. }) => members.len(),
        Some(Kind::Func { proto, .. }) => match sizes.kind(*proto) {
            Some(Kind::FuncProto { params, .. }) => params.len(),
            _ => return Err("is about a function of no prototype"),
        },
        Some(Kind::Var { .. } | Kind::Typedef(_)) => 0,
        _ => return Err("is about what has no declaration"),
    };
    let there = usize::try_from(component).is_ok_and(|part| part < parts);
    ensure(
        component == -1 || there,
        "is about a part that is not there",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types(lines: &str) -> Btf {
        let text = format!(".btf\n[1] INT 'int' size=4 encoding=SIGNED\n{lines}");
        let object = crate::text::parse("types", &text).unwrap();
        object.btf.unwrap()
    }

    #[test]
    fn what_the_kernel_refuses_is_named() {
        let flaws = [
            (
                "[2] TYPEDEF '(anon)' type_id=1",
                "has a name that it cannot have",
            ),
            (
                "[2] TYPEDEF 'a-b' type_id=1",
                "has a name that it cannot have",
            ),
            ("[2] TYPEDEF 'a' type_id=2", "leads back to itself"),
            ("[2] PTR '(anon)' type_id=2", "leads back to itself"),
            (
                "[2] FLOAT 'odd' size=3",
                "numbers with a point have not this size",
            ),
            (
                "[2] ARRAY '(anon)' type_id=0 index_type_id=1 nr_elems=4",
                "its elements are of no type",
            ),
            (
                "[2] STRUCT 's' size=4\n'm' type_id=1 bits_offset=8",
                "a member ends behind it",
            ),
            (
                "[2] STRUCT 's' size=8\n'm' type_id=2 bits_offset=0",
                "leads back to itself",
            ),
            (
                "[2] FUNC_PROTO '(anon)' ret_type_id=1\n'(anon)' type_id=1\n\
                 [3] FUNC 'f' type_id=2 linkage=global",
                "a parameter has no name",
            ),
            (
                "[2] TYPE_TAG 'tag' type_id=1\n[3] CONST '(anon)' type_id=2",
                "is before a tag, and tags come first",
            ),
        ];
        for (lines, flaw) in flaws {
            let Err(Unloadable::Type { what, .. }) = types(lines).check_loadable() else {
                panic!("is taken: {lines}");
            };
            assert_eq!(what, flaw, "{lines}");
        }
    }

    #[test]
    fn there_are_some_types_and_not_too_many() {
        let mut btf = Btf::new();
        assert_eq!(btf.check_loadable(), Err(Unloadable::Empty));
        for _ in 0..MOST_TYPES {
            btf.add("", Kind::Ptr(TypeId::VOID));
        }
        assert_eq!(btf.check_loadable(), Ok(()));
        btf.add("", Kind::Ptr(TypeId::VOID));
        let count = MOST_TYPES + 1;
        assert_eq!(btf.check_loadable(), Err(Unloadable::TooMany { count }));
    }

    #[test]
    fn structures_point_to_themselves() {
        let list =
            "[2] STRUCT 's' size=8\n'next' type_id=3 bits_offset=0\n[3] PTR '(anon)' type_id=2";
        assert_eq!(types(list).check_loadable(), Ok(()));
    }

    #[test]
    fn ways_are_as_long_as_the_kernel_goes() {
        let chain = |count: u32| {
            let mut btf = Btf::new();
            for at in 2..=count + 1 {
                btf.add("", Kind::Const(TypeId(at)));
            }
            let size = 4;
            btf.add("last", Kind::Float { size });
            btf.check_loadable().is_ok()
        };
        assert_eq!([32, 33, 100_000].map(chain), [true, false, false]);
        let mut back = types("");
        for at in 1..100_000 {
            back.add("", Kind::Const(TypeId(at)));
        }
        assert_eq!(back.check_loadable(), Ok(()));
    }

    #[test]
    fn what_changes_is_looked_at_again() {
        let mut btf =
            types("[2] FUNC_PROTO '(anon)' ret_type_id=1\n[3] FUNC 'f' type_id=2 linkage=extern");
        // Loaders take out what is defined elsewhere.
        assert!(btf.check_loadable().is_err());
        assert_eq!(btf.check_taken(), Ok(()));
        btf.get_mut(TypeId(2)).unwrap().kind = Kind::Ptr(TypeId(2));
        assert!(btf.check_taken().is_err());
    }
}
