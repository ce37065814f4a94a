//! Rounds: instructions that execution comes back to any number of times, as a call comes back
//! to itself that calls a function back.
//!
//! Each time the state is kept and compared with those of the rounds before. If one of them
//! allows all that the new one does, whatever could happen in one more round is followed
//! already. So that this comes about, numbers that differ from the round before, and on which
//! the verdict has not depended, are made unknown.
//!
//! Described in the kernel's `Documentation/bpf/bpf_iterators.rst`, "Open-coded iterators", and
//! in the messages of kernel commits bb124da69c47 and cafe2c21508a.
//!
//! Read before: `path/prune.rs`. Read next: `path/visits.rs`.

use crate::flow::cfg::Cfg;
use crate::kfunc::{calls_back, calls_next};
use crate::object::iterator::{Progress, asked_for_next, equally_far};
use crate::path::precision::Needs;
use crate::path::prune::Ids;
use crate::types::kernel_types::KernelTypes;
use crate::value::reg::{Link, RegState};
use crate::value::state::State;
use ebpf_asm::helper::{Effect, Helper, by_id};
use ebpf_asm::insn::{Insn, Reg};
use ebpf_asm::isa::{Callee, Sem};
use ebpf_asm::object::Object;
use ebpf_asm::program::Program;

/// What brings execution back to an instruction any number of times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Round {
    /// It calls a function of the program back.
    Callback,
    /// It gives the next of an iteration.
    Next,
    /// It ends a loop when that has taken too long: `may_goto`.
    MayGoto,
}

/// The instructions of a program that execution comes back to any number of times, by their slots,
/// ascending.
#[derive(Debug)]
pub(crate) struct Rounds(Vec<(usize, Round)>);

impl Rounds {
    /// Those of a program.
    pub(crate) fn new(
        object: &Object,
        program: &Program,
        cfg: &Cfg<'_>,
        kernel: &KernelTypes,
    ) -> Rounds {
        let round = |at: (usize, &Insn)| match at.1.sem() {
            Sem::MayGoto => Some(Round::MayGoto),
            Sem::Call(Callee::Helper) => helper_round(at.1),
            Sem::Call(Callee::Kfunc) if calls_next(object, program, kernel, at) => {
                Some(Round::Next)
            }
            Sem::Call(Callee::Kfunc) if calls_back(object, program, kernel, at) => {
                Some(Round::Callback)
            }
            _ => None,
        };
        let insns = cfg.calls().chain(cfg.jumps());
        let mut rounds: Vec<_> = insns.filter_map(|at| Some((at.0, round(at)?))).collect();
        rounds.sort_unstable_by_key(|(slot, _)| *slot);
        Rounds(rounds)
    }

    /// What brings execution back to the instruction at `slot`, if something does.
    pub(crate) fn at(&self, slot: usize) -> Option<Round> {
        let found = self.0.binary_search_by_key(&slot, |(slot, _)| *slot);
        found
            .ok()
            .and_then(|at| self.0.get(at))
            .map(|(_, round)| *round)
    }

    /// All of them.
    pub(crate) fn slots(&self) -> impl Iterator<Item = usize> {
        self.0.iter().map(|(slot, _)| *slot)
    }
}

fn helper_round(insn: &Insn) -> Option<Round> {
    let calls_back = |helper: &Helper| matches!(helper.effect(), Effect::CallsBack(_));
    let helper = by_id(insn.imm()).filter(|helper| calls_back(helper));
    helper.map(|_| Round::Callback)
}

impl Round {
    /// Whether a state that is no more than that of an earlier round needs not be followed.
    pub(crate) fn is_closed(self, old: &State, new: &State) -> bool {
        match self {
            Round::Callback => true,
            Round::Next => {
                asked_for_next(new).is_some_and(|iterator| iterator.progress == Progress::Active)
            }
            Round::MayGoto => old.may_gotos != new.may_gotos,
        }
    }
}

/// Whether nothing has come round between two states, so that if they are the same, nothing
/// ever will.
pub(crate) fn same_round(old: &State, new: &State) -> bool {
    old.callbacks == new.callbacks && old.may_gotos == new.may_gotos && equally_far(old, new)
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
            if !needed.needs_reg(at, reg)
                && let Some(new) = new.get_mut()
            {
                widen_number(&mut ids, old, new);
            }
        }
        let slots = old.stack.slots().iter().zip(new.stack.slots_mut());
        for (index, (old, new)) in slots.enumerate() {
            let spills = old.is_spill() && new.is_spill();
            if spills
                && !needed.needs_slot(at, index)
                && let Some(new) = new.reg.get_mut()
            {
                widen_number(&mut ids, &old.reg, new);
            }
        }
    }
}

fn widen_number(ids: &mut Ids, old: &RegState, new: &mut RegState) {
    if !old.is_scalar() || !new.is_scalar() {
        return;
    }
    let same = old.scalar == new.scalar && old.off == new.off && old.residue == new.residue;
    if !same || !ids.same(name(old), name(new)) {
        *new = RegState {
            origin: new.origin,
            ..RegState::unknown()
        };
    }
}

/// The id of a number. One that is another with something added, be it 0, has a name of its own
/// (seen on Linux 6.18).
fn name(number: &RegState) -> u32 {
    match number.link {
        Link::Same => number.id,
        Link::Plus => number.id | 1 << 31,
        Link::PlusLow => number.id | 1 << 30,
    }
}
