//! How two functions of one name differ: rows, and the rows around them.

use std::collections::HashMap;
use std::ops::Range;

use super::align::{Row, align};
use super::code::Code;

/// How two functions of one name differ; one may be empty.
#[derive(Debug)]
pub(super) struct FunctionDifference {
    pub(super) program: String,
    pub(super) name: String,
    old: Code,
    new: Code,
    rows: Vec<Row>,
    /// For lines of the new code that are the same the lines of the old.
    twins: HashMap<usize, usize>,
}

impl FunctionDifference {
    /// Compares two functions of a program.
    pub(super) fn of(program: &str, old: Code, new: Code) -> FunctionDifference {
        let rows = align(&old.lines, &new.lines);
        let twins = rows.iter().filter_map(|row| match row {
            Row::Same { old, new } => Some((*new, *old)),
            _ => None,
        });
        let twins = twins.collect();
        let name = match old.lines.is_empty() {
            true => new.name.clone(),
            false => old.name.clone(),
        };
        FunctionDifference {
            program: program.to_owned(),
            name,
            old,
            new,
            rows,
            twins,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        let mut rows = self.rows.iter();
        rows.all(|row| matches!(row, Row::Same { .. }))
    }
}

/// Some rows of a function's comparison that stand together.
pub(super) struct Hunk<'d> {
    pub(super) rows: &'d [Row],
}

/// How many lines that are the same are shown around those that are not.
const CONTEXT: usize = 3;

impl FunctionDifference {
    /// The rows that differ, with those around them.
    pub(super) fn hunks(&self) -> Vec<Hunk<'_>> {
        let mut ranges: Vec<Range<usize>> = Vec::new();
        let rows = self.rows.iter().enumerate();
        for (index, _) in rows.filter(|(_, row)| !matches!(row, Row::Same { .. })) {
            let begin = index.saturating_sub(CONTEXT);
            let end = (index + 1 + CONTEXT).min(self.rows.len());
            match ranges.last_mut() {
                Some(last) if begin <= last.end => last.end = end,
                _ => ranges.push(begin..end),
            }
        }
        let rows = ranges.into_iter().filter_map(|range| self.rows.get(range));
        rows.map(|rows| Hunk { rows }).collect()
    }
}

/// A row as it is shown.
pub(super) struct Shown<'d> {
    pub(super) row: Row,
    pub(super) old_slot: Option<usize>,
    pub(super) new_slot: Option<usize>,
    /// The label that stands before the instruction, if one does.
    pub(super) label: Option<String>,
    pub(super) text: String,
    pub(super) source: Option<&'d str>,
}

impl FunctionDifference {
    /// A row as it is shown. Lines that are the same are labelled alike on both sides: `L` and
    /// the slot in the old code; lines that only the new code has with `N` and the slot there.
    pub(super) fn shown(&self, row: Row) -> Option<Shown<'_>> {
        let (code, index) = match row {
            Row::Same { new, .. } | Row::New(new) => (&self.new, new),
            Row::Old(old) => (&self.old, old),
        };
        let line = code.lines.get(index)?;
        let label = |index: usize| match row {
            Row::Old(_) => self.old_label(index),
            _ => self.new_label(index),
        };
        let target = line.target.map(label).unwrap_or_default();
        let slot = |code: &Code, index: usize| code.lines.get(index).map(|line| line.slot);
        Some(Shown {
            row,
            old_slot: match row {
                Row::Same { old, .. } | Row::Old(old) => slot(&self.old, old),
                Row::New(_) => None,
            },
            new_slot: match row {
                Row::Same { new, .. } | Row::New(new) => slot(&self.new, new),
                Row::Old(_) => None,
            },
            label: self.is_target(row).then(|| label(index)),
            text: line.text(&target),
            source: line.source.as_deref(),
        })
    }

    /// Whether something jumps to a row, on a side that it is shown for.
    fn is_target(&self, row: Row) -> bool {
        let is_target = |code: &Code, index: usize| {
            let line = code.lines.get(index);
            line.is_some_and(|line| line.is_target)
        };
        match row {
            Row::Same { old, new } => is_target(&self.old, old) || is_target(&self.new, new),
            Row::Old(old) => is_target(&self.old, old),
            Row::New(new) => is_target(&self.new, new),
        }
    }

    fn old_label(&self, index: usize) -> String {
        let line = self.old.lines.get(index);
        line.map_or_else(String::new, |line| format!("L{}", line.slot))
    }

    fn new_label(&self, index: usize) -> String {
        let line = self.new.lines.get(index);
        match self.twins.get(&index) {
            Some(old) => self.old_label(*old),
            None => line.map_or_else(String::new, |line| format!("N{}", line.slot)),
        }
    }
}
