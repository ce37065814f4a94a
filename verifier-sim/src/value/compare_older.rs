//! Comparisons of scalars before Linux 6.8, when only a comparison with a constant taught anything,
//! and what it taught of one half was not carried over to the other: what is decided here those
//! kernels decide, and no more is known than they know.
//!
//! From the kernel's history, and as observed on Linux 6.1. Where their knowledge contradicts itself
//! those kernels keep it as it is: a number of which nothing is known stands for it, which is refused
//! wherever theirs is.
//!
//! Read before: `compare.rs`. Read next: `btf_ptr.rs`.

use crate::value::bounds::{Bounds, Range};
use crate::value::compare::{Outcome, narrowed};
use crate::value::scalar::{Existence, Scalar};
use ebpf_asm::isa::{Cond, Width};

/// A number as a comparison of this width sees it: where the whole is a signed number of 32 bits,
/// that may be all there is to know of the low half, and those kernels know of it what the bits say.
pub(crate) fn seen(number: &Scalar, width: Width) -> Scalar {
    let Range { min, max } = number.bounds.s64;
    let is_short = i32::try_from(min).is_ok() && i32::try_from(max).is_ok();
    let has_upper = number.bounds.u64.max > u64::from(u32::MAX);
    if width == Width::W64 || !is_short || !has_upper {
        return *number;
    }
    let mut low = Scalar {
        tnum: number.tnum.low_half(),
        bounds: Bounds::UNKNOWN,
    };
    low.sync();
    let bounds = Bounds {
        u32: low.bounds.u32,
        s32: low.bounds.s32,
        ..number.bounds
    };
    Scalar { bounds, ..*number }
}

/// What is known of `a` and `b` where `a cond b` has this outcome, and one of them is known or
/// both are equal. One that is known stays what it is.
pub(crate) fn assume_older(
    cond: Cond,
    width: Width,
    outcome: Outcome,
    a: &Scalar,
    b: &Scalar,
) -> (Scalar, Scalar) {
    let equal = matches!(
        (cond, outcome),
        (Cond::Jeq, Outcome::Holds) | (Cond::Jne, Outcome::Fails)
    );
    let (seen_a, seen_b) = (seen(a, width), seen(b, width));
    let (learnt_a, learnt_b) = narrowed(cond, width, outcome, &seen_a, &seen_b);
    let learnt = |number: &Scalar, mut learnt: Scalar, other: &Scalar| {
        if number.as_constant().is_some() {
            return *number;
        }
        let value = other.constant_at(width).filter(|_| equal);
        match (value, width) {
            (Some(value), Width::W64) => return Scalar::constant(value),
            (Some(value), Width::W32) => learnt = number.with_low_half(value as u32),
            (None, _) => {}
        }
        if width == Width::W32 {
            forget_whole(&mut learnt);
        }
        match learnt.bounds.is_empty() || learnt.sync() == Existence::Impossible {
            true => Scalar::UNKNOWN,
            false => learnt,
        }
    };
    (learnt(a, learnt_a, b), learnt(b, learnt_b, a))
}

/// Forgets the bounds of a number whose low half was compared: what is left is what the bits say,
/// and the bounds of the low half if there is no other.
fn forget_whole(number: &mut Scalar) {
    let low = number.bounds.u32;
    let has_upper = number.tnum.max() > u64::from(u32::MAX);
    (number.bounds.u64, number.bounds.s64) = match has_upper {
        true => (Range::FULL, Range::FULL),
        false => (
            Range::new(u64::from(low.min), u64::from(low.max)),
            Range::new(i64::from(low.min), i64::from(low.max)),
        ),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_low_half_is_known_by_the_bits_alone() {
        let minus_one_or_zero = Scalar::signed_range(-1, 0);
        assert_eq!(seen(&minus_one_or_zero, Width::W64), minus_one_or_zero);
        let low = seen(&minus_one_or_zero, Width::W32);
        assert_eq!(low.bounds.s32, Range::FULL);
        let short = Scalar::signed_range(0, 7);
        assert_eq!(seen(&short, Width::W32), short);
    }

    #[test]
    fn comparing_the_low_half_forgets_the_whole() {
        let number = Scalar::signed_range(-4095, 16);
        let most = Scalar::constant(31);
        let (learnt, _) = assume_older(Cond::Jle, Width::W32, Outcome::Holds, &number, &most);
        assert_eq!(learnt.bounds.u32.max, 31);
        assert_eq!(learnt.bounds.s64.min, i64::MIN);
        let (whole, _) = assume_older(
            Cond::Jle,
            Width::W32,
            Outcome::Holds,
            &Scalar::of_size(ebpf_asm::isa::Size::W),
            &most,
        );
        assert_eq!(whole.bounds.u64.max, 31);
    }

    #[test]
    fn what_equals_a_constant_is_that_whatever_was_known() {
        let far = Scalar::signed_range(0x2000_0000, 0x2000_00ff);
        let eight = Scalar::constant(8);
        let (learnt, _) = assume_older(Cond::Jeq, Width::W64, Outcome::Holds, &far, &eight);
        assert_eq!(learnt, eight);
        let (_, kept) = assume_older(Cond::Jsgt, Width::W64, Outcome::Holds, &far, &eight);
        assert_eq!(kept, eight);
        let (unknown, _) = assume_older(Cond::Jlt, Width::W64, Outcome::Holds, &far, &eight);
        assert_eq!(unknown, Scalar::UNKNOWN);
    }
}
