//! Writing: types and names as the bytes of a `.BTF` section, little-endian.

use super::{Bitfields, Btf, Forward, IntEncoding, Kind, Linkage, Member, Signedness, Type};

/// `BTF_MAGIC`.
pub(super) const MAGIC: u16 = 0xeb9f;
/// The length of the header in bytes.
pub(super) const HEADER_LEN: u32 = 24;

/// The numbers of the kinds, in `btf.h`.
pub(super) mod number {
    pub(in crate::btf) const INT: u32 = 1;
    pub(in crate::btf) const PTR: u32 = 2;
    pub(in crate::btf) const ARRAY: u32 = 3;
    pub(in crate::btf) const STRUCT: u32 = 4;
    pub(in crate::btf) const UNION: u32 = 5;
    pub(in crate::btf) const ENUM: u32 = 6;
    pub(in crate::btf) const FWD: u32 = 7;
    pub(in crate::btf) const TYPEDEF: u32 = 8;
    pub(in crate::btf) const VOLATILE: u32 = 9;
    pub(in crate::btf) const CONST: u32 = 10;
    pub(in crate::btf) const RESTRICT: u32 = 11;
    pub(in crate::btf) const FUNC: u32 = 12;
    pub(in crate::btf) const FUNC_PROTO: u32 = 13;
    pub(in crate::btf) const VAR: u32 = 14;
    pub(in crate::btf) const DATASEC: u32 = 15;
    pub(in crate::btf) const FLOAT: u32 = 16;
    pub(in crate::btf) const DECL_TAG: u32 = 17;
    pub(in crate::btf) const TYPE_TAG: u32 = 18;
    pub(in crate::btf) const ENUM64: u32 = 19;
}

impl Btf {
    /// The bytes of a `.BTF` section: header, types, names.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut types = Vec::with_capacity(self.types.len() * 16);
        for ty in &self.types {
            write_type(&mut types, ty);
        }
        let empty = [0u8];
        let strings = if self.strings.is_empty() {
            &empty[..]
        } else {
            &self.strings[..]
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
    bytes.extend(words.into_iter().flat_map(u32::to_le_bytes));
}

/// The three words that every type begins with.
fn head(bytes: &mut Vec<u8>, ty: &Type, kind: u32, flag: u32, len: usize, size_or_type: u32) {
    put(bytes, ty.name.0);
    put(bytes, flag << 31 | kind << 24 | len as u32 & 0xffff);
    put(bytes, size_or_type);
}

fn write_type(out: &mut Vec<u8>, ty: &Type) {
    use number::*;
    match &ty.kind {
        Kind::Int {
            size,
            encoding: IntEncoding(encoding),
            offset,
            bits,
        } => {
            head(out, ty, INT, 0, 0, *size);
            put(
                out,
                u32::from(*encoding) << 24 | u32::from(*offset) << 16 | u32::from(*bits),
            );
        }
        Kind::Ptr(to) => head(out, ty, PTR, 0, 0, to.0),
        Kind::Array {
            element,
            index,
            len,
        } => {
            head(out, ty, ARRAY, 0, 0, 0);
            put_all(out, [element.0, index.0, *len]);
        }
        Kind::Struct {
            size,
            members,
            bitfields,
        } => {
            write_members(out, ty, STRUCT, *size, members, *bitfields);
        }
        Kind::Union {
            size,
            members,
            bitfields,
        } => {
            write_members(out, ty, UNION, *size, members, *bitfields);
        }
        Kind::Enum {
            size,
            signed,
            values,
        } => {
            head(out, ty, ENUM, flag(*signed), values.len(), *size);
            for (name, value) in values {
                put_all(out, [name.0, *value as u32]);
            }
        }
        Kind::Enum64 {
            size,
            signed,
            values,
        } => {
            head(out, ty, ENUM64, flag(*signed), values.len(), *size);
            for (name, value) in values {
                put_all(out, [name.0, *value as u32, (*value >> 32) as u32]);
            }
        }
        Kind::Fwd(Forward::Struct) => head(out, ty, FWD, 0, 0, 0),
        Kind::Fwd(Forward::Union) => head(out, ty, FWD, 1, 0, 0),
        Kind::Typedef(to) => head(out, ty, TYPEDEF, 0, 0, to.0),
        Kind::Volatile(to) => head(out, ty, VOLATILE, 0, 0, to.0),
        Kind::Const(to) => head(out, ty, CONST, 0, 0, to.0),
        Kind::Restrict(to) => head(out, ty, RESTRICT, 0, 0, to.0),
        Kind::Func { proto, linkage } => {
            head(out, ty, FUNC, 0, linkage_number(*linkage) as usize, proto.0);
        }
        Kind::FuncProto { ret, params } => {
            head(out, ty, FUNC_PROTO, 0, params.len(), ret.0);
            for (name, param) in params {
                put_all(out, [name.0, param.0]);
            }
        }
        Kind::Var { ty: of, linkage } => {
            head(out, ty, VAR, 0, 0, of.0);
            put(out, linkage_number(*linkage));
        }
        Kind::DataSec { size, vars } => {
            head(out, ty, DATASEC, 0, vars.len(), *size);
            for var in vars {
                put_all(out, [var.var.0, var.offset, var.size]);
            }
        }
        Kind::Float { size } => head(out, ty, FLOAT, 0, 0, *size),
        Kind::DeclTag { ty: of, component } => {
            head(out, ty, DECL_TAG, 0, 0, of.0);
            put(out, *component as u32);
        }
        Kind::TypeTag(to) => head(out, ty, TYPE_TAG, 0, 0, to.0),
    }
}

fn write_members(
    out: &mut Vec<u8>,
    ty: &Type,
    kind: u32,
    size: u32,
    members: &[Member],
    bitfields: Bitfields,
) {
    let flag = match bitfields {
        Bitfields::No => 0,
        Bitfields::Yes => 1,
    };
    head(out, ty, kind, flag, members.len(), size);
    for member in members {
        put_all(out, [member.name.0, member.ty.0, member.offset]);
    }
}

fn flag(signed: Signedness) -> u32 {
    match signed {
        Signedness::Unsigned => 0,
        Signedness::Signed => 1,
    }
}

/// `BTF_FUNC_*` and `BTF_VAR_*` have the same numbers.
fn linkage_number(linkage: Linkage) -> u32 {
    match linkage {
        Linkage::Static => 0,
        Linkage::Global => 1,
        Linkage::Extern => 2,
    }
}
