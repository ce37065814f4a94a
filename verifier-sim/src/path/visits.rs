//! Visits: the loops that are being followed, each by the chain of calls that leads to it.
//!
//! A path in a loop may be covered by a state from which not all paths have ended: by one of an
//! earlier round, or by one that another path was covered by so. Which numbers the verdict
//! depends on there is known only when all of the loop is followed. Until then all states in the
//! loop, and in what it calls, count as if each of their numbers were needed; then what is needed
//! is carried back over the ends of all such paths, until nothing is new.
//!
//! Described in the messages of the kernel's commits of Linux 6.17 on strongly connected
//! components and on read and precision marks over backedges.
//!
//! Read before: `flow/components.rs`, `flow/rounds.rs`. Read next: `tree.rs`.

use crate::flow::components::Components;
use crate::path::tree::Position;
use crate::value::state::State;
use std::collections::BTreeMap;

/// A loop as a chain of calls leads to it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CalledLoop {
    /// The slots of the calls, the outermost first.
    calls: Vec<usize>,
    component: u32,
}

impl CalledLoop {
    /// Where a state at `slot` is: in the outermost of the loops that are active.
    pub(crate) fn of(components: &Components, state: &State, slot: usize) -> Option<CalledLoop> {
        if components.is_empty() {
            return None;
        }
        let callees = state.frames().skip(1);
        let at = callees.map(|callee| callee.called_at()).chain([slot]);
        let mut calls = Vec::new();
        for slot in at {
            if let Some(component) = components.of(slot) {
                return Some(CalledLoop { calls, component });
            }
            calls.push(slot);
        }
        None
    }
}

/// The end of a path that is covered by what is not followed to all its ends.
#[derive(Debug)]
pub(crate) struct Edge {
    /// Where it ended.
    pub(crate) path: Position,
    /// The state there.
    pub(crate) state: Box<State>,
    /// The checkpoint that covers it.
    pub(crate) to: usize,
}

/// Whether it is known on which numbers of a state the verdict depends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// It is.
    All,
    /// Paths that come back to it are not followed to their ends.
    NotYet,
}

#[derive(Debug, Default)]
struct Visit {
    /// The checkpoint by which the loop was entered, while not all paths from it have ended.
    entry: Option<usize>,
    edges: Vec<Edge>,
}

/// The visits of all loops.
#[derive(Debug, Default)]
pub(crate) struct Visits {
    numbers: BTreeMap<CalledLoop, usize>,
    visits: Vec<Visit>,
}

impl Visits {
    /// A checkpoint is made in a loop; gives the number of the visit.
    pub(crate) fn enter(&mut self, at: CalledLoop, checkpoint: usize) -> usize {
        let number = *self.numbers.entry(at).or_insert(self.visits.len());
        if number == self.visits.len() {
            self.visits.push(Visit::default());
        }
        if let Some(visit) = self.visits.get_mut(number) {
            visit.entry.get_or_insert(checkpoint);
        }
        number
    }

    /// Whether a checkpoint was made in a loop.
    pub(crate) fn has(&self, at: &CalledLoop) -> bool {
        self.numbers.contains_key(at)
    }

    /// What is known in a visit.
    pub(crate) fn known(&self, visit: usize) -> Known {
        let visit = self.visits.get(visit);
        match visit.is_none_or(|visit| visit.edges.is_empty()) {
            true => Known::All,
            false => Known::NotYet,
        }
    }

    /// A path ended at an edge.
    pub(crate) fn add(&mut self, visit: usize, edge: Edge) {
        if let Some(visit) = self.visits.get_mut(visit) {
            visit.edges.push(edge);
        }
    }

    /// All paths from a checkpoint have ended; gives the edges if the loop was entered by it.
    pub(crate) fn leave(&mut self, visit: usize, checkpoint: usize) -> Vec<Edge> {
        match self.visits.get_mut(visit) {
            Some(visit) if visit.entry == Some(checkpoint) => std::mem::take(visit).edges,
            _ => Vec::new(),
        }
    }
}
