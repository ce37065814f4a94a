//! When one state need not be followed because another was: it allows everything that the
//! other allows, and the other was followed to all its ends.
//!
//! Described in the kernel's `Documentation/bpf/verifier.rst`, "Pruning".
//!
//! Read before: `state.rs`, `live.rs`. Read next: `explore.rs`.

use crate::config::Config;
use crate::env::Env;
use crate::live::RegSet;
use crate::precision::Needs;
use crate::reg::{Kind, PacketRange, RegState};
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
    if old.frames().len() != new.frames().len() || old.references.len() != new.references.len() {
        return false;
    }
    let references = old.references.iter().zip(&new.references);
    if !references
        .into_iter()
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
pub(crate) struct Ids(Vec<(u32, u32)>);

impl Ids {
    /// Whether two ids can stand for the same thing. Nothing (0) is only like nothing.
    pub(crate) fn same(&mut self, old: u32, new: u32) -> bool {
        if old == 0 || new == 0 {
            return old == new;
        }
        match self.0.iter().find(|(a, b)| *a == old || *b == new) {
            Some(known) => *known == (old, new),
            None => {
                self.0.push((old, new));
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
        if old.entered != new.entered || old.called_back > new.called_back {
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
        if !self.ids.same(old.ref_id, new.ref_id) {
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
        if !old.scalar.includes(&new.scalar) {
            return false;
        }
        // What an old number shares, the new one must share as well; not the other way.
        old.id == 0 || (old.link == new.link && old.off == new.off && self.ids.same(old.id, new.id))
    }

    fn stack(&mut self, old: &Stack, new: &Stack) -> bool {
        let count = match self.likeness {
            Likeness::Covered(_) | Likeness::Within => old.slots().len(),
            Likeness::Same => old.slots().len().max(new.slots().len()),
        };
        (0..count).all(|index| {
            let slot = |stack: &Stack| stack.slots().get(index).copied().unwrap_or(Slot::INVALID);
            self.slot(&slot(old), &slot(new), self.weight_of_slot(index))
        })
    }

    fn slot(&mut self, old: &Slot, new: &Slot, weight: Weight) -> bool {
        if let (false, Some(old), Some(new)) = (self.is_exact(), self.whole(old), self.whole(new)) {
            return self.reg(&old, &new, weight);
        }
        let mut bytes = old.bytes.iter().zip(&new.bytes);
        if !bytes.all(|(old, byte)| self.byte(*old, *byte, new)) {
            return false;
        }
        // Where both have a spill it must be alike; where only the old one has, the bytes
        // were not alike already.
        match (old.spill_size(), new.spill_size()) {
            (0, _) => true,
            (old_size, new_size) if old_size == new_size => self.reg(&old.reg, &new.reg, weight),
            _ => false,
        }
    }

    /// The slot as the number that a load of all of it gives, if it gives one.
    fn whole(&self, slot: &Slot) -> Option<RegState> {
        if let Some(reg) = slot.spilled_whole() {
            return reg.is_scalar().then_some(*reg);
        }
        let unknown = |byte: &Byte| match byte {
            Byte::Misc => true,
            Byte::Invalid => self.config.may_read_uninit_stack(),
            Byte::Zero | Byte::Spill => false,
        };
        slot.bytes.iter().all(unknown).then(RegState::unknown)
    }

    fn byte(&self, old: Byte, new: Byte, new_slot: &Slot) -> bool {
        if self.is_exact() {
            return old == new;
        }
        match (old, new) {
            (Byte::Invalid, _) => true,
            (Byte::Misc, _) if self.config.may_read_uninit_stack() => true,
            (Byte::Misc, Byte::Misc | Byte::Zero) => true,
            (Byte::Misc, Byte::Spill) => new_slot.reg.is_scalar(),
            (Byte::Zero, Byte::Zero) => true,
            (Byte::Spill, Byte::Spill) => true,
            _ => false,
        }
    }
}
