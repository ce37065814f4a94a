//! Writing: types and names as the bytes of a `.BTF` section, little-endian.

use super::{Btf, IntEncoding, Kind, Type, TypeId};

/// `BTF_MAGIC`.
pub(super) const MAGIC: u16 = 0xeb9f;
/// The length of the header in bytes.
pub(super) const HEADER_LEN: u32 = 24;

impl Btf {
    /// The most members, values, parameters or variables that a type has: `vlen` has 16 bits.
    pub(crate) const MOST_MEMBERS: usize = 0xffff;

    /// A type with more members than [`to_bytes`](Btf::to_bytes) can write, and how many.
    pub(crate) fn crowded(&self) -> Option<(TypeId, usize)> {
        self.types().find_map(|(id, ty)| {
            let count = ty.kind.parts();
            (count > Btf::MOST_MEMBERS).then_some((id, count))
        })
    }

    /// The bytes of a `.BTF` section: header, types, names.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut types = Vec::with_capacity(self.types.len() * 16);
        for ty in &self.types {
            write_type(&mut types, ty);
        }
        // The name at 0 is empty, and there if there are no others.
        let strings = match (&self.base, self.strings.as_bytes()) {
            (None, []) => &[0],
            (_, strings) => strings,
        };
        let mut bytes = Vec::with_capacity(HEADER_LEN as usize + types.len() + strings.len());
        bytes.extend(MAGIC.to_le_bytes());
        bytes.extend([1, 0]); // version, flags
        for word in [
            HEADER_LEN,
            0,
            types.len() as u32,
            types.len() as u32,
            strings.len() as u32,
        ] {
            put(&mut bytes, word);
        }
        bytes.extend(types);
        bytes.extend(strings);
        bytes
    }
}

fn put(bytes: &mut Vec<u8>, word: u32) {
    bytes.extend(word.to_le_bytes());
}

fn put_all<const N: usize>(bytes: &mut Vec<u8>, words: [u32; N]) {
    bytes.extend_from_slice(words.map(u32::to_le_bytes).as_flattened());
}

fn write_type(out: &mut Vec<u8>, ty: &Type) {
    let (flag, vlen, word) = head(&ty.kind);
    let info = flag << 31 | ty.kind.number() << 24 | vlen & 0xffff;
    put_all(out, [ty.name.0, info, word]);
    match &ty.kind {
        Kind::Int {
            encoding: IntEncoding(encoding),
            offset,
            bits,
            ..
        } => out.extend([*bits, 0, *offset, *encoding]),
        Kind::Array {
            element,
            index,
            len,
        } => put_all(out, [element.0, index.0, *len]),
        Kind::Struct { members, .. } | Kind::Union { members, .. } => {
            for member in members {
                put_all(out, [member.name.0, member.ty.0, member.offset]);
            }
        }
        Kind::Enum { values, .. } => {
            for (name, value) in values {
                put_all(out, [name.0, *value as u32]);
            }
        }
        Kind::Enum64 { values, .. } => {
            for (name, value) in values {
                put_all(out, [name.0, *value as u32, (*value >> 32) as u32]);
            }
        }
        Kind::FuncProto { params, .. } => {
            for (name, param) in params {
                put_all(out, [name.0, param.0]);
            }
        }
        Kind::Var { linkage, .. } => put(out, *linkage as u32),
        Kind::DataSec { vars, .. } => {
            for var in vars {
                put_all(out, [var.var.0, var.offset, var.size]);
            }
        }
        Kind::DeclTag { component, .. } => put(out, *component as u32),
        Kind::Ptr(_)
        | Kind::Fwd(_)
        | Kind::Typedef(_)
        | Kind::Volatile(_)
        | Kind::Const(_)
        | Kind::Restrict(_)
        | Kind::Func { .. }
        | Kind::Float { .. }
        | Kind::TypeTag { .. } => {}
    }
}

/// `kind_flag`, `vlen` and `size_or_type`.
fn head(kind: &Kind) -> (u32, u32, u32) {
    match kind {
        Kind::Int { size, .. } | Kind::Float { size } => (0, 0, *size),
        Kind::Struct {
            size,
            members,
            bitfields,
        }
        | Kind::Union {
            size,
            members,
            bitfields,
        } => (*bitfields as u32, members.len() as u32, *size),
        Kind::Enum {
            size,
            signed,
            values,
        } => (*signed as u32, values.len() as u32, *size),
        Kind::Enum64 {
            size,
            signed,
            values,
        } => (*signed as u32, values.len() as u32, *size),
        Kind::Array { .. } => (0, 0, 0),
        Kind::Fwd(forward) => (*forward as u32, 0, 0),
        Kind::Ptr(ty)
        | Kind::Typedef(ty)
        | Kind::Volatile(ty)
        | Kind::Const(ty)
        | Kind::Restrict(ty)
        | Kind::Var { ty, .. } => (0, 0, ty.0),
        Kind::Func { proto, linkage } => (0, *linkage as u32, proto.0),
        Kind::FuncProto { ret, params } => (0, params.len() as u32, ret.0),
        Kind::DataSec { size, vars } => (0, vars.len() as u32, *size),
        Kind::DeclTag { ty, tag, .. } | Kind::TypeTag { ty, tag } => (*tag as u32, 0, ty.0),
    }
}
