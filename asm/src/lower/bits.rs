//! Sets of registers, as bits.

use super::cfg::VReg;

/// A set of registers below a number given when it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RegSet {
    words: Vec<u64>,
}

impl RegSet {
    /// No registers, with room for those below `limit`.
    pub(super) fn new(limit: u32) -> Self {
        RegSet {
            words: vec![0; limit.div_ceil(64) as usize],
        }
    }

    pub(super) fn contains(&self, reg: VReg) -> bool {
        let word = self.words.get(reg.index() / 64);
        word.is_some_and(|word| word >> (reg.0 % 64) & 1 == 1)
    }

    pub(super) fn insert(&mut self, reg: VReg) {
        if let Some(word) = self.words.get_mut(reg.index() / 64) {
            *word |= 1 << (reg.0 % 64);
        }
    }

    pub(super) fn remove(&mut self, reg: VReg) {
        if let Some(word) = self.words.get_mut(reg.index() / 64) {
            *word &= !(1 << (reg.0 % 64));
        }
    }

    /// Adds all of `other`; tells whether any was new.
    pub(super) fn union(&mut self, other: &RegSet) -> Changed {
        let mut changed = Changed::No;
        for (word, more) in self.words.iter_mut().zip(&other.words) {
            if *more & !*word != 0 {
                changed = Changed::Yes;
            }
            *word |= more;
        }
        changed
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = VReg> + '_ {
        (0..).zip(&self.words).flat_map(|(index, word)| {
            let bits = (0..64).filter(move |bit| word >> bit & 1 == 1);
            bits.map(move |bit| VReg(index * 64 + bit))
        })
    }

    pub(super) fn len(&self) -> usize {
        self.words
            .iter()
            .map(|word| word.count_ones() as usize)
            .sum()
    }
}

/// Whether a step changed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Changed {
    Yes,
    No,
}
