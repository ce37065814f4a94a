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
//! Read before: `history.rs`. Read next: `prune.rs`.

use crate::call::invoke::ARGUMENTS;
use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::flow::cfg::Cfg;
use crate::flow::depth::MAX_CALL_FRAMES;
use crate::flow::registers::RegSet;
use crate::path::history::{GoesOn, Past, Sharer, StackSlot};
use crate::value::state::State;
use ebpf_asm::insn::{Insn, Reg};
use ebpf_asm::isa::{Callee, Field, Operand, Sem};

/// Whether a checkpoint learnt something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settled {
    /// It knew all that is needed.
    Known,
    /// It did not.
    New,
}

/// Whether what is needed before an instruction is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trail {
    /// It is.
    Kept,
    /// It is not: all numbers on the way may be.
    Lost,
}

/// What is needed of one function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct FrameNeeds {
    /// Registers.
    pub(crate) regs: RegSet,
    /// Slots of its stack, one bit each.
    pub(crate) slots: u64,
}

impl FrameNeeds {
    /// All of them.
    pub(crate) const ALL: FrameNeeds = FrameNeeds {
        regs: RegSet::ALL,
        slots: u64::MAX,
    };

    /// Whether something is needed.
    pub(crate) fn is_any(self) -> bool {
        self.slots != 0 || self.regs != RegSet::default()
    }

    /// Whether a slot is needed.
    pub(crate) fn has_slot(self, index: u8) -> bool {
        self.slots & bit(index) != 0
    }
}

/// Which registers and spills are needed, by the depth of the functions. There is one for each
/// checkpoint, and mostly no function is called, so that only the outermost takes room.
#[derive(Debug, Clone, Default)]
pub(crate) struct Needs {
    /// Of the program's own frame.
    first: FrameNeeds,
    /// Of those of the functions that it calls.
    called: Option<Box<[FrameNeeds; MAX_CALL_FRAMES - 1]>>,
}

impl Needs {
    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.first = FrameNeeds::default();
        if let Some(called) = &mut self.called {
            **called = Default::default();
        }
    }

    /// All numbers of a state.
    pub(crate) fn all_of(state: &State) -> Needs {
        let mut needs = Needs::default();
        for (depth, _) in (0u8..).zip(state.frames()) {
            *needs.frame(depth) = FrameNeeds::ALL;
        }
        needs
    }

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

    /// What is needed of each function, the outermost first.
    fn frames(&self) -> impl Iterator<Item = &FrameNeeds> {
        let called = self.called.iter().flat_map(|called| called.iter());
        std::iter::once(&self.first).chain(called)
    }

    fn frames_mut(&mut self) -> impl Iterator<Item = &mut FrameNeeds> {
        let called = self.called.iter_mut().flat_map(|called| called.iter_mut());
        std::iter::once(&mut self.first).chain(called)
    }

    /// Forgets all but these, by the depth of the functions.
    pub(crate) fn keep(&mut self, live: impl Iterator<Item = FrameNeeds>) {
        for (frame, live) in self.frames_mut().zip(live) {
            frame.regs = frame.regs.and(live.regs);
            frame.slots &= live.slots;
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
        let mut called = self.called.iter().flat_map(|called| called.iter());
        !self.first.is_any() && !called.any(|frame| frame.is_any())
    }

    /// What is needed of the function at `depth`.
    pub(crate) fn of(&self, depth: usize) -> FrameNeeds {
        match depth.checked_sub(1) {
            None => self.first,
            Some(index) => {
                let called = self.called.as_ref().and_then(|called| called.get(index));
                called.copied().unwrap_or_default()
            }
        }
    }

    fn frame(&mut self, depth: u8) -> &mut FrameNeeds {
        match depth.checked_sub(1) {
            None => &mut self.first,
            Some(index) => {
                // No more functions are ever active.
                let index = usize::from(index).min(MAX_CALL_FRAMES - 2);
                &mut self.called.get_or_insert_default()[index]
            }
        }
    }

    fn has_reg(&self, depth: u8, reg: Reg) -> bool {
        self.of(usize::from(depth)).regs.has(reg)
    }

    fn has_slot(&self, slot: StackSlot) -> bool {
        self.of(usize::from(slot.depth)).slots & bit(slot.index) != 0
    }

    fn forget_reg(&mut self, depth: u8, reg: Reg) {
        if self.has_reg(depth, reg) {
            let frame = self.frame(depth);
            frame.regs = frame.regs.without(RegSet::of(reg));
        }
    }

    fn forget_frame(&mut self, depth: u8) {
        if self.of(usize::from(depth)).is_any() {
            *self.frame(depth) = FrameNeeds::default();
        }
    }

    /// At a checkpoint: that no slot is needed which its stacks do not reach yet. The kernel (6.18)
    /// comes to such where a path that read bytes it never wrote is covered by one that spilled a
    /// number there, and takes that for a fault of its own.
    pub(crate) fn check_within(&self, state: &State) -> Checked {
        for (needs, frame) in self.frames().zip(state.frames()) {
            let total = frame.stack.slots().len();
            let beyond = needs.slots.checked_shr(total as u32).unwrap_or(0);
            if beyond != 0 {
                let slot = total as u32 + beyond.trailing_zeros();
                let message = format!(
                    "verifier bug: stack slot {slot}, total slots {total} \
                     (i >= func->allocated_stack / BPF_REG_SIZE)"
                );
                return Err(Rejection::new(Code::StackUninit, message)
                    .label("what is needed here another path read from the stack, never written")
                    .help("write the stack before it is read, on every path"));
            }
        }
        Ok(())
    }

    /// At a checkpoint: notes what is needed there, and goes on with what was not yet. Says
    /// whether there was such.
    pub(crate) fn settle(&mut self, marks: &mut Needs, state: &State) -> Settled {
        let mut settled = Settled::Known;
        for (depth, frame) in (0u8..).zip(self.frames_mut()) {
            let known = marks.of(usize::from(depth));
            frame.regs = frame.regs.without(known.regs);
            frame.slots &= !known.slots;
            if !frame.is_any() {
                continue;
            }
            *frame = numbers_of(state, usize::from(depth), *frame);
            if frame.is_any() {
                let marks = marks.frame(depth);
                marks.regs = marks.regs.with(frame.regs);
                marks.slots |= frame.slots;
                settled = Settled::New;
            }
        }
        settled
    }

    /// What must be known before the instruction for what is needed after it. `depth` is that
    /// of the function it belongs to, and becomes that of the instruction before.
    pub(crate) fn step_back(
        &mut self,
        cfg: &Cfg<'_>,
        past: &Past,
        sharers: &[Sharer],
        depth: &mut u8,
    ) -> Trail {
        match cfg.insn(past.slot as usize) {
            None => {}
            Some(_) if past.goes_on != GoesOn::Here => self.before_elsewhere(past.goes_on, depth),
            Some(insn) if self.loses_trail(insn, *depth) => return Trail::Lost,
            Some(insn) => self.before(cfg, insn, past, sharers, depth),
        }
        Trail::Kept
    }

    /// Whether one cannot go back over an instruction, as in the kernel (6.18): an address that
    /// is needed comes from a difference of pointers, and numbers of packets are not tracked.
    fn loses_trail(&self, insn: &Insn, depth: u8) -> bool {
        match insn.sem() {
            Sem::Store { .. } | Sem::StoreRelease { .. } | Sem::Atomic { .. } => {
                self.has_reg(depth, insn.dst())
            }
            Sem::LoadPacket { .. } => self.has_reg(depth, Reg::R0),
            _ => false,
        }
    }

    /// The same where execution went on elsewhere than behind the instruction.
    fn before_elsewhere(&mut self, goes_on: GoesOn, depth: &mut u8) {
        match goes_on {
            GoesOn::Here => {}
            // The other program's result is nobody's number.
            GoesOn::InCaller => {
                self.forget_reg(*depth, Reg::R0);
                self.enter_callee(depth);
            }
            // A callback's is the helper's, whose arguments are needed where it was called first.
            GoesOn::AtCall => {
                self.forget_reg(*depth, Reg::R0);
                for reg in ARGUMENTS {
                    self.forget_reg(*depth, reg);
                }
                self.enter_callee(depth);
            }
            // What a callback is handed is the helper's.
            GoesOn::InCallback => self.leave_frame(depth),
        }
    }

    fn before(
        &mut self,
        cfg: &Cfg<'_>,
        insn: &Insn,
        past: &Past,
        sharers: &[Sharer],
        depth: &mut u8,
    ) {
        match insn.sem() {
            Sem::Exit => self.enter_callee(depth),
            Sem::Call(Callee::Local) if cfg.is_followed(past.slot as usize) => {
                self.leave_callee(depth);
            }
            Sem::Call(_) | Sem::LoadPacket { .. } => self.forget_reg(*depth, Reg::R0),
            Sem::Jump { .. } => self.before_jump(insn, sharers, *depth),
            Sem::Store { operand, .. } => self.before_store(insn, operand, past, *depth),
            Sem::StoreRelease { .. } => self.before_store(insn, Operand::Reg, past, *depth),
            Sem::Atomic { .. } => self.before_atomic(insn, past, *depth),
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
        self.forget_frame(*depth);
        if needed {
            self.reg(*depth, Reg::R0);
        }
    }

    /// Back over a call: the function's arguments were the caller's.
    fn leave_callee(&mut self, depth: &mut u8) {
        let callee = self.of(usize::from(*depth));
        self.leave_frame(depth);
        for reg in ARGUMENTS {
            if callee.regs.has(reg) {
                self.reg(*depth, reg);
            }
        }
    }

    fn leave_frame(&mut self, depth: &mut u8) {
        self.forget_frame(*depth);
        *depth = depth.saturating_sub(1);
    }

    fn before_jump(&mut self, insn: &Insn, sharers: &[Sharer], depth: u8) {
        self.share(sharers);
        let both = insn.row().src == Field::Reg;
        if both && (self.has_reg(depth, insn.dst()) || self.has_reg(depth, insn.src())) {
            self.reg(depth, insn.dst());
            self.reg(depth, insn.src());
            self.share(sharers);
        }
    }

    /// What one of those needs that share a number, all need.
    fn share(&mut self, sharers: &[Sharer]) {
        let shares = sharers.iter().any(|sharer| match *sharer {
            Sharer::Reg(depth, reg) => self.has_reg(depth, reg),
            Sharer::Slot(slot) => self.has_slot(slot),
        });
        if !shares {
            return;
        }
        for sharer in sharers {
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

    /// Of what was fetched into a register, kernels with CVE-2026-43009 (before Linux 6.18.50)
    /// need the register as it was before; others the memory that it came from. Here both are, so
    /// that a state is covered only where it is to either.
    fn before_atomic(&mut self, insn: &Insn, past: &Past, depth: u8) {
        let into = insn.fetches_into();
        let needed = into.is_some_and(|reg| self.has_reg(depth, reg));
        self.before_store(insn, Operand::Reg, past, depth);
        if let Some(slot) = past.spill.filter(|_| needed) {
            self.slot(slot);
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
        // R10 is no number.
        if insn.row().src == Field::Reg && insn.src() != Reg::R10 {
            self.reg(depth, insn.src());
        }
    }
}

/// Of what is needed, what are numbers.
fn numbers_of(state: &State, depth: usize, needs: FrameNeeds) -> FrameNeeds {
    let Some(frame) = state.frame_of(depth) else {
        return FrameNeeds::default();
    };
    let mut numbers = needs;
    for reg in needs.regs.iter() {
        if !frame.regs[reg.index()].is_scalar() {
            numbers.regs = numbers.regs.without(RegSet::of(reg));
        }
    }
    let mut slots = needs.slots;
    while slots != 0 {
        let index = slots.trailing_zeros();
        slots &= slots - 1;
        let slot = frame.stack.slots().get(index as usize);
        if !slot.is_some_and(|slot| slot.is_spill() && slot.reg.is_scalar()) {
            numbers.slots &= !(1 << index);
        }
    }
    numbers
}

/// The bit of a slot. There are 64.
fn bit(index: u8) -> u64 {
    1u64.wrapping_shl(u32::from(index))
}
