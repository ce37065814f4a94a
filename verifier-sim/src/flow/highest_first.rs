//! A set of places in a program, of which the highest is taken out first.
//!
//! What is computed backwards over a program, such as liveness, is done soonest from the
//! highest place up: then one way up carries what all places on it say.
//!
//! Read before: nothing. Read next: `live.rs`, `path/live_stack.rs`.

/// The places.
#[derive(Debug)]
pub(crate) struct HighestFirst {
    /// A bit for each place.
    words: Vec<u64>,
    /// Behind this word there are none.
    end: usize,
}

impl HighestFirst {
    /// None, of so many.
    pub(crate) fn new(places: usize) -> HighestFirst {
        HighestFirst {
            words: vec![0; places.div_ceil(64)],
            end: 0,
        }
    }

    /// Adds a place. There is no room for one that is far from all others.
    pub(crate) fn insert(&mut self, place: usize) {
        if let Some(word) = self.words.get_mut(place / 64) {
            *word |= 1 << (place % 64);
            self.end = self.end.max(place / 64 + 1);
        }
    }

    /// Takes out a place, if it is there.
    pub(crate) fn remove(&mut self, place: usize) {
        if let Some(word) = self.words.get_mut(place / 64) {
            *word &= !(1 << (place % 64));
        }
    }

    /// Takes out the highest.
    pub(crate) fn pop(&mut self) -> Option<usize> {
        while let Some(index) = self.end.checked_sub(1) {
            match self.words.get_mut(index) {
                Some(word) if *word != 0 => {
                    let bit = word.ilog2();
                    *word &= !(1 << bit);
                    return Some(index * 64 + bit as usize);
                }
                _ => self.end = index,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_comes_out_once_the_highest_first() {
        let mut places = HighestFirst::new(130);
        for place in [3, 129, 64, 3, 500] {
            places.insert(place);
        }
        assert_eq!(places.pop(), Some(129));
        places.insert(128);
        places.insert(0);
        places.insert(99);
        places.remove(99);
        let rest: Vec<usize> = std::iter::from_fn(|| places.pop()).collect();
        assert_eq!(rest, [128, 64, 3, 0]);
        places.insert(7);
        assert_eq!(places.pop(), Some(7));
        assert_eq!(places.pop(), None);
    }
}
