//! What arithmetic makes of what is known of its operands.
//!
//! Every operation is sound with respect to `ebpf_asm::eval`, and as precise as the kernel's
//! (6.18): a sharper result would accept what the kernel refuses. So divisions and shifts by
//! unknown amounts forget everything here, because they do there.
//!
//! Read before: `scalar.rs`. Read next: `scalar_older.rs`.

use crate::value::bounds::{Bounds, Range};
use crate::value::scalar::Scalar;
use crate::value::tnum::Tnum;
use ebpf_asm::eval;
use ebpf_asm::isa::{AluOp, Width};

/// Whether an operation on two known numbers gives a known one.
fn is_exact(op: AluOp) -> bool {
    matches!(
        op,
        AluOp::Add | AluOp::Sub | AluOp::Mul | AluOp::And | AluOp::Or | AluOp::Xor
    )
}

impl Scalar {
    /// `self op other`.
    #[must_use]
    pub(crate) fn alu(self, op: AluOp, width: Width, other: &Scalar) -> Scalar {
        self.alu_with(op, width, other, |mut result| match width {
            Width::W32 => result.zero_extended(),
            Width::W64 => {
                result.sync();
                result
            }
        })
    }

    /// The same, where `finish` carries over what the operation makes of bits and bounds, of which
    /// those of the low half are all there are of a 32-bit operation.
    #[inline(always)]
    pub(super) fn alu_with(
        self,
        op: AluOp,
        width: Width,
        other: &Scalar,
        finish: impl FnOnce(Scalar) -> Scalar,
    ) -> Scalar {
        if let (Some(a), Some(b)) = (self.as_constant(), other.as_constant())
            && is_exact(op)
        {
            return Scalar::constant(eval::alu(op, width, a, b));
        }
        let shift = match op {
            AluOp::Lsh | AluOp::Rsh | AluOp::Arsh => {
                let count = other.constant_at(width);
                // The kernel wants the whole count to be small, also for 32-bit shifts.
                let small = other.bounds.u64.max < u64::from(width.bits());
                match count.filter(|_| small) {
                    Some(count) => count as u32,
                    None => return Scalar::UNKNOWN,
                }
            }
            AluOp::Div | AluOp::Sdiv | AluOp::Mod | AluOp::Smod => return Scalar::UNKNOWN,
            _ => 0,
        };
        let tnum = self.alu_tnum(op, width, other, shift);
        let low = Bounds {
            u32: self.alu_u32(op, other, tnum, shift),
            s32: self.alu_s32(op, other, tnum, shift),
            ..Bounds::UNKNOWN
        };
        if width == Width::W32 {
            return finish(Scalar { tnum, bounds: low });
        }
        // Bits of the upper half come down.
        let comes_down = matches!(op, AluOp::Rsh | AluOp::Arsh);
        finish(Scalar {
            tnum,
            bounds: Bounds {
                u64: self.alu_u64(op, other, tnum, shift),
                s64: self.alu_s64(op, other, tnum, shift),
                ..if comes_down { Bounds::UNKNOWN } else { low }
            },
        })
    }

    fn alu_tnum(&self, op: AluOp, width: Width, other: &Scalar, shift: u32) -> Tnum {
        let (a, b) = match width {
            Width::W64 => (self.tnum, other.tnum),
            Width::W32 => (self.tnum.low_half(), other.tnum.low_half()),
        };
        match op {
            AluOp::Add => a.add(b),
            AluOp::Sub => a.sub(b),
            AluOp::Mul => a.mul(b),
            AluOp::And => a.and(b),
            AluOp::Or => a.or(b),
            AluOp::Xor => a.xor(b),
            AluOp::Lsh => a.lsh(shift),
            AluOp::Rsh => a.rsh(shift),
            AluOp::Arsh => a.arsh(width, shift),
            AluOp::Div | AluOp::Sdiv | AluOp::Mod | AluOp::Smod => Tnum::UNKNOWN,
        }
    }

    fn alu_u64(&self, op: AluOp, other: &Scalar, tnum: Tnum, shift: u32) -> Range<u64> {
        let (a, b) = (self.bounds.u64, other.bounds.u64);
        match op {
            AluOp::Add => a.add(b),
            AluOp::Sub => a.sub(b),
            AluOp::Mul => a.mul(b),
            AluOp::And => Range::new(tnum.value(), a.max.min(b.max)),
            AluOp::Or => Range::new(a.min.max(b.min), tnum.max()),
            AluOp::Xor => Range::new(tnum.value(), tnum.max()),
            AluOp::Lsh => a.lsh(shift),
            AluOp::Rsh => a.rsh(shift),
            _ => Range::FULL,
        }
    }

    fn alu_s64(&self, op: AluOp, other: &Scalar, tnum: Tnum, shift: u32) -> Range<i64> {
        let (a, b) = (self.bounds.s64, other.bounds.s64);
        match op {
            AluOp::Add => a.add(b),
            AluOp::Sub => a.sub(b),
            AluOp::Mul => a.mul(b),
            AluOp::And | AluOp::Or | AluOp::Xor => {
                let unsigned = self.alu_u64(op, other, tnum, shift);
                let (min, max) = (unsigned.min as i64, unsigned.max as i64);
                if min <= max {
                    Range::new(min, max)
                } else {
                    Range::FULL
                }
            }
            // `<<= 32` begins the compilers' way to sign-extend the low half.
            AluOp::Lsh if shift == 32 => {
                let Range { min, max } = self.bounds.s32;
                Range::new(i64::from(min) << 32, i64::from(max) << 32)
            }
            AluOp::Arsh => a.arsh(shift),
            _ => Range::FULL,
        }
    }

    fn alu_u32(&self, op: AluOp, other: &Scalar, tnum: Tnum, shift: u32) -> Range<u32> {
        let (a, b) = (self.bounds.u32, other.bounds.u32);
        let (least, most) = (tnum.value() as u32, tnum.max() as u32);
        match op {
            AluOp::Add => a.add(b),
            AluOp::Sub => a.sub(b),
            AluOp::Mul => a.mul(b),
            AluOp::And => Range::new(least, a.max.min(b.max)),
            AluOp::Or => Range::new(a.min.max(b.min), most),
            AluOp::Xor => Range::new(least, most),
            AluOp::Lsh if shift < 32 => a.lsh(shift),
            AluOp::Rsh if shift < 32 => a.rsh(shift),
            _ => Range::FULL,
        }
    }

    fn alu_s32(&self, op: AluOp, other: &Scalar, tnum: Tnum, shift: u32) -> Range<i32> {
        let (a, b) = (self.bounds.s32, other.bounds.s32);
        match op {
            AluOp::Add => a.add(b),
            AluOp::Sub => a.sub(b),
            AluOp::Mul => a.mul(b),
            AluOp::And | AluOp::Or | AluOp::Xor => {
                let unsigned = self.alu_u32(op, other, tnum, shift);
                let (min, max) = (unsigned.min as i32, unsigned.max as i32);
                if min <= max {
                    Range::new(min, max)
                } else {
                    Range::FULL
                }
            }
            AluOp::Arsh if shift < 32 => a.arsh(shift),
            _ => Range::FULL,
        }
    }
}
