//! The source lines of a program, as BTF has them: small records over one section of names.
//!
//! What is read from an object shares the section with the object's BTF, so that nothing is
//! copied on the way in, nor looked up on the way to the kernel. A [`Span`] is made where one is
//! asked for.
//!
//! Read before: `span.rs`, `btf/ext.rs`. Read next: `program.rs`.

use crate::btf::ext::{LineCol, LineInfo};
use crate::btf::strings::{Strings, up_to_nul};
use crate::btf::{Btf, StrId};
use crate::span::Span;
use std::fmt;
use std::ops::Range;

/// Source places by slot, ascending: each is valid up to the next.
#[derive(Clone)]
pub struct Lines {
    names: Strings,
    /// By `insn_off`, which is a slot.
    records: Vec<LineInfo>,
}

impl Default for Lines {
    fn default() -> Lines {
        Lines {
            names: Strings::new(),
            records: Vec::new(),
        }
    }
}

impl Lines {
    /// No lines.
    pub fn new() -> Lines {
        Lines::default()
    }

    /// Records, ascending by slot, whose names are in `names`.
    pub(crate) fn of_records(names: Strings, records: Vec<LineInfo>) -> Lines {
        Lines { names, records }
    }

    /// Adds a record for a slot, whose names [`take_names`](Lines::take_names) is to bring.
    /// Slots ascend.
    pub(crate) fn push_record(&mut self, slot: usize, record: LineInfo) {
        let insn_off = offset(slot);
        self.records.push(LineInfo { insn_off, ..record });
    }

    /// Takes the names that the records are made of.
    pub(crate) fn take_names(&mut self, names: &Strings) {
        self.names = names.clone();
    }

    /// Says where the code from a slot on comes from. Slots ascend. A NUL ends a file's name or a
    /// line's text.
    pub fn push(&mut self, slot: usize, span: Span<&str>) {
        let last = self.records.last().copied();
        // Most lines are in the file of the one before.
        let record = LineInfo {
            insn_off: offset(slot),
            file_name: self.name(span.file, last.map(|last| last.file_name)),
            line: self.name(span.text, last.map(|last| last.line)),
            line_col: LineCol::new(span.line, span.column),
        };
        self.records.push(record);
    }

    /// The same, unless the code comes from there anyway. What was said of the slot before is
    /// forgotten.
    pub(crate) fn set(&mut self, slot: usize, span: Span<&str>) {
        self.truncate(slot);
        let is_known = self.records.last().is_some_and(|last| {
            last.line_col == LineCol::new(span.line, span.column)
                && self.names.is(last.line, span.text)
                && self.names.is(last.file_name, span.file)
        });
        if !is_known {
            self.push(slot, span);
        }
    }

    /// The offset of a name, which may be the same as that of another record.
    fn name(&mut self, name: &str, likely: Option<StrId>) -> StrId {
        let likely = likely.filter(|likely| self.names.is(*likely, name));
        let name = up_to_nul(name);
        likely.unwrap_or_else(|| match name.is_empty() {
            true => StrId(0),
            false => self.names.push(name.as_bytes()).unwrap_or_default(),
        })
    }

    /// Makes room for so many more lines.
    pub(crate) fn reserve(&mut self, lines: usize) {
        self.records.reserve(lines);
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Lines::new();
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Whether their slots ascend, as those who add them promise.
    pub(crate) fn ascend(&self) -> bool {
        self.records.is_sorted_by_key(|record| record.insn_off)
    }

    /// Each with the slot that it is valid from.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (usize, Span<&str>)> {
        self.within(0..usize::MAX)
    }

    /// Those of a range of slots.
    pub(crate) fn within(
        &self,
        slots: Range<usize>,
    ) -> impl DoubleEndedIterator<Item = (usize, Span<&str>)> {
        let records = self.records_within(slots).iter();
        records.map(|record| (record.insn_off as usize, self.span_of(record)))
    }

    /// The place that is valid at a slot.
    pub fn at(&self, slot: usize) -> Option<Span<&str>> {
        self.record_at(slot).map(|record| self.span_of(record))
    }

    /// Whether a place is valid from this very slot on.
    pub fn begins_at(&self, slot: usize) -> bool {
        let record = self.record_at(slot);
        record.is_some_and(|record| record.insn_off as usize == slot)
    }

    /// The records of a range of slots, with their names in `btf`, which gets those that it lacks.
    pub(crate) fn records_in<'l>(
        &'l self,
        slots: Range<usize>,
        btf: &'l mut Btf,
    ) -> impl Iterator<Item = LineInfo> + 'l {
        let are_there = btf.has_names(&self.names);
        self.records_within(slots).iter().map(move |record| {
            if are_there {
                return *record;
            }
            LineInfo {
                file_name: btf.intern(self.names.str(record.file_name)),
                line: btf.intern(self.names.str(record.line)),
                ..*record
            }
        })
    }

    /// The record that is valid at a slot.
    pub(crate) fn record_at(&self, slot: usize) -> Option<&LineInfo> {
        let after = self.behind(slot.saturating_add(1));
        self.records.get(after.checked_sub(1)?)
    }

    /// Takes away those from a slot on.
    pub(crate) fn truncate(&mut self, slot: usize) {
        let is_there = |last: &LineInfo| last.insn_off as usize >= slot;
        while self.records.last().is_some_and(is_there) {
            self.records.pop();
        }
    }

    /// Gives back the room for lines that did not come.
    pub(crate) fn shrink_to_fit(&mut self) {
        self.records.shrink_to_fit();
        self.names.shrink_to_fit();
    }

    /// Moves all to other slots, in the same order.
    pub(crate) fn move_slots(&mut self, to: impl Fn(usize) -> usize) {
        for record in &mut self.records {
            record.insn_off = offset(to(record.insn_off as usize));
        }
    }

    /// Adds records with names of these lines; then each says something else than the one before.
    pub(crate) fn insert(&mut self, more: Vec<LineInfo>) {
        let place = |record: &LineInfo| (record.file_name, record.line, record.line_col);
        self.records.extend(more);
        self.records.sort_by_key(|record| record.insn_off);
        self.records
            .dedup_by(|record, before| place(record) == place(before));
    }

    fn records_within(&self, slots: Range<usize>) -> &[LineInfo] {
        let records = self.behind(slots.start)..self.behind(slots.end);
        self.records.get(records).unwrap_or_default()
    }

    /// The index of the first record at a slot or behind it.
    fn behind(&self, slot: usize) -> usize {
        self.records
            .partition_point(|record| (record.insn_off as usize) < slot)
    }

    fn span_of(&self, record: &LineInfo) -> Span<&str> {
        Span {
            file: self.names.str(record.file_name),
            line: record.line_col.line(),
            column: record.line_col.column(),
            text: self.names.str(record.line),
        }
    }
}

/// A slot as records have it.
fn offset(slot: usize) -> u32 {
    u32::try_from(slot).unwrap_or(u32::MAX)
}

impl PartialEq for Lines {
    fn eq(&self, other: &Lines) -> bool {
        match self.names.is_same(&other.names) && self.records == other.records {
            true => true,
            false => self.iter().eq(other.iter()),
        }
    }
}

impl Eq for Lines {}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// Places of few files and lines, so that neighbours are often in the same.
    fn places() -> impl Strategy<Value = Vec<(String, u32, u32, String)>> {
        let name = prop::sample::select(vec!["", "a.c", "a.cc", "b\0c", "ä"]);
        let name = name.prop_map(str::to_owned);
        vec((name.clone(), 0..3_u32, 0..3_u32, name), 0..20)
    }

    fn span((file, line, column, text): &(String, u32, u32, String)) -> Span<&str> {
        Span {
            file: up_to_nul(file),
            line: *line,
            column: *column,
            text: up_to_nul(text),
        }
    }

    fn pushed(places: &[(String, u32, u32, String)]) -> Lines {
        let mut lines = Lines::new();
        for (at, (file, line, column, text)) in places.iter().enumerate() {
            let (line, column) = (*line, *column);
            let whole = Span {
                file: file.as_str(),
                line,
                column,
                text: text.as_str(),
            };
            lines.push(at * 2, whole);
        }
        lines
    }

    proptest! {
        #[test]
        fn what_is_pushed_is_valid_up_to_the_next(places in places()) {
            let lines = pushed(&places);
            let all: Vec<_> = places.iter().map(span).collect();
            let slots = lines.iter().map(|(slot, _)| slot);
            prop_assert!(slots.eq((0..places.len()).map(|at| at * 2)));
            prop_assert!(lines.iter().map(|(_, span)| span).eq(all.iter().copied()));
            for (at, span) in all.iter().enumerate() {
                prop_assert_eq!(lines.at(at * 2), Some(*span));
                prop_assert_eq!(lines.at(at * 2 + 1), Some(*span));
                prop_assert!(lines.begins_at(at * 2) && !lines.begins_at(at * 2 + 1));
            }
            let inner = lines.within(1..5).map(|(slot, _)| slot);
            prop_assert!(inner.eq([2, 4].into_iter().filter(|slot| *slot < places.len() * 2)));
        }

        #[test]
        fn lines_are_equal_if_they_say_the_same(places in places(), others in places()) {
            let spans = |places: &[_]| places.iter().map(|at| span(at).to_owned()).collect::<Vec<_>>();
            let same = spans(&places) == spans(&others);
            prop_assert_eq!(pushed(&places) == pushed(&others), same);
        }

        #[test]
        fn set_says_what_is_new_and_the_last_word_counts(
            places in vec((0..9_usize, 0..3_usize), 0..20),
        ) {
            let names = ["a", "b", "c"].map(|text| (text.to_owned(), 1, 1, text.to_owned()));
            let mut places = places;
            places.sort_by_key(|(slot, _)| *slot);
            let mut lines = Lines::new();
            for (slot, name) in &places {
                lines.set(*slot, span(&names[*name]));
            }
            for slot in 0..9 {
                let last = places.iter().rfind(|(at, _)| *at <= slot);
                prop_assert_eq!(lines.at(slot), last.map(|(_, name)| span(&names[*name])));
            }
            let said: Vec<_> = lines.iter().map(|(_, span)| span).collect();
            prop_assert!(said.windows(2).all(|pair| pair[0] != pair[1]));
        }

        #[test]
        fn records_name_the_same_in_any_btf(places in places(), is_own in any::<bool>()) {
            let mut btf = Btf::new();
            btf.intern("something else");
            let mut lines = pushed(&places);
            if is_own {
                let records: Vec<_> = lines.records_in(0..usize::MAX, &mut btf).collect();
                lines = Lines::of_records(btf.strings().clone(), records);
            }
            let records: Vec<_> = lines.records_in(0..usize::MAX, &mut btf).collect();
            for (record, place) in records.iter().zip(&places) {
                let span = span(place);
                prop_assert_eq!(btf.str(record.file_name), span.file);
                prop_assert_eq!(btf.str(record.line), span.text);
                prop_assert_eq!(record.line_col, LineCol::new(span.line, span.column));
            }
            prop_assert_eq!(records.len(), places.len());
            prop_assert_eq!(btf.has_names(&lines.names), is_own);
        }
    }
}
