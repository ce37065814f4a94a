//! Watching the verifier: what it does, instruction by instruction.
//!
//! Read before: `snapshot.rs`. Read next: `log.rs`.

use crate::diag::{Checked, Rejection};
use crate::flow::registers::Uses;
use crate::path::explore::{Explorer, Path};
use crate::report::snapshot::Snapshot;
use crate::step::machine::{Flow, not_modelled};
use crate::value::state::State;
use ebpf_asm::insn::{Insn, Reg};

/// Something that happens on the way through a program. States are as they are then.
#[derive(Debug)]
pub enum Event<'a> {
    /// The program, or a global function, begins.
    Begin {
        /// Its first slot.
        slot: usize,
        /// The state.
        state: &'a Snapshot,
    },
    /// A branch is followed that was left for later.
    Branch {
        /// The slot of the jump, or of the call that has a function called back or later.
        from: usize,
        /// Where it leads.
        slot: usize,
        /// The state.
        state: &'a Snapshot,
    },
    /// A path comes to an instruction, which is executed next.
    Reached {
        /// Its slot.
        slot: usize,
        /// The instruction.
        insn: &'a Insn,
    },
    /// An instruction was executed. Of a jump both ways of which are open, the one that goes
    /// on behind it is taken.
    Step {
        /// Its slot.
        slot: usize,
        /// The instruction.
        insn: &'a Insn,
        /// What it touched.
        touched: &'a Touched,
        /// The state before it.
        before: &'a Snapshot,
        /// The slot where the path goes on, and the state behind the instruction; the end of a
        /// path has none.
        goes_on: Option<(usize, &'a Snapshot)>,
    },
    /// The path need not be followed on: another that went through here covers it.
    Covered {
        /// Where.
        slot: usize,
    },
}

/// What of a state an instruction touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Touched {
    /// The registers that it reads or writes, and of the stack what is another behind it.
    Regs(Vec<Reg>),
    /// All of it: a function is called back, whose way begins with a copy of the state.
    All,
}

/// Who is told.
pub type Watcher<'w> = dyn FnMut(&Event<'_>) + 'w;

/// Who follows an exploration, and how far it goes.
#[derive(Default)]
pub(crate) struct Watch<'e, 'w> {
    /// Who is told what happens.
    pub(crate) watcher: Option<&'e mut Watcher<'w>>,
    /// The instructions that it ends at, by their slots, ascending.
    pub(crate) ends: &'e [usize],
    /// The one of them that it ended at.
    pub(crate) reached: Option<&'e mut Option<usize>>,
}

impl Explorer<'_, '_, '_> {
    /// Ends the exploration if it is to end at the instruction at `slot`, which was executed.
    #[inline]
    pub(crate) fn check_end(&mut self, slot: usize) -> Checked {
        match self.watch.ends.binary_search(&slot) {
            Ok(_) => Err(self.end_at(slot)),
            Err(_) => Ok(()),
        }
    }

    #[cold]
    fn end_at(&mut self, slot: usize) -> Box<Rejection> {
        if let Some(reached) = &mut self.watch.reached {
            **reached = Some(slot);
        }
        not_modelled("what is behind the end")
    }

    /// The state for the watcher, if there is one.
    #[inline]
    pub(crate) fn snapshot(&self, state: &State) -> Option<Snapshot> {
        self.watch
            .watcher
            .is_some()
            .then(|| Snapshot::of(self.env, state))
    }

    /// Tells the watcher, if there is one.
    pub(crate) fn tell(&mut self, event: &Event<'_>) {
        if let Some(watcher) = &mut self.watch.watcher {
            watcher(event);
        }
    }

    /// Tells that a path begins.
    pub(crate) fn tell_beginning(&mut self, path: &Path) {
        let Some(state) = self.snapshot(&path.state) else {
            return;
        };
        let branch = path.way.and_then(|way| self.ways.last(way));
        let (slot, state) = (path.slot, &state);
        self.tell(&match path.set_at.or(branch.map(|branch| branch.slot)) {
            Some(from) => Event::Branch { from, slot, state },
            None => Event::Begin { slot, state },
        });
    }

    /// Tells that an instruction was executed, if somebody wanted the state before it.
    pub(crate) fn tell_step(
        &mut self,
        slot: usize,
        insn: &Insn,
        before: Option<Snapshot>,
        state: &State,
        flow: &Flow,
    ) {
        let Some(before) = before else {
            return;
        };
        let next = match flow {
            Flow::End => None,
            Flow::To(next)
            | Flow::Back(next)
            | Flow::Fork { next, .. }
            | Flow::Again { next, .. }
            | Flow::CallBack { next, .. }
            | Flow::Later { next, .. }
            | Flow::Leave { caller: next, .. } => Some(*next),
        };
        let after = self.snapshot(state);
        let touched = match flow {
            Flow::CallBack { .. } | Flow::Later { .. } => Touched::All,
            _ => Touched::Regs(Uses::of(insn).touched().iter().collect()),
        };
        self.tell(&Event::Step {
            slot,
            insn,
            touched: &touched,
            before: &before,
            goes_on: next.zip(after.as_ref()),
        });
    }
}
