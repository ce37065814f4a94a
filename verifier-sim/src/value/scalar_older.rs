//! What kernels before Linux 6.18 make of numbers: what they know less, and forget.
//!
//! Observed on Linux 6.1 and 6.12, which were asked for thousands of small programs; between them
//! the kernel's history says what changed when. Where it does not, the older ones are followed.
//!
//! Read before: `scalar_alu.rs`. Read next: `compare.rs`.

use crate::config::{Config, NEWEST};
use crate::value::bounds::{Int, Range};
use crate::value::scalar::{Ends, Existence, Scalar};
use ebpf_asm::isa::{AluOp, KernelVersion, Width};

/// Which of the older kernels: those that know less come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Older {
    /// Constants are compared, and what is equal; the halves of a number tell each other nothing.
    Before6_8,
    /// Nothing is known of what an operation with an unknown number gives, but of sums, differences
    /// and `&`.
    Before6_12,
    /// Numbers that are known by bits and bounds together are not found, and nothing is known of
    /// what wraps around.
    Before6_18,
}

/// The first release that is not one of those.
const RELEASES: [(Older, KernelVersion); 3] = [
    (Older::Before6_8, (6, 8)),
    (Older::Before6_12, (6, 12)),
    (Older::Before6_18, (6, 18)),
];

impl Config {
    /// Which of the older kernels the kernel is, if it is one.
    pub(crate) fn older(&self) -> Option<Older> {
        if self.since(NEWEST) {
            return None;
        }
        let release = RELEASES.iter().find(|&&(_, end)| !self.since(end));
        release.map(|&(older, _)| older)
    }
}

impl Scalar {
    /// [`Scalar::sync`] as the kernel does it.
    pub(crate) fn sync_by(&mut self, older: Option<Older>) -> Existence {
        match older {
            None => self.sync(),
            Some(older) => self.sync_older(older),
        }
    }

    /// [`Scalar::alu`] as the kernel does it.
    #[must_use]
    pub(crate) fn alu_by(
        self,
        older: Option<Older>,
        (op, width): (AluOp, Width),
        other: &Scalar,
    ) -> Scalar {
        match older {
            None => self.alu(op, width, other),
            Some(older) => self.alu_older(older, (op, width), other),
        }
    }

    /// [`Scalar::at`] as the kernel does it.
    #[must_use]
    pub(crate) fn at_by(self, older: Option<Older>, width: Width) -> Scalar {
        match older {
            None => self.at(width),
            Some(older) => self.at_older(older, width),
        }
    }

    /// Which numbers between the bounds have the known bits is not asked.
    pub(crate) fn sync_older(&mut self, older: Older) -> Existence {
        if self.as_constant().is_some() && !self.is_outside_its_bounds() {
            return Existence::Possible;
        }
        if older > Older::Before6_8 {
            return self.carry_over(Ends::Taken);
        }
        self.bounds_from_tnum(Ends::Taken);
        self.bounds.deduce_same_sign();
        self.tnum_from_bounds();
        self.bounds_from_tnum(Ends::Taken);
        self.forget_contradiction()
    }

    fn alu_older(self, older: Older, (op, width): (AluOp, Width), other: &Scalar) -> Scalar {
        let any_operand = matches!(op, AluOp::Add | AluOp::Sub | AluOp::And);
        if older < Older::Before6_18 && !any_operand && other.constant_at(width).is_none() {
            return Scalar::UNKNOWN;
        }
        self.alu_with(op, width, other, |mut result| {
            self.forget_wrapped(op, other, &mut result);
            result.at_older(older, width)
        })
    }

    fn at_older(self, older: Older, width: Width) -> Scalar {
        let mut result = match width {
            Width::W32 => self.low_half_for_whole(),
            Width::W64 => self,
        };
        result.sync_older(older);
        result
    }

    /// Forgets what these kernels do not know of a result: a sum where one could wrap around, and a
    /// product of what may be negative, or of more than half the bits.
    fn forget_wrapped(&self, op: AluOp, other: &Scalar, result: &mut Scalar) {
        let (a, b, bounds) = (&self.bounds, &other.bounds, &mut result.bounds);
        match op {
            AluOp::Add => {
                keep_if(a.u64.max.checked_add(b.u64.max), &mut bounds.u64);
                keep_if(a.u32.max.checked_add(b.u32.max), &mut bounds.u32);
            }
            AluOp::Sub => {
                keep_if(a.u64.min.checked_sub(b.u64.max), &mut bounds.u64);
                keep_if(a.u32.min.checked_sub(b.u32.max), &mut bounds.u32);
            }
            AluOp::Mul => {
                if a.s64.min.min(b.s64.min) < 0 || a.u64.max.max(b.u64.max) > u64::from(u32::MAX) {
                    (bounds.u64, bounds.s64) = (Range::FULL, Range::FULL);
                }
                if a.s32.min.min(b.s32.min) < 0 || a.u32.max.max(b.u32.max) > u32::from(u16::MAX) {
                    (bounds.u32, bounds.s32) = (Range::FULL, Range::FULL);
                }
            }
            _ => {}
        }
    }
}

/// Forgets a range whose end does not exist.
fn keep_if<T: Int>(end: Option<T>, range: &mut Range<T>) {
    if end.is_none() {
        *range = Range::FULL;
    }
}
