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
use crate::value::compare::{Outcome, decide, equality, narrowed};
use crate::value::scalar::{Existence, Scalar};
use crate::value::scalar_older::Older;
use ebpf_asm::isa::{Cond, Width};

/// What is known of `a` and `b` where `a cond b` has this outcome, and one of them is known or
/// both are equal. One that is known stays what it is; of the other the half that was not compared
/// is forgotten, also where nothing is learnt.
pub(crate) fn assume_older(
    cond: Cond,
    width: Width,
    outcome: Outcome,
    a: &Scalar,
    b: &Scalar,
) -> (Scalar, Scalar) {
    let equality = equality(cond, outcome);
    let (learnt_a, learnt_b) = match equality == Some(false) || never(cond, width, outcome, a, b) {
        true => (*a, *b),
        false => narrowed(cond, width, outcome, a, b),
    };
    let learnt = |number: &Scalar, mut learnt: Scalar, other: &Scalar| {
        if number.as_constant().is_some() {
            return *number;
        }
        let value = other.constant_at(width).filter(|_| equality == Some(true));
        match (value, width) {
            (Some(value), Width::W64) => return Scalar::constant(value),
            (Some(value), Width::W32) => learnt = number.with_low_half(value as u32),
            (None, _) => {}
        }
        match width {
            Width::W32 => forget_whole(&mut learnt),
            Width::W64 if other.as_constant().is_some() => forget_low_half(&mut learnt),
            Width::W64 => {}
        }
        match learnt.bounds.is_empty()
            || learnt.sync_older(Older::Before6_8) == Existence::Impossible
        {
            true => Scalar::UNKNOWN,
            false => learnt,
        }
    };
    (learnt(a, learnt_a, b), learnt(b, learnt_b, a))
}

/// Whether no number compares so with the known one, as none is less than 0. Those kernels go this
/// way all the same if it is the first operand that is known, and learn nothing.
fn never(cond: Cond, width: Width, outcome: Outcome, a: &Scalar, b: &Scalar) -> bool {
    let any = |number: &Scalar| match number.constant_at(width) {
        Some(_) => *number,
        None => Scalar::UNKNOWN,
    };
    decide(cond, width, &any(a), &any(b)).is_some_and(|decided| decided != outcome)
}

/// Forgets the bounds of the low half of a number that was compared: what is left is what the whole
/// says of it, if that is one of 32 bits.
fn forget_low_half(number: &mut Scalar) {
    let Bounds { u64, s64, .. } = number.bounds;
    let low = |end: u64| u32::try_from(end);
    let low_signed = |end: i64| i32::try_from(end);
    number.bounds.u32 = match (low(u64.min), low(u64.max)) {
        (Ok(min), Ok(max)) => Range::new(min, max),
        _ => Range::FULL,
    };
    number.bounds.s32 = match (low_signed(s64.min), low_signed(s64.max)) {
        (Ok(min), Ok(max)) => Range::new(min, max),
        _ => Range::FULL,
    };
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
    fn comparing_the_low_half_forgets_the_whole() {
        let number = Scalar::signed_range(-4095, 16);
        let most = Scalar::constant(31);
        let (learnt, _) = assume_older(Cond::Jle, Width::W32, Outcome::Holds, &number, &most);
        // The low half was at most 16 already, signed (observed on Linux 6.1).
        assert_eq!(learnt.bounds.u32.max, 16);
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
