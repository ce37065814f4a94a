//! Watching the verifier: what it does, instruction by instruction.
//!
//! Read before: `snapshot.rs`. Read next: `log.rs`.

use crate::snapshot::Snapshot;
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
        /// The slot of the jump.
        from: usize,
        /// Where it leads.
        slot: usize,
        /// The state.
        state: &'a Snapshot,
    },
    /// An instruction was executed. Of a jump both ways of which are open, the one that goes
    /// on behind it is taken.
    Step {
        /// Its slot.
        slot: usize,
        /// The instruction.
        insn: &'a Insn,
        /// The registers that it reads or writes.
        touched: &'a [Reg],
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

/// Who is told.
pub type Watcher<'w> = dyn FnMut(&Event<'_>) + 'w;
