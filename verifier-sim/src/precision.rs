//! Precision: which numbers of an earlier state the verdict depended on.
//!
//! Most numbers that a program computes decide nothing. Two states that differ only in such
//! numbers are as good as the same, so loops that add something up need not be followed once
//! for every sum. A number is *needed* where it decided a jump, moved a pointer or was a size;
//! going back over the instructions that led there shows which registers and spills of the
//! earlier checkpoints it came from.
//!
//! Described in the kernel's `Documentation/bpf/verifier.rst`, "Precision tracking".
//!
//! Read before: `live.rs`, `state.rs`. Read next: `prune.rs`.

use crate::cfg::Cfg;
use crate::live::RegSet;
use crate::live_stack::Touched;
use crate::state::State;
use ebpf_asm::insn::{Insn, Reg};
use ebpf_asm::isa::{Callee, Field, Operand, Sem};

/// A slot of the stack of an active function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StackSlot {
    /// The function, by its depth in the chain of calls.
    pub(crate) depth: u8,
    /// The slot, counted from R10 downwards; at most 63.
    pub(crate) index: u8,
}

/// A register or slot that shares its number with another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sharer {
    /// A register of the function at this depth.
    Reg(u8, Reg),
    /// A spill.
    Slot(StackSlot),
}

/// An instruction that was executed, with what one must know to go back over it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Past {
    /// Where it is, as a slot of the program.
    pub(crate) slot: u32,
    /// The spill that it wrote or filled from.
    pub(crate) spill: Option<StackSlot>,
    /// For comparisons: all that shared the compared numbers.
    pub(crate) sharers: Box<[Sharer]>,
    /// Where the next instruction is.
    pub(crate) goes_on: GoesOn,
}

/// In which function execution goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum GoesOn {
    /// Where the instruction says.
    #[default]
    Here,
    /// In the caller, by a tail call whose program returns there.
    InCaller,
    /// In a function that the call calls back.
    InCallback,
    /// At the call that called the function back, which ends here.
    AtCall,
}

impl Past {
    /// Whether the kernel takes a note of it, wherever it is: of spills, and of comparisons
    /// that teach others something too.
    pub(crate) fn is_noted(&self) -> bool {
        self.spill.is_some() || self.sharers.len() > 1
    }

    /// The instruction at `slot`, behind which execution goes on elsewhere.
    pub(crate) fn elsewhere(slot: usize, goes_on: GoesOn) -> Past {
        Past {
            slot: u32::try_from(slot).unwrap_or(u32::MAX),
            goes_on,
            ..Past::default()
        }
    }
}

/// What the execution of an instruction leaves to say about precision.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// The spill that it wrote or filled from.
    pub(crate) spill: Option<StackSlot>,
    /// All that shared the numbers it compared.
    pub(crate) sharers: Vec<Sharer>,
    /// What it needed of the state before it.
    pub(crate) needs: Needs,
    /// Where it goes on.
    pub(crate) goes_on: GoesOn,
    /// The global functions that were called so far, by their slots.
    pub(crate) called: Vec<usize>,
    /// What it did with stacks.
    pub(crate) touched: Vec<Touched>,
}

impl Notes {
    /// Notes that something was read of `slots` of a frame, a bit each.
    pub(crate) fn read(&mut self, depth: u8, slots: u64) {
        self.touched.push(Touched {
            depth,
            read: slots,
            written: 0,
        });
    }

    /// Notes that `slots` of a frame were written whole, a bit each.
    pub(crate) fn written(&mut self, depth: u8, slots: u64) {
        self.touched.push(Touched {
            depth,
            read: 0,
            written: slots,
        });
    }

    /// The instruction at `slot` as one that was executed, and what it needed.
    pub(crate) fn take(&mut self, slot: usize) -> (Past, Option<Needs>) {
        let past = Past {
            slot: u32::try_from(slot).unwrap_or(u32::MAX),
            spill: self.spill.take(),
            sharers: std::mem::take(&mut self.sharers).into_boxed_slice(),
            goes_on: std::mem::take(&mut self.goes_on),
        };
        let needs = std::mem::take(&mut self.needs);
        (past, (!needs.is_empty()).then_some(needs))
    }
}

/// Whether a checkpoint learnt something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settled {
    /// It knew all that is needed.
    Known,
    /// It did not.
    New,
}

/// What is needed of one function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct FrameNeeds {
    /// Registers.
    pub(crate) regs: RegSet,
    /// Slots of its stack, one bit each.
    pub(crate) slots: u64,
}

/// Which registers and spills are needed, by the depth of the functions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Needs {
    frames: Vec<FrameNeeds>,
}

impl Needs {
    /// Needs a register of the function at `depth`.
    pub(crate) fn reg(&mut self, depth: u8, reg: Reg) {
        let frame = self.frame(depth);
        frame.regs = frame.regs.with(RegSet::of(reg));
    }

    /// Needs a spill.
    pub(crate) fn slot(&mut self, slot: StackSlot) {
        self.frame(slot.depth).slots |= bit(slot.index);
    }

    /// Needs a register of the innermost function of `state`.
    pub(crate) fn own_reg(&mut self, state: &State, reg: Reg) {
        self.reg(state.depth(), reg);
    }

    /// Of what was needed in a state like this one, the numbers that there are.
    pub(crate) fn in_state(&self, state: &State) -> Needs {
        let frames = (0..self.frames.len()).map(|depth| numbers_of(state, depth, self.of(depth)));
        Needs {
            frames: frames.collect(),
        }
    }

    /// Forgets all slots but these, by the depth of the functions.
    pub(crate) fn keep_slots(&mut self, slots: &[u64]) {
        for (frame, slots) in self.frames.iter_mut().zip(slots) {
            frame.slots &= slots;
        }
    }

    /// Whether a register is needed.
    pub(crate) fn needs_reg(&self, depth: usize, reg: Reg) -> bool {
        self.of(depth).regs.has(reg)
    }

    /// Whether a slot of a stack is needed.
    pub(crate) fn needs_slot(&self, depth: usize, index: usize) -> bool {
        u8::try_from(index).is_ok_and(|index| self.of(depth).slots & bit(index) != 0)
    }

    /// Whether nothing is needed.
    pub(crate) fn is_empty(&self) -> bool {
        self.frames
            .iter()
            .all(|frame| *frame == FrameNeeds::default())
    }

    /// What is needed of the function at `depth`.
    pub(crate) fn of(&self, depth: usize) -> FrameNeeds {
        self.frames.get(depth).copied().unwrap_or_default()
    }

    fn frame(&mut self, depth: u8) -> &mut FrameNeeds {
        let index = usize::from(depth);
        if index >= self.frames.len() {
            self.frames.resize(index + 1, FrameNeeds::default());
        }
        &mut self.frames[index]
    }

    fn has_reg(&self, depth: u8, reg: Reg) -> bool {
        self.of(usize::from(depth)).regs.has(reg)
    }

    fn has_slot(&self, slot: StackSlot) -> bool {
        self.of(usize::from(slot.depth)).slots & bit(slot.index) != 0
    }

    fn forget_reg(&mut self, depth: u8, reg: Reg) {
        let frame = self.frame(depth);
        frame.regs = frame.regs.without(RegSet::of(reg));
    }

    /// At a checkpoint: notes what is needed there, and goes on with what was not yet. Says
    /// whether there was such.
    pub(crate) fn settle(&mut self, marks: &mut Needs, state: Option<&State>) -> Settled {
        for (depth, frame) in (0u8..).zip(self.frames.iter_mut()) {
            let known = marks.frame(depth);
            frame.regs = frame.regs.without(known.regs);
            frame.slots &= !known.slots;
            if let Some(state) = state {
                *frame = numbers_of(state, usize::from(depth), *frame);
            }
            known.regs = known.regs.with(frame.regs);
            known.slots |= frame.slots;
        }
        match self.is_empty() {
            true => Settled::Known,
            false => Settled::New,
        }
    }

    /// What must be known before the instruction for what is needed after it. `depth` is that
    /// of the function it belongs to, and becomes that of the instruction before.
    pub(crate) fn step_back(&mut self, cfg: &Cfg<'_>, past: &Past, depth: &mut u8) {
        let Some(insn) = cfg.insn(past.slot as usize) else {
            return;
        };
        match past.goes_on {
            GoesOn::Here => {}
            // The other program's result is nobody's number.
            GoesOn::InCaller => {
                self.forget_reg(*depth, Reg::R0);
                return self.enter_callee(depth);
            }
            // A callback's is the helper's, whose arguments are needed where it was called first.
            GoesOn::AtCall => {
                self.forget_reg(*depth, Reg::R0);
                for reg in crate::call::ARGUMENTS {
                    self.forget_reg(*depth, reg);
                }
                return self.enter_callee(depth);
            }
            // What a callback is handed is the helper's.
            GoesOn::InCallback => return self.leave_frame(depth),
        }
        match insn.sem() {
            Sem::Exit => self.enter_callee(depth),
            Sem::Call(Callee::Local) if cfg.is_followed(past.slot as usize) => {
                self.leave_callee(depth);
            }
            Sem::Call(_) | Sem::LoadPacket { .. } => self.forget_reg(*depth, Reg::R0),
            Sem::Jump { .. } => self.before_jump(insn, past, *depth),
            Sem::Store { operand, .. } => self.before_store(insn, operand, past, *depth),
            Sem::StoreRelease { .. } => self.before_store(insn, Operand::Reg, past, *depth),
            Sem::Atomic { op, .. } => {
                let reg = match op.fetches_into() {
                    None => return,
                    Some(ebpf_asm::isa::Fetched::Src) => insn.src(),
                    Some(ebpf_asm::isa::Fetched::R0) => Reg::R0,
                };
                self.before_load(reg, past, *depth);
            }
            Sem::Load { .. } | Sem::LoadSx { .. } | Sem::LoadAcquire { .. } => {
                self.before_load(insn.dst(), past, *depth);
            }
            _ => self.before_alu(insn, *depth),
        }
    }

    /// Back over the end of a function: its R0 became the caller's.
    fn enter_callee(&mut self, depth: &mut u8) {
        let needed = self.has_reg(*depth, Reg::R0);
        self.forget_reg(*depth, Reg::R0);
        *depth += 1;
        *self.frame(*depth) = FrameNeeds::default();
        if needed {
            self.reg(*depth, Reg::R0);
        }
    }

    /// Back over a call: the function's arguments were the caller's.
    fn leave_callee(&mut self, depth: &mut u8) {
        let callee = self.of(usize::from(*depth));
        self.leave_frame(depth);
        for reg in crate::call::ARGUMENTS {
            if callee.regs.has(reg) {
                self.reg(*depth, reg);
            }
        }
    }

    fn leave_frame(&mut self, depth: &mut u8) {
        *self.frame(*depth) = FrameNeeds::default();
        *depth = depth.saturating_sub(1);
    }

    fn before_jump(&mut self, insn: &Insn, past: &Past, depth: u8) {
        self.share(past);
        let both = insn.row().src == Field::Reg;
        if both && (self.has_reg(depth, insn.dst()) || self.has_reg(depth, insn.src())) {
            self.reg(depth, insn.dst());
            self.reg(depth, insn.src());
            self.share(past);
        }
    }

    /// What one of those needs that share a number, all need.
    fn share(&mut self, past: &Past) {
        let shares = past.sharers.iter().any(|sharer| match *sharer {
            Sharer::Reg(depth, reg) => self.has_reg(depth, reg),
            Sharer::Slot(slot) => self.has_slot(slot),
        });
        if !shares {
            return;
        }
        for sharer in &past.sharers {
            match *sharer {
                Sharer::Reg(depth, reg) => self.reg(depth, reg),
                Sharer::Slot(slot) => self.slot(slot),
            }
        }
    }

    fn before_store(&mut self, insn: &Insn, operand: Operand, past: &Past, depth: u8) {
        let Some(slot) = past.spill.filter(|slot| self.has_slot(*slot)) else {
            return;
        };
        self.frame(slot.depth).slots &= !bit(slot.index);
        if operand == Operand::Reg {
            self.reg(depth, insn.src());
        }
    }

    fn before_load(&mut self, into: Reg, past: &Past, depth: u8) {
        if !self.has_reg(depth, into) {
            return;
        }
        self.forget_reg(depth, into);
        if let Some(slot) = past.spill {
            self.slot(slot);
        }
    }

    fn before_alu(&mut self, insn: &Insn, depth: u8) {
        if insn.row().dst != Field::Reg || !self.has_reg(depth, insn.dst()) {
            return;
        }
        let replaces = matches!(
            insn.sem(),
            Sem::Mov { .. } | Sem::Movsx { .. } | Sem::LoadImm64(_) | Sem::AddrSpaceCast(_)
        );
        if replaces {
            self.forget_reg(depth, insn.dst());
        }
        if insn.row().src == Field::Reg {
            self.reg(depth, insn.src());
        }
    }
}

/// Of what is needed, what are numbers.
fn numbers_of(state: &State, depth: usize, needs: FrameNeeds) -> FrameNeeds {
    let Some(frame) = state.frames().get(depth) else {
        return FrameNeeds::default();
    };
    let mut numbers = FrameNeeds::default();
    for (reg, held) in Reg::ALL.into_iter().zip(&frame.regs) {
        if needs.regs.has(reg) && held.is_scalar() {
            numbers.regs = numbers.regs.with(RegSet::of(reg));
        }
    }
    for (index, slot) in (0u8..).zip(frame.stack.slots()) {
        if slot.spill_size() > 0 && slot.reg.is_scalar() {
            numbers.slots |= needs.slots & bit(index);
        }
    }
    numbers
}

/// The bit of a slot. There are 64.
fn bit(index: u8) -> u64 {
    1u64.wrapping_shl(u32::from(index))
}
