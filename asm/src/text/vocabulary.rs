//! The words that spellings fix, such as `if`, `goto` and `u32`. Each has a number: a line's
//! words are looked up once, and compared as numbers from then on.

use super::synonyms::SYNONYMS;
use super::template::{Piece, pieces};
use super::token::is_of_word;
use crate::isa::ISA;
use std::fmt;
use std::num::NonZero;
use std::sync::LazyLock;

/// A word that some spelling fixes: its place among all, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Keyword(NonZero<u8>);

/// How many places the words are kept in: many more than words, so that most stand in the
/// place that their first bytes choose.
const PLACES: usize = 512;

struct Vocabulary {
    words: Vec<&'static str>,
    /// The words by their first bytes: in the place that these choose, or behind it.
    places: [Option<Known>; PLACES],
}

#[derive(Clone, Copy)]
struct Known {
    first: u64,
    len: usize,
    keyword: Keyword,
}

static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(|| {
    let mut all = Vocabulary {
        words: Vec::new(),
        places: [None; PLACES],
    };
    let spellings = ISA.iter().map(|row| row.text);
    for text in spellings.chain(SYNONYMS.iter().map(|synonym| synonym.text)) {
        for piece in pieces(text) {
            if let Piece::Text(text) = piece {
                text.split(|c| !is_of_word(c))
                    .for_each(|word| all.add(word));
            }
        }
    }
    all
});

impl Vocabulary {
    /// Adds a word. Numbers and registers are no words, and are never looked up.
    fn add(&mut self, word: &'static str) {
        if !word.starts_with(|first: char| first.is_ascii_alphabetic()) {
            return;
        }
        let first = first_bytes(word.as_bytes(), 0, word.len());
        let place = self.place(first, word.as_bytes());
        let number = u8::try_from(self.words.len() + 1)
            .ok()
            .and_then(NonZero::new);
        if let (Some(free @ None), Some(number)) = (self.places.get_mut(place), number) {
            let keyword = Keyword(number);
            let len = word.len();
            *free = Some(Known {
                first,
                len,
                keyword,
            });
            self.words.push(word);
        }
    }

    /// The place that a word with these first bytes stands in, or would.
    #[inline]
    fn place(&self, first: u64, word: &[u8]) -> usize {
        // The upper bits of a product depend on all bits of its factors.
        let mut place = (first.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 55) as usize;
        while let Some(Some(known)) = self.places.get(place)
            && !(known.first == first
                && known.len == word.len()
                && (word.len() <= 8 || known.keyword.text_in(self).as_bytes() == word))
        {
            place = (place + 1) % PLACES;
        }
        place
    }
}

/// The first eight bytes of a word as a number, zeros for those that it does not have.
#[inline]
fn first_bytes(text: &[u8], begin: usize, end: usize) -> u64 {
    let eight = text.get(begin..begin + 8).and_then(<[u8]>::first_chunk);
    match (eight, end - begin) {
        (Some(eight), len @ 0..8) => u64::from_le_bytes(*eight) & ((1 << (len * 8)) - 1),
        (Some(eight), _) => u64::from_le_bytes(*eight),
        (None, _) => {
            let backwards = text.get(begin..end).unwrap_or_default().iter().rev();
            backwards.fold(0, |number, byte| number << 8 | u64::from(*byte))
        }
    }
}

impl Keyword {
    /// All keywords.
    pub(super) fn all() -> impl Iterator<Item = Keyword> {
        let numbers = (1..=u8::MAX).filter_map(NonZero::new);
        numbers.take(VOCABULARY.words.len()).map(Keyword)
    }

    /// The keyword that a part of a text is. Its first bytes are read at once.
    #[inline]
    pub(super) fn at(text: &str, begin: usize, end: usize) -> Option<Keyword> {
        let all = &*VOCABULARY;
        let first = first_bytes(text.as_bytes(), begin, end);
        let word = text.as_bytes().get(begin..end)?;
        let known = (*all.places.get(all.place(first, word))?)?;
        Some(known.keyword)
    }

    /// Its place among all, counted from 0.
    #[inline]
    pub(super) fn index(self) -> usize {
        usize::from(self.0.get()) - 1
    }

    /// The word itself.
    pub(super) fn text(self) -> &'static str {
        self.text_in(&VOCABULARY)
    }

    fn text_in(self, all: &Vocabulary) -> &'static str {
        all.words.get(self.index()).copied().unwrap_or_default()
    }
}

impl fmt::Display for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_and_others_are_not() {
        for (n, word) in VOCABULARY.words.iter().enumerate() {
            let text = format!(" {word} 12345678 {word}");
            let begin = text.len() - word.len();
            let (end, early) = (text.len(), 1 + word.len());
            assert_eq!(Keyword::at(&text, begin, end).map(Keyword::index), Some(n));
            assert_eq!(Keyword::at(&text, 1, early).map(Keyword::index), Some(n));
            assert_eq!(Keyword::at(&text, 1, early + 1), None);
        }
        assert_eq!(Keyword::at("atomic_f", 0, 8), None);
        // Numbers of keywords have 8 bits.
        assert!(VOCABULARY.words.len() < 255);
    }
}
