//! What a type says beside its name and its parts, by the names that bpftool has for it: the
//! one list that the text of types (`raw.rs`) and their JSON go by.
//!
//! Read before: `kinds.rs`. Read next: `raw.rs`.

use super::{IntEncoding, Kind, Signedness, StrId, Tag, TypeId};

/// What a type says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// A number.
    Number(u32),
    /// A number that may be negative.
    Signed(i32),
    /// The number of another type.
    Type(TypeId),
    /// One of the format's words.
    Word(&'static str),
    /// How an integer is shown.
    Encoding(IntEncoding),
    /// Of which sort a tag is.
    Tag(Tag),
}

impl Kind {
    /// Hands `say` each field of a type and its name, in bpftool's order.
    ///
    /// # Errors
    /// The first of `say`.
    #[inline]
    pub fn fields<E>(
        &self,
        mut say: impl FnMut(&'static str, Field) -> Result<(), E>,
    ) -> Result<(), E> {
        use Field::{Encoding, Number, Signed, Tag, Type, Word};
        match self {
            Kind::Int {
                size,
                encoding,
                offset,
                bits,
            } => {
                say("size", Number(*size))?;
                say("bits_offset", Number((*offset).into()))?;
                say("nr_bits", Number((*bits).into()))?;
                say("encoding", Encoding(*encoding))
            }
            Kind::Ptr(ty)
            | Kind::Typedef(ty)
            | Kind::Volatile(ty)
            | Kind::Const(ty)
            | Kind::Restrict(ty) => say("type_id", Type(*ty)),
            Kind::TypeTag { ty, tag } => {
                say("type_id", Type(*ty))?;
                say("kind_flag", Tag(*tag))
            }
            Kind::DeclTag { ty, component, tag } => {
                say("type_id", Type(*ty))?;
                say("component_idx", Signed(*component))?;
                say("kind_flag", Tag(*tag))
            }
            Kind::Array {
                element,
                index,
                len,
            } => {
                say("type_id", Type(*element))?;
                say("index_type_id", Type(*index))?;
                say("nr_elems", Number(*len))
            }
            Kind::Struct { size, .. }
            | Kind::Union { size, .. }
            | Kind::DataSec { size, .. }
            | Kind::Float { size } => say("size", Number(*size)),
            Kind::Enum { size, signed, .. } | Kind::Enum64 { size, signed, .. } => {
                say("encoding", Word(signed.name()))?;
                say("size", Number(*size))
            }
            Kind::Fwd(forward) => say("fwd_kind", Word(forward.name())),
            Kind::Func { proto: ty, linkage } | Kind::Var { ty, linkage } => {
                say("type_id", Type(*ty))?;
                say("linkage", Word(linkage.name()))
            }
            Kind::FuncProto { ret, .. } => say("ret_type_id", Type(*ret)),
        }
    }

    /// The names and numbers of an enum, as its signedness has them.
    pub fn enumerators(&self) -> impl Iterator<Item = (StrId, i128)> {
        let (narrow, wide, signed) = match self {
            Kind::Enum { values, signed, .. } => (values.as_slice(), &[][..], *signed),
            Kind::Enum64 { values, signed, .. } => (&[][..], values.as_slice(), *signed),
            _ => (&[][..], &[][..], Signedness::Signed),
        };
        let narrow = narrow.iter().map(move |(name, number)| match signed {
            Signedness::Signed => (*name, i128::from(*number)),
            Signedness::Unsigned => (*name, i128::from(*number as u32)),
        });
        let wide = wide.iter().map(move |(name, number)| match signed {
            Signedness::Signed => (*name, i128::from(*number)),
            Signedness::Unsigned => (*name, i128::from(*number as u64)),
        });
        narrow.chain(wide)
    }
}
