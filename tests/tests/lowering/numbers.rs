//! What operations do to numbers, written from RFC 9669 and the recording's own words.

use ebpf_dsl::recording::{BinaryOp, CompareOp, Type};

/// A number of a type with its sign.
fn signed(ty: Type, number: u64) -> i64 {
    let unused = 64 - 8 * ty.size();
    (number << unused) as i64 >> unused
}

/// `lhs op rhs`, wrapping to the type.
pub(crate) fn binary(op: BinaryOp, ty: Type, lhs: u64, rhs: u64) -> u64 {
    let bits = 8 * ty.size();
    let count = (rhs & u64::from(bits - 1)) as u32;
    let (minus, by) = (signed(ty, lhs), signed(ty, rhs));
    let result = match op {
        BinaryOp::Add => lhs.wrapping_add(rhs),
        BinaryOp::Sub => lhs.wrapping_sub(rhs),
        BinaryOp::Mul => lhs.wrapping_mul(rhs),
        BinaryOp::Div => lhs.checked_div(rhs).unwrap_or(0),
        BinaryOp::Mod => lhs.checked_rem(rhs).unwrap_or(lhs),
        BinaryOp::Sdiv if rhs == 0 => 0,
        BinaryOp::Sdiv => minus.wrapping_div(by) as u64,
        BinaryOp::Smod if rhs == 0 => lhs,
        BinaryOp::Smod => minus.wrapping_rem(by) as u64,
        BinaryOp::And => lhs & rhs,
        BinaryOp::Or => lhs | rhs,
        BinaryOp::Xor => lhs ^ rhs,
        BinaryOp::Lsh => lhs << count,
        BinaryOp::Rsh => lhs >> count,
        BinaryOp::Arsh => (minus >> count) as u64,
    };
    result & u64::MAX >> (64 - bits)
}

/// Whether `lhs op rhs`.
pub(crate) fn compare(op: CompareOp, ty: Type, lhs: u64, rhs: u64) -> bool {
    let (a, b) = (signed(ty, lhs), signed(ty, rhs));
    match op {
        CompareOp::Eq => lhs == rhs,
        CompareOp::Ne => lhs != rhs,
        CompareOp::Lt => lhs < rhs,
        CompareOp::Le => lhs <= rhs,
        CompareOp::Gt => lhs > rhs,
        CompareOp::Ge => lhs >= rhs,
        CompareOp::Slt => a < b,
        CompareOp::Sle => a <= b,
        CompareOp::Sgt => a > b,
        CompareOp::Sge => a >= b,
        CompareOp::Set => lhs & rhs != 0,
    }
}

fn is_network_order(ty: Type) -> bool {
    matches!(ty, Type::Be16 | Type::Be32)
}

/// The number that these bytes are, as many as the type has. Programs are little-endian.
pub(crate) fn read(ty: Type, bytes: &[u8]) -> u64 {
    let push = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
    match is_network_order(ty) {
        true => bytes.iter().fold(0, push),
        false => bytes.iter().rev().fold(0, push),
    }
}

/// Writes a number to as many bytes as the type has.
pub(crate) fn write(ty: Type, number: u64, bytes: &mut [u8]) {
    let len = bytes.len();
    for (index, byte) in bytes.iter_mut().enumerate() {
        let place = if is_network_order(ty) {
            len - 1 - index
        } else {
            index
        };
        *byte = (number >> (8 * place)) as u8;
    }
}
