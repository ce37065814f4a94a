//! Liveness: which registers an instruction and what follows it may still read.
//!
//! A register that nothing will read cannot change the verdict, so two states that differ
//! only there are the same (`path/prune.rs`). Computed backwards over the graph until nothing
//! changes.
//!
//! Read before: `stops.rs`. Read next: `env.rs`.

use crate::flow::cfg::Cfg;
use crate::flow::edges::Predecessors;
use crate::flow::highest_first::HighestFirst;
use ebpf_asm::helper;
use ebpf_asm::insn::{Insn, Reg};
use ebpf_asm::isa::{AtomicOp, Callee, Field, Operand, PacketMode, Sem};

/// A set of registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RegSet(u16);

impl RegSet {
    /// R1 to R5, which hold arguments and are lost in calls.
    const ARGUMENTS: RegSet = RegSet(0b11_1110);

    /// The set of one.
    pub(crate) const fn of(reg: Reg) -> RegSet {
        RegSet(1 << reg.number())
    }

    /// Whether `reg` is in the set.
    pub(crate) const fn has(self, reg: Reg) -> bool {
        self.0 & RegSet::of(reg).0 != 0
    }

    /// Whether one is in both.
    pub(crate) const fn meets(self, other: RegSet) -> bool {
        self.0 & other.0 != 0
    }

    /// What is in either.
    #[must_use]
    pub(crate) const fn with(self, other: RegSet) -> RegSet {
        RegSet(self.0 | other.0)
    }

    /// What is in both.
    #[must_use]
    pub(crate) const fn and(self, other: RegSet) -> RegSet {
        RegSet(self.0 & other.0)
    }

    /// All there are.
    pub(crate) const ALL: RegSet = RegSet((1 << Reg::ALL.len()) - 1);

    /// The registers in the set, ascending.
    pub(crate) fn iter(self) -> impl Iterator<Item = Reg> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let lowest = left.trailing_zeros();
            left &= left.wrapping_sub(1);
            Reg::ALL.get(lowest as usize).copied()
        })
    }

    /// What is in `self` only.
    #[must_use]
    pub(crate) const fn without(self, other: RegSet) -> RegSet {
        RegSet(self.0 & !other.0)
    }

    /// What calls overwrite: their result and their arguments.
    pub(crate) const LOST_IN_CALLS: RegSet = RegSet::ARGUMENTS.with(RegSet::of(Reg::R0));

    /// The first `count` argument registers.
    pub(crate) fn arguments(count: usize) -> RegSet {
        let all = (1u16 << (count.min(5) + 1)) - 1;
        RegSet(all).without(RegSet::of(Reg::R0))
    }
}

/// For each slot the registers that are read there or later before they are written.
///
/// `kfunc_arguments` says how many arguments the function of the kernel takes that the call at a
/// slot calls, if that is known.
pub(crate) fn live_registers(
    cfg: &Cfg<'_>,
    before: &Predecessors,
    kfunc_arguments: impl Fn(usize, &Insn) -> Option<usize>,
) -> Vec<RegSet> {
    let read = |slot, insn: &Insn| match insn.sem() {
        Sem::Call(Callee::Kfunc) => match kfunc_arguments(slot, insn) {
            Some(count) => RegSet::arguments(count),
            None => read(insn),
        },
        // The kernel takes them to read every register (Linux 6.18), which they do not.
        Sem::LoadPacket { .. } => RegSet::ALL,
        _ => read(insn),
    };
    let mut live = vec![RegSet::default(); cfg.slot_count()];
    let live_before = |live: &[RegSet], slot: usize| {
        let insn = cfg.insn(slot)?;
        let [on, jump] = cfg.successors(slot);
        let after = live_at(live, on).with(live_at(live, jump));
        Some(after.without(written(insn)).with(read(slot, insn)))
    };
    // Where nothing leads back, all that comes behind an instruction is known before it.
    let mut again = HighestFirst::new(cfg.slot_count());
    for slot in (0..cfg.slot_count()).rev() {
        let now = live_before(&live, slot);
        if let Some((known, now)) = live.get_mut(slot).zip(now) {
            *known = now;
        }
        let mut next = cfg.successors(slot).into_iter().flatten();
        if next.any(|to| to <= slot) {
            again.insert(slot);
        }
    }
    while let Some(slot) = again.pop() {
        let now = live_before(&live, slot);
        if let Some((known, now)) = live.get_mut(slot).zip(now)
            && *known != now
        {
            *known = now;
            before.of(slot).for_each(|from| again.insert(from));
        }
    }
    live
}

/// What is live where execution goes, if it goes anywhere.
fn live_at(live: &[RegSet], slot: Option<usize>) -> RegSet {
    let known = slot.and_then(|slot| live.get(slot));
    known.copied().unwrap_or_default()
}

/// The registers that an instruction reads or writes.
pub(crate) fn touched(insn: &Insn) -> RegSet {
    read(insn).with(written(insn))
}

/// The registers that an instruction reads.
fn read(insn: &Insn) -> RegSet {
    let (dst, src) = (RegSet::of(insn.dst()), RegSet::of(insn.src()));
    let operand = match insn.row().src {
        Field::Reg => src,
        _ => RegSet::default(),
    };
    match insn.sem() {
        Sem::Alu { .. } | Sem::Jump { .. } | Sem::Store { .. } | Sem::StoreRelease { .. } => {
            dst.with(operand)
        }
        Sem::Neg { .. } | Sem::ByteSwap { .. } => dst,
        Sem::Mov {
            operand: Operand::Imm,
            ..
        }
        | Sem::LoadImm64(_) => RegSet::default(),
        Sem::Mov { .. }
        | Sem::Movsx { .. }
        | Sem::Load { .. }
        | Sem::LoadSx { .. }
        | Sem::LoadAcquire { .. }
        | Sem::AddrSpaceCast(_) => src,
        Sem::Atomic {
            op: AtomicOp::Cmpxchg,
            ..
        } => dst.with(src).with(RegSet::of(Reg::R0)),
        Sem::Atomic { .. } => dst.with(src),
        Sem::LoadPacket { mode, .. } => match mode {
            PacketMode::Abs => RegSet::of(Reg::R6),
            PacketMode::Ind => RegSet::of(Reg::R6).with(src),
        },
        Sem::Call(Callee::Helper) => match helper::by_id(insn.imm()) {
            Some(helper) => RegSet::arguments(helper.most_args()),
            None => RegSet::ARGUMENTS,
        },
        Sem::Call(Callee::Register) => RegSet::ARGUMENTS.with(dst),
        Sem::Call(Callee::NumberedRegister) => {
            let callee = u8::try_from(insn.imm()).ok().and_then(Reg::new);
            RegSet::ARGUMENTS.with(callee.map_or_else(RegSet::default, RegSet::of))
        }
        Sem::Call(_) => RegSet::ARGUMENTS,
        Sem::Gotox => dst,
        Sem::Exit => RegSet::of(Reg::R0),
        Sem::Ja | Sem::Gotol | Sem::MayGoto => RegSet::default(),
    }
}

/// The registers that an instruction writes.
fn written(insn: &Insn) -> RegSet {
    let dst = RegSet::of(insn.dst());
    match insn.sem() {
        Sem::Alu { .. }
        | Sem::Neg { .. }
        | Sem::Mov { .. }
        | Sem::Movsx { .. }
        | Sem::ByteSwap { .. }
        | Sem::Load { .. }
        | Sem::LoadSx { .. }
        | Sem::LoadAcquire { .. }
        | Sem::AddrSpaceCast(_)
        | Sem::LoadImm64(_) => dst,
        Sem::Atomic { .. } => insn.fetches_into().map_or_else(RegSet::default, RegSet::of),
        Sem::Call(_) | Sem::LoadPacket { .. } => RegSet::ARGUMENTS.with(RegSet::of(Reg::R0)),
        Sem::Jump { .. }
        | Sem::Ja
        | Sem::Gotol
        | Sem::Gotox
        | Sem::Exit
        | Sem::Store { .. }
        | Sem::StoreRelease { .. }
        | Sem::MayGoto => RegSet::default(),
    }
}
