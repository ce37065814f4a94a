//! Watching the verifier: what it does, instruction by instruction.
//!
//! Read before: `snapshot.rs`. Read next: `log.rs`.

use crate::flow::registers::Uses;
use crate::path::explore::{Explorer, Path};
use crate::report::snapshot::Snapshot;
use crate::step::machine::Flow;
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

impl Explorer<'_, '_, '_> {
    /// The state for the watcher, if there is one.
    #[inline]
    pub(crate) fn snapshot(&self, state: &State) -> Option<Snapshot> {
        self.watcher
            .is_some()
            .then(|| Snapshot::of(self.env, state))
    }

    /// Tells the watcher, if there is one.
    pub(crate) fn tell(&mut self, event: &Event<'_>) {
        if let Some(watcher) = &mut self.watcher {
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
