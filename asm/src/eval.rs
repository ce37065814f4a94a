//! What operations do to numbers: RFC 9669 sections 4.1 and 4.2 as functions.
//!
//! The optimiser folds constants with them, the interpreter computes with them, and the
//! verifier's abstract operations are tested against them.
//!
//! Read before: `isa.rs`.

use crate::isa::{AluOp, Size, Swap, Width};

/// `a op b`. A 32-bit operation reads the low halves and zero-extends its result; `b` is
/// the operand as the instruction supplies it, an `imm` sign-extended.
///
/// Division by zero gives 0, modulo by zero leaves `a` (its low half for 32 bits), shift
/// counts are masked to the width: RFC 9669 section 4.1.
pub const fn alu(op: AluOp, width: Width, a: u64, b: u64) -> u64 {
    match width {
        Width::W64 => alu64(op, a, b),
        Width::W32 => alu32(op, a as u32, b as u32) as u64,
    }
}

const fn alu64(op: AluOp, a: u64, b: u64) -> u64 {
    let (sa, sb) = (a as i64, b as i64);
    match op {
        AluOp::Add => a.wrapping_add(b),
        AluOp::Sub => a.wrapping_sub(b),
        AluOp::Mul => a.wrapping_mul(b),
        AluOp::Or => a | b,
        AluOp::And => a & b,
        AluOp::Xor => a ^ b,
        AluOp::Lsh => a.wrapping_shl(b as u32),
        AluOp::Rsh => a.wrapping_shr(b as u32),
        AluOp::Arsh => sa.wrapping_shr(b as u32) as u64,
        AluOp::Div | AluOp::Sdiv if b == 0 => 0,
        AluOp::Mod | AluOp::Smod if b == 0 => a,
        AluOp::Div => a / b,
        AluOp::Mod => a % b,
        AluOp::Sdiv => sa.wrapping_div(sb) as u64,
        AluOp::Smod => sa.wrapping_rem(sb) as u64,
    }
}

const fn alu32(op: AluOp, a: u32, b: u32) -> u32 {
    let (sa, sb) = (a as i32, b as i32);
    match op {
        AluOp::Add => a.wrapping_add(b),
        AluOp::Sub => a.wrapping_sub(b),
        AluOp::Mul => a.wrapping_mul(b),
        AluOp::Or => a | b,
        AluOp::And => a & b,
        AluOp::Xor => a ^ b,
        AluOp::Lsh => a.wrapping_shl(b),
        AluOp::Rsh => a.wrapping_shr(b),
        AluOp::Arsh => sa.wrapping_shr(b) as u32,
        AluOp::Div | AluOp::Sdiv if b == 0 => 0,
        AluOp::Mod | AluOp::Smod if b == 0 => a,
        AluOp::Div => a / b,
        AluOp::Mod => a % b,
        AluOp::Sdiv => sa.wrapping_div(sb) as u32,
        AluOp::Smod => sa.wrapping_rem(sb) as u32,
    }
}

/// `-a`, zero-extended from 32 bits.
pub const fn neg(width: Width, a: u64) -> u64 {
    truncate(width, a.wrapping_neg())
}

/// `a` cut to the width.
pub const fn truncate(width: Width, a: u64) -> u64 {
    match width {
        Width::W64 => a,
        Width::W32 => a as u32 as u64,
    }
}

/// The low `from` of `a` with its sign extended to the width, the rest zero.
pub const fn movsx(width: Width, from: Size, a: u64) -> u64 {
    truncate(width, sign_extend(from, a))
}

/// The low `from` of `a` with its sign extended to 64 bits.
pub const fn sign_extend(from: Size, a: u64) -> u64 {
    match from {
        Size::B => a as i8 as u64,
        Size::H => a as i16 as u64,
        Size::W => a as i32 as u64,
        Size::DW => a,
    }
}

/// `a` through a byte swap of its low `size`, cut to that size, on a little-endian host
/// (the only ones this workspace targets: bpfel).
pub const fn byte_swap(swap: Swap, size: Size, a: u64) -> u64 {
    match (swap, size) {
        (Swap::Le, Size::B) | (Swap::Be, Size::B) | (Swap::Bswap, Size::B) => a as u8 as u64,
        (Swap::Le, Size::H) => a as u16 as u64,
        (Swap::Le, Size::W) => a as u32 as u64,
        (Swap::Le, Size::DW) => a,
        (_, Size::H) => (a as u16).swap_bytes() as u64,
        (_, Size::W) => (a as u32).swap_bytes() as u64,
        (_, Size::DW) => a.swap_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Width::{W32, W64};

    /// The cases that RFC 9669 section 4.1 spells out.
    #[test]
    fn division_and_shifts_at_their_edges() {
        assert_eq!(alu(AluOp::Div, W64, 7, 0), 0);
        assert_eq!(alu(AluOp::Mod, W64, 7, 0), 7);
        assert_eq!(alu(AluOp::Mod, W32, 0x1_0000_0007, 0), 7);
        assert_eq!(
            alu(AluOp::Sdiv, W64, i64::MIN as u64, u64::MAX),
            i64::MIN as u64
        );
        assert_eq!(alu(AluOp::Smod, W64, i64::MIN as u64, u64::MAX), 0);
        assert_eq!(
            alu(AluOp::Sdiv, W32, -13i32 as u32 as u64, 3),
            -4i32 as u32 as u64
        );
        assert_eq!(alu(AluOp::Smod, W64, -13i64 as u64, 3), -1i64 as u64);
        assert_eq!(alu(AluOp::Lsh, W64, 1, 65), 2);
        assert_eq!(alu(AluOp::Lsh, W32, 1, 33), 2);
        assert_eq!(alu(AluOp::Arsh, W32, 0x8000_0000, 31), 0xffff_ffff);
        assert_eq!(alu(AluOp::Add, W32, u64::MAX, 1), 0);
        assert_eq!(movsx(W32, Size::B, 0x80), 0xffff_ff80);
        assert_eq!(movsx(W64, Size::W, 0x8000_0000), 0xffff_ffff_8000_0000);
        assert_eq!(byte_swap(Swap::Be, Size::H, 0x11_2233), 0x3322);
        assert_eq!(byte_swap(Swap::Le, Size::H, 0x11_2233), 0x2233);
    }
}
