//! When one state need not be followed because another was: it allows everything that the
//! other allows, and the other was followed to all its ends.
//!
//! Described in the kernel's `Documentation/bpf/verifier.rst`, "Pruning".
//!
//! Read before: `value/state.rs`, `flow/live.rs`. Read next: `flow/rounds.rs`.

use crate::config::Config;
use crate::env::Env;
use crate::flow::registers::RegSet;
use crate::path::precision::{FrameNeeds, Needs};
use crate::value::bytes::{Byte, ByteSet, Bytes};
use crate::value::reg::{Kind, Link, PacketRange, RegState};
use crate::value::stack::{Slot, Stack};
use crate::value::state::{Frame, Owed, State};
use ebpf_asm::insn::Reg;

/// How alike two states must be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Likeness<'a> {
    /// All that can happen from the new one can happen from the old one, of whose numbers
    /// only these mattered.
    Covered(&'a Needs),
    /// The same, and all numbers matter.
    Within,
    /// The same, and all registers matter: what is read later is not known.
    WholeWithin,
    /// They are the same.
    Same,
    /// The registers of the innermost function are the same, and all else as if covered, by what
    /// mattered so far.
    SameRegisters(&'a Needs),
    /// They are not compared.
    Never,
}

/// Where two states were found to differ: a place in the frame of this depth.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Difference {
    depth: u8,
    place: InFrame,
}

impl Difference {
    fn at(depth: usize, place: InFrame) -> Option<Difference> {
        let depth = u8::try_from(depth).ok()?;
        Some(Difference { depth, place })
    }
}

/// A place in a frame.
#[derive(Debug, Clone, Copy)]
enum InFrame {
    Reg(Reg),
    Slot(u8),
}

impl InFrame {
    /// Whether it may be read again, if these are the registers that may.
    fn is_read(self, live: RegSet) -> bool {
        match self {
            InFrame::Reg(reg) => live.has(reg),
            InFrame::Slot(_) => true,
        }
    }
}

/// What a comparison leaves to the next one.
#[derive(Debug, Default)]
pub(crate) struct Comparing {
    /// Which ids are alike, in room that is there already.
    ids: Ids,
    /// Where, of what will be read, the old state was found to differ from another one. It mostly
    /// differs from the next one there too, which is seen soonest if one looks there first.
    pub(crate) differs: Option<Difference>,
}

/// Whether `new` at `slot` is as alike to `old` there as is asked.
pub(crate) fn alike(
    env: &Env<'_>,
    likeness: Likeness<'_>,
    slot: usize,
    old: &State,
    new: &State,
    comparing: &mut Comparing,
) -> bool {
    let mut matcher = Matcher {
        uninit: Uninit::of(env.config),
        likeness,
        ids: &mut comparing.ids,
        differs: &mut comparing.differs,
    };
    if matches!(likeness, Likeness::Never) || matcher.differ_again(old, new) {
        return false;
    }
    matcher.ids.clear();
    if matcher.wants_same_registers() {
        let depth = usize::from(old.depth());
        let live = env.live_in(old, depth, slot);
        if let Some(reg) = other_register(live, old.frame(), new.frame()) {
            let place = live.has(reg).then_some(InFrame::Reg(reg));
            *matcher.differs = place.and_then(|place| Difference::at(depth, place));
            return false;
        }
    }
    if old.sections != new.sections || old.in_sleepable != new.in_sleepable {
        return false;
    }
    if old.active() != new.active() || !matcher.owed(old.owed(), new.owed()) {
        return false;
    }
    // The innermost first: what differs mostly differs there.
    let depths = (0..old.active()).rev();
    let mut frames = depths.zip(old.frames().rev().zip(new.frames().rev()));
    frames.all(|(depth, (old_frame, new_frame))| {
        let live = env.live_in(old, depth, slot);
        let compared = match likeness {
            Likeness::WholeWithin => RegSet::ALL,
            _ => live,
        };
        let same = matcher.frame(depth, compared, old_frame, new_frame);
        if let Err(place) = same {
            let place = place.filter(|place| place.is_read(live));
            *matcher.differs = place.and_then(|place| Difference::at(depth, place));
        }
        same.is_ok()
    })
}

/// A register that is not the same, by its ids too, be it one that nothing will read: only where
/// there is none Linux 6.18 looks whether a loop never ends.
fn other_register(live: RegSet, old: &Frame, new: &Frame) -> Option<Reg> {
    let differs = |reg: &Reg| !old.regs[reg.index()].is_same_as(&new.regs[reg.index()]);
    // Those that are read differ most.
    live.iter().chain(Reg::ALL).find(differs)
}

/// Whether the verdict depended on a number of the old state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// It did.
    Needed,
    /// It did not: any number is as good.
    Idle,
}

impl Weight {
    /// That of the number in a register.
    fn of_reg(needs: FrameNeeds, reg: Reg) -> Weight {
        match needs.regs.has(reg) {
            true => Weight::Needed,
            false => Weight::Idle,
        }
    }

    /// That of the number in a slot of the stack.
    fn of_slot(needs: FrameNeeds, index: u8) -> Weight {
        match needs.has_slot(index) {
            true => Weight::Needed,
            false => Weight::Idle,
        }
    }
}

/// Which ids of a new state play the parts of which of an old one.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    pairs: Vec<(u32, u32)>,
    /// How many ids were given out to numbers that have none.
    own: u32,
}

impl Ids {
    /// Forgets all.
    fn clear(&mut self) {
        self.pairs.clear();
        self.own = 0;
    }

    /// Whether the ids of two numbers can stand for the same thing. A number that no other
    /// shares has an id of its own.
    pub(crate) fn same_number(&mut self, old: u32, new: u32) -> bool {
        let mut own = |id: u32| {
            self.own += u32::from(id == 0);
            if id == 0 { u32::MAX - self.own } else { id }
        };
        let (old, new) = (own(old), own(new));
        self.same(old, new)
    }

    /// Whether two ids can stand for the same thing. Nothing (0) is only like nothing.
    pub(crate) fn same(&mut self, old: u32, new: u32) -> bool {
        if old == 0 || new == 0 {
            return old == new;
        }
        match self.pairs.iter().find(|(a, b)| *a == old || *b == new) {
            Some(known) => *known == (old, new),
            None => {
                self.pairs.push((old, new));
                true
            }
        }
    }
}

/// Whether bytes of the stack may be read that were never written.
#[derive(Debug, Clone, Copy)]
enum Uninit {
    Readable,
    Refused,
}

impl Uninit {
    fn of(config: &Config) -> Uninit {
        match config.may_read_uninit_stack() {
            true => Uninit::Readable,
            false => Uninit::Refused,
        }
    }
}

struct Matcher<'a> {
    uninit: Uninit,
    likeness: Likeness<'a>,
    ids: &'a mut Ids,
    differs: &'a mut Option<Difference>,
}

impl Matcher<'_> {
    /// Whether states differ where the old one was found to differ from another. Whatever ids are
    /// alike elsewhere, they are not alike then.
    fn differ_again(&mut self, old: &State, new: &State) -> bool {
        let Some(Difference { depth, place }) = *self.differs else {
            return false;
        };
        self.ids.clear();
        let depth = usize::from(depth);
        let needed = self.needed(depth);
        let frames = old.frame_of(depth).zip(new.frame_of(depth));
        frames.is_some_and(|(old, new)| match place {
            InFrame::Reg(reg) => !self.same_reg_of(needed, reg, old, new),
            InFrame::Slot(index) => {
                let at = usize::from(index);
                let slots = old.stack.slots().get(at).zip(new.stack.slots().get(at));
                let weight = Weight::of_slot(needed, index);
                slots.is_some_and(|(old, new)| !self.slot(old, new, weight))
            }
        })
    }

    /// Whether the same is owed.
    fn owed(&mut self, old: &Owed, new: &Owed) -> bool {
        let lengths = |owed: &Owed| {
            let Owed {
                references,
                irq_flags,
                locks,
            } = owed;
            (references.len(), irq_flags.len(), locks.len())
        };
        if lengths(old) != lengths(new) {
            return false;
        }
        let mut locks = old.locks.iter().zip(&new.locks);
        let same_locks = locks.all(|(old, new)| {
            let same = (old.kind, old.owner) == (new.kind, new.owner);
            same && self.ids.same(old.id, new.id)
        });
        let references = old.references.iter().zip(&new.references);
        let mut others = references.chain(old.irq_flags.iter().zip(&new.irq_flags));
        same_locks && others.all(|(old, new)| self.ids.same(old.id, new.id))
    }

    /// Whether all that may matter is alike in two frames; if not, where it is not, if it is at a
    /// place.
    fn frame(
        &mut self,
        depth: usize,
        live: RegSet,
        old: &Frame,
        new: &Frame,
    ) -> Result<(), Option<InFrame>> {
        if old.function != new.function || old.return_to != new.return_to {
            return Err(None);
        }
        // Fewer callbacks may follow than followed there.
        if !old.entered.is_like(&new.entered) || old.called_back > new.called_back {
            return Err(None);
        }
        let needed = self.needed(depth);
        let mut live = live.iter();
        match live.find(|reg| !self.same_reg_of(needed, *reg, old, new)) {
            Some(reg) => Err(Some(InFrame::Reg(reg))),
            None => self.stack(needed, &old.stack, &new.stack),
        }
    }

    fn same_reg_of(&mut self, needed: FrameNeeds, reg: Reg, old: &Frame, new: &Frame) -> bool {
        let (old, new) = (&old.regs[reg.index()], &new.regs[reg.index()]);
        self.reg(old, new, Weight::of_reg(needed, reg))
    }

    fn is_exact(&self) -> bool {
        matches!(self.likeness, Likeness::Same)
    }

    fn wants_same_registers(&self) -> bool {
        matches!(self.likeness, Likeness::Same | Likeness::SameRegisters(_))
    }

    /// Whether registers must be empty where the old ones are, and all bytes of the stack of the
    /// same kinds, also where nothing was written: in loops they must (observed on Linux 6.18 by
    /// the instructions that it followed).
    fn is_in_loop(&self) -> bool {
        let likeness = &self.likeness;
        matches!(
            likeness,
            Likeness::Same | Likeness::Within | Likeness::WholeWithin
        )
    }

    /// The numbers of the function at a depth on which the verdict depends.
    fn needed(&self, depth: usize) -> FrameNeeds {
        match self.likeness {
            Likeness::Covered(needed) | Likeness::SameRegisters(needed) => needed.of(depth),
            Likeness::Within | Likeness::WholeWithin | Likeness::Same | Likeness::Never => {
                FrameNeeds::ALL
            }
        }
    }

    fn reg(&mut self, old: &RegState, new: &RegState, weight: Weight) -> bool {
        if std::ptr::eq(old, new) {
            return self.same_reg(old, weight);
        }
        if old.is_nothing() {
            return !self.is_in_loop() || new.is_nothing();
        }
        if old.kind != new.kind || old.null != new.null {
            return false;
        }
        if old.map_uid != new.map_uid || !self.ids.same(old.ref_id, new.ref_id) {
            return false;
        }
        if self.is_exact() {
            return old.scalar == new.scalar
                && old.residue == new.residue
                && old.off == new.off
                && old.link == new.link
                && old.range == new.range
                && self.ids.same(old.id, new.id);
        }
        match old.kind {
            Kind::Scalar if weight == Weight::Idle => true,
            Kind::Scalar => self.number(old, new),
            // Where the offset is not compared with the size of something.
            Kind::Stack(_) | Kind::Ctx if old.scalar != new.scalar => false,
            _ => {
                let proven = match (old.range, new.range) {
                    (a, b) if a == b => true,
                    (PacketRange::Bytes(old), PacketRange::Bytes(new)) => old <= new,
                    _ => false,
                };
                proven
                    && old.residue == new.residue
                    && old.off == new.off
                    && old.scalar.includes(&new.scalar)
                    && self.ids.same(old.id, new.id)
            }
        }
    }

    /// A register that both states share: only its ids can make a difference.
    fn same_reg(&mut self, reg: &RegState, weight: Weight) -> bool {
        if !self.ids.same(reg.ref_id, reg.ref_id) {
            return false;
        }
        match reg.kind {
            Kind::Scalar if !self.is_exact() && weight == Weight::Idle => true,
            _ => self.ids.same(reg.id, reg.id),
        }
    }

    /// A number that the old state shared with nothing was followed without what a shared one
    /// learns, which holds for one that is shared too.
    fn number(&mut self, old: &RegState, new: &RegState) -> bool {
        old.scalar.includes(&new.scalar) && (old.id == 0 || self.same_link(old, new))
    }

    fn same_link(&mut self, old: &RegState, new: &RegState) -> bool {
        old.link == new.link
            && (old.link == Link::Same || old.off == new.off)
            && self.ids.same_number(old.id, new.id)
    }

    /// What the new stack has beyond the old one was never looked at.
    fn stack(
        &mut self,
        needed: FrameNeeds,
        old: &Stack,
        new: &Stack,
    ) -> Result<(), Option<InFrame>> {
        let (old, new) = (old.slots(), new.slots());
        let pairs = (0u8..).zip(old.iter().zip(new));
        for (index, (old, new)) in pairs {
            if !self.slot(old, new, Weight::of_slot(needed, index)) {
                return Err(Some(InFrame::Slot(index)));
            }
        }
        let beyond = old.get(new.len()..).unwrap_or_default();
        let anything = |old| !self.is_in_loop() && self.is_anything(old);
        match beyond.iter().all(anything) {
            true => Ok(()),
            false => Err(None),
        }
    }

    /// Whether nothing is asked of a slot that is compared with this one.
    fn is_anything(&self, slot: &Slot) -> bool {
        let anything = match self.uninit {
            Uninit::Readable => slot.bytes.of(Byte::Invalid).or(slot.bytes.of(Byte::Misc)),
            Uninit::Refused => slot.bytes.of(Byte::Invalid),
        };
        // A spill in part may be left of one.
        anything.is_all() && slot.reg.is_nothing()
    }

    fn slot(&mut self, old: &Slot, new: &Slot, weight: Weight) -> bool {
        if old.bytes == new.bytes && !old.is_object() {
            // So it is with most: nothing is left to ask of bytes, and spills are registers.
            match old.spill_size() {
                0 => return true,
                8 => return self.reg(&old.reg, &new.reg, weight),
                _ => {}
            }
        }
        if self.is_in_loop() && old.bytes != new.bytes {
            return false;
        }
        if self.is_anything(old) {
            return true;
        }
        if let (Some(old), Some(new)) = (self.whole(old), self.whole(new)) {
            return self.reg(old, new, weight);
        }
        if !self.covered(&old.bytes, &new.bytes).is_all() {
            return false;
        }
        if old.is_object() {
            return self.object(&old.reg, &new.reg);
        }
        // Also where one spill is longer than the other.
        old.spill_size() == 0 || self.reg(&old.reg, &new.reg, weight)
    }

    /// Whether two slots are of the same object of the kernel. How far an iteration has come
    /// does not matter.
    fn object(&mut self, old: &RegState, new: &RegState) -> bool {
        let same = match (old.kind, new.kind) {
            (Kind::Iterator(old), Kind::Iterator(new)) => {
                old.ty == new.ty && old.progress == new.progress
            }
            (old_kind, new_kind) => old_kind == new_kind && old.off == new.off,
        };
        same && self.ids.same(old.ref_id, new.ref_id)
    }

    /// The slot as the number that a load of all of it gives, if it gives one.
    fn whole<'s>(&self, slot: &'s Slot) -> Option<&'s RegState> {
        if let Some(reg) = slot.spilled_whole() {
            return reg.is_scalar().then_some(reg);
        }
        let unknown = match self.uninit {
            Uninit::Readable => slot.bytes.of(Byte::Misc).or(slot.bytes.of(Byte::Invalid)),
            Uninit::Refused => slot.bytes.of(Byte::Misc),
        };
        unknown.is_all().then_some(&RegState::UNKNOWN)
    }

    /// The bytes of a new slot of which no more is known than the old one asks for.
    fn covered(&self, old: &Bytes, new: &Bytes) -> ByteSet {
        let written = match self.uninit {
            Uninit::Readable => old.of(Byte::Misc),
            Uninit::Refused => old.of(Byte::Misc).and(new.of(Byte::Zero)),
        };
        old.alike(new).or(old.of(Byte::Invalid)).or(written)
    }
}
