//! When one state need not be followed because another was: it allows everything that the
//! other allows, and the other was followed to all its ends.
//!
//! Described in the kernel's `Documentation/bpf/verifier.rst`, "Pruning".
//!
//! Read before: `state.rs`, `live.rs`. Read next: `rounds.rs`.

use crate::config::Config;
use crate::env::Env;
use crate::live::RegSet;
use crate::precision::Needs;
use crate::reg::{Kind, Link, PacketRange, RegState};
use crate::stack::{Byte, Slot, Stack};
use crate::state::{Frame, State};
use ebpf_asm::insn::Reg;

/// How alike two states must be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Likeness<'a> {
    /// All that can happen from the new one can happen from the old one, of whose numbers
    /// only these mattered.
    Covered(&'a Needs),
    /// The same, and all numbers matter.
    Within,
    /// They are the same.
    Same,
    /// They are not compared.
    Never,
}

/// Whether `new` at `slot` is as alike to `old` there as is asked.
pub(crate) fn alike(
    env: &Env<'_>,
    likeness: Likeness<'_>,
    slot: usize,
    old: &State,
    new: &State,
) -> bool {
    let mut matcher = Matcher {
        config: env.config,
        likeness,
        ids: Ids::default(),
        depth: 0,
    };
    if old.sections != new.sections || old.in_sleepable != new.in_sleepable {
        return false;
    }
    let locks = match (old.lock, new.lock) {
        (None, None) => true,
        (Some(old), Some(new)) => old.map == new.map && matcher.ids.same(old.id, new.id),
        _ => false,
    };
    if !locks {
        return false;
    }
    if old.frames().len() != new.frames().len() || old.references.len() != new.references.len() {
        return false;
    }
    if old.irq_flags.len() != new.irq_flags.len() {
        return false;
    }
    let references = old.references.iter().zip(&new.references);
    let flags = old.irq_flags.iter().zip(&new.irq_flags);
    if !references
        .chain(flags)
        .all(|(old, new)| matcher.ids.same(old.id, new.id))
    {
        return false;
    }
    let innermost = old.frames().len() - 1;
    let frames = old.frames().iter().zip(new.frames()).enumerate();
    frames.into_iter().all(|(depth, (old_frame, new_frame))| {
        // An outer function goes on where its callee returns to.
        let at = match old.frames().get(depth + 1) {
            Some(callee) if depth < innermost => callee.return_to,
            _ => slot,
        };
        matcher.depth = depth;
        let lost = match depth < innermost {
            // The callee will overwrite R0, whatever the caller does with it.
            true => RegSet::of(Reg::R0),
            false => RegSet::default(),
        };
        let live = env.live(at).without(lost);
        matcher.frame(live, old_frame, new_frame)
    })
}

/// Whether the verdict depended on a number of the old state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// It did.
    Needed,
    /// It did not: any number is as good.
    Idle,
}

/// Which ids of a new state play the parts of which of an old one.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    pairs: Vec<(u32, u32)>,
    /// How many ids were given out to numbers that have none.
    own: u32,
}

impl Ids {
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

struct Matcher<'a> {
    config: &'a Config,
    likeness: Likeness<'a>,
    ids: Ids,
    /// The depth of the function that is being compared.
    depth: usize,
}

impl Matcher<'_> {
    fn frame(&mut self, live: RegSet, old: &Frame, new: &Frame) -> bool {
        if old.function != new.function || old.return_to != new.return_to {
            return false;
        }
        // Fewer callbacks may follow than followed there.
        if !old.entered.is_like(&new.entered) || old.called_back > new.called_back {
            return false;
        }
        let pairs = Reg::ALL.into_iter().zip(old.regs.iter().zip(&new.regs));
        for (reg, (old, new)) in pairs {
            if live.has(reg) && !self.reg(old, new, self.weight_of_reg(reg)) {
                return false;
            }
        }
        self.stack(&old.stack, &new.stack)
    }

    fn is_exact(&self) -> bool {
        matches!(self.likeness, Likeness::Same)
    }

    fn weight_of_reg(&self, reg: Reg) -> Weight {
        match self.likeness {
            Likeness::Covered(needed) if !needed.needs_reg(self.depth, reg) => Weight::Idle,
            _ => Weight::Needed,
        }
    }

    fn weight_of_slot(&self, index: usize) -> Weight {
        match self.likeness {
            Likeness::Covered(needed) if !needed.needs_slot(self.depth, index) => Weight::Idle,
            _ => Weight::Needed,
        }
    }

    fn reg(&mut self, old: &RegState, new: &RegState, weight: Weight) -> bool {
        if old.kind == Kind::NotInit {
            return !self.is_exact() || new.kind == Kind::NotInit;
        }
        if old.kind != new.kind || old.null != new.null {
            return false;
        }
        if old.map_uid != new.map_uid || !self.ids.same(old.ref_id, new.ref_id) {
            return false;
        }
        if self.is_exact() {
            return old.scalar == new.scalar
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
                    && old.off == new.off
                    && old.scalar.includes(&new.scalar)
                    && self.ids.same(old.id, new.id)
            }
        }
    }

    fn number(&mut self, old: &RegState, new: &RegState) -> bool {
        old.link == new.link
            && (old.link == Link::Same || old.off == new.off)
            && old.scalar.includes(&new.scalar)
            && self.ids.same_number(old.id, new.id)
    }

    /// What the new stack has beyond the old one was never looked at.
    fn stack(&mut self, old: &Stack, new: &Stack) -> bool {
        (0..old.slots().len()).all(|index| {
            let weight = self.weight_of_slot(index);
            match (old.slots().get(index), new.slots().get(index)) {
                (Some(old), Some(new)) => self.slot(old, new, weight),
                (Some(old), None) => !self.is_exact() && self.is_anything(old),
                (None, _) => true,
            }
        })
    }

    /// Whether nothing is asked of a slot that is compared with this one.
    fn is_anything(&self, slot: &Slot) -> bool {
        let anything = |byte: &Byte| match byte {
            Byte::Invalid => true,
            Byte::Misc => self.config.may_read_uninit_stack(),
            Byte::Zero | Byte::Spill => false,
            Byte::Dynptr | Byte::Iterator | Byte::IrqFlag => false,
        };
        // Spills are many, and have a register.
        slot.reg.kind == Kind::NotInit && slot.bytes.iter().all(anything)
    }

    fn slot(&mut self, old: &Slot, new: &Slot, weight: Weight) -> bool {
        if self.is_exact() && old.bytes != new.bytes {
            return false;
        }
        if self.is_anything(old) {
            return true;
        }
        if let (Some(old), Some(new)) = (self.whole(old), self.whole(new)) {
            return self.reg(old, new, weight);
        }
        let mut bytes = old.bytes.iter().zip(&new.bytes);
        if !bytes.all(|(old, new)| self.byte(*old, *new)) {
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
        let unknown = |byte: &Byte| match byte {
            Byte::Misc => true,
            Byte::Invalid => self.config.may_read_uninit_stack(),
            Byte::Zero | Byte::Spill => false,
            Byte::Dynptr | Byte::Iterator | Byte::IrqFlag => false,
        };
        slot.bytes.iter().all(unknown).then_some(&RegState::UNKNOWN)
    }

    fn byte(&self, old: Byte, new: Byte) -> bool {
        match (old, new) {
            (Byte::Invalid, _) => true,
            (Byte::Misc, _) if self.config.may_read_uninit_stack() => true,
            (Byte::Misc, Byte::Zero) => true,
            _ => old == new,
        }
    }
}
