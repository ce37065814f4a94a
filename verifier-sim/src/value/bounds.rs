//! Bounds: between which numbers a value lies, read unsigned and signed, at 64 and 32 bits.
//!
//! The four readings of one value constrain each other: [`Bounds::deduce`] carries what one
//! knows over to the others. The tests check that it never loses a member.
//!
//! Described in the kernel's `Documentation/bpf/verifier.rst`, "Register value tracking".
//!
//! Read before: `tnum.rs`. Read next: `scalar.rs`.

use std::fmt::Debug;

/// All numbers from `min` to `max`; none if `min` is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Range<T> {
    /// The least.
    pub min: T,
    /// The greatest.
    pub max: T,
}

/// A native integer, with its limits.
pub(crate) trait Int: Copy + Ord + Debug {
    /// The least number.
    const MIN: Self;
    /// The greatest number.
    const MAX: Self;
}

impl<T: Int> Range<T> {
    /// Every number of the type.
    pub(crate) const FULL: Range<T> = Range {
        min: T::MIN,
        max: T::MAX,
    };

    /// The numbers from `min` to `max`.
    pub(crate) const fn new(min: T, max: T) -> Range<T> {
        Range { min, max }
    }

    /// Exactly one number.
    pub(crate) const fn constant(number: T) -> Range<T> {
        Range {
            min: number,
            max: number,
        }
    }

    /// Whether `number` is in the range.
    #[cfg(test)]
    pub(crate) fn contains(self, number: T) -> bool {
        self.min <= number && number <= self.max
    }

    /// Whether every number of `other` is in the range.
    pub(crate) fn includes(self, other: Range<T>) -> bool {
        self.min <= other.min && other.max <= self.max
    }

    /// Whether no number is in the range.
    pub(crate) fn is_empty(self) -> bool {
        self.min > self.max
    }

    /// The numbers in both.
    #[must_use]
    pub(crate) fn intersect(self, other: Range<T>) -> Range<T> {
        Range {
            min: self.min.max(other.min),
            max: self.max.min(other.max),
        }
    }
}

macro_rules! unsigned_range {
    ($($t:ty)*) => {$(
        impl Int for $t {
            const MIN: $t = <$t>::MIN;
            const MAX: $t = <$t>::MAX;
        }

        #[allow(clippy::should_implement_trait, reason = "named as the operations are")]
        impl Range<$t> {
            /// Adds. If both ends wrap around the range stays one, if one does nothing is known.
            #[must_use]
            pub(crate) fn add(self, other: Range<$t>) -> Range<$t> {
                let (min, low_wraps) = self.min.overflowing_add(other.min);
                let (max, high_wraps) = self.max.overflowing_add(other.max);
                if low_wraps == high_wraps { Range { min, max } } else { Range::FULL }
            }

            /// Subtracts. If both ends wrap around the range stays one, if one does nothing is
            /// known.
            #[must_use]
            pub(crate) fn sub(self, other: Range<$t>) -> Range<$t> {
                let (min, low_wraps) = self.min.overflowing_sub(other.max);
                let (max, high_wraps) = self.max.overflowing_sub(other.min);
                if low_wraps == high_wraps { Range { min, max } } else { Range::FULL }
            }

            /// Multiplies.
            #[must_use]
            pub(crate) fn mul(self, other: Range<$t>) -> Range<$t> {
                match self.max.checked_mul(other.max) {
                    Some(max) => Range { min: self.min.wrapping_mul(other.min), max },
                    None => Range::FULL,
                }
            }

            /// Shifts left by `amount` bits, less than the width. As the kernel does, nothing
            /// is known as soon as the greatest number could lose a bit or two.
            #[must_use]
            pub(crate) fn lsh(self, amount: u32) -> Range<$t> {
                if self.max > (1 as $t).wrapping_shl((<$t>::BITS - 1).saturating_sub(amount)) {
                    return Range::FULL;
                }
                Range {
                    min: self.min.wrapping_shl(amount),
                    max: self.max.wrapping_shl(amount),
                }
            }

            /// Shifts right by `amount` bits, less than the width.
            #[must_use]
            pub(crate) fn rsh(self, amount: u32) -> Range<$t> {
                Range {
                    min: self.min.wrapping_shr(amount),
                    max: self.max.wrapping_shr(amount),
                }
            }
        }
    )*};
}

macro_rules! signed_range {
    ($($t:ty)*) => {$(
        impl Int for $t {
            const MIN: $t = <$t>::MIN;
            const MAX: $t = <$t>::MAX;
        }

        #[allow(clippy::should_implement_trait, reason = "named as the operations are")]
        impl Range<$t> {
            /// The range between two ends, or everything if either overflowed.
            fn between(min: Option<$t>, max: Option<$t>) -> Range<$t> {
                match (min, max) {
                    (Some(min), Some(max)) => Range { min, max },
                    _ => Range::FULL,
                }
            }

            /// Adds; nothing is known if an end overflows.
            #[must_use]
            pub(crate) fn add(self, other: Range<$t>) -> Range<$t> {
                Range::<$t>::between(
                    self.min.checked_add(other.min),
                    self.max.checked_add(other.max),
                )
            }

            /// Subtracts; nothing is known if an end overflows.
            #[must_use]
            pub(crate) fn sub(self, other: Range<$t>) -> Range<$t> {
                Range::<$t>::between(
                    self.min.checked_sub(other.max),
                    self.max.checked_sub(other.min),
                )
            }

            /// Multiplies; nothing is known if a product of ends overflows.
            #[must_use]
            pub(crate) fn mul(self, other: Range<$t>) -> Range<$t> {
                let mut ends = [
                    self.min.checked_mul(other.min),
                    self.min.checked_mul(other.max),
                    self.max.checked_mul(other.min),
                    self.max.checked_mul(other.max),
                ];
                if ends.contains(&None) {
                    return Range::FULL;
                }
                ends.sort_unstable();
                Range::<$t>::between(ends[0], ends[3])
            }

            /// Shifts right by `amount` bits, less than the width, repeating the sign.
            #[must_use]
            pub(crate) fn arsh(self, amount: u32) -> Range<$t> {
                Range {
                    min: self.min.wrapping_shr(amount),
                    max: self.max.wrapping_shr(amount),
                }
            }
        }
    )*};
}

unsigned_range!(u64 u32);
signed_range!(i64 i32);

/// How bits are read as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    Unsigned,
    Signed,
}

/// What is known of the order of a value's four readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Bounds {
    /// `umin..umax`: all 64 bits, unsigned.
    pub u64: Range<u64>,
    /// `smin..smax`: all 64 bits, signed.
    pub s64: Range<i64>,
    /// `u32_min..u32_max`: the low 32 bits, unsigned.
    pub u32: Range<u32>,
    /// `s32_min..s32_max`: the low 32 bits, signed.
    pub s32: Range<i32>,
}

/// Writes the mutual refinement of the two readings of one width.
macro_rules! deduce_between_signs {
    ($name:ident, $same_sign:ident, $unsigned:ident $u:ty, $signed:ident $s:ty) => {
        impl Bounds {
            /// Carries bounds between the unsigned and the signed reading of one width, if all
            /// numbers in one of them have the same sign.
            fn $same_sign(&mut self) {
                // An unsigned range that does not cross the sign bit is a signed range too.
                if self.$unsigned.min as $s <= self.$unsigned.max as $s {
                    let same = Range::new(self.$unsigned.min as $s, self.$unsigned.max as $s);
                    self.$signed = self.$signed.intersect(same);
                }
                if self.$signed.min as $u <= self.$signed.max as $u {
                    let same = Range::new(self.$signed.min as $u, self.$signed.max as $u);
                    self.$unsigned = self.$unsigned.intersect(same);
                }
            }

            /// Carries bounds between the unsigned and the signed reading of one width.
            fn $name(&mut self) {
                self.$same_sign();
                if self.$signed.min as $u <= self.$signed.max as $u {
                    return;
                }
                // The signed range crosses zero: unsigned it is two pieces, one at the bottom
                // and one at the top. If only one of them meets the unsigned range, it is it.
                // The kernel does the same with a signed range of no numbers, which then has some.
                let bottom = Range::new(0, self.$signed.max as $u);
                let top = Range::new(self.$signed.min as $u, <$u>::MAX);
                if self.$unsigned.max < top.min {
                    self.$signed.min = self.$unsigned.min as $s;
                    self.$unsigned = self.$unsigned.intersect(bottom);
                } else if self.$unsigned.min > bottom.max {
                    self.$signed.max = self.$unsigned.max as $s;
                    self.$unsigned = self.$unsigned.intersect(top);
                }
            }
        }
    };
}

deduce_between_signs!(deduce_64, deduce_same_sign_64, u64 u64, s64 i64);
deduce_between_signs!(deduce_32, deduce_same_sign_32, u32 u32, s32 i32);

impl Bounds {
    /// Nothing is known.
    pub(crate) const UNKNOWN: Bounds = Bounds {
        u64: Range::FULL,
        s64: Range::FULL,
        u32: Range::FULL,
        s32: Range::FULL,
    };

    /// Exactly `value`.
    pub(crate) const fn constant(value: u64) -> Bounds {
        Bounds {
            u64: Range::constant(value),
            s64: Range::constant(value as i64),
            u32: Range::constant(value as u32),
            s32: Range::constant(value as i32),
        }
    }

    /// Whether `value` is within all four.
    #[cfg(test)]
    pub(crate) fn contains(&self, value: u64) -> bool {
        self.u64.contains(value)
            && self.s64.contains(value as i64)
            && self.u32.contains(value as u32)
            && self.s32.contains(value as i32)
    }

    /// Whether everything within `other` is within `self`.
    pub(crate) fn includes(&self, other: &Bounds) -> bool {
        self.u64.includes(other.u64)
            && self.s64.includes(other.s64)
            && self.u32.includes(other.u32)
            && self.s32.includes(other.s32)
    }

    /// Whether one of the four is empty: no value is within all.
    pub(crate) fn is_empty(&self) -> bool {
        self.u64.is_empty() || self.s64.is_empty() || self.u32.is_empty() || self.s32.is_empty()
    }

    /// What both know.
    #[must_use]
    pub(crate) fn intersect(&self, other: &Bounds) -> Bounds {
        Bounds {
            u64: self.u64.intersect(other.u64),
            s64: self.s64.intersect(other.s64),
            u32: self.u32.intersect(other.u32),
            s32: self.s32.intersect(other.s32),
        }
    }

    /// Whether all say the same of numbers that need no more than 32 bits, and read the same in
    /// all ways but as signed ones of 32 bits, which say nothing where they do not. Then none has
    /// anything to tell the others.
    pub(crate) fn agree(&self) -> bool {
        const SIGN: u64 = 1 << 31;
        let Range { min, max } = self.u64;
        let low_signed = match min < SIGN && max >= SIGN {
            true => Range::FULL,
            false => Range::new(min as i32, max as i32),
        };
        min <= max
            && max <= u64::from(u32::MAX)
            && self.s64 == Range::new(min as i64, max as i64)
            && self.u32 == Range::new(min as u32, max as u32)
            && self.s32 == low_signed
    }

    /// Carries what each reading knows over to the others.
    pub(crate) fn deduce(&mut self) {
        self.deduce_low_half();
        self.deduce_32();
        self.deduce_64();
        self.deduce_whole();
    }

    /// The same, as kernels before Linux 6.8 do it: the halves tell each other nothing, nor does a
    /// signed range that crosses zero (observed on Linux 6.1).
    pub(crate) fn deduce_same_sign(&mut self) {
        // What the second round may still find is the other range of a width.
        for _ in 0..2 {
            self.deduce_same_sign_32();
            self.deduce_same_sign_64();
        }
    }

    /// The 64-bit bounds say something of the low half if the upper half is the same
    /// throughout, or changes just once where the low half wraps.
    fn deduce_low_half(&mut self) {
        let (unsigned, signed) = (self.u64, self.s64);
        self.meet_low_half(unsigned.min, unsigned.max, Reading::Unsigned);
        self.meet_low_half(signed.min as u64, signed.max as u64, Reading::Signed);
    }

    fn meet_low_half(&mut self, min: u64, max: u64, reading: Reading) {
        let (low_min, low_max) = (min as u32, max as u32);
        if min >> 32 == max >> 32 {
            // A signed range of no numbers says nothing here to the kernel.
            if low_min <= low_max || reading == Reading::Unsigned {
                self.u32 = self.u32.intersect(Range::new(low_min, low_max));
            }
            if low_min as i32 <= low_max as i32 {
                let same = Range::new(low_min as i32, low_max as i32);
                self.s32 = self.s32.intersect(same);
            }
        }
        let once = ((min >> 32) as u32).wrapping_add(1) == (max >> 32) as u32;
        if once && (low_min as i32) < 0 && (low_max as i32) >= 0 {
            let same = Range::new(low_min as i32, low_max as i32);
            self.s32 = self.s32.intersect(same);
        }
    }

    /// The low half's bounds tighten the ends of the whole.
    fn deduce_whole(&mut self) {
        let with_low = |end: u64, low: u32| end >> 32 << 32 | u64::from(low);
        self.u64 = self.u64.intersect(Range::new(
            with_low(self.u64.min, self.u32.min),
            with_low(self.u64.max, self.u32.max),
        ));
        self.s64 = self.s64.intersect(Range::new(
            with_low(self.s64.min as u64, self.u32.min) as i64,
            with_low(self.s64.max as u64, self.u32.max) as i64,
        ));
        // The kernel takes a non-negative low half for the whole, if the whole fits 32 bits,
        // even where it knew the whole better.
        let fits = self.s64.min >= i64::from(i32::MIN) && self.s64.max <= i64::from(i32::MAX);
        if self.s32.min >= 0 && fits {
            let (min, max) = (i64::from(self.s32.min), i64::from(self.s32.max));
            self.s64 = Range::new(min, max);
            self.u64 = Range::new(min as u64, max as u64);
        }
    }
}
