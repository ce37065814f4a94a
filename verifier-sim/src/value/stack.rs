//! The stack of one function: 512 bytes below R10, and what is known of each.
//!
//! Bytes are kept in slots of 8, as spills are: a slot remembers the register that was
//! spilled to it for as long as its bytes say so.
//!
//! Described in the kernel's `Documentation/bpf/verifier.rst`, "Tracking of the stack".
//!
//! Read before: `held.rs`, `bytes.rs`. Read next: `sections.rs`.

use crate::value::bytes::{Byte, ByteSet, Bytes};
use crate::value::held::Held;
use crate::value::reg::RegState;
use ebpf_asm::isa::Size;
use std::iter::repeat_n;
use std::rc::Rc;

/// The size of a frame in bytes.
pub(crate) const STACK_SIZE: i64 = 512;

/// The bytes of one slot.
pub(crate) const SLOT_SIZE: i64 = 8;

/// Eight bytes, the one of the lowest address first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slot {
    /// What is known of each.
    pub bytes: Bytes,
    /// The spilled register, whose low bytes are those marked [`Byte::Spill`].
    pub reg: Held,
}

/// What becomes of the slots at the end of a stack that are forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// They go.
    Cut,
    /// They stay, as never written.
    Stays,
}

impl Slot {
    /// Never written.
    pub(crate) const INVALID: Slot = Slot {
        bytes: Bytes::all(Byte::Invalid),
        reg: Held::NOTHING,
    };

    /// Whether something of it was written.
    fn is_written(&self) -> bool {
        !self.bytes.of(Byte::Invalid).is_all()
    }

    /// Whether it is known still when all slots are forgotten but those with a bit in `slots`.
    fn is_kept(&self, index: usize, slots: u64) -> bool {
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        let live = slots.checked_shr(index).is_some_and(|bits| bits & 1 != 0);
        live && self.is_written()
    }

    /// How many bytes of a register are spilled here, from the lowest on.
    pub(crate) fn spill_size(&self) -> usize {
        self.bytes.spilled()
    }

    /// Whether a register is spilled here, whole or in part.
    pub(crate) fn is_spill(&self) -> bool {
        self.spill_size() > 0
    }

    /// Whether an object of the kernel is here.
    pub(crate) fn is_object(&self) -> bool {
        self.bytes.has_object()
    }

    /// What is known of the byte at `off`, which is in this slot.
    pub(crate) fn byte(&self, off: i64) -> Byte {
        place(off).map_or(Byte::Invalid, |(_, byte)| self.bytes.get(byte))
    }

    /// The spilled register, if its bytes are all there.
    pub(crate) fn spilled_whole(&self) -> Option<&RegState> {
        (self.spill_size() == 8).then_some(&self.reg)
    }

    /// The spilled pointer, if there is one.
    pub(crate) fn spilled_pointer(&self) -> Option<&RegState> {
        self.spilled_whole().filter(|reg| reg.is_pointer())
    }

    /// Ends a spill: what is left of it are bytes of unknown contents.
    pub(crate) fn scrub(&mut self) {
        let described = [Byte::Spill, Byte::Iterator, Byte::IrqFlag];
        if described.iter().any(|known| self.bytes.of(*known).is_any()) {
            let written = ByteSet::ALL.without(self.bytes.of(Byte::Invalid));
            self.bytes.set_all(written, Byte::Misc);
        }
        self.reg = Held::NOTHING;
    }
}

/// The stack of one function. Copies share their slots until one of them is changed.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Stack {
    /// Slots from R10 downwards, as far as the function went.
    slots: Rc<[Slot]>,
}

/// A byte of the stack: its slot's index, counted from R10 down, and its place there.
fn place(off: i64) -> Option<(usize, usize)> {
    if !(-STACK_SIZE..0).contains(&off) {
        return None;
    }
    let slot = (-off - 1) / SLOT_SIZE;
    let byte = off + (slot + 1) * SLOT_SIZE;
    Some((usize::try_from(slot).ok()?, usize::try_from(byte).ok()?))
}

/// The index of the slot of the byte at `off`, counted from R10 down; at most 63.
pub(crate) fn slot_index(off: i64) -> Option<u8> {
    place(off).and_then(|(slot, _)| u8::try_from(slot).ok())
}

/// The slots of the bytes from `off` up to `end`, a bit each, as far as they are in the frame.
pub(crate) fn slots_between(off: i64, end: i64) -> u64 {
    let (off, end) = (off.max(-STACK_SIZE), end.min(0));
    let (Some(lowest), Some(highest)) = (slot_index(off), slot_index(end - 1)) else {
        return 0;
    };
    // Counted from R10 down: the lowest byte is in the last slot.
    match off < end {
        true => u64::MAX >> (63 - lowest) & u64::MAX << highest,
        false => 0,
    }
}

/// A slot of which some bytes are accessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    /// The offset of its lowest byte.
    base: i64,
    /// Which of its bytes.
    bytes: ByteSet,
}

/// The slots of the bytes from `off` up to `end`, that of the lowest address first.
fn parts(off: i64, end: i64) -> impl Iterator<Item = Part> {
    let first = off.div_euclid(SLOT_SIZE) * SLOT_SIZE;
    (first..end)
        .step_by(SLOT_SIZE as usize)
        .map(move |base| Part {
            base,
            bytes: ByteSet::between(off - base, end - base),
        })
}

impl Stack {
    /// The slots from R10 downwards, as far as there are any that may have been written.
    pub(crate) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The slots, to change registers spilled there.
    pub(crate) fn slots_mut(&mut self) -> &mut [Slot] {
        Rc::make_mut(&mut self.slots)
    }

    /// How many slots are left when all are forgotten but those with a bit in `slots`. `None` if
    /// that forgets nothing.
    pub(crate) fn left_of(&self, slots: u64, end: End) -> Option<usize> {
        let mut length = 0;
        let mut forgets = false;
        for (index, slot) in self.slots.iter().enumerate() {
            if slot.is_kept(index, slots) {
                length = index + 1;
            } else {
                forgets |= slot.is_written();
            }
        }
        match end {
            End::Cut => (forgets || length < self.slots.len()).then_some(length),
            End::Stays => forgets.then_some(self.slots.len()),
        }
    }

    /// Forgets all slots but the first `length`, and of these all but those with a bit in
    /// `slots`.
    pub(crate) fn keep(&mut self, length: usize, slots: u64) {
        let first = self.slots.iter().take(length).enumerate();
        let kept = first.map(|(index, slot)| match slot.is_kept(index, slots) {
            true => slot.clone(),
            false => Slot::INVALID,
        });
        self.slots = kept.collect();
    }

    /// How deep the function went, in bytes.
    pub(crate) fn depth(&self) -> usize {
        self.slots.len() * 8
    }

    /// Notes that bytes from `off` on are accessed.
    pub(crate) fn touch(&mut self, off: i64) {
        if let Some((slot, _)) = place(off)
            && slot >= self.slots.len()
        {
            let more = repeat_n(Slot::INVALID, slot + 1 - self.slots.len());
            self.slots = self.slots.iter().cloned().chain(more).collect();
        }
    }

    /// Whether the bytes from `off` on were accessed already.
    pub(crate) fn reaches(&self, off: i64) -> bool {
        place(off).is_none_or(|(slot, _)| slot < self.slots.len())
    }

    /// The slot of the byte at `off`; one never written if it is not there.
    pub(crate) fn slot(&self, off: i64) -> Slot {
        self.known_slot(off).cloned().unwrap_or(Slot::INVALID)
    }

    /// The slot of the byte at `off`, if the function went so far.
    pub(crate) fn known_slot(&self, off: i64) -> Option<&Slot> {
        let (slot, _) = place(off)?;
        self.slots.get(slot)
    }

    /// What is known of the byte at `off`.
    pub(crate) fn byte(&self, off: i64) -> Byte {
        self.known_slot(off)
            .map_or(Byte::Invalid, |slot| slot.byte(off))
    }

    /// Sets what is known of the byte at `off`, ending a spill that it is part of.
    pub(crate) fn set_byte(&mut self, off: i64, to: Byte) {
        self.set_bytes(off, off + 1, to);
    }

    /// Sets what is known of the bytes from `off` up to `end`, ending spills that they are part
    /// of.
    pub(crate) fn set_bytes(&mut self, off: i64, end: i64, to: Byte) {
        if off >= end {
            return;
        }
        self.touch(off);
        for part in parts(off, end) {
            if let Some(slot) = self.slot_mut(part.base) {
                slot.scrub();
                slot.bytes.set_all(part.bytes, to);
            }
        }
    }

    /// Forgets what the bytes from `off` up to `end` are, which may be written or not. Only a
    /// spill that one of them is part of ends: one that reaches to none of them is left as it
    /// is, other than by [`Stack::set_bytes`] (seen on 6.18).
    pub(crate) fn blur(&mut self, off: i64, end: i64) {
        for part in parts(off, end) {
            if let Some(slot) = self.slot_mut(part.base) {
                if slot.bytes.of(Byte::Spill).and(part.bytes).is_any() {
                    slot.scrub();
                }
                slot.bytes.set_all(part.bytes, Byte::Misc);
            }
        }
    }

    /// The first byte from `off` up to `end` that is in the set that `which` gives of its slot;
    /// `None` stands for slots that were never accessed.
    pub(crate) fn find_byte(
        &self,
        off: i64,
        end: i64,
        which: impl Fn(Option<&Slot>) -> ByteSet,
    ) -> Option<i64> {
        parts(off, end).find_map(|part| {
            let found = which(self.known_slot(part.base)).and(part.bytes);
            Some(part.base + found.lowest()?)
        })
    }

    /// Spills the low `size` of a register to `off`, the beginning of a slot. What is left of
    /// an earlier spill are bytes of unknown contents.
    pub(crate) fn spill(&mut self, off: i64, size: Size, reg: Held) {
        self.touch(off);
        if let Some(slot) = self.slot_mut(off) {
            slot.reg = reg;
            slot.bytes.set_all(slot.bytes.of(Byte::Spill), Byte::Misc);
            let spilled = ByteSet::first(size.bytes());
            slot.bytes.set_all(spilled, Byte::Spill);
        }
    }

    /// The slot at `off`, to change it.
    pub(crate) fn slot_mut(&mut self, off: i64) -> Option<&mut Slot> {
        let (slot, _) = place(off)?;
        self.slots_mut().get_mut(slot)
    }

    /// Makes the slot at `off` another one.
    pub(crate) fn set_slot(&mut self, off: i64, to: Slot) {
        self.touch(off);
        if let Some(slot) = self.slot_mut(off) {
            *slot = to;
        }
    }

    /// The number that `size` bytes at `off` hold, if it is known as the kernel knows the keys
    /// of maps: from zeros, or from a spill that has just as many bytes from there on, even if it
    /// is zero. If the number that was spilled did not fit, it is that number, whose low bytes
    /// are there.
    pub(crate) fn constant(&self, off: i64, size: Size) -> Option<u64> {
        let mut bytes = off..off + i64::from(size.bytes());
        if bytes.all(|off| self.byte(off) == Byte::Zero) {
            return Some(0);
        }
        let slot = self.slot(off);
        let before = off.rem_euclid(SLOT_SIZE) as usize;
        let whole = slot.spill_size() == before + size.bytes() as usize;
        slot.reg.as_constant().filter(|_| whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_where_it_was_put_and_nowhere_else() {
        for off in -STACK_SIZE..0 {
            let mut stack = Stack::default();
            stack.set_byte(off, Byte::Zero);
            let set: Vec<i64> = (-STACK_SIZE - 8..8)
                .filter(|&at| stack.byte(at) != Byte::Invalid)
                .collect();
            assert_eq!(set, [off]);
        }
    }

    #[test]
    fn overwriting_a_part_of_a_spill_ends_it() {
        let mut stack = Stack::default();
        stack.spill(-8, Size::DW, RegState::constant(7).into());
        assert_eq!(stack.constant(-8, Size::DW), Some(7));
        assert_eq!(stack.constant(-8, Size::W), None);
        assert_eq!(stack.constant(-4, Size::W), Some(7));
        stack.set_byte(-5, Byte::Zero);
        assert_eq!(stack.slot(-8).spill_size(), 0);
        assert_eq!(stack.byte(-8), Byte::Misc);
        assert_eq!(stack.constant(-8, Size::DW), None);
        assert_eq!(stack.byte(-5), Byte::Zero);
    }
}
