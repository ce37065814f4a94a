//! Tristate numbers: what is known about each bit of a 64-bit value.
//!
//! A bit is known to be 0, known to be 1, or unknown. Every operation is *sound*: if `x` is
//! in `a` and `y` is in `b`, then `x op y` is in `a.op(b)`. The tests check this exhaustively
//! at 4 bits.
//!
//! Addition and subtraction are those of Vishwanathan, Shachnai, Narayana and Nagarakatte,
//! "Sound, Precise, and Fast Abstract Interpretation with Tristate Numbers" (CGO 2022).
//!
//! Read before: nothing. Read next: `bounds.rs`.

use ebpf_asm::isa::{Size, Width};
use std::fmt;

/// A set of 64-bit numbers given bit by bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Tnum {
    /// The bits known to be 1; 0 where [`mask`](Tnum::mask) is 1.
    value: u64,
    /// The unknown bits.
    mask: u64,
}

impl Tnum {
    /// Nothing is known.
    pub(crate) const UNKNOWN: Tnum = Tnum {
        value: 0,
        mask: u64::MAX,
    };

    /// Exactly `value`.
    pub(crate) const fn constant(value: u64) -> Tnum {
        Tnum { value, mask: 0 }
    }

    /// The bits of `mask` unknown, the others as in `value`.
    pub(crate) const fn new(value: u64, mask: u64) -> Tnum {
        Tnum {
            value: value & !mask,
            mask,
        }
    }

    /// The smallest tristate number that holds every number from `min` to `max`.
    pub(crate) const fn range(min: u64, max: u64) -> Tnum {
        let differing = min ^ max;
        match differing.leading_zeros() {
            0 => Tnum::UNKNOWN,
            zeros => Tnum::new(min, (1 << (64 - zeros)) - 1),
        }
    }

    /// The bits known to be 1, which is the least number in the set.
    pub(crate) const fn value(self) -> u64 {
        self.value
    }

    /// The unknown bits.
    pub(crate) const fn mask(self) -> u64 {
        self.mask
    }

    /// The greatest number in the set.
    pub(crate) const fn max(self) -> u64 {
        self.value | self.mask
    }

    /// The number, if there is only one.
    pub(crate) const fn as_constant(self) -> Option<u64> {
        match self.mask {
            0 => Some(self.value),
            _ => None,
        }
    }

    /// Whether `number` is in the set.
    pub(crate) const fn contains(self, number: u64) -> bool {
        (number ^ self.value) & !self.mask == 0
    }

    /// The least number in the set that is not less than `least`.
    pub(crate) const fn first_from(self, least: u64) -> Option<u64> {
        let wrong = (least ^ self.value) & !self.mask;
        if wrong == 0 {
            return Some(least);
        }
        let at = 1u64 << wrong.ilog2();
        let top = match self.value & at {
            // A known 1 where `least` has 0: what follows is greater already.
            0 => {
                // A known 0 where `least` has 1: an unknown bit above must become 1.
                let free = self.mask & !least & !(at | (at - 1));
                if free == 0 {
                    return None;
                }
                free & free.wrapping_neg()
            }
            _ => at,
        };
        let below = top | (top - 1);
        Some(least & !below | self.value & below | top)
    }

    /// Whether every number of `other` is in the set.
    pub(crate) const fn includes(self, other: Tnum) -> bool {
        other.mask & !self.mask == 0 && self.contains(other.value)
    }

    /// Whether every number in the set is a multiple of `size` bytes.
    pub(crate) const fn is_aligned(self, size: Size) -> bool {
        self.max() & (size.bytes() as u64 - 1) == 0
    }

    /// What is known of a number that is in both sets; arbitrary if there is none.
    #[must_use]
    pub(crate) const fn intersect(self, other: Tnum) -> Tnum {
        Tnum::new(self.value | other.value, self.mask & other.mask)
    }

    /// What is known of a number that is in one of the sets.
    #[must_use]
    pub(crate) const fn union(self, other: Tnum) -> Tnum {
        Tnum::new(
            self.value & other.value,
            (self.value ^ other.value) | self.mask | other.mask,
        )
    }

    /// Shifts left by `amount` bits; vacated bits are known zeros. The amount is masked to 63.
    #[must_use]
    pub(crate) const fn lsh(self, amount: u32) -> Tnum {
        Tnum {
            value: self.value.wrapping_shl(amount),
            mask: self.mask.wrapping_shl(amount),
        }
    }

    /// Shifts right by `amount` bits; vacated bits are known zeros. The amount is masked to 63.
    #[must_use]
    pub(crate) const fn rsh(self, amount: u32) -> Tnum {
        Tnum {
            value: self.value.wrapping_shr(amount),
            mask: self.mask.wrapping_shr(amount),
        }
    }

    /// Shifts right by `amount` bits (masked to the width) and repeats the sign bit, known
    /// or not; for 32 bits the upper half of the result is zero.
    #[must_use]
    pub(crate) const fn arsh(self, width: Width, amount: u32) -> Tnum {
        match width {
            Width::W64 => Tnum {
                value: (self.value as i64).wrapping_shr(amount) as u64,
                mask: (self.mask as i64).wrapping_shr(amount) as u64,
            },
            Width::W32 => Tnum {
                value: (self.value as i32).wrapping_shr(amount) as u32 as u64,
                mask: (self.mask as i32).wrapping_shr(amount) as u32 as u64,
            },
        }
    }

    /// Adds, wrapping.
    #[must_use]
    #[allow(clippy::should_implement_trait, reason = "named as the operation is")]
    pub(crate) const fn add(self, other: Tnum) -> Tnum {
        let value = self.value.wrapping_add(other.value);
        let all = value.wrapping_add(self.mask.wrapping_add(other.mask));
        Tnum::new(value, (all ^ value) | self.mask | other.mask)
    }

    /// Subtracts, wrapping.
    #[must_use]
    #[allow(clippy::should_implement_trait, reason = "named as the operation is")]
    pub(crate) const fn sub(self, other: Tnum) -> Tnum {
        let value = self.value.wrapping_sub(other.value);
        let most = value.wrapping_add(self.mask);
        let least = value.wrapping_sub(other.mask);
        Tnum::new(value, (most ^ least) | self.mask | other.mask)
    }

    /// Multiplies, wrapping: the schoolbook way, where an unknown bit of `self` means that
    /// the partial product is either added or not.
    #[must_use]
    #[allow(clippy::should_implement_trait, reason = "named as the operation is")]
    pub(crate) const fn mul(self, other: Tnum) -> Tnum {
        let (mut left, mut partial) = (self, other);
        let mut sum = Tnum::constant(0);
        while left.max() != 0 {
            if left.value & 1 == 1 {
                sum = sum.add(partial);
            } else if left.mask & 1 == 1 {
                sum = sum.union(sum.add(partial));
            }
            left = left.rsh(1);
            partial = partial.lsh(1);
        }
        sum
    }

    /// Bitwise and.
    #[must_use]
    pub(crate) const fn and(self, other: Tnum) -> Tnum {
        let value = self.value & other.value;
        Tnum::new(value, self.max() & other.max() & !value)
    }

    /// Bitwise or.
    #[must_use]
    pub(crate) const fn or(self, other: Tnum) -> Tnum {
        let value = self.value | other.value;
        Tnum {
            value,
            mask: (self.mask | other.mask) & !value,
        }
    }

    /// Bitwise exclusive or.
    #[must_use]
    pub(crate) const fn xor(self, other: Tnum) -> Tnum {
        Tnum::new(self.value ^ other.value, self.mask | other.mask)
    }

    /// The low `size`, zero-extended.
    #[must_use]
    pub(crate) const fn truncate(self, size: Size) -> Tnum {
        let kept = u64::MAX >> (64 - size.bytes() * 8);
        Tnum {
            value: self.value & kept,
            mask: self.mask & kept,
        }
    }

    /// The low `from`, its sign bit, known or not, repeated upwards.
    #[must_use]
    pub(crate) const fn sign_extend(self, from: Size) -> Tnum {
        let unused = 64 - from.bytes() * 8;
        self.lsh(unused).arsh(Width::W64, unused)
    }

    /// The low 32 bits, zero-extended.
    #[must_use]
    pub(crate) const fn low_half(self) -> Tnum {
        self.truncate(Size::W)
    }

    /// The upper 32 bits of `self` with the lower 32 bits of `low`.
    #[must_use]
    pub(crate) const fn with_low_half(self, low: Tnum) -> Tnum {
        let high = self.rsh(32).lsh(32);
        let low = low.low_half();
        Tnum {
            value: high.value | low.value,
            mask: high.mask | low.mask,
        }
    }

    /// The low `size` with its bytes in the opposite order, zero-extended.
    #[must_use]
    pub(crate) const fn swap_bytes(self, size: Size) -> Tnum {
        let unused = 64 - size.bytes() * 8;
        Tnum {
            value: self.value.swap_bytes() >> unused,
            mask: self.mask.swap_bytes() >> unused,
        }
    }
}

/// As the kernel's log prints it: the number, up to 65535 in decimal, or value and mask.
impl fmt::Display for Tnum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_constant() {
            Some(value) if value <= u64::from(u16::MAX) => write!(f, "{value}"),
            Some(value) => write!(f, "{value:#x}"),
            None => write!(f, "({:#x}; {:#x})", self.value, self.mask),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ebpf_asm::eval;
    use ebpf_asm::isa::{AluOp, Swap};

    /// Every tristate number whose upper 60 bits are known zeros.
    fn all() -> impl Iterator<Item = Tnum> + Clone {
        (0..16u64).flat_map(|mask| {
            (0..16u64)
                .filter(move |value| value & mask == 0)
                .map(move |value| Tnum { value, mask })
        })
    }

    fn members(set: Tnum) -> impl Iterator<Item = u64> {
        (0..16).filter(move |&n| set.contains(n))
    }

    type Abstract = fn(Tnum, Tnum) -> Tnum;

    const BINARY: [(AluOp, Abstract); 6] = [
        (AluOp::Add, Tnum::add),
        (AluOp::Sub, Tnum::sub),
        (AluOp::Mul, Tnum::mul),
        (AluOp::And, Tnum::and),
        (AluOp::Or, Tnum::or),
        (AluOp::Xor, Tnum::xor),
    ];

    #[test]
    fn the_first_from_a_number_is_the_least_member() {
        for set in all() {
            for least in 0..17 {
                let first = members(set).find(|&n| n >= least);
                assert_eq!(set.first_from(least), first, "{set} from {least}");
            }
        }
        let top = Tnum::new(1 << 63, 1);
        assert_eq!(top.first_from(5), Some(1 << 63));
        assert_eq!(top.first_from((1 << 63) + 2), None);
        assert_eq!(Tnum::UNKNOWN.first_from(u64::MAX), Some(u64::MAX));
    }

    #[test]
    fn binary_operations_are_sound() {
        for (op, operation) in BINARY {
            for a in all() {
                for b in all() {
                    let result = operation(a, b);
                    for x in members(a) {
                        for y in members(b) {
                            let exact = eval::alu(op, Width::W64, x, y);
                            assert!(result.contains(exact), "{op:?} {x} in {a}, {y} in {b}");
                        }
                    }
                }
            }
        }
    }

    /// At known operands nothing may be lost.
    #[test]
    fn binary_operations_on_constants_are_exact() {
        for (op, operation) in BINARY {
            for (x, y) in [(3, 5), (u64::MAX, 1), (1 << 63, 1 << 63), (0, u64::MAX)] {
                let exact = eval::alu(op, Width::W64, x, y);
                let result = operation(Tnum::constant(x), Tnum::constant(y));
                assert_eq!(result.as_constant(), Some(exact), "{op:?}");
            }
        }
    }

    /// The 4 bits are moved to the top, so that the sign bit takes part.
    #[test]
    fn shifts_and_extensions_are_sound() {
        for low in all() {
            let (high, high32) = (low.lsh(60), low.lsh(28));
            for x in members(low) {
                for amount in 0..64 {
                    let count = u64::from(amount);
                    let at = |set: Tnum, op, width, x| {
                        let exact = eval::alu(op, width, x, count);
                        assert!(set.contains(exact), "{op:?} {x:#x} by {amount}");
                    };
                    at(low.lsh(amount), AluOp::Lsh, Width::W64, x);
                    at(high.rsh(amount), AluOp::Rsh, Width::W64, x << 60);
                    at(
                        high.arsh(Width::W64, amount),
                        AluOp::Arsh,
                        Width::W64,
                        x << 60,
                    );
                    at(
                        high32.arsh(Width::W32, amount),
                        AluOp::Arsh,
                        Width::W32,
                        x << 28,
                    );
                }
                for size in Size::ALL {
                    let shift = size.bytes() * 8 - 4;
                    let (set, x) = (low.lsh(shift), x << shift);
                    assert!(set.sign_extend(size).contains(eval::sign_extend(size, x)));
                    let swapped = eval::byte_swap(Swap::Bswap, size, x);
                    assert!(set.swap_bytes(size).contains(swapped), "{size:?} {x:#x}");
                }
            }
        }
    }

    #[test]
    fn sets_behave_as_sets() {
        for a in all() {
            for b in all() {
                let subset = members(b).all(|x| a.contains(x));
                assert_eq!(a.includes(b), subset, "{a} {b}");
                assert!(a.union(b).includes(a) && a.union(b).includes(b));
                for x in members(a).filter(|&x| b.contains(x)) {
                    assert!(a.intersect(b).contains(x), "{x} in {a} and {b}");
                }
            }
        }
    }

    #[test]
    fn a_range_is_covered_and_no_wider_than_a_power_of_two_demands() {
        for min in 0..16 {
            for max in min..16 {
                let set = Tnum::range(min, max);
                assert!((min..=max).all(|x| set.contains(x)));
                assert!(
                    set.mask == 0 || set.mask.is_power_of_two() || (set.mask + 1).is_power_of_two()
                );
            }
        }
        assert_eq!(Tnum::range(0, u64::MAX), Tnum::UNKNOWN);
    }
}
