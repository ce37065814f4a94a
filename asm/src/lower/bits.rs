//! Sets of registers, as bits. A program has many registers, of which few are live at once:
//! words without a bit are left out.

use super::cfg::VReg;

/// A set of registers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RegSet {
    /// Words that are not zero, with their indexes, ascending.
    words: Vec<(u32, u64)>,
}

impl RegSet {
    pub(super) fn contains(&self, reg: VReg) -> bool {
        let (index, bit) = place(reg);
        self.word(index).is_some_and(|word| word & bit != 0)
    }

    fn word(&self, index: u32) -> Option<u64> {
        let at = self.search(index).ok()?;
        self.words.get(at).map(|(_, word)| *word)
    }

    fn search(&self, index: u32) -> Result<usize, usize> {
        self.words.binary_search_by_key(&index, |(index, _)| *index)
    }

    pub(super) fn insert(&mut self, reg: VReg) {
        let (index, bit) = place(reg);
        self.add(index, bit);
    }

    pub(super) fn remove(&mut self, reg: VReg) {
        let (index, bit) = place(reg);
        let Ok(at) = self.search(index) else {
            return;
        };
        if let Some((_, word)) = self.words.get_mut(at) {
            *word &= !bit;
            if *word == 0 {
                self.words.remove(at);
            }
        }
    }

    /// Adds all of `other`; tells whether any was new.
    pub(super) fn union(&mut self, other: &RegSet) -> Changed {
        let mut changed = Changed::No;
        for (index, word) in &other.words {
            if self.add(*index, *word) == Changed::Yes {
                changed = Changed::Yes;
            }
        }
        changed
    }

    /// Adds the bits of a word, of which there is one at least.
    fn add(&mut self, index: u32, bits: u64) -> Changed {
        match self.search(index) {
            Ok(at) => match self.words.get_mut(at) {
                Some((_, word)) if bits & !*word != 0 => {
                    *word |= bits;
                    Changed::Yes
                }
                _ => Changed::No,
            },
            Err(at) => {
                self.words.insert(at, (index, bits));
                Changed::Yes
            }
        }
    }

    /// The registers, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = VReg> + '_ {
        self.words.iter().flat_map(|(index, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = left.trailing_zeros();
                // Without its lowest bit; of nothing, nothing.
                left &= left.checked_sub(1)?;
                Some(VReg(index * 64 + bit))
            })
        })
    }

    pub(super) fn len(&self) -> usize {
        let words = self.words.iter();
        words.map(|(_, word)| word.count_ones() as usize).sum()
    }
}

/// The index of a register's word, and its bit there.
fn place(reg: VReg) -> (u32, u64) {
    (reg.0 / 64, 1 << (reg.0 % 64))
}

/// Whether a step changed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Changed {
    Yes,
    No,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn a_set_is_a_set(
            steps in proptest::collection::vec((any::<bool>(), 0..300u32), 0..60),
            more in proptest::collection::btree_set(0..300u32, 0..20),
        ) {
            let (mut set, mut model) = (RegSet::default(), BTreeSet::new());
            for (inserts, reg) in steps {
                match inserts {
                    true => { set.insert(VReg(reg)); model.insert(reg); }
                    false => { set.remove(VReg(reg)); model.remove(&reg); }
                }
            }
            let mut other = RegSet::default();
            more.iter().for_each(|reg| other.insert(VReg(*reg)));
            let is_new = !more.is_subset(&model);
            prop_assert_eq!(set.union(&other) == Changed::Yes, is_new);
            model.extend(more);
            prop_assert_eq!(set.iter().map(|reg| reg.0).collect::<BTreeSet<_>>(), model.clone());
            prop_assert_eq!(set.len(), model.len());
            prop_assert!((0..300).all(|reg| set.contains(VReg(reg)) == model.contains(&reg)));
        }
    }
}
