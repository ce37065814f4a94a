//! Liveness: which registers an instruction and what follows it may still read.
//!
//! A register that nothing will read cannot change the verdict, so two states that differ
//! only there are the same (`path/prune.rs`). Computed backwards over the graph until nothing
//! changes.
//!
//! Read before: `registers.rs`, `stops.rs`. Read next: `env.rs`.

use crate::flow::cfg::Cfg;
use crate::flow::edges::Predecessors;
use crate::flow::highest_first::HighestFirst;
use crate::flow::registers::{RegSet, Uses};
use ebpf_asm::insn::Insn;
use ebpf_asm::isa::{Callee, Sem};

/// For each slot the registers that are read there or later before they are written.
///
/// `arguments` says how many arguments the call at a slot takes, if that is known. All are read where
/// it is not.
pub(crate) fn live_registers(
    cfg: &Cfg<'_>,
    before: &Predecessors,
    arguments: impl Fn(usize, &Insn) -> Option<usize>,
) -> Vec<RegSet> {
    let mut live = vec![RegSet::NONE; cfg.slot_count()];
    let live_before = |live: &[RegSet], slot: usize, [on, jump]: [Option<usize>; 2]| {
        let Uses { read, written, .. } = cfg.uses(slot);
        let read = match written {
            RegSet::LOST_IN_CALLS => read_in_call(cfg, slot, &arguments).unwrap_or(read),
            _ => read,
        };
        let after = live_at(live, on).with(live_at(live, jump));
        after.without(written).with(read)
    };
    // Where nothing leads back, all that comes behind an instruction is known before it.
    let mut again = HighestFirst::new(cfg.slot_count());
    for slot in (0..cfg.slot_count()).rev() {
        let next = cfg.successors(slot);
        let now = live_before(&live, slot, next);
        if let Some(known) = live.get_mut(slot) {
            *known = now;
        }
        if next.into_iter().flatten().any(|to| to <= slot) {
            again.insert(slot);
        }
    }
    while let Some(slot) = again.pop() {
        let now = live_before(&live, slot, cfg.successors(slot));
        if let Some(known) = live.get_mut(slot)
            && *known != now
        {
            *known = now;
            before.of(cfg, slot).for_each(|from| again.insert(from));
        }
    }
    live
}

/// What the instruction at `slot` reads, if that is other than what stands in it.
fn read_in_call(
    cfg: &Cfg<'_>,
    slot: usize,
    arguments: impl Fn(usize, &Insn) -> Option<usize>,
) -> Option<RegSet> {
    let insn = cfg.insn(slot)?;
    match insn.sem() {
        Sem::Call(Callee::Helper | Callee::Kfunc) => Some(match arguments(slot, insn) {
            Some(count) => RegSet::arguments(count),
            None => RegSet::ARGUMENTS,
        }),
        // The kernel takes them to read every register (Linux 6.18), which they do not.
        Sem::LoadPacket { .. } => Some(RegSet::ALL),
        _ => None,
    }
}

/// What is live where execution goes, if it goes anywhere.
fn live_at(live: &[RegSet], slot: Option<usize>) -> RegSet {
    let known = slot.and_then(|slot| live.get(slot));
    known.copied().unwrap_or_default()
}
