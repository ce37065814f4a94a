//! Ways: the branches that each path took, so that the way to a rejection can be told.
//!
//! A path knows the last branch on its way, and every branch the one before it. There are two
//! for each fork, and mostly nobody asks for them, so that they take few bytes.
//!
//! Read before: `diag.rs`. Read next: `given_back.rs`.

use crate::diag::Step;
use std::num::NonZero;

/// A way, by the number of its last branch; that of the first is 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way(NonZero<u32>);

/// A branch that was taken.
#[derive(Debug, Clone, Copy)]
struct Branch {
    /// The slot of the jump.
    slot: u32,
    /// The slot where the path went on.
    to: u32,
    /// The way to the jump.
    before: Option<Way>,
}

/// All branches, in the order of execution.
#[derive(Debug, Default)]
pub(crate) struct Ways(Vec<Branch>);

impl Ways {
    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Adds a branch behind those on the way `before`; gives the way with it.
    pub(crate) fn add(&mut self, step: Step, before: Option<Way>) -> Option<Way> {
        // There are a million slots at most, and two branches for each instruction followed.
        let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        self.0.push(Branch {
            slot: narrow(step.slot),
            to: narrow(step.to),
            before,
        });
        NonZero::new(narrow(self.0.len())).map(Way)
    }

    /// The last branch on a way.
    pub(crate) fn last(&self, way: Way) -> Option<Step> {
        self.branch(way).map(|branch| Step {
            slot: branch.slot as usize,
            to: branch.to as usize,
        })
    }

    /// The branches on a way, in the order of execution.
    pub(crate) fn steps(&self, way: Option<Way>) -> Vec<Step> {
        let back = std::iter::successors(way, |way| self.branch(*way)?.before);
        let mut steps: Vec<Step> = back.filter_map(|way| self.last(way)).collect();
        steps.reverse();
        steps
    }

    fn branch(&self, way: Way) -> Option<&Branch> {
        self.0.get(way.0.get() as usize - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_has_the_branches_that_lead_there_and_no_others() {
        let mut ways = Ways::default();
        let step = |slot, to| Step { slot, to };
        let first = ways.add(step(1, 5), None);
        ways.add(step(1, 2), None);
        let second = ways.add(step(7, 9), first);
        assert_eq!(ways.steps(second), [step(1, 5), step(7, 9)]);
        assert_eq!(ways.steps(None), []);
    }
}
