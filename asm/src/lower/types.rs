//! What the recording's types and operations are on the machine.
//!
//! Registers hold numbers extended with zeros to 64 bits. Objects are little-endian
//! (`bpfel`): a number of a network-order type is held as a load leaves it, bytes swapped.

use super::cfg::Src;
use crate::isa::{AluOp, Cond, Size, Width};
use ebpf_dsl::recording::{BinaryOp, CompareOp, Type};

/// The size of a type in memory.
pub(super) fn size_of(ty: Type) -> Size {
    match ty {
        Type::Bool | Type::U8 => Size::B,
        Type::U16 | Type::Be16 => Size::H,
        Type::U32 | Type::Be32 => Size::W,
        Type::U64 | Type::Ptr => Size::DW,
    }
}

/// A constant as a register holds it.
pub(super) fn host_constant(number: u64, ty: Type) -> i64 {
    match ty {
        Type::Be16 => i64::from((number as u16).swap_bytes()),
        Type::Be32 => i64::from((number as u32).swap_bytes()),
        _ => number as i64,
    }
}

/// The width in which a type is computed with.
pub(super) fn alu_width(ty: Type) -> Width {
    match ty {
        Type::U64 | Type::Ptr => Width::W64,
        _ => Width::W32,
    }
}

/// The width in which a type is compared. 64 bits wherever that gives the same, since the
/// 32-bit jumps came with Linux 5.1.
pub(super) fn test_width(op: CompareOp, ty: Type, rhs: Src) -> Width {
    use CompareOp::{Sge, Sgt, Sle, Slt};
    let signed = matches!(op, Slt | Sle | Sgt | Sge);
    // A 64-bit jump extends its number with the sign, which would change one this large.
    let too_large = matches!(rhs, Src::Imm(imm) if i32::try_from(imm).is_err());
    match ty {
        Type::U32 | Type::Be32 if signed || too_large => Width::W32,
        _ => Width::W64,
    }
}

pub(super) fn jump_cond(op: CompareOp) -> Cond {
    match op {
        CompareOp::Eq => Cond::Jeq,
        CompareOp::Ne => Cond::Jne,
        CompareOp::Lt => Cond::Jlt,
        CompareOp::Le => Cond::Jle,
        CompareOp::Gt => Cond::Jgt,
        CompareOp::Ge => Cond::Jge,
        CompareOp::Slt => Cond::Jslt,
        CompareOp::Sle => Cond::Jsle,
        CompareOp::Sgt => Cond::Jsgt,
        CompareOp::Sge => Cond::Jsge,
        CompareOp::Set => Cond::Jset,
    }
}

pub(super) fn alu_op(op: BinaryOp) -> AluOp {
    match op {
        BinaryOp::Add => AluOp::Add,
        BinaryOp::Sub => AluOp::Sub,
        BinaryOp::Mul => AluOp::Mul,
        BinaryOp::Div => AluOp::Div,
        BinaryOp::Mod => AluOp::Mod,
        BinaryOp::Sdiv => AluOp::Sdiv,
        BinaryOp::Smod => AluOp::Smod,
        BinaryOp::And => AluOp::And,
        BinaryOp::Or => AluOp::Or,
        BinaryOp::Xor => AluOp::Xor,
        BinaryOp::Lsh => AluOp::Lsh,
        BinaryOp::Rsh => AluOp::Rsh,
        BinaryOp::Arsh => AluOp::Arsh,
    }
}
