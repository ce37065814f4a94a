//! Scalars: what is known of a number in a register, as bits and as bounds.
//!
//! Described in the kernel's `Documentation/bpf/verifier.rst`, "Register value tracking".
//!
//! Read before: `tnum.rs`, `bounds.rs`. Read next: `scalar_alu.rs`.

use crate::value::bounds::{Bounds, Range};
use crate::value::tnum::Tnum;
use ebpf_asm::isa::{AluOp, Size, Swap, Width};

/// Whether there is a number of which all is true that is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existence {
    /// As far as one sees.
    Possible,
    /// What is known contradicts itself.
    Impossible,
}

impl Existence {
    /// That of two numbers together.
    pub(crate) fn and(self, other: Existence) -> Existence {
        match self {
            Existence::Possible => other,
            Existence::Impossible => self,
        }
    }
}

/// Whether the ends of the bounds are looked at for numbers that have the known bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    Looked,
    Taken,
}

/// What is known of a 64-bit number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Scalar {
    /// Its bits: the kernel's `var_off`.
    pub tnum: Tnum,
    /// Its order.
    pub bounds: Bounds,
}

impl Scalar {
    /// Nothing is known.
    pub(crate) const UNKNOWN: Scalar = Scalar {
        tnum: Tnum::UNKNOWN,
        bounds: Bounds::UNKNOWN,
    };

    /// Exactly `value`.
    pub(crate) const fn constant(value: u64) -> Scalar {
        Scalar {
            tnum: Tnum::constant(value),
            bounds: Bounds::constant(value),
        }
    }

    /// Any number of `size`, zero-extended: what a load of that size gives.
    pub(crate) const fn of_size(size: Size) -> Scalar {
        match size {
            Size::B => Scalar::up_to(u8::MAX as u32),
            Size::H => Scalar::up_to(u16::MAX as u32),
            Size::W => Scalar::up_to(u32::MAX),
            Size::DW => Scalar::UNKNOWN,
        }
    }

    /// Any number up to one whose bits are ones from the lowest on.
    const fn up_to(max: u32) -> Scalar {
        Scalar {
            tnum: Tnum::new(0, max as u64),
            bounds: Bounds {
                u64: Range::new(0, max as u64),
                s64: Range::new(0, max as i64),
                u32: Range::new(0, max),
                s32: match max as i32 {
                    0.. => Range::new(0, max as i32),
                    _ => Range::new(i32::MIN, i32::MAX),
                },
            },
        }
    }

    /// Any number from `min` to `max`.
    pub(crate) fn signed_range(min: i64, max: i64) -> Scalar {
        let mut scalar = Scalar::UNKNOWN;
        scalar.bounds.s64 = Range::new(min, max);
        scalar.sync();
        scalar
    }

    /// The number, if only one is possible.
    pub(crate) const fn as_constant(&self) -> Option<u64> {
        self.tnum.as_constant()
    }

    /// The number that `width` bits of it are, if only one is possible.
    pub(crate) const fn constant_at(&self, width: Width) -> Option<u64> {
        match width {
            Width::W64 => self.tnum.as_constant(),
            Width::W32 => self.tnum.low_half().as_constant(),
        }
    }

    /// Whether the number can only be zero.
    pub(crate) fn is_zero(&self) -> bool {
        self.as_constant() == Some(0)
    }

    /// Whether `value` is possible.
    #[cfg(test)]
    pub(crate) fn contains(&self, value: u64) -> bool {
        self.tnum.contains(value) && self.bounds.contains(value)
    }

    /// Whether everything possible for `other` is possible for `self`.
    pub(crate) fn includes(&self, other: &Scalar) -> bool {
        self.tnum.includes(other.tnum) && self.bounds.includes(&other.bounds)
    }

    /// The number with its low 32 bits known.
    #[must_use]
    pub(crate) fn with_low_half(mut self, low: u32) -> Scalar {
        self.tnum = self.tnum.with_low_half(Tnum::constant(u64::from(low)));
        self.bounds.u32 = Range::constant(low);
        self.bounds.s32 = Range::constant(low as i32);
        self.sync();
        self
    }

    /// Carries what bits and bounds know over to each other.
    ///
    /// If they contradict each other the number does not exist, and the code that has it is
    /// never run. The kernel looks at it all the same, with bounds that know nothing and the
    /// bits as they are; so it is done here.
    pub(crate) fn sync(&mut self) -> Existence {
        // Of one number, and of any, all is known as it is.
        match self.as_constant() {
            Some(value) if self.bounds == Bounds::constant(value) => Existence::Possible,
            None if *self == Scalar::UNKNOWN || self.is_settled() => Existence::Possible,
            _ => self.carry_over(Ends::Looked),
        }
    }

    /// The same where they may have something to tell each other.
    pub(super) fn carry_over(&mut self, ends: Ends) -> Existence {
        self.bounds_from_tnum(ends);
        let known = (self.tnum, self.bounds.u64);
        self.deduce_bounds();
        self.tnum_from_bounds();
        // What the bits say of the bounds was said already, if nothing was learnt of them.
        if known != (self.tnum, self.bounds.u64) {
            self.bounds_from_tnum(ends);
        }
        self.forget_contradiction()
    }

    /// Forgets bounds that contradict each other or the bits.
    pub(super) fn forget_contradiction(&mut self) -> Existence {
        if !self.contradicts_itself() {
            return Existence::Possible;
        }
        self.bounds = Bounds::UNKNOWN;
        Existence::Impossible
    }

    /// Whether one sees at once that bits and bounds have nothing to tell each other: the bounds
    /// agree, their ends have the known bits, and bits that all numbers between them have are known.
    /// So it is with most.
    fn is_settled(&self) -> bool {
        let Range { min, max } = self.bounds.u64;
        // Bits say something of signed numbers that may be any, unless none is known.
        let any_sign = self.bounds.s32 == Range::FULL;
        min < max
            && self.bounds.agree()
            && self.tnum.contains(min)
            && self.tnum.contains(max)
            && self.tnum.intersect(Tnum::range(min, max)) == self.tnum
            && (!any_sign || self.tnum.mask() == u64::from(u32::MAX))
    }

    /// Whether no number is within the bounds, or not the one that the bits are.
    fn contradicts_itself(&self) -> bool {
        let low = self.tnum.low_half().as_constant().map(Bounds::constant);
        let bounds = &self.bounds;
        bounds.is_empty()
            || self.is_outside_its_bounds()
            || low.is_some_and(|low| (bounds.u32, bounds.s32) != (low.u32, low.s32))
    }

    /// Whether all bits are known, and the bounds are not those of the one number.
    pub(crate) fn is_outside_its_bounds(&self) -> bool {
        let value = self.as_constant();
        value.is_some_and(|value| self.bounds != Bounds::constant(value))
    }

    /// What the bounds say of each other: three times, as the kernel asks them. It asks the bits once
    /// before and once after that. What changes nothing once changes nothing again.
    fn deduce_bounds(&mut self) {
        for _ in 0..3 {
            if self.bounds.agree() {
                return;
            }
            let before = self.bounds;
            self.bounds.deduce();
            if self.bounds == before {
                return;
            }
        }
    }

    /// Where only one number of 64 bits is left, the kernel knows it (observed on Linux 6.18.44);
    /// of the low half it does not ask.
    pub(super) fn bounds_from_tnum(&mut self, ends: Ends) {
        const SIGN: u64 = 1 << 63;
        const SIGN32: u32 = 1 << 31;
        let (value, mask) = (self.tnum.value(), self.tnum.mask());
        let (low, low_mask) = (value as u32, mask as u32);
        let known = Bounds {
            u64: Range::new(value, value | mask),
            s64: Range::new((value | mask & SIGN) as i64, (value | mask & !SIGN) as i64),
            u32: Range::new(low, low | low_mask),
            s32: Range::new(
                (low | low_mask & SIGN32) as i32,
                (low | low_mask & !SIGN32) as i32,
            ),
        };
        self.bounds = self.bounds.intersect(&known);
        if ends == Ends::Looked
            && let Some(value) = self.only_one()
        {
            *self = Scalar::constant(value);
        }
    }

    /// The number, if only one from the least to the greatest has the known bits: the least, the
    /// greatest that has them, or one between. The kernel takes the greatest also where it is not
    /// within the bounds, which then contradict the bits.
    fn only_one(&self) -> Option<u64> {
        let Range { min, max } = self.bounds.u64;
        let greatest = self.tnum.max();
        let behind = |number: u64| {
            let next = number.checked_add(1);
            next.and_then(|next| self.tnum.first_from(next))
                .unwrap_or(greatest)
        };
        let next = behind(min);
        if self.tnum.contains(min) {
            return (next > max).then_some(min);
        }
        let between = || next <= max && behind(next) > max;
        (next == greatest || between()).then_some(next)
    }

    pub(super) fn tnum_from_bounds(&mut self) {
        let (whole, low) = (self.bounds.u64, self.bounds.u32);
        let from_whole = self.tnum.intersect(Tnum::range(whole.min, whole.max));
        let from_low = Tnum::range(u64::from(low.min), u64::from(low.max));
        self.tnum = from_whole.with_low_half(from_whole.low_half().intersect(from_low));
    }

    /// The low `size`, zero-extended.
    #[must_use]
    pub(crate) fn truncate(mut self, size: Size) -> Scalar {
        let any = Scalar::of_size(size);
        match size {
            // What a load gave is as it was cut off there.
            _ if self == any || self == Scalar::UNKNOWN => return any,
            Size::DW => return self,
            Size::W => return self.zero_extended(),
            Size::B | Size::H => {}
        }
        let kept = u64::MAX >> (64 - size.bytes() * 8);
        let Range { min, max } = self.bounds.u64;
        let whole = if min & !kept == max & !kept {
            Range::new(min & kept, max & kept)
        } else {
            Range::new(0, kept)
        };
        self.tnum = self.tnum.truncate(size);
        self.bounds = Bounds {
            u64: whole,
            s64: Range::new(whole.min as i64, whole.max as i64),
            ..Bounds::UNKNOWN
        };
        self.sync();
        self
    }

    /// The low 32 bits, zero-extended: what every 32-bit operation ends with.
    #[must_use]
    pub(crate) fn zero_extended(self) -> Scalar {
        let any = (self.bounds.u32, self.bounds.s32) == (Range::FULL, Range::FULL);
        if any && self.tnum.low_half() == Tnum::UNKNOWN.low_half() {
            return Scalar::of_size(Size::W);
        }
        let mut extended = self.low_half_for_whole();
        extended.sync();
        extended
    }

    /// The low half for the whole, not yet carried over.
    pub(super) fn low_half_for_whole(mut self) -> Scalar {
        let low = self.bounds.u32;
        let whole = Range::new(u64::from(low.min), u64::from(low.max));
        self.tnum = self.tnum.low_half();
        self.bounds.u64 = whole;
        self.bounds.s64 = Range::new(whole.min as i64, whole.max as i64);
        self
    }

    /// The low `from` with its sign extended to 64 bits.
    #[must_use]
    pub(crate) fn sign_extend(self, from: Size) -> Scalar {
        if from == Size::DW {
            return self;
        }
        if let Some(value) = self.as_constant() {
            return Scalar::constant(ebpf_asm::eval::sign_extend(from, value));
        }
        let unused = 64 - from.bytes() * 8;
        let extend = |n: i64| (n << unused) >> unused;
        let Range { min, max } = self.bounds.s64;
        let (low, high) = (extend(min), extend(max));
        let same_above = min >> (64 - unused) == max >> (64 - unused);
        let range = if same_above && low <= high && (low < 0) == (high < 0) {
            Range::new(low, high)
        } else {
            Range::new(i64::MIN >> unused, i64::MAX >> unused)
        };
        Scalar::signed_range(range.min, range.max)
    }

    /// `MOVSX`: the low `from`, its sign extended to `width`, the rest zero.
    #[must_use]
    pub(crate) fn movsx(self, width: Width, from: Size) -> Scalar {
        let extended = match width {
            Width::W64 => self.sign_extend(from),
            // The upper half plays no part: without it the bounds are sharper.
            Width::W32 => self.low_half_signed().sign_extend(from),
        };
        extended.at(width)
    }

    /// The low 32 bits, sign-extended.
    fn low_half_signed(self) -> Scalar {
        let Range { min, max } = self.bounds.s32;
        let mut scalar = Scalar::signed_range(i64::from(min), i64::from(max));
        scalar.tnum = scalar.tnum.intersect(self.tnum.sign_extend(Size::W));
        scalar.sync();
        scalar
    }

    /// The part of the number that `width` leaves: all, or the low half zero-extended.
    #[must_use]
    pub(crate) fn at(self, width: Width) -> Scalar {
        match width {
            Width::W64 => self,
            Width::W32 => self.zero_extended(),
        }
    }

    /// `-self`, zero-extended from 32 bits.
    #[must_use]
    pub(crate) fn neg(self, width: Width) -> Scalar {
        Scalar::constant(0).alu(AluOp::Sub, width, &self)
    }

    /// A byte swap of the low `size`, cut to that size, on a little-endian machine.
    #[must_use]
    pub(crate) fn byte_swap(self, swap: Swap, size: Size) -> Scalar {
        if swap == Swap::Le {
            return self.truncate(size);
        }
        let mut swapped = Scalar {
            tnum: self.tnum.swap_bytes(size),
            bounds: Bounds::UNKNOWN,
        };
        swapped.sync();
        swapped
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use ebpf_asm::eval;
    use proptest::prelude::*;

    /// Numbers where things happen: near powers of two, small ones, and any.
    pub(crate) fn number() -> impl Strategy<Value = u64> {
        let near =
            (0..64u32, -2..=2i64).prop_map(|(bit, by)| (1u64 << bit).wrapping_add(by as u64));
        prop_oneof![near.clone(), near.prop_map(u64::wrapping_neg), any::<u64>()]
    }

    /// Bounds of 32 bits that all say the same.
    fn agreed() -> impl Strategy<Value = Bounds> {
        (number(), number()).prop_map(|(a, b)| {
            let (a, b) = (a as u32, b as u32);
            let (min, max) = (a.min(b), a.max(b));
            Bounds {
                u64: Range::new(min.into(), max.into()),
                s64: Range::new(min.into(), max.into()),
                u32: Range::new(min, max),
                s32: match min as i32 <= max as i32 {
                    true => Range::new(min as i32, max as i32),
                    false => Range::FULL,
                },
            }
        })
    }

    /// A scalar that holds a few numbers, about as tight as can be, and those numbers.
    pub(crate) fn scalar() -> impl Strategy<Value = (Scalar, Vec<u64>)> {
        (proptest::collection::vec(number(), 1..4), any::<u8>()).prop_map(|(numbers, forget)| {
            let mut scalar = hull(&numbers);
            // Knowing only some of it is as common as knowing all.
            if forget & 1 == 1 {
                scalar.tnum = Tnum::UNKNOWN;
            }
            if forget & 2 == 2 {
                scalar.bounds.u64 = Range::FULL;
                scalar.bounds.s64 = Range::FULL;
            }
            if forget & 4 == 4 {
                scalar.bounds.u32 = Range::FULL;
                scalar.bounds.s32 = Range::FULL;
            }
            scalar.sync();
            (scalar, numbers)
        })
    }

    fn hull(numbers: &[u64]) -> Scalar {
        fn range<T: crate::value::bounds::Int>(
            numbers: &[u64],
            read: impl Fn(u64) -> T,
        ) -> Range<T> {
            let readings = || numbers.iter().map(|&n| read(n));
            Range::new(readings().min().unwrap(), readings().max().unwrap())
        }
        Scalar {
            tnum: numbers
                .iter()
                .map(|&n| Tnum::constant(n))
                .reduce(Tnum::union)
                .unwrap(),
            bounds: Bounds {
                u64: range(numbers, |n| n),
                s64: range(numbers, |n| n as i64),
                u32: range(numbers, |n| n as u32),
                s32: range(numbers, |n| n as i32),
            },
        }
    }

    #[test]
    fn what_a_load_gives_is_what_its_size_leaves_of_any_number() {
        for size in [Size::B, Size::H, Size::W, Size::DW] {
            let mut any = Scalar {
                tnum: Tnum::UNKNOWN.truncate(size),
                bounds: Bounds::UNKNOWN,
            };
            any.sync();
            assert_eq!(any, Scalar::of_size(size), "{size:?}");
            // As it is, whichever way it is cut off again.
            let mut again = any;
            again.sync();
            assert_eq!(again, any, "{size:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn sync_loses_no_member((scalar, numbers) in scalar()) {
            let mut again = scalar;
            again.sync();
            for n in numbers {
                prop_assert!(scalar.contains(n) && again.contains(n), "{n:#x} in {scalar:?}");
            }
        }

        #[test]
        fn bounds_that_agree_have_nothing_to_tell_each_other(bounds in agreed()) {
            prop_assert!(bounds.agree());
            let mut deduced = bounds;
            deduced.deduce();
            prop_assert_eq!(deduced, bounds);
        }

        #[test]
        fn what_is_settled_has_nothing_to_be_carried_over(
            bounds in agreed(), (known, bits) in (number(), number())
        ) {
            let Range { min, max } = bounds.u64;
            let between = Tnum::range(min, max);
            // The bits of the ends, with more unknown ones than that takes, or with fewer.
            let ends = Tnum::constant(min).union(Tnum::constant(max));
            let tnums = [between, ends, Tnum::new(min, (min ^ max) | bits & between.mask()),
                Tnum::new(known, bits)];
            for tnum in tnums {
                let scalar = Scalar { tnum, bounds };
                let mut carried = scalar;
                if scalar.is_settled() {
                    prop_assert_eq!(carried.carry_over(Ends::Looked), Existence::Possible);
                    prop_assert_eq!(carried, scalar);
                }
            }
        }

        #[test]
        fn arithmetic_is_sound((a, xs) in scalar(), (b, ys) in scalar(), count in 0..64u64) {
            for width in [Width::W32, Width::W64] {
                for op in AluOp::ALL {
                    let shift = matches!(op, AluOp::Lsh | AluOp::Rsh | AluOp::Arsh);
                    let (b, ys) = match shift {
                        true => (Scalar::constant(count), vec![count]),
                        false => (b, ys.clone()),
                    };
                    let result = a.alu(op, width, &b);
                    for &x in &xs {
                        for &y in &ys {
                            let exact = eval::alu(op, width, x, y);
                            prop_assert!(
                                result.contains(exact),
                                "{op:?} {width:?} {x:#x} {y:#x} = {exact:#x} in {result:?}"
                            );
                        }
                    }
                }
            }
        }

        #[test]
        fn one_operand_operations_are_sound((a, xs) in scalar()) {
            for x in xs {
                for size in Size::ALL {
                    prop_assert!(a.sign_extend(size).contains(eval::sign_extend(size, x)));
                    let kept = u64::MAX >> (64 - size.bytes() * 8);
                    prop_assert!(a.truncate(size).contains(x & kept), "{x:#x} {size:?}");
                    for swap in [Swap::Le, Swap::Be, Swap::Bswap] {
                        let exact = eval::byte_swap(swap, size, x);
                        prop_assert!(a.byte_swap(swap, size).contains(exact), "{x:#x} {size:?}");
                    }
                    for width in [Width::W32, Width::W64] {
                        let exact = eval::movsx(width, size, x);
                        prop_assert!(a.movsx(width, size).contains(exact), "{x:#x} {size:?} {width:?}");
                        prop_assert!(a.neg(width).contains(eval::neg(width, x)));
                    }
                }
            }
        }

        #[test]
        fn arithmetic_on_constants_is_exact(x in number(), y in number()) {
            for width in [Width::W32, Width::W64] {
                for op in [AluOp::Add, AluOp::Sub, AluOp::Mul, AluOp::And, AluOp::Or, AluOp::Xor] {
                    let result = Scalar::constant(x).alu(op, width, &Scalar::constant(y));
                    prop_assert_eq!(result, Scalar::constant(eval::alu(op, width, x, y)));
                }
            }
        }
    }
}
