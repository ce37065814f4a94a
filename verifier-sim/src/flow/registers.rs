//! Registers: sets of them, and what each instruction does with which.
//!
//! Read before: nothing. Read next: `cfg.rs`.

use ebpf_asm::helper;
use ebpf_asm::insn::{Insn, Reg};
use ebpf_asm::isa::{AtomicOp, Callee, Operand, PacketMode, Sem};

/// A set of registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RegSet(u16);

impl RegSet {
    /// None.
    pub(crate) const NONE: RegSet = RegSet(0);

    /// R1 to R5, which hold arguments and are lost in calls.
    pub(crate) const ARGUMENTS: RegSet = RegSet(0b11_1110);

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

/// What an instruction does with registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Uses {
    /// Those that it reads.
    pub(crate) read: RegSet,
    /// Those that it writes.
    pub(crate) written: RegSet,
    /// Of which one must be needed behind it for something else to be needed before it, as far as
    /// it is no spill or fill, and compared no number that others share; `None` if it may always be
    /// so.
    pub(crate) matters_for: Option<RegSet>,
}

impl Uses {
    /// None.
    pub(crate) const NONE: Uses = Uses {
        read: RegSet::NONE,
        written: RegSet::NONE,
        matters_for: None,
    };

    /// Those of an instruction. A call that is no helper's counts as reading all arguments.
    pub(crate) fn of(insn: &Insn) -> Uses {
        let (dst, src) = (RegSet::of(insn.dst()), RegSet::of(insn.src()));
        // Makes a number from others.
        let makes = |read| Uses {
            read,
            written: dst,
            matters_for: Some(dst),
        };
        let goes = |read, matters| Uses {
            read,
            written: RegSet::NONE,
            matters_for: Some(matters),
        };
        match insn.sem() {
            Sem::Mov {
                operand: Operand::Imm,
                ..
            }
            | Sem::LoadImm64(_) => makes(RegSet::NONE),
            Sem::Mov { .. }
            | Sem::Movsx { .. }
            | Sem::AddrSpaceCast(_)
            | Sem::Load { .. }
            | Sem::LoadSx { .. }
            | Sem::LoadAcquire { .. } => makes(src),
            Sem::Alu {
                operand: Operand::Reg,
                ..
            } => makes(dst.with(src)),
            // The number that they change is needed before them if it is behind them.
            Sem::Alu { .. } | Sem::Neg { .. } | Sem::ByteSwap { .. } => Uses {
                matters_for: Some(RegSet::NONE),
                ..makes(dst)
            },
            // Where the address is needed one cannot go back.
            Sem::Store {
                operand: Operand::Imm,
                ..
            } => goes(dst, dst),
            Sem::Store { .. } | Sem::StoreRelease { .. } => goes(dst.with(src), dst),
            Sem::Jump {
                operand: Operand::Imm,
                ..
            } => goes(dst, RegSet::NONE),
            Sem::Jump { .. } => goes(dst.with(src), dst.with(src)),
            Sem::Ja | Sem::Gotol | Sem::MayGoto => goes(RegSet::NONE, RegSet::NONE),
            Sem::Atomic { op, .. } => Uses {
                read: match op {
                    AtomicOp::Cmpxchg => dst.with(src).with(RegSet::of(Reg::R0)),
                    _ => dst.with(src),
                },
                written: insn.fetches_into().map_or(RegSet::NONE, RegSet::of),
                matters_for: None,
            },
            Sem::Call(callee) => Uses::of_call(insn, callee),
            Sem::LoadPacket { mode, .. } => {
                let read = match mode {
                    PacketMode::Abs => RegSet::of(Reg::R6),
                    PacketMode::Ind => RegSet::of(Reg::R6).with(src),
                };
                Uses {
                    read,
                    written: RegSet::LOST_IN_CALLS,
                    matters_for: None,
                }
            }
            Sem::Gotox => Uses {
                read: dst,
                ..Uses::NONE
            },
            Sem::Exit => Uses {
                read: RegSet::of(Reg::R0),
                ..Uses::NONE
            },
        }
    }

    /// Those of a call.
    fn of_call(insn: &Insn, callee: Callee) -> Uses {
        let read = match callee {
            Callee::Helper => {
                let helper = helper::by_id(insn.imm());
                let count = helper.map(|helper| helper.most_args());
                count.map_or(RegSet::ARGUMENTS, RegSet::arguments)
            }
            Callee::Kfunc | Callee::Local => RegSet::ARGUMENTS,
            Callee::Register => RegSet::ARGUMENTS.with(RegSet::of(insn.dst())),
            Callee::NumberedRegister => {
                let callee = u8::try_from(insn.imm()).ok().and_then(Reg::new);
                RegSet::ARGUMENTS.with(callee.map_or(RegSet::NONE, RegSet::of))
            }
        };
        // What the kernel's own give is nobody's number.
        let of_kernel = matches!(callee, Callee::Helper | Callee::Kfunc);
        Uses {
            read,
            written: RegSet::LOST_IN_CALLS,
            matters_for: of_kernel.then_some(RegSet::of(Reg::R0)),
        }
    }

    /// Those that it reads or writes.
    pub(crate) fn touched(self) -> RegSet {
        self.read.with(self.written)
    }
}
