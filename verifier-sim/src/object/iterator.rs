//! Open-coded iterators: kernel functions that give one thing after another.
//!
//! `bpf_iter_num_new` and its like make the state of an iteration in slots of the stack, `next`
//! gives a pointer to the next thing or null at the end, and `destroy` ends the iteration, which
//! it must. So a call of `next` goes two ways: on with null, the iteration being drained, and
//! on with a thing. When it comes to the same `next` once more, `flow/rounds.rs` says whether there
//! is anything new to follow.
//!
//! Described in the kernel's `Documentation/bpf/bpf_iterators.rst` and
//! `Documentation/bpf/kfuncs.rst` (`KF_ITER_NEW` and the like); messages as observed on Linux
//! 6.18.
//!
//! Read before: `stack_object.rs`. Read next: `irq_flag.rs`.

use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::memory::mem::{Direction, MemAccess, Stored};
use crate::object::stack_object::{Spot, spot};
use crate::step::machine::{Flow, Machine};
use crate::value::bytes::{Byte, Bytes};
use crate::value::reg::{Kind, Null, RegState};
use crate::value::stack::{SLOT_SIZE, Slot, slots_between};
use crate::value::state::State;
use ebpf_asm::btf::TypeId;
use ebpf_asm::insn::Reg;
use ebpf_asm::isa::Size;

/// What a slot says of an iteration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Iterator {
    /// The type of its state, in the kernel's BTF.
    pub(crate) ty: TypeId,
    /// Which of its slots this is, the lowest being 0.
    part: u8,
    /// Whether there may be more.
    pub(crate) progress: Progress,
    /// How many things it has given.
    pub(crate) given: u32,
    /// How long what it gives is there.
    pub(crate) guard: Guard,
}

/// Whether an iteration has an end before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Progress {
    /// There may be more.
    Active,
    /// There is nothing more.
    Drained,
}

/// What keeps the things of an iteration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Guard {
    /// The iteration itself.
    Iterator,
    /// The RCU section that it was begun in.
    Rcu,
    /// Nothing any more: that RCU section has ended.
    Gone,
}

/// A kind of iteration, as its functions name it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IteratorType<'a> {
    /// The type of its state, in the kernel's BTF.
    pub(crate) ty: TypeId,
    /// The type's name without its `bpf_`.
    pub(crate) name: &'a str,
    /// How many slots of the stack it takes.
    pub(crate) slots: u8,
}

/// An iteration that is under way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Iteration {
    spot: Spot,
    slots: u8,
    /// Its first slot.
    pub(crate) state: Iterator,
    /// Its reference.
    pub(crate) owner: u32,
}

impl IteratorType<'_> {
    /// Where a register points to, if such an iteration can be there.
    fn spot(&self, value: &RegState) -> Result<Spot, String> {
        spot(value, "iter", i64::from(self.slots))
    }

    fn end(&self, spot: Spot) -> i64 {
        spot.off.saturating_add(i64::from(self.slots) * SLOT_SIZE)
    }
}

/// Where an iteration is.
const WHOLE: &str = "let it be a struct bpf_iter_... on the stack, at a place of its own in which no \
                     iteration is going on, and hand over the address of its beginning";

impl Machine<'_, '_> {
    /// Begins an iteration where an argument, the one of this index, points to.
    pub(crate) fn begin_iteration(
        &mut self,
        index: usize,
        reg: Reg,
        of: IteratorType<'_>,
        guard: Guard,
    ) -> Checked {
        let value = self.iterator_argument(index, reg)?;
        let refuse = |words: String| {
            Rejection::new(Code::Iterator, words)
                .label(format!(
                    "R{} does not point to room for an iteration",
                    reg.number()
                ))
                .because(value.origin.made, "the address is made here")
                .help(WHOLE)
        };
        let expected = format!("expected uninitialized {} as arg #{index}", of.name);
        let spot = of.spot(&value);
        let spot = spot.map_err(|words| refuse(words).adds(&expected))?;
        let all = (spot.off..of.end(spot)).step_by(SLOT_SIZE as usize);
        if self.holds_iteration(spot, all.clone()) {
            return Err(refuse(expected));
        }
        for off in (0..i16::from(of.slots)).map(|part| part * SLOT_SIZE as i16) {
            let access = MemAccess {
                reg,
                off,
                size: Size::DW,
                direction: Direction::Write,
            };
            self.write_stack(spot.depth, &value, access, Stored::Unknown)?;
        }
        let owner = self.acquire();
        let here = self.here();
        for (part, off) in (0u8..).zip(all) {
            let iterator = Iterator {
                ty: of.ty,
                part,
                progress: Progress::Active,
                given: 0,
                guard,
            };
            let mut reg = RegState::pointer(Kind::Iterator(iterator)).made(here);
            reg.ref_id = if part == 0 { owner } else { 0 };
            let slot = Slot {
                bytes: Bytes::all(Byte::Iterator),
                reg: reg.into(),
            };
            self.set_slot_of(spot, off, slot);
        }
        Ok(())
    }

    /// Whether some of the slots of a frame are those of an iteration. Below what the frame has so
    /// far nobody looks: what is there above is written over.
    fn holds_iteration(
        &mut self,
        spot: Spot,
        mut slots: impl std::iter::Iterator<Item = i64>,
    ) -> bool {
        let stack = self.state.stack_at(spot.depth);
        let is_deeper = stack.is_none_or(|stack| !stack.reaches(spot.off));
        !is_deeper && slots.any(|off| is_iterator(&self.slot_of(spot, off)))
    }

    /// The iteration that an argument, the one of this index, points to.
    pub(crate) fn iteration(
        &mut self,
        index: usize,
        reg: Reg,
        of: IteratorType<'_>,
        function: &str,
    ) -> Checked<Iteration> {
        let value = self.iterator_argument(index, reg)?;
        let refuse = |words: String| {
            Rejection::new(Code::Iterator, words)
                .label(format!("R{} does not point to an iteration", reg.number()))
                .because(value.origin.made, "the address is made here")
                .help(
                    "begin one there first, with the _new of this type; its _destroy ends it, and so \
                     does writing to it",
                )
        };
        let name = of.name;
        let expected = format!("expected an initialized {name} as arg #{index}");
        let none = || refuse(expected.clone());
        let spot = of.spot(&value);
        let spot = spot.map_err(|words| refuse(words).adds(&expected))?;
        for (part, off) in (0u8..).zip((spot.off..of.end(spot)).step_by(SLOT_SIZE as usize)) {
            let slot = self.slot_of(spot, off);
            match slot.reg.kind {
                Kind::Iterator(found) if found.guard == Guard::Gone && found.ty == of.ty => {
                    let words = format!("expected an RCU CS when using {function}");
                    return Err(refuse(words)
                        .help("keep the RCU section open until the iteration is destroyed"));
                }
                Kind::Iterator(found) if found.ty == of.ty && found.part == part => {}
                _ => return Err(none()),
            }
        }
        self.notes
            .read(spot.depth, slots_between(spot.off, of.end(spot)));
        let first = *self.slot_of(spot, spot.off).reg;
        let Kind::Iterator(state) = first.kind else {
            return Err(none());
        };
        self.warn_above_stack(reg, &value);
        Ok(Iteration {
            spot,
            slots: of.slots,
            state,
            owner: first.ref_id,
        })
    }

    /// Ends an iteration.
    pub(crate) fn end_iteration(&mut self, iteration: &Iteration) {
        self.release_reference(iteration.owner);
        for part in 0..i64::from(iteration.slots) {
            let off = iteration.spot.off.saturating_add(part * SLOT_SIZE);
            self.set_slot_of(iteration.spot, off, Slot::INVALID);
        }
    }

    /// Goes on behind a call of `next`, whose result R0 is: with nothing more, and with one
    /// thing more if there may be one.
    pub(crate) fn next_of(&mut self, iteration: &Iteration, next: usize) -> Flow {
        let once_more = iteration.state.progress == Progress::Active;
        let again = once_more.then(|| {
            let mut again = Box::new(self.state.clone());
            if let Some(state) = iteration.state_in(&mut again) {
                state.given = state.given.saturating_add(1);
            }
            again.reg_mut(Reg::R0).null = Null::Never;
            again
        });
        if let Some(state) = iteration.state_in(self.state) {
            state.progress = Progress::Drained;
        }
        self.state
            .set_reg(Reg::R0, RegState::constant(0).made(self.here()));
        match again {
            Some(state) => Flow::Again {
                next,
                again: next,
                state,
            },
            None => Flow::To(next),
        }
    }

    fn iterator_argument(&self, index: usize, reg: Reg) -> Checked<RegState> {
        let value = *self.state.reg(reg);
        if matches!(value.kind, Kind::Stack(_)) {
            return Ok(value);
        }
        let message = format!("arg#{index} expected pointer to an iterator on stack");
        Err(Rejection::new(Code::ArgumentType, message)
            .label(format!("R{} is {}", reg.number(), value.in_words()))
            .because(value.origin.made, format!("R{} is made here", reg.number()))
            .help(WHOLE))
    }

    fn slot_of(&mut self, spot: Spot, off: i64) -> Slot {
        let stack = self.state.stack_at(spot.depth);
        let slot = stack.map(|stack| stack.slot(off));
        slot.filter(is_iterator).unwrap_or(Slot::INVALID)
    }

    fn set_slot_of(&mut self, spot: Spot, off: i64, slot: Slot) {
        if let Some(frame) = self.state.frame_at(spot.depth) {
            frame.stack.set_slot(off, slot);
        }
    }
}

impl Iteration {
    /// What the first slot says of it in a state.
    fn state_in<'s>(&self, state: &'s mut State) -> Option<&'s mut Iterator> {
        let frame = state.frame_at(self.spot.depth)?;
        match &mut frame.stack.slot_mut(self.spot.off)?.reg.get_mut()?.kind {
            Kind::Iterator(iterator) => Some(iterator),
            _ => None,
        }
    }
}

/// Whether a slot is one of an iteration, whole.
fn is_iterator(slot: &Slot) -> bool {
    slot.bytes.of(Byte::Iterator).is_all()
}

/// The iteration that R1 points to, as a call of its `next` finds it.
pub(crate) fn asked_for_next(state: &State) -> Option<Iterator> {
    let Spot { depth, off } = spot(state.reg(Reg::R1), "iter", 1).ok()?;
    match state.stack_at(depth)?.slot(off).reg.kind {
        Kind::Iterator(iterator) => Some(iterator),
        _ => None,
    }
}

/// Whether two states have come equally far in all iterations that are under way in the first.
pub(crate) fn equally_far(a: &State, b: &State) -> bool {
    let far = |(a, b): (&Slot, &Slot)| match (a.reg.kind, b.reg.kind) {
        (Kind::Iterator(a), Kind::Iterator(b)) if a.progress == Progress::Active => {
            a.given == b.given
        }
        _ => true,
    };
    let mut frames = a.frames().zip(b.frames());
    frames.all(|(a, b)| a.stack.slots().iter().zip(b.stack.slots()).all(far))
}

/// The RCU section has ended: iterations that were begun in it cannot go on.
pub(crate) fn lose_rcu(state: &mut State) {
    for depth in 0..=state.depth() {
        let slots = state.frame_at(depth).map(|frame| frame.stack.slots_mut());
        for slot in slots.into_iter().flatten() {
            let ends = |kind| matches!(kind, Kind::Iterator(of) if of.guard == Guard::Rcu);
            if let Some(reg) = slot.reg.get_mut().filter(|reg| ends(reg.kind))
                && let Kind::Iterator(iterator) = &mut reg.kind
            {
                iterator.guard = Guard::Gone;
            }
        }
    }
}
