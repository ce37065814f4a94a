//! Rounds: instructions that execution comes back to any number of times, as a call comes back
//! to itself that calls a function back.
//!
//! Each time the state is kept and compared with those of the rounds before. If one of them
//! allows all that the new one does, whatever could happen in one more round is followed
//! already. So that this comes about, numbers that differ from the round before, and on which
//! the verdict has not depended, are made unknown.
//!
//! A path that is covered by a round in which it began is covered by what is not followed to
//! its end yet: which numbers the verdict depends on there is known only when all of it is. So
//! states on such a path count as if all of their numbers were needed until then, and what is
//! needed is carried back over the path once more.
//!
//! Described in the kernel's `Documentation/bpf/bpf_iterators.rst`, "Open-coded iterators", and
//! in the messages of kernel commits bb124da69c47 and cafe2c21508a.
//!
//! Read before: `prune.rs`. Read next: `tree.rs`.

use crate::precision::Needs;
use crate::prune::Ids;
use crate::reg::RegState;
use crate::state::State;
use crate::tree::Position;
use ebpf_asm::helper::{Effect, by_id};
use ebpf_asm::insn::{Insn, Reg};
use ebpf_asm::isa::{Callee, Sem};

/// Whether execution comes back to the instruction any number of times.
pub(crate) fn comes_round(insn: &Insn) -> bool {
    match insn.sem() {
        Sem::Call(Callee::Helper) => {
            by_id(insn.imm()).is_some_and(|helper| matches!(helper.effect(), Effect::CallsBack(_)))
        }
        _ => false,
    }
}

/// Makes the numbers unknown that differ from those of an earlier round, and that were not
/// needed there.
pub(crate) fn widen(old: &State, needed: &Needs, new: &mut State) {
    let mut ids = Ids::default();
    for (depth, old) in (0u8..).zip(old.frames()) {
        let Some(new) = new.frame_at(depth) else {
            return;
        };
        let at = usize::from(depth);
        let pairs = Reg::ALL.into_iter().zip(old.regs.iter().zip(&mut new.regs));
        for (reg, (old, new)) in pairs {
            if !needed.needs_reg(at, reg) {
                widen_number(&mut ids, old, new);
            }
        }
        let slots = old.stack.slots().iter().zip(new.stack.slots_mut());
        for (index, (old, new)) in slots.enumerate() {
            let spills = old.is_spill() && new.is_spill();
            if spills && !needed.needs_slot(at, index) {
                widen_number(&mut ids, &old.reg, &mut new.reg);
            }
        }
    }
}

fn widen_number(ids: &mut Ids, old: &RegState, new: &mut RegState) {
    if !old.is_scalar() || !new.is_scalar() {
        return;
    }
    let same = old.scalar == new.scalar && old.off == new.off && old.link == new.link;
    if !same || !ids.same(old.id, new.id) {
        *new = RegState {
            origin: new.origin,
            ..RegState::unknown()
        };
    }
}

/// The end of a path that was covered by a checkpoint which is not followed to all its ends.
#[derive(Debug)]
pub(crate) struct Edge {
    /// Where it ended.
    pub(crate) path: Position,
    /// The state there.
    pub(crate) state: Box<State>,
    /// The checkpoint that covers it.
    pub(crate) to: usize,
    /// The outermost node that must be followed to all its ends first.
    pub(crate) anchor: usize,
}
