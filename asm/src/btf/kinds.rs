//! The kinds of types as the format has them: the one table that reading, writing and
//! showing go by.
//!
//! Source: `include/uapi/linux/btf.h` and `Documentation/bpf/btf.rst`.

use super::{Forward, Kind, Linkage, Signedness, Tag, TypeId};

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
    pub(super) number: KindNumber,
    /// The kind's name, without `BTF_KIND_`.
    pub(super) name: &'static str,
    pub(super) vlen: Vlen,
    pub(super) flag: Flag,
    pub(super) word: Word,
    /// Words behind the first three, before the items.
    pub(super) extra: usize,
}

/// Rows as number, [`Kind`], name, and what stands in `vlen`, `kind_flag`, `size_or_type` and
/// behind them. The numbers go up from 1.
macro_rules! kinds {
    ($($number:literal $kind:ident $name:literal $vlen:expr, $flag:ident $word:ident $extra:literal;)*) => {
        /// The numbers of the kinds, `BTF_KIND_*`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum KindNumber {
            $($kind = $number,)*
        }

        /// The kinds by number, from 1.
        const ROWS: &[Row] = &[$(
            Row {
                number: KindNumber::$kind,
                name: $name,
                vlen: $vlen,
                flag: Flag::$flag,
                word: Word::$word,
                extra: $extra,
            },
        )*];

        impl Kind {
            /// The number in `btf.h`.
            pub fn number(&self) -> u32 {
                match self {
                    $(Kind::$kind { .. } => $number,)*
                }
            }
        }
    };
}

kinds! {
    1  Int       "INT"        Vlen::Unused, Unused Size 1;
    2  Ptr       "PTR"        Vlen::Unused, Unused Type 0;
    3  Array     "ARRAY"      Vlen::Unused, Unused Unused 3;
    4  Struct    "STRUCT"     Vlen::Items(3), Used Size 0;
    5  Union     "UNION"      Vlen::Items(3), Used Size 0;
    6  Enum      "ENUM"       Vlen::Items(2), Used Size 0;
    7  Fwd       "FWD"        Vlen::Unused, Used Unused 0;
    8  Typedef   "TYPEDEF"    Vlen::Unused, Unused Type 0;
    9  Volatile  "VOLATILE"   Vlen::Unused, Unused Type 0;
    10 Const     "CONST"      Vlen::Unused, Unused Type 0;
    11 Restrict  "RESTRICT"   Vlen::Unused, Unused Type 0;
    12 Func      "FUNC"       Vlen::Linkage, Unused Type 0;
    13 FuncProto "FUNC_PROTO" Vlen::Items(2), Unused Type 0;
    14 Var       "VAR"        Vlen::Unused, Unused Type 1;
    15 DataSec   "DATASEC"    Vlen::Items(3), Unused Size 0;
    16 Float     "FLOAT"      Vlen::Unused, Unused Size 0;
    17 DeclTag   "DECL_TAG"   Vlen::Unused, Used Type 1;
    18 TypeTag   "TYPE_TAG"   Vlen::Unused, Used Type 0;
    19 Enum64    "ENUM64"     Vlen::Items(3), Used Size 0;
}

/// The greatest number of a kind.
pub(super) const LAST: usize = ROWS.len();

/// The row of a kind's number.
pub(super) fn of_number(number: u32) -> Option<&'static Row> {
    ROWS.get((number as usize).checked_sub(1)?)
}

impl Kind {
    /// The kind of a name as in `btf.h`, without `BTF_KIND_`.
    pub(crate) fn named(name: &str) -> Option<KindNumber> {
        let row = ROWS.iter().find(|row| row.name == name);
        row.map(|row| row.number)
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

/// Bytes of a pointer.
pub(super) const POINTER: u32 = 8;

impl Kind {
    /// The type that this one only names or qualifies: modifiers are typedefs, qualifiers and
    /// type tags.
    pub(super) const fn modified(&self) -> Option<TypeId> {
        match self {
            Kind::Typedef(to)
            | Kind::Volatile(to)
            | Kind::Const(to)
            | Kind::Restrict(to)
            | Kind::TypeTag { ty: to, .. } => Some(*to),
            _ => None,
        }
    }

    /// The bytes of the values of a type, if they do not depend on those of another; sections
    /// have no values.
    pub(super) const fn own_size(&self) -> Option<u32> {
        match self {
            Kind::Int { size, .. }
            | Kind::Struct { size, .. }
            | Kind::Union { size, .. }
            | Kind::Enum { size, .. }
            | Kind::Enum64 { size, .. }
            | Kind::Float { size } => Some(*size),
            Kind::Ptr(_) => Some(POINTER),
            _ => None,
        }
    }

    /// How many members, values, parameters or variables a type of the kind lists.
    pub(crate) fn parts(&self) -> usize {
        match self {
            Kind::Struct { members, .. } | Kind::Union { members, .. } => members.len(),
            Kind::Enum { values, .. } => values.len(),
            Kind::Enum64 { values, .. } => values.len(),
            Kind::FuncProto { params, .. } => params.len(),
            Kind::DataSec { vars, .. } => vars.len(),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_at_their_numbers() {
        for (at, row) in ROWS.iter().enumerate() {
            assert_eq!(row.number as usize, at + 1, "{}", row.name);
        }
    }
}
