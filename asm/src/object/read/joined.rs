//! Sections of variables of one name: one behind the other, as linkers put them, for BTF and
//! programs tell them by their names.
//!
//! Read before: `elf.rs`. Read next: `data.rs`.

use super::data::holds_variables;
use super::elf::{File, Home, Section, Symbol};
use std::collections::HashMap;
use std::iter::successors;

/// Sections begin at multiples of so many bytes: more is not to be had in the value of a map.
const ALIGN: u64 = 8;

/// How a section is put together with others of its name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Joined {
    /// The index of the first of them.
    pub(super) first: usize,
    /// Where this one begins behind the first one's beginning, in bytes.
    pub(super) begin: u64,
    /// The index of the next of them.
    next: Option<usize>,
}

impl Joined {
    /// That of a section of this index that is alone.
    pub(super) fn alone(index: usize) -> Joined {
        Joined {
            first: index,
            begin: 0,
            next: None,
        }
    }
}

/// Puts sections of variables together.
pub(super) fn join(sections: &mut [Section<'_>]) {
    let mut last: HashMap<&str, usize> = HashMap::new();
    for index in 0..sections.len() {
        let section = sections.get(index).filter(|one| holds_variables(one));
        let before = section.and_then(|section| last.insert(section.name, index));
        let Some(before) = before.and_then(|before| sections.get_mut(before)) else {
            continue;
        };
        before.joined.next = Some(index);
        let begin = before.end().checked_next_multiple_of(ALIGN);
        let joined = Joined {
            first: before.joined.first,
            begin: begin.unwrap_or(u64::MAX),
            next: None,
        };
        if let Some(section) = sections.get_mut(index) {
            section.joined = joined;
        }
    }
}

impl Section<'_> {
    /// Where it ends behind the first one's beginning, in bytes.
    pub(super) fn end(&self) -> u64 {
        self.joined.begin.saturating_add(self.size)
    }
}

impl<'a> File<'a> {
    /// The sections that are put together with this first one, with their indexes.
    pub(super) fn joined(&self, first: usize) -> impl Iterator<Item = (usize, &Section<'a>)> {
        let at = |index: usize| Some((index, self.sections.get(index)?));
        successors(at(first), move |(_, section)| at(section.joined.next?))
    }

    /// Where a symbol is that may be a variable's: the first of the sections that are put
    /// together, and the byte in all of them.
    pub(super) fn variable_place(&self, symbol: &Symbol<'_>) -> Option<(usize, u64)> {
        let Home::Section(home) = symbol.home else {
            return None;
        };
        let Joined { first, begin, .. } = self.sections.get(home)?.joined;
        Some((first, begin.checked_add(symbol.value)?))
    }
}
