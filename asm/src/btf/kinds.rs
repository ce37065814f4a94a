//! The kinds of types as the format has them: the one table that reading, writing and
//! showing go by.
//!
//! Source: `include/uapi/linux/btf.h` and `Documentation/bpf/btf.rst`.

use super::{Forward, Kind, Linkage, Signedness, Tag};

/// What the lower 16 bits of `info` (`vlen`) may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Vlen {
    /// Zero.
    Unused,
    /// A linkage.
    Linkage,
    /// How many items of so many words follow.
    Items(usize),
}

/// Whether the uppermost bit of `info` (`kind_flag`) means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flag {
    Unused,
    Used,
}

/// What `size_or_type` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Unused,
    Size,
    Type,
}

/// How the format has types of one kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    /// The kind's name, without `BTF_KIND_`.
    pub(super) name: &'static str,
    pub(super) vlen: Vlen,
    pub(super) flag: Flag,
    pub(super) word: Word,
    /// Words behind the first three, before the items.
    pub(super) extra: usize,
}

const fn row(name: &'static str, vlen: Vlen, flag: Flag, word: Word, extra: usize) -> Row {
    Row {
        name,
        vlen,
        flag,
        word,
        extra,
    }
}

/// The kinds by number, from 1.
const ROWS: [Row; 19] = [
    row("INT", Vlen::Unused, Flag::Unused, Word::Size, 1),
    row("PTR", Vlen::Unused, Flag::Unused, Word::Type, 0),
    row("ARRAY", Vlen::Unused, Flag::Unused, Word::Unused, 3),
    row("STRUCT", Vlen::Items(3), Flag::Used, Word::Size, 0),
    row("UNION", Vlen::Items(3), Flag::Used, Word::Size, 0),
    row("ENUM", Vlen::Items(2), Flag::Used, Word::Size, 0),
    row("FWD", Vlen::Unused, Flag::Used, Word::Unused, 0),
    row("TYPEDEF", Vlen::Unused, Flag::Unused, Word::Type, 0),
    row("VOLATILE", Vlen::Unused, Flag::Unused, Word::Type, 0),
    row("CONST", Vlen::Unused, Flag::Unused, Word::Type, 0),
    row("RESTRICT", Vlen::Unused, Flag::Unused, Word::Type, 0),
    row("FUNC", Vlen::Linkage, Flag::Unused, Word::Type, 0),
    row("FUNC_PROTO", Vlen::Items(2), Flag::Unused, Word::Type, 0),
    row("VAR", Vlen::Unused, Flag::Unused, Word::Type, 1),
    row("DATASEC", Vlen::Items(3), Flag::Unused, Word::Size, 0),
    row("FLOAT", Vlen::Unused, Flag::Unused, Word::Size, 0),
    row("DECL_TAG", Vlen::Unused, Flag::Used, Word::Type, 1),
    row("TYPE_TAG", Vlen::Unused, Flag::Used, Word::Type, 0),
    row("ENUM64", Vlen::Items(3), Flag::Used, Word::Size, 0),
];

/// The row of a kind's number.
pub(super) fn of_number(number: u32) -> Option<&'static Row> {
    ROWS.get((number as usize).checked_sub(1)?)
}

impl Kind {
    /// The number in `btf.h`.
    pub fn number(&self) -> u32 {
        match self {
            Kind::Int { .. } => 1,
            Kind::Ptr(_) => 2,
            Kind::Array { .. } => 3,
            Kind::Struct { .. } => 4,
            Kind::Union { .. } => 5,
            Kind::Enum { .. } => 6,
            Kind::Fwd(_) => 7,
            Kind::Typedef(_) => 8,
            Kind::Volatile(_) => 9,
            Kind::Const(_) => 10,
            Kind::Restrict(_) => 11,
            Kind::Func { .. } => 12,
            Kind::FuncProto { .. } => 13,
            Kind::Var { .. } => 14,
            Kind::DataSec { .. } => 15,
            Kind::Float { .. } => 16,
            Kind::DeclTag { .. } => 17,
            Kind::TypeTag { .. } => 18,
            Kind::Enum64 { .. } => 19,
        }
    }

    /// The names of all kinds.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        ROWS.iter().map(|row| row.name)
    }

    /// The name in `btf.h`, without `BTF_KIND_`: `STRUCT`, `DECL_TAG`...
    pub fn name(&self) -> &'static str {
        of_number(self.number()).map_or("", |row| row.name)
    }
}

/// `kind_flag` of an enum.
pub(super) const SIGNED: [Signedness; 2] = [Signedness::Unsigned, Signedness::Signed];
/// `kind_flag` of a forward declaration.
pub(super) const FORWARD: [Forward; 2] = [Forward::Struct, Forward::Union];
/// `kind_flag` of a tag.
pub(super) const TAG: [Tag; 2] = [Tag::Btf, Tag::Attribute];
/// `BTF_FUNC_*` and `BTF_VAR_*`, which have the same numbers.
pub(super) const LINKAGE: [Linkage; 3] = [Linkage::Static, Linkage::Global, Linkage::Extern];
