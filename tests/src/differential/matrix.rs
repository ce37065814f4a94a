//! How often both agreed.

use std::collections::BTreeMap;
use std::fmt;

use super::judge::{Answer, Word};

/// Four numbers, and how often the simulator said nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cell {
    /// Both accept.
    pub both_accept: u64,
    /// Both refuse.
    pub both_refuse: u64,
    /// Only the simulator accepts.
    pub false_accepts: u64,
    /// Only the kernel accepts.
    pub false_rejects: u64,
    /// The simulator has no verdict.
    pub unsupported: u64,
}

impl Cell {
    /// Counts an answer.
    pub fn add(&mut self, answer: &Answer) {
        let number = match (answer.ours.verdict, answer.kernel.verdict) {
            (Word::Accept, Word::Accept) => &mut self.both_accept,
            (Word::Reject, Word::Reject) => &mut self.both_refuse,
            (Word::Accept, Word::Reject) => &mut self.false_accepts,
            (Word::Reject, Word::Accept) => &mut self.false_rejects,
            _ => &mut self.unsupported,
        };
        *number += 1;
    }

    /// All programs.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.both_accept
            + self.both_refuse
            + self.false_accepts
            + self.false_rejects
            + self.unsupported
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = |number: u64| number as f64 * 100.0 / self.total().max(1) as f64;
        write!(
            f,
            "{:8} {:8} {:8} {:7} {:7} {:7}  {:6.2} %",
            self.total(),
            self.both_accept,
            self.both_refuse,
            self.false_accepts,
            self.false_rejects,
            self.unsupported,
            share(self.both_accept + self.both_refuse),
        )
    }
}

/// The cells of several kinds of programs, by name, and of all.
#[derive(Debug, Clone, Default)]
pub struct Matrix {
    /// All programs.
    pub whole: Cell,
    /// By program type.
    pub by_type: BTreeMap<String, Cell>,
    /// By construct; a program counts for each of its constructs.
    pub by_construct: BTreeMap<String, Cell>,
}

impl Matrix {
    /// Counts an answer to a program of a type with some constructs.
    pub fn add<'t>(
        &mut self,
        answer: &Answer,
        prog_type: &str,
        constructs: impl Iterator<Item = &'t str>,
    ) {
        self.whole.add(answer);
        self.by_type
            .entry(prog_type.to_owned())
            .or_default()
            .add(answer);
        for construct in constructs {
            self.by_construct
                .entry(construct.to_owned())
                .or_default()
                .add(answer);
        }
    }
}

impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:45} {:>8} {:>8} {:>8} {:>7} {:>7} {:>7}  {:>8}",
            "", "programs", "accepted", "refused", "falsely", "falsely", "not", "agreed"
        )?;
        writeln!(
            f,
            "{:45} {:>8} {:>8} {:>8} {:>7} {:>7} {:>7}",
            "", "", "by both", "by both", "accept.", "refused", "judged"
        )?;
        writeln!(f, "{:45} {}", "all", self.whole)?;
        for (name, cell) in self.by_type.iter().chain(&self.by_construct) {
            writeln!(f, "{name:45} {cell}")?;
        }
        Ok(())
    }
}
