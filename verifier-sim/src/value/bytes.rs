//! What is known of the eight bytes of a slot of the stack.
//!
//! For each thing that can be known the bytes are kept of which it is: a set, with a bit for
//! each byte. So slots are compared set by set, not byte by byte.
//!
//! Read before: nothing. Read next: `stack.rs`.

/// What is known of one byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Byte {
    /// It was never written.
    Invalid,
    /// It was written with something.
    Misc,
    /// It is zero.
    Zero,
    /// It is a byte of the spilled register.
    Spill,
    /// It is a byte of a dynptr, which is described as if it were a spilled register.
    Dynptr,
    /// It is a byte of an iteration's state, which is described so too.
    Iterator,
    /// It is a byte of what says how interrupts were, which is described so too.
    IrqFlag,
}

impl Byte {
    /// All that can be known, in the order of the sets.
    const ALL: [Byte; 7] = [
        Byte::Invalid,
        Byte::Misc,
        Byte::Zero,
        Byte::Spill,
        Byte::Dynptr,
        Byte::Iterator,
        Byte::IrqFlag,
    ];

    /// Whether it is a byte of an object of the kernel, which only the kernel reads.
    pub(crate) const fn is_of_object(self) -> bool {
        match self {
            Byte::Invalid | Byte::Misc | Byte::Zero | Byte::Spill => false,
            Byte::Dynptr | Byte::Iterator | Byte::IrqFlag => true,
        }
    }
}

/// Which of the eight bytes: a bit for each, the lowest for that of the lowest address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ByteSet(u8);

impl ByteSet {
    /// All eight.
    pub(crate) const ALL: ByteSet = ByteSet(u8::MAX);

    /// The first `count`, from the lowest address on.
    pub(crate) fn first(count: u32) -> ByteSet {
        ByteSet(u8::MAX.checked_shl(count).map_or(u8::MAX, |rest| !rest))
    }

    /// Those from the index `from` up to `to`, as far as there are such.
    pub(crate) fn between(from: i64, to: i64) -> ByteSet {
        let count = |to: i64| ByteSet::first(to.clamp(0, 8) as u32);
        count(to).without(count(from))
    }

    /// The index of the lowest in it.
    pub(crate) fn lowest(self) -> Option<i64> {
        self.is_any().then(|| i64::from(self.0.trailing_zeros()))
    }

    fn one(index: usize) -> ByteSet {
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        ByteSet(1u8.checked_shl(index).unwrap_or(0))
    }

    /// Those in either.
    pub(crate) const fn or(self, other: ByteSet) -> ByteSet {
        ByteSet(self.0 | other.0)
    }

    /// Those in both.
    pub(crate) const fn and(self, other: ByteSet) -> ByteSet {
        ByteSet(self.0 & other.0)
    }

    /// Those in `self` only.
    pub(crate) const fn without(self, other: ByteSet) -> ByteSet {
        ByteSet(self.0 & !other.0)
    }

    /// Whether that of the lowest address is in it.
    pub(crate) const fn has_first(self) -> bool {
        self.0 & 1 != 0
    }

    /// Whether all eight are in it.
    pub(crate) const fn is_all(self) -> bool {
        self.0 == u8::MAX
    }

    /// Whether there are any.
    pub(crate) const fn is_any(self) -> bool {
        self.0 != 0
    }
}

/// What is known of each of the eight bytes. Every byte is in just one of the sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bytes {
    /// The sets one above the other, each of eight bits.
    sets: u64,
}

impl Bytes {
    /// The same of all.
    pub(crate) const fn all(known: Byte) -> Bytes {
        let sets = (ByteSet::ALL.0 as u64) << place(known);
        Bytes { sets }
    }

    /// The bytes of which this is known.
    pub(crate) const fn of(&self, known: Byte) -> ByteSet {
        ByteSet((self.sets >> place(known)) as u8)
    }

    /// What is known of the byte of this index, from the lowest address on.
    pub(crate) fn get(&self, index: usize) -> Byte {
        let byte = ByteSet::one(index);
        let mut all = Byte::ALL.into_iter();
        let known = all.find(|known| self.of(*known).and(byte).is_any());
        known.unwrap_or(Byte::Invalid)
    }

    /// All eight, from the lowest address on.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = Byte> {
        (0..8).map(|index| self.get(index))
    }

    /// Makes this known of some bytes.
    pub(crate) const fn set_all(&mut self, bytes: ByteSet, known: Byte) {
        let bytes = bytes.0 as u64;
        // Times this, they are in each of the sets.
        let in_each = bytes * 0x0101_0101_0101_0101;
        self.sets = self.sets & !in_each | bytes << place(known);
    }

    /// The bytes that are of an object of the kernel.
    pub(crate) const fn of_objects(&self) -> ByteSet {
        any_of(self.sets & OF_OBJECTS)
    }

    /// Whether there are bytes of an object of the kernel.
    pub(crate) const fn has_object(&self) -> bool {
        self.sets & OF_OBJECTS != 0
    }

    /// How many bytes are of a spilled register, from the lowest on.
    pub(crate) const fn spilled(&self) -> usize {
        self.of(Byte::Spill).0.trailing_ones() as usize
    }

    /// The bytes of which the same is known in both.
    pub(crate) const fn alike(&self, other: &Bytes) -> ByteSet {
        any_of(self.sets & other.sets)
    }
}

/// The bytes that are in any of the sets.
const fn any_of(mut sets: u64) -> ByteSet {
    sets |= sets >> 32;
    sets |= sets >> 16;
    sets |= sets >> 8;
    ByteSet(sets as u8)
}

/// All bytes in the sets of those that are of an object of the kernel.
const OF_OBJECTS: u64 = {
    let (mut sets, mut next) = (0, 0);
    while next < Byte::ALL.len() {
        if Byte::ALL[next].is_of_object() {
            sets |= Bytes::all(Byte::ALL[next]).sets;
        }
        next += 1;
    }
    sets
};

/// Where the set of the bytes of which this is known begins, in bits.
const fn place(known: Byte) -> u32 {
    known as u32 * 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_in_one_set_whatever_is_set() {
        let mut bytes = Bytes::all(Byte::Invalid);
        for index in 0..8 {
            for known in Byte::ALL {
                let before: Vec<Byte> = bytes.iter().collect();
                bytes.set_all(ByteSet::one(index), known);
                let mut expected = before;
                expected[index] = known;
                assert_eq!(bytes.iter().collect::<Vec<_>>(), expected);
                assert_eq!(bytes.sets.count_ones(), 8);
            }
        }
    }

    #[test]
    fn a_spill_is_counted_from_the_lowest_byte() {
        let mut bytes = Bytes::all(Byte::Misc);
        for count in 0..=8 {
            bytes.set_all(ByteSet::first(count), Byte::Spill);
            assert_eq!(bytes.spilled(), count as usize);
        }
        bytes.set_all(ByteSet::one(3), Byte::Misc);
        assert_eq!(bytes.spilled(), 3);
        assert_eq!(Bytes::all(Byte::Spill).alike(&bytes), bytes.of(Byte::Spill));
    }

    #[test]
    fn objects_are_found() {
        for known in Byte::ALL {
            let mut bytes = Bytes::all(Byte::Zero);
            bytes.set_all(ByteSet::one(7), known);
            assert_eq!(bytes.has_object(), known.is_of_object());
        }
    }
}
