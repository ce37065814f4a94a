//! Arithmetic instructions: moves, and numbers by `value/scalar_alu.rs`.
//!
//! Described in the kernel's `Documentation/bpf/verifier.rst`, "Register value tracking".
//!
//! Read before: `machine.rs`. Read next: `pointer_alu.rs`.

use crate::codes::Code;
use crate::config::Config;
use crate::diag::{Checked, Rejection};
use crate::step::machine::{Machine, not_modelled};
use crate::value::bounds::{Bounds, Range};
use crate::value::reg::{Kind, Link, Origin, RegState};
use crate::value::residue::Residue;
use crate::value::scalar::Scalar;
use crate::value::state::State;
use ebpf_asm::insn::{Insn, Reg};
use ebpf_asm::isa::{AluOp, KernelVersion, Operand, Sem, Size, Swap, Width};

impl Machine<'_, '_> {
    /// Executes an instruction of the arithmetic classes.
    pub(crate) fn alu(&mut self, insn: &Insn, sem: Sem) -> Checked {
        match sem {
            Sem::Mov { width, operand } => self.mov(insn, width, operand),
            Sem::Movsx { width, from } => self.movsx(insn, width, from),
            Sem::Neg { width } => self.neg(insn, width),
            Sem::ByteSwap { swap, size } => self.byte_swap(insn, swap, size),
            Sem::Alu { op, width, operand } => self.binary(insn, op, width, operand),
            _ => Ok(()),
        }
    }

    /// A number that is -1 or 0, as an arithmetic shift of the sign leaves it, is followed
    /// twice when it is masked: once as -1, and once more, in the state that is returned, as 0.
    /// Observed on Linux 6.18.
    pub(crate) fn split_sign(
        &mut self,
        insn: &Insn,
        op: AluOp,
        operand: Operand,
    ) -> Checked<Option<Box<State>>> {
        if !matches!(op, AluOp::And | AluOp::Or) || !self.env.config.since((6, 18)) {
            return Ok(None);
        }
        let known = match operand {
            Operand::Reg => self.read_reg(insn.src())?.as_constant().is_some(),
            Operand::Imm => true,
        };
        let dst = self.read_reg(insn.dst())?;
        let (minus_one, zero) = match dst.scalar.bounds {
            Bounds { s64, .. } if s64 == Range::new(-1, 0) => {
                (Scalar::constant(u64::MAX), Scalar::constant(0))
            }
            Bounds { s32, .. } if s32 == Range::new(-1, 0) => {
                let number = dst.scalar;
                (number.with_low_half(u32::MAX), number.with_low_half(0))
            }
            _ => return Ok(None),
        };
        if !dst.is_scalar() || !known {
            return Ok(None);
        }
        let here = self.here();
        let split = |scalar| RegState::scalar(scalar).made(here);
        let mut jump_state = Box::new(self.state.clone());
        jump_state.set_reg(insn.dst(), split(zero));
        self.state.set_reg(insn.dst(), split(minus_one));
        Ok(Some(jump_state))
    }

    fn mov(&mut self, insn: &Insn, width: Width, operand: Operand) -> Checked {
        if (width, operand) == (Width::W64, Operand::Reg) && self.read_reg(insn.src())?.is_pointer()
        {
            self.check_writable(insn.dst())?;
            // A copy of a pointer is best explained by where the pointer was made.
            self.state.copy_reg(insn.src(), insn.dst());
            return Ok(());
        }
        let mut value = self.operand(insn, operand)?;
        if operand == Operand::Imm && self.env.asks_existence(self.slot) {
            value = RegState::scalar(Scalar::signed_range(0, 1));
        }
        self.check_writable(insn.dst())?;
        match width {
            Width::W64 => {
                self.share_number(insn, operand, &mut value);
                // What is left of a pointer is best explained by what made or ended that.
                if !value.is_left_of_pointer() {
                    value.origin.made = self.here();
                }
                self.state.set_reg(insn.dst(), value);
                Ok(())
            }
            Width::W32 => {
                if value.is_pointer() {
                    self.check_leak(insn.src(), &value, "partial copy of pointer")?;
                    return self.write_reg(insn.dst(), RegState::scalar(Scalar::of_size(Size::W)));
                }
                // Only if nothing is cut off do both hold the same number.
                if value.width_bits() <= 32 && self.env.config.since(SHARED_LOW) {
                    self.share_number(insn, operand, &mut value);
                } else {
                    value.unlink();
                }
                value.scalar = value.scalar.at_by(self.env.config.older(), width);
                self.write_reg(insn.dst(), value)
            }
        }
    }

    /// Notes that after a copy both registers hold the same number.
    fn share_number(&mut self, insn: &Insn, operand: Operand, value: &mut RegState) {
        let shared = self.env.config.since(SHARED);
        if !shared || operand == Operand::Imm || !value.is_scalar() {
            return;
        }
        if value.link != Link::Same {
            // The distance is one from the number; a copy begins anew, also one of a constant
            // (seen on 6.18).
            self.state.reg_mut(insn.src()).unlink();
            value.unlink();
        }
        if value.id == 0 && value.as_constant().is_none() {
            value.id = self.new_id();
            self.state.reg_mut(insn.src()).id = value.id;
        }
    }

    fn movsx(&mut self, insn: &Insn, width: Width, from: Size) -> Checked {
        let value = *self.read_reg(insn.src())?;
        if value.is_pointer() {
            self.check_leak(insn.src(), &value, "sign-extension part of pointer")?;
            return self.write_reg(insn.dst(), RegState::scalar(Scalar::UNKNOWN.at(width)));
        }
        let mut result = value;
        if value.scalar.bounds.u64.max < 1 << (from.bytes() * 8 - 1) {
            self.share_number(insn, Operand::Reg, &mut result);
        } else {
            result.unlink();
        }
        result.scalar = value.scalar.movsx(width, from);
        self.write_reg(insn.dst(), result)
    }

    fn neg(&mut self, insn: &Insn, width: Width) -> Checked {
        let value = *self.read_reg(insn.dst())?;
        self.check_writable(insn.dst())?;
        let result = match value.kind {
            Kind::Scalar if self.env.config.since((6, 18)) => value.scalar.neg(width),
            Kind::Scalar => Scalar::UNKNOWN,
            _ => {
                self.check_leak(insn.dst(), &value, "pointer arithmetic prohibited")?;
                Scalar::UNKNOWN
            }
        };
        self.write_reg(insn.dst(), RegState::scalar(result))
    }

    fn byte_swap(&mut self, insn: &Insn, swap: Swap, size: Size) -> Checked {
        let value = *self.read_reg(insn.dst())?;
        self.check_writable(insn.dst())?;
        if value.is_pointer() {
            self.check_leak(insn.dst(), &value, "pointer arithmetic prohibited")?;
        }
        let known = value.is_scalar() && self.env.config.since((6, 18));
        if known && swap == Swap::Le && size == Size::DW {
            return Ok(());
        }
        let result = match known {
            true => value.scalar.byte_swap(swap, size),
            false => Scalar::UNKNOWN,
        };
        self.write_reg(insn.dst(), RegState::scalar(result))
    }

    fn binary(&mut self, insn: &Insn, op: AluOp, width: Width, operand: Operand) -> Checked {
        let constant;
        let src = match operand {
            Operand::Reg => self.read_reg(insn.src())?,
            Operand::Imm => {
                constant = RegState::constant(i64::from(insn.imm()) as u64);
                &constant
            }
        };
        let dst = self.read_reg(insn.dst())?;
        check_constant(insn, op, width, operand)?;
        self.check_writable(insn.dst())?;
        if dst.is_scalar() && src.is_scalar() {
            let mut result = scalar_binary(self.env.config, (op, width), dst, src);
            result.origin = match left_of_ended((op, width), dst, src) {
                Some(origin) => origin,
                None => Origin::made(self.here()),
            };
            self.state.set_reg(insn.dst(), result);
            return Ok(());
        }
        let (dst, src) = (*dst, *src);
        if dst.kind == Kind::Arena || src.kind == Kind::Arena {
            return self.arena_binary(insn);
        }
        match (dst.is_pointer(), src.is_pointer()) {
            (false, false) => Err(not_modelled("arithmetic on what is no number")),
            (true, true) => self.pointer_difference(insn, op),
            (true, false) => self.pointer_binary(insn, op, width, &dst, &src, insn.dst()),
            (false, true) => self.pointer_binary(insn, op, width, &src, &dst, insn.src()),
        }
    }

    /// Refuses to make a pointer visible to those who may not see it.
    pub(crate) fn check_leak(&self, reg: Reg, value: &RegState, what: &str) -> Checked {
        match !value.is_pointer() || self.env.config.may_leak_pointers() {
            true => Ok(()),
            false => Err(leak(reg, value, what)),
        }
    }
}

/// What is not possible without the capability.
pub(crate) const NO_PERFMON: &str = "who lacks CAP_PERFMON may not see addresses of the kernel";

#[cold]
fn leak(reg: Reg, value: &RegState, what: &str) -> Box<Rejection> {
    let (number, name) = (reg.number(), value.type_name());
    Rejection::new(Code::Leak, format!("R{number} {what}"))
        .label(format!("R{number} is a pointer ({name})"))
        .because(value.origin.made, "the pointer is made here")
        .help(format!(
            "{NO_PERFMON}: use what R{number} points to instead of the address, or load the program \
             with CAP_PERFMON"
        ))
}

/// Where a sum or a difference comes from that is at a distance from what is left of a pointer: it is
/// best explained by what ended that.
fn left_of_ended(of: (AluOp, Width), dst: &RegState, src: &RegState) -> Option<Origin> {
    let left = (dst.is_left_of_ended(), src.is_left_of_ended());
    match (left, of) {
        ((true, _), (AluOp::Add, Width::W64)) | ((true, false), (AluOp::Sub, Width::W64)) => {
            Some(dst.origin)
        }
        ((false, true), (AluOp::Add, Width::W64)) => Some(src.origin),
        _ => None,
    }
}

/// What two numbers give.
fn scalar_binary(
    config: &Config,
    (op, width): (AluOp, Width),
    dst: &RegState,
    src: &RegState,
) -> RegState {
    // A number made anew by its bits has nothing left of what it was.
    let by_bits = matches!(op, AluOp::And | AluOp::Or | AluOp::Xor);
    let anew = by_bits && dst.as_constant().is_some() && src.as_constant().is_some();
    let mut result = RegState {
        residue: if anew { Residue::NONE } else { dst.residue },
        off: distance_left(config, (op, width), dst, src),
        ..RegState::scalar(dst.scalar.alu_by(config.older(), (op, width), &src.scalar))
    };
    if dst.id != 0
        && let Some(off) = distance(op, width, src)
        && config.since(linked(op, width, off))
        && dst.link == Link::Same
        && (width == Width::W64 || dst.width_bits() <= 32)
    {
        result.id = dst.id;
        result.link = match width {
            Width::W64 => Link::Plus,
            Width::W32 => Link::PlusLow,
        };
        result.off = off;
    }
    result
}

/// What a number still has of the distance from one that it is known by no more: before Linux 6.18
/// all but what makes it unknown, and adding another constant to what is shared, leaves that as it
/// was. It counts where the number is added to a pointer, and where rounds of a loop are compared. As
/// observed on Linux 6.12.
fn distance_left(
    config: &Config,
    (op, width): (AluOp, Width),
    dst: &RegState,
    src: &RegState,
) -> i32 {
    let made_anew = matches!(op, AluOp::Div | AluOp::Sdiv | AluOp::Mod | AluOp::Smod);
    let adds = op == AluOp::Add && dst.id != 0 && src.scalar.constant_at(width).is_some();
    match config.since(LEFT_NOTHING) || made_anew || adds {
        true => 0,
        false => dst.off,
    }
}

/// Since when a number has nothing left of a distance; from the kernel's history.
const LEFT_NOTHING: KernelVersion = (6, 18);

/// Since when copies of a number learn from each other, and those of its low half; from the
/// kernel's history.
const SHARED: KernelVersion = (5, 11);
const SHARED_LOW: KernelVersion = (6, 4);

/// Since when a number learns from another that is a constant distance away: additions of what is
/// not negative from the kernel's history, the others as observed on Linux 6.12 and 6.18.
fn linked(op: AluOp, width: Width, off: i32) -> KernelVersion {
    match (op, width) {
        (AluOp::Add, Width::W64) if off >= 0 => (6, 11),
        _ => (6, 18),
    }
}

/// How far the result is from the left side, where it is a constant distance: of an addition or
/// a subtraction of a number that is known, of which 32-bit arithmetic takes the low half, and fits
/// into 32 bits (seen on Linux 6.18).
fn distance(op: AluOp, width: Width, src: &RegState) -> Option<i32> {
    let value = src.scalar.constant_at(width)?;
    let value = match width {
        Width::W64 => i32::try_from(value as i64).ok()?,
        Width::W32 => value as i32,
    };
    match op {
        AluOp::Add => Some(value),
        AluOp::Sub => value.checked_neg(),
        _ => None,
    }
}

/// That a constant operand is one that the operation can have.
fn check_constant(insn: &Insn, op: AluOp, width: Width, operand: Operand) -> Checked {
    if operand == Operand::Reg {
        return Ok(());
    }
    let imm = insn.imm();
    match op {
        AluOp::Div | AluOp::Sdiv | AluOp::Mod | AluOp::Smod if imm == 0 => Err(div_by_zero()),
        AluOp::Lsh | AluOp::Rsh | AluOp::Arsh
            if !u32::try_from(imm).is_ok_and(|count| count < width.bits()) =>
        {
            Err(invalid_shift(imm, width))
        }
        _ => Ok(()),
    }
}

#[cold]
fn div_by_zero() -> Box<Rejection> {
    Rejection::new(Code::DivByZero, "div by zero")
        .label("divides by the number 0")
        .help("divide by another number; a register that is 0 when the program runs gives 0")
}

#[cold]
fn invalid_shift(imm: i32, width: Width) -> Box<Rejection> {
    Rejection::new(Code::Shift, format!("invalid shift {imm}"))
        .label(format!("the operand has {} bits", width.bits()))
        .help(format!("shift by 0 to {}", width.bits() - 1))
}

/// What is known of a number, for people.
pub(crate) fn describe(number: &Scalar) -> String {
    if let Some(value) = number.as_constant() {
        return describe_constant(value);
    }
    let (unsigned, signed) = (number.bounds.u64, number.bounds.s64);
    match (signed.min, unsigned.max) {
        (i64::MIN, u64::MAX) => "unknown".to_owned(),
        (min, _) if min < 0 => format!("between {min} and {}", signed.max),
        (_, max) => format!("between {} and {max}", unsigned.min),
    }
}

/// Negative numbers above this are what people write as such, as errors.
const LEAST_SMALL: i32 = -4096;

/// A number, and what it is where somebody wrote a negative one of 32 bits: -1 of an `int`, also as
/// the index of what is 2, 4 or 8 bytes large.
fn describe_constant(value: u64) -> String {
    let small = |shift: u32| {
        let low = u32::try_from(value >> shift).ok()?.cast_signed();
        let is_whole = value.trailing_zeros() >= shift;
        (is_whole && (LEAST_SMALL..0).contains(&low)).then_some((low, 1 << shift))
    };
    match (0..=3).find_map(small) {
        Some((low, 1)) => format!("{value}, which is {low} as an int"),
        Some((low, size)) => format!("{value}, which is {size} times {low} as an int"),
        None => format!("{}", value as i64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negative_numbers_of_32_bits_are_told_as_such() {
        assert_eq!(
            describe_constant(0xffff_ffff),
            "4294967295, which is -1 as an int"
        );
        assert_eq!(
            describe_constant(0xffff_ffff * 8),
            "34359738360, which is 8 times -1 as an int"
        );
        assert_eq!(describe_constant(u64::MAX), "-1");
        assert_eq!(describe_constant(0xdead_beef), "3735928559");
        assert_eq!(describe_constant(8), "8");
    }
}
