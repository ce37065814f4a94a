//! Conditional jumps: which ways are possible, and what each of them teaches.
//!
//! Numbers are compared by `value/compare.rs`, and what is learnt of one holds for all that share
//! it. A packet pointer compared with the end proves bytes of the packet; a pointer compared
//! with 0 is null on one way and not on the other.
//!
//! Read before: `value/compare.rs`, `machine.rs`. Read next: `branch_packet.rs`.

use crate::codes::Code;
use crate::config::Invariants;
use crate::diag::{Checked, Place, Rejection};
use crate::env::Env;
use crate::path::history::{Sharer, StackSlot};
use crate::step::branch_packet::{PacketComparison, is_end_of};
use crate::step::machine::{Flow, Machine, not_modelled};
use crate::value::compare::{Outcome, assume, assume_of_itself, decide, equality};
use crate::value::compare_older::assume_older;
use crate::value::reg::{Kind, Link, Null, RegState, SockType};
use crate::value::residue::Residue;
use crate::value::scalar::{Existence, Scalar};
use crate::value::scalar_older::Older;
use crate::value::state::State;
use ebpf_asm::insn::{Insn, Reg};
use ebpf_asm::isa::{AluOp, Cond, KernelVersion, Operand, Width};

/// How many registers and spills that share a number learn from one comparison: observed on
/// Linux 6.18.
const MAX_SHARERS: usize = 6;

/// A conditional jump with what its operands hold.
#[derive(Debug, Clone, Copy)]
struct Comparison {
    cond: Cond,
    width: Width,
    dst_reg: Reg,
    dst: RegState,
    /// The register of the second operand, if it is one.
    src_reg: Option<Reg>,
    src: RegState,
    /// Which of the older kernels compares them, if it is one.
    older: Option<Older>,
}

/// Since when the kernel learns from two pointers that are equal; from the kernel's history.
const EQUAL_POINTERS: KernelVersion = (6, 2);

/// Since when `may_goto` may lead to what stands behind it; from the kernel's history. Linux 6.12
/// refuses it.
const TO_NEXT: KernelVersion = (6, 15);

impl Machine<'_, '_> {
    /// `if dst cond operand goto target`.
    pub(crate) fn jump(
        &mut self,
        insn: &Insn,
        cond: Cond,
        width: Width,
        operand: Operand,
    ) -> Checked<Flow> {
        let dst = *self.read_reg(insn.dst())?;
        let src = self.operand(insn, operand)?;
        let comparison = Comparison {
            cond,
            width,
            dst_reg: insn.dst(),
            dst,
            src_reg: (operand == Operand::Reg).then_some(insn.src()),
            src,
            older: self.env.config.older(),
        };
        self.check_comparable(&comparison)?;
        let (next, target) = (self.slot + 1, self.target(insn)?);
        if let Some(outcome) = comparison.decided() {
            self.notes.runs_ahead = true;
            self.need_operands(&comparison);
            return Ok(Flow::To(match outcome {
                Outcome::Holds => target,
                Outcome::Fails => next,
            }));
        }
        self.note_sharers(&comparison);
        let mut taken = Box::new(self.state.clone());
        let here = self.here();
        let lesson = |outcome| Lesson {
            outcome,
            sharers: &self.notes.sharers,
            here,
            older: comparison.older,
        };
        let holds = comparison.learn(self.env, &mut taken, lesson(Outcome::Holds));
        let fails = comparison.learn(self.env, self.state, lesson(Outcome::Fails));
        self.check_exists(holds.and(fails))?;
        Ok(Flow::Fork {
            next,
            jump: target,
            jump_state: taken,
        })
    }

    /// `may_goto target`: goes on behind it, and jumps when that was too often.
    pub(crate) fn may_goto(&mut self, insn: &Insn) -> Checked<Flow> {
        if insn.offset() == 0 && !self.env.config.since(TO_NEXT) {
            let message = "invalid may_goto off 0 imm 0";
            return Err(Rejection::new(Code::Encoding, message)
                .label("goes on behind itself either way")
                .help("leave it out: it ends no loop"));
        }
        let mut state = Box::new(self.state.clone());
        state.may_gotos = state.may_gotos.saturating_add(1);
        Ok(Flow::Again {
            next: self.target(insn)?,
            again: self.slot + insn.slots(),
            state,
        })
    }

    /// That no way is impossible, if the loader asks for that.
    fn check_exists(&self, existence: Existence) -> Checked {
        match (existence, self.env.config.invariants) {
            (Existence::Impossible, Invariants::Checked) => {
                let message = "verifier bug: REG INVARIANTS VIOLATION";
                Err(Rejection::new(Code::LoadFlags, message)
                    .label("on one way what is known of a number contradicts itself")
                    .help("only BPF_F_TEST_REG_INVARIANTS asks for this: load without it"))
            }
            _ => Ok(()),
        }
    }

    /// The numbers that decided the jump matter for the verdict.
    fn need_operands(&mut self, comparison: &Comparison) {
        if comparison.dst.is_scalar() {
            self.need(comparison.dst_reg);
        }
        if let Some(reg) = comparison.src_reg.filter(|_| comparison.src.is_scalar()) {
            self.need(reg);
        }
    }

    /// Notes all that shares a number with an operand: what is learnt goes to all of them. The
    /// kernel counts to [`MAX_SHARERS`], and the rest does not share any more.
    fn note_sharers(&mut self, comparison: &Comparison) {
        for operand in [&comparison.src, &comparison.dst] {
            if !operand.is_scalar() || operand.id == 0 {
                continue;
            }
            for sharer in self.sharers(operand.id) {
                if self.notes.sharers.len() < MAX_SHARERS {
                    self.notes.sharers.push(sharer);
                } else if let Some(reg) = sharer_mut(self.state, sharer) {
                    reg.unlink();
                }
            }
        }
    }

    /// What holds a number, in the kernel's order. What is never read again does not count.
    fn sharers(&self, id: u32) -> Vec<Sharer> {
        // Where each function goes on: behind its call of the next, the innermost here.
        let returns = self.state.frames().skip(1).map(|frame| frame.return_to);
        let places = returns.chain([self.slot]);
        let shares = |reg: &RegState| reg.is_scalar() && reg.id == id;
        let mut found = Vec::new();
        for ((depth, frame), place) in (0u8..).zip(self.state.frames()).zip(places) {
            let live = self.env.live(place);
            let regs = Reg::ALL.into_iter().zip(&frame.regs);
            let regs = regs.filter(|(reg, held)| live.has(*reg) && shares(held));
            found.extend(regs.map(|(reg, _)| Sharer::Reg(depth, reg)));
            let slots = (0u8..).zip(frame.stack.slots());
            let slots = slots.filter(|(_, slot)| slot.spill_size() > 0 && shares(&slot.reg));
            let sharer = |(index, _)| Sharer::Slot(StackSlot { depth, index });
            found.extend(slots.map(sharer));
        }
        found
    }

    /// Without `CAP_PERFMON` pointers are compared only with packet ends, and with 0.
    fn check_comparable(&self, comparison: &Comparison) -> Checked {
        let (dst, src) = (&comparison.dst, &comparison.src);
        if self.env.config.may_leak_pointers() || !(dst.is_pointer() || src.is_pointer()) {
            return Ok(());
        }
        let with_end = comparison.packet().is_some_and(|packet| packet.teaches());
        let null_check = comparison.is_null_check() && dst.null == Null::Maybe;
        if with_end || null_check || comparison.decided().is_some() {
            return Ok(());
        }
        // Two of packets are looked at later, and then the first of them (Linux 6.18).
        let of_packets = dst.is_of_packet() && src.is_of_packet();
        let is_first = src.is_pointer() && !of_packets;
        let (reg, pointer) = match comparison.src_reg.filter(|_| is_first) {
            Some(reg) => (reg, src),
            None => (comparison.dst_reg, dst),
        };
        self.check_leak(reg, pointer, "pointer comparison prohibited")?;
        Err(not_modelled("this comparison of pointers"))
    }
}

impl Comparison {
    fn both_scalars(&self) -> bool {
        self.dst.is_scalar() && self.src.is_scalar()
    }

    /// Whether the operands are equal where the comparison has this outcome, if it says so.
    fn equality(&self, outcome: Outcome) -> Option<bool> {
        equality(self.cond, outcome)
    }

    /// Whether a pointer is compared with the number 0.
    fn is_null_check(&self) -> bool {
        let equality = matches!(self.cond, Cond::Jeq | Cond::Jne);
        let with_zero = self.src_reg.is_none() && self.src.as_constant() == Some(0);
        equality && with_zero && self.width == Width::W64 && self.dst.is_pointer()
    }

    /// The comparison as one of a packet pointer with its end, in that order.
    fn packet(&self) -> Option<PacketComparison> {
        if self.width == Width::W32 {
            return None;
        }
        let (reg, pointer, cond) = if is_end_of(&self.src, &self.dst) {
            (Some(self.dst_reg), self.dst, self.cond)
        } else if is_end_of(&self.dst, &self.src) {
            (self.src_reg, self.src, self.cond.swapped())
        } else {
            return None;
        };
        Some(PacketComparison { reg, pointer, cond })
    }

    /// Whether the second operand is a number that is known.
    fn with_constant(&self) -> bool {
        self.src.scalar.constant_at(self.width).is_some()
    }

    /// Whether kernels that compare no ranges decide what is decided here: whether numbers are equal,
    /// only if both are known (observed on Linux 6.1).
    fn decides_older(&self) -> bool {
        let known = |number: &Scalar| number.constant_at(self.width).is_some();
        match self.cond {
            Cond::Jeq | Cond::Jne => known(&self.dst.scalar) && known(&self.src.scalar),
            _ => true,
        }
    }

    /// Whether kernels that compare no ranges learn something where the comparison of two numbers
    /// has this outcome, or forget something over it.
    fn teaches_older(&self, outcome: Outcome) -> bool {
        let known = self.with_constant() || self.dst.scalar.constant_at(self.width).is_some();
        match self.equality(outcome) {
            Some(true) => known || self.width == Width::W64,
            Some(false) | None => known,
        }
    }

    /// Which way is the only one, if there is only one.
    fn decided(&self) -> Option<Outcome> {
        if self.both_scalars() {
            let (dst, src) = (&self.dst.scalar, &self.src.scalar);
            let by_constants = self.older == Some(Older::Before6_8);
            if by_constants && !(self.with_constant() && self.decides_older()) {
                return None;
            }
            return decide(self.cond, self.width, dst, src);
        }
        if let Some(packet) = self.packet() {
            return packet.decided();
        }
        // A pointer that is not null is not 0, nor is its low half, says the kernel.
        let pointer_and_zero = |pointer: &RegState, number: &RegState| {
            never_null(pointer)
                && number.is_scalar()
                && number.scalar.constant_at(self.width) == Some(0)
        };
        let unequal =
            pointer_and_zero(&self.dst, &self.src) || pointer_and_zero(&self.src, &self.dst);
        match self.cond {
            Cond::Jne if unequal => Some(Outcome::Holds),
            Cond::Jeq if unequal => Some(Outcome::Fails),
            _ => None,
        }
    }

    /// Changes the state to what is known where the comparison has this outcome.
    fn learn(&self, env: &Env<'_>, state: &mut State, lesson: Lesson<'_>) -> Existence {
        let Lesson { outcome, here, .. } = lesson;
        if self.both_scalars() {
            return self.learn_numbers(state, lesson);
        }
        if self.is_null_check() && self.dst.null == Null::Maybe {
            if self.equality(outcome) == Some(true) {
                set_null(state, &self.dst);
            } else {
                set_not_null(env, state, self.dst.id);
            }
        } else if let Some(packet) = self.packet() {
            packet.learn(state, outcome, here);
        } else {
            self.learn_not_null(env, state, outcome);
        }
        Existence::Possible
    }

    fn learn_numbers(&self, state: &mut State, lesson: Lesson<'_>) -> Existence {
        let (dst, src) = (&self.dst.scalar, &self.src.scalar);
        if self.older == Some(Older::Before6_8) && !self.teaches_older(lesson.outcome) {
            return Existence::Possible;
        }
        let (cond, width, outcome) = (self.cond, self.width, lesson.outcome);
        if self.src_reg == Some(self.dst_reg) {
            let (number, existence) = assume_of_itself(cond, width, outcome, dst, self.older);
            set_number(state, self.dst_reg, number, lesson);
            teach_sharers(state, self.dst_reg, lesson);
            return existence;
        }
        let (a, b, existence) = match self.older {
            Some(Older::Before6_8) => {
                let (a, b) = assume_older(cond, width, outcome, dst, src);
                (a, b, Existence::Possible)
            }
            older => assume((cond, width), outcome, dst, src, older),
        };
        set_number(state, self.dst_reg, a, lesson);
        if let Some(reg) = self.src_reg {
            set_number(state, reg, b, lesson);
            teach_sharers(state, reg, lesson);
        }
        teach_sharers(state, self.dst_reg, lesson);
        existence
    }

    /// A pointer that equals one that is not null is not null. The kernel learns it of the
    /// compared register only, and of no copy; and nothing where one of them is a structure.
    fn learn_not_null(&self, env: &Env<'_>, state: &mut State, outcome: Outcome) {
        let equal = self.equality(outcome) == Some(true) && self.width == Width::W64;
        let is_plain = |reg: &RegState| reg.is_pointer() && !matches!(reg.kind, Kind::Btf(_));
        if !equal || !env.config.since(EQUAL_POINTERS) {
            return;
        }
        if !is_plain(&self.src) || !is_plain(&self.dst) {
            return;
        }
        let reg = match (self.dst.null, self.src.null) {
            (Null::Maybe, Null::Never) => self.dst_reg,
            (Null::Never, Null::Maybe) => self.src_reg.unwrap_or(self.dst_reg),
            _ => return,
        };
        // It goes on sharing the fate of its copies, which may be null still.
        let reg = state.reg_mut(reg);
        let id = reg.id;
        env.set_not_null(reg);
        reg.id = id;
    }
}

/// Whether a pointer is known not to be null, as the kernel sees it.
fn never_null(pointer: &RegState) -> bool {
    let exists = pointer.is_trusted_structure()
        || matches!(
            pointer.kind,
            Kind::MapValue(_)
                | Kind::Map(_)
                | Kind::RingbufMem(_)
                | Kind::Mem(_)
                | Kind::Slice(_)
                | Kind::MapKey(_)
                | Kind::Sock(SockType::Common | SockType::Sock | SockType::Tcp)
                | Kind::ReadOnlyMem(_)
        );
    pointer.null == Null::Never && exists
}

/// A register or spill, to change it.
fn sharer_mut(state: &mut State, sharer: Sharer) -> Option<&mut RegState> {
    match sharer {
        Sharer::Reg(depth, reg) => state.frame_at(depth)?.regs.get_mut(reg.index())?.get_mut(),
        Sharer::Slot(StackSlot { depth, index }) => {
            let slots = state.frame_at(depth)?.stack.slots_mut();
            slots.get_mut(usize::from(index))?.reg.get_mut()
        }
    }
}

/// Gives a register what was learnt of it.
fn set_number(state: &mut State, reg: Reg, learnt: Scalar, lesson: Lesson<'_>) {
    let known = state.reg_mut(reg);
    known.scalar = learnt;
    known.origin.proved = lesson.here;
}

/// Gives all that share a register's number what is known of it. Where both operands do, the second
/// teaches the first, which teaches the second again: on the way there and back less may be known of
/// it, as in the kernel (6.18).
fn teach_sharers(state: &mut State, reg: Reg, lesson: Lesson<'_>) {
    let known = *state.reg(reg);
    if known.id == 0 {
        return;
    }
    for &sharer in lesson.sharers {
        let shares = |other: &&mut RegState| other.is_scalar() && other.id == known.id;
        if let Some(other) = sharer_mut(state, sharer).filter(shares)
            && *other != known
        {
            share(&known, other, lesson.older);
        }
    }
}

/// How far a number is from the one that it is known by.
fn distance_of(number: &RegState) -> i64 {
    match number.link {
        // What is left of a distance that is known no more.
        Link::Same => 0,
        Link::Plus | Link::PlusLow => i64::from(number.off),
    }
}

/// Gives a register that shares a number what is known of it.
fn share(known: &RegState, other: &mut RegState, older: Option<Older>) {
    other.scalar = match (known.link, other.link) {
        // What is true of all bits says nothing of the low ones that wrapped.
        (Link::Plus, Link::PlusLow) | (Link::PlusLow, Link::Plus) => return,
        // At the same distance it becomes the same, and shares as that does (Linux 6.18).
        (known_link, _) if distance_of(known) == distance_of(other) => {
            other.link = known_link;
            other.off = known.off;
            known.scalar
        }
        (known_link, other_link) => {
            let distance = distance_of(other) - distance_of(known);
            let moved = Scalar::constant(distance as u64);
            let low = [known_link, other_link].contains(&Link::PlusLow);
            let width = if low { Width::W32 } else { Width::W64 };
            known.scalar.alu_by(older, (AluOp::Add, width), &moved)
        }
    };
    other.origin.proved = known.origin.proved;
}

/// Makes all pointers that share `pointer`'s fate null: the number 0.
fn set_null(state: &mut State, pointer: &RegState) {
    let shares = |reg: &RegState| reg.null == Null::Maybe && reg.id == pointer.id;
    state.change_regs(shares, |reg| {
        *reg = RegState {
            origin: reg.origin,
            residue: Residue::of(reg),
            ..RegState::constant(0)
        };
    });
    // What was not acquired need not be given back. Another view of it may be null alone.
    if pointer.id == pointer.ref_id {
        state.end_reference(pointer.ref_id);
    }
}

/// Makes all pointers that share an id not null.
fn set_not_null(env: &Env<'_>, state: &mut State, id: u32) {
    let shares = |reg: &RegState| reg.null == Null::Maybe && reg.id == id;
    state.change_regs(shares, |reg| {
        env.set_not_null(reg);
    });
}

/// What is learnt from a comparison.
#[derive(Debug, Clone, Copy)]
struct Lesson<'a> {
    /// How it came out.
    outcome: Outcome,
    /// All that share a number that was compared.
    sharers: &'a [Sharer],
    /// Where it is.
    here: Place,
    /// Which of the older kernels learns, if it is one.
    older: Option<Older>,
}
