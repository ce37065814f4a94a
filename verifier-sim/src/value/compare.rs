//! Comparisons of scalars: which branch is taken, and what a branch teaches.
//!
//! [`decide`] says whether a condition can only hold or only fail; [`assume`] gives what is
//! known of both operands where it holds or fails. Both are as sharp as the kernel's (6.18)
//! and no sharper.
//!
//! Read before: `scalar_older.rs`. Read next: `compare_older.rs`.

use crate::value::bounds::{Bounds, Int, Range};
use crate::value::scalar::{Existence, Scalar};
use crate::value::scalar_older::Older;
use crate::value::tnum::Tnum;
use ebpf_asm::isa::{Cond, Width};

/// Whether a condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    /// It holds: the jump is taken.
    Holds,
    /// It does not: execution falls through.
    Fails,
}

impl Outcome {
    /// That of comparing two numbers.
    fn of(cond: Cond, width: Width, a: u64, b: u64) -> Outcome {
        match cond.holds(width, a, b) {
            true => Outcome::Holds,
            false => Outcome::Fails,
        }
    }

    fn opposite(self) -> Outcome {
        match self {
            Outcome::Holds => Outcome::Fails,
            Outcome::Fails => Outcome::Holds,
        }
    }
}

/// Whether `a cond b` always holds or always fails; `None` if it depends.
pub(crate) fn decide(cond: Cond, width: Width, a: &Scalar, b: &Scalar) -> Option<Outcome> {
    match cond {
        Cond::Jeq => decide_equal(width, a, b),
        Cond::Jne => decide_equal(width, a, b).map(Outcome::opposite),
        Cond::Jset => decide_set(width, a, b),
        Cond::Jgt | Cond::Jge | Cond::Jlt | Cond::Jle => match width {
            Width::W64 => decide_order(cond, a.bounds.u64, b.bounds.u64),
            Width::W32 => decide_order(cond, a.bounds.u32, b.bounds.u32),
        },
        Cond::Jsgt | Cond::Jsge | Cond::Jslt | Cond::Jsle => match width {
            Width::W64 => decide_order(cond, a.bounds.s64, b.bounds.s64),
            Width::W32 => decide_order(cond, a.bounds.s32, b.bounds.s32),
        },
    }
}

fn decide_equal(width: Width, a: &Scalar, b: &Scalar) -> Option<Outcome> {
    if let (Some(a), Some(b)) = (a.constant_at(width), b.constant_at(width)) {
        return Some(Outcome::of(Cond::Jeq, width, a, b));
    }
    let apart = |x: Range<_>, y: Range<_>| x.intersect(y).is_empty();
    let low_apart = apart_32(a, b);
    let bits_differ = match width {
        Width::W64 => disjoint(a.tnum, b.tnum),
        Width::W32 => disjoint(a.tnum.low_half(), b.tnum.low_half()),
    };
    let whole_apart = width == Width::W64
        && (apart(a.bounds.u64, b.bounds.u64) || a.bounds.s64.intersect(b.bounds.s64).is_empty());
    (low_apart || bits_differ || whole_apart).then_some(Outcome::Fails)
}

fn apart_32(a: &Scalar, b: &Scalar) -> bool {
    a.bounds.u32.intersect(b.bounds.u32).is_empty()
        || a.bounds.s32.intersect(b.bounds.s32).is_empty()
}

/// Whether a bit is known in both and not the same.
fn disjoint(a: Tnum, b: Tnum) -> bool {
    (a.value() ^ b.value()) & !a.mask() & !b.mask() != 0
}

fn decide_set(width: Width, a: &Scalar, b: &Scalar) -> Option<Outcome> {
    let (number, bits) = with_constant(width, a, b)?;
    let tnum = number.tnum;
    if tnum.value() & bits != 0 {
        return Some(Outcome::Holds);
    }
    (tnum.max() & bits == 0).then_some(Outcome::Fails)
}

/// The operands as a number and a constant, in whichever order they stand.
fn with_constant<'a>(width: Width, a: &'a Scalar, b: &'a Scalar) -> Option<(&'a Scalar, u64)> {
    match (a.constant_at(width), b.constant_at(width)) {
        (_, Some(constant)) => Some((a, constant)),
        (Some(constant), None) => Some((b, constant)),
        (None, None) => None,
    }
}

/// The same, to change the number.
fn with_constant_mut<'a>(
    width: Width,
    a: &'a mut Scalar,
    b: &'a mut Scalar,
) -> Option<(&'a mut Scalar, u64)> {
    match (a.constant_at(width), b.constant_at(width)) {
        (_, Some(constant)) => Some((a, constant)),
        (Some(constant), None) => Some((b, constant)),
        (None, None) => None,
    }
}

fn decide_order<T: Int>(cond: Cond, a: Range<T>, b: Range<T>) -> Option<Outcome> {
    let (always, never) = match cond {
        Cond::Jgt | Cond::Jsgt => (a.min > b.max, a.max <= b.min),
        Cond::Jge | Cond::Jsge => (a.min >= b.max, a.max < b.min),
        Cond::Jlt | Cond::Jslt => (a.max < b.min, a.min >= b.max),
        Cond::Jle | Cond::Jsle => (a.max <= b.min, a.min > b.max),
        // These ask for no order.
        Cond::Jeq | Cond::Jne | Cond::Jset => return None,
    };
    match (always, never) {
        (true, _) => Some(Outcome::Holds),
        (_, true) => Some(Outcome::Fails),
        _ => None,
    }
}

/// Whether `a` and `b` are equal where `a cond b` has this outcome, if it says so.
pub(crate) fn equality(cond: Cond, outcome: Outcome) -> Option<bool> {
    match (cond, outcome) {
        (Cond::Jeq, Outcome::Holds) | (Cond::Jne, Outcome::Fails) => Some(true),
        (Cond::Jeq, Outcome::Fails) | (Cond::Jne, Outcome::Holds) => Some(false),
        _ => None,
    }
}

/// What is known of `a` and `b` where `a cond b` has this outcome, as kernels since Linux 6.8 see it.
pub(crate) fn assume(
    (cond, width): (Cond, Width),
    outcome: Outcome,
    a: &Scalar,
    b: &Scalar,
    older: Option<Older>,
) -> (Scalar, Scalar, Existence) {
    let (mut a, mut b) = narrowed(cond, width, outcome, a, b);
    let existence = a.sync_by(older).and(b.sync_by(older));
    (a, b, existence)
}

/// What is known of a number where comparing it with itself has this outcome: both lessons.
pub(crate) fn assume_of_itself(
    cond: Cond,
    width: Width,
    outcome: Outcome,
    number: &Scalar,
    older: Option<Older>,
) -> (Scalar, Existence) {
    let (a, b) = narrowed(cond, width, outcome, number, number);
    let mut both = Scalar {
        tnum: a.tnum.intersect(b.tnum),
        bounds: a.bounds.intersect(&b.bounds),
    };
    let existence = both.sync_by(older);
    (both, existence)
}

/// What the outcome says of each number, not yet carried over from bounds to bits.
pub(super) fn narrowed(
    cond: Cond,
    width: Width,
    outcome: Outcome,
    a: &Scalar,
    b: &Scalar,
) -> (Scalar, Scalar) {
    let (mut a, mut b) = (*a, *b);
    match (outcome, cond.negated()) {
        (Outcome::Holds, _) => narrow(cond, width, &mut a, &mut b),
        (Outcome::Fails, Some(negated)) => narrow(negated, width, &mut a, &mut b),
        (Outcome::Fails, None) => narrow_clear(width, &mut a, &mut b),
    }
    (a, b)
}

fn narrow(cond: Cond, width: Width, a: &mut Scalar, b: &mut Scalar) {
    let (x, y) = (&mut a.bounds, &mut b.bounds);
    match (cond, width) {
        (Cond::Jeq, _) => narrow_equal(width, a, b),
        (Cond::Jne, _) => narrow_unequal(width, a, b),
        (Cond::Jset, _) => narrow_set(width, a, b),
        (Cond::Jlt, Width::W64) => less(&mut x.u64, &mut y.u64),
        (Cond::Jlt, Width::W32) => less(&mut x.u32, &mut y.u32),
        (Cond::Jle, Width::W64) => not_greater(&mut x.u64, &mut y.u64),
        (Cond::Jle, Width::W32) => not_greater(&mut x.u32, &mut y.u32),
        (Cond::Jslt, Width::W64) => less(&mut x.s64, &mut y.s64),
        (Cond::Jslt, Width::W32) => less(&mut x.s32, &mut y.s32),
        (Cond::Jsle, Width::W64) => not_greater(&mut x.s64, &mut y.s64),
        (Cond::Jsle, Width::W32) => not_greater(&mut x.s32, &mut y.s32),
        (Cond::Jgt | Cond::Jge | Cond::Jsgt | Cond::Jsge, _) => narrow(cond.swapped(), width, b, a),
    }
}

/// A number type whose neighbours can be asked for.
trait Step: Int {
    fn up(self) -> Self;
    fn down(self) -> Self;
}

macro_rules! step {
    ($($t:ty)*) => {$(
        impl Step for $t {
            fn up(self) -> $t {
                self.saturating_add(1)
            }
            fn down(self) -> $t {
                self.saturating_sub(1)
            }
        }
    )*};
}

step!(u64 i64 u32 i32);

/// `a < b`.
fn less<T: Step>(a: &mut Range<T>, b: &mut Range<T>) {
    let (most, least) = (b.max.down(), a.min.up());
    a.max = a.max.min(most);
    b.min = b.min.max(least);
}

/// `a <= b`.
fn not_greater<T: Step>(a: &mut Range<T>, b: &mut Range<T>) {
    a.max = a.max.min(b.max);
    b.min = b.min.max(a.min);
}

fn narrow_equal(width: Width, a: &mut Scalar, b: &mut Scalar) {
    let (x, y) = (&mut a.bounds, &mut b.bounds);
    match width {
        Width::W64 => {
            x.u64 = x.u64.intersect(y.u64);
            x.s64 = x.s64.intersect(y.s64);
            (y.u64, y.s64) = (x.u64, x.s64);
            a.tnum = a.tnum.intersect(b.tnum);
            b.tnum = a.tnum;
        }
        Width::W32 => {
            x.u32 = x.u32.intersect(y.u32);
            x.s32 = x.s32.intersect(y.s32);
            (y.u32, y.s32) = (x.u32, x.s32);
            let low = a.tnum.low_half().intersect(b.tnum.low_half());
            a.tnum = a.tnum.with_low_half(low);
            b.tnum = b.tnum.with_low_half(low);
        }
    }
}

/// A number that is not the constant at an end of its range is further in.
fn narrow_unequal(width: Width, a: &mut Scalar, b: &mut Scalar) {
    let Some((number, constant)) = with_constant_mut(width, a, b) else {
        return;
    };
    let bounds = &mut number.bounds;
    match width {
        Width::W64 => {
            exclude(&mut bounds.u64, constant);
            exclude(&mut bounds.s64, constant as i64);
        }
        Width::W32 => {
            exclude(&mut bounds.u32, constant as u32);
            exclude(&mut bounds.s32, constant as i32);
        }
    }
}

fn exclude<T: Step>(range: &mut Range<T>, number: T) {
    if range.min == range.max {
        return;
    }
    if range.min == number {
        range.min = range.min.up();
    }
    if range.max == number {
        range.max = range.max.down();
    }
}

/// `number & bits != 0`: with a single bit it is known to be 1.
fn narrow_set(width: Width, a: &mut Scalar, b: &mut Scalar) {
    let Some((number, bits)) = with_constant_mut(width, a, b) else {
        return;
    };
    if bits.is_power_of_two() {
        number.tnum = number.tnum.or(Tnum::constant(bits));
    }
}

/// `number & bits == 0`: all of them are 0. The kernel forgets the bounds over it.
fn narrow_clear(width: Width, a: &mut Scalar, b: &mut Scalar) {
    let Some((number, bits)) = with_constant_mut(width, a, b) else {
        return;
    };
    number.tnum = number.tnum.and(Tnum::constant(!bits));
    number.bounds = Bounds::UNKNOWN;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::scalar::tests::{number, scalar};
    use proptest::prelude::*;

    fn check(a: Scalar, xs: &[u64], b: Scalar, ys: &[u64]) -> Result<(), TestCaseError> {
        for cond in Cond::ALL {
            for width in [Width::W32, Width::W64] {
                let decided = decide(cond, width, &a, &b);
                for (&x, &y) in xs.iter().flat_map(|x| ys.iter().map(move |y| (x, y))) {
                    let outcome = Outcome::of(cond, width, x, y);
                    prop_assert!(
                        decided.is_none_or(|d| d == outcome),
                        "{cond:?} {x:#x} {y:#x}"
                    );
                    let (a, b, _) = assume((cond, width), outcome, &a, &b, None);
                    prop_assert!(a.contains(x), "{cond:?} {width:?} {x:#x} {y:#x}: {a:?}");
                    prop_assert!(b.contains(y), "{cond:?} {width:?} {x:#x} {y:#x}: {b:?}");
                }
            }
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn comparisons_are_sound((a, xs) in scalar(), (b, ys) in scalar()) {
            check(a, &xs, b, &ys)?;
        }

        #[test]
        fn comparisons_with_a_constant_are_sound((a, xs) in scalar(), y in number()) {
            check(a, &xs, Scalar::constant(y), &[y])?;
            check(Scalar::constant(y), &[y], a, &xs)?;
        }

        #[test]
        fn comparisons_of_constants_are_decided(x in number(), y in number()) {
            for cond in Cond::ALL {
                for width in [Width::W32, Width::W64] {
                    let decided = decide(cond, width, &Scalar::constant(x), &Scalar::constant(y));
                    prop_assert_eq!(decided, Some(Outcome::of(cond, width, x, y)));
                }
            }
        }
    }
}
