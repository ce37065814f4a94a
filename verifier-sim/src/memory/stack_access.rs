//! Accesses to the stack: spills, fills, plain bytes, and computed offsets.
//!
//! A register stored whole at a slot's beginning is spilled, and comes back as it was. All
//! else leaves bytes of which at most is known that they are zero.
//!
//! Described in the kernel's `Documentation/bpf/verifier.rst`; messages as observed on Linux 6.18.
//!
//! Read before: `value/stack.rs`, `stack_bounds.rs`. Read next: `stack_help.rs`.

use crate::call::argument::Filled;
use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::memory::mem::{MemAccess, Stored};
use crate::memory::region::Extent;
use crate::memory::stack_bounds::Offsets;
use crate::memory::stack_help::Wanted;
use crate::path::history::StackSlot;
use crate::step::machine::{Machine, not_modelled};
use crate::types::special::AccessBy;
use crate::value::bytes::{Byte, ByteSet};
use crate::value::held::Held;
use crate::value::reg::{Kind, Link, RegState};
use crate::value::scalar::Scalar;
use crate::value::stack::{SLOT_SIZE, Slot, slot_index, slots_between};
use ebpf_asm::insn::Reg;
use ebpf_asm::isa::{KernelVersion, Size};

/// Since when bytes that were never written may be written at computed offsets, with
/// `CAP_PERFMON`: observed on Linux 6.1.
const SOMEWHERE_UNINIT: KernelVersion = (6, 1);

/// Since when numbers are tracked through the stack. To Linux 6.1 a number there is any number if
/// nothing was known of it when it was spilled, or if it is filled in part; and what is found out
/// later of the register does not hold for the copy. 6.12 tracks them.
const SPILLS_TRACKED: KernelVersion = (6, 12);

impl Machine<'_, '_> {
    pub(crate) fn read_stack(
        &mut self,
        depth: u8,
        base: &RegState,
        access: MemAccess,
    ) -> Checked<RegState> {
        self.check_aligned(base, access)?;
        let extent = access.extent(base);
        let offsets = self.check_stack_bounds(base, extent, access.direction, AccessBy::Insn)?;
        self.touch_stack(depth, offsets.min);
        self.note_access(depth, offsets.min);
        if !offsets.known() {
            return self.read_stack_somewhere(depth, offsets, extent);
        }
        self.read_stack_at(depth, offsets.min, access)
    }

    fn read_stack_at(&mut self, depth: u8, off: i64, access: MemAccess) -> Checked<RegState> {
        let (size, bytes) = (access.size, i64::from(access.size.bytes()));
        self.note_read(depth, Offsets { min: off, max: off }, bytes);
        let stack = self.state.stack_at(depth);
        let slot = stack.and_then(|stack| stack.known_slot(off));
        let slot = slot.unwrap_or(const { &Slot::INVALID });
        match slot.spill_size() {
            0 => {}
            8 if size == Size::DW => {
                let reg = *slot.reg;
                self.note_spill(depth, off);
                return Ok(reg);
            }
            spilled => {
                if !slot.reg.is_scalar() {
                    let message = "invalid size of register fill";
                    return Err(partial_pointer(message, &slot.reg, size));
                }
                // Whoever reads it cuts it to size, or extends its sign.
                let is_whole = size.bytes() as usize == spilled;
                let is_kept = is_whole || self.tracks_spills();
                if off % SLOT_SIZE == 0 && is_kept && size.bytes() as usize <= spilled {
                    let reg = *slot.reg;
                    self.note_spill(depth, off);
                    return Ok(reg);
                }
            }
        }
        let slot = slot.clone();
        self.check_written(depth, off, bytes)?;
        // Zero is known of bytes, or of a spill; not of some of these and some of those.
        let is = |byte| (off..off + bytes).all(|off| slot.byte(off) == byte);
        let of_spill = self.tracks_spills() && is(Byte::Spill) && slot.reg.as_constant() == Some(0);
        if of_spill {
            self.note_spill(depth, off);
        }
        Ok(RegState::scalar(match of_spill || is(Byte::Zero) {
            true => Scalar::constant(0),
            false => Scalar::of_size(size),
        }))
    }

    /// Notes which slots an instruction may read.
    fn note_read(&mut self, depth: u8, offsets: Offsets, size: i64) {
        let end = offsets.max.saturating_add(size);
        self.notes.read(depth, slots_between(offsets.min, end));
    }

    /// Notes where an instruction accesses a frame, as far as that matters for what the kernel takes
    /// out of the function.
    pub(crate) fn note_access(&mut self, depth: u8, off: i64) {
        let fastcalls = &self.env.fastcalls;
        if fastcalls.is_empty() {
            return;
        }
        let frame = self.state.frame_of(usize::from(depth));
        let function = frame.map_or(0, |frame| frame.function);
        let broken = &mut self.notes.breaks_fastcalls;
        if fastcalls.are_broken_by(function, self.slot, off) && !broken.contains(&function) {
            broken.push(function);
        }
    }

    /// Notes which spill an instruction wrote or filled from.
    fn note_spill(&mut self, depth: u8, off: i64) {
        self.notes.spill = slot_index(off).map(|index| StackSlot { depth, index });
    }

    fn read_stack_somewhere(
        &mut self,
        depth: u8,
        offsets: Offsets,
        extent: Extent,
    ) -> Checked<RegState> {
        if !self.env.config.may_leak_pointers() {
            let message = format!(
                "R{} variable offset stack access prohibited for !root",
                extent.reg.number()
            );
            return Err(Rejection::new(Code::StackBounds, message)
                .label("the offset is not a constant")
                .help("use constant offsets on the stack, or load the program with CAP_PERFMON"));
        }
        self.check_initialised(depth, extent.reg, offsets, extent.size)?;
        // A spilled zero is none here, as in the kernel.
        let mut all = offsets.min..offsets.max + extent.size;
        let zero = all.all(|off| self.stack_byte(depth, off) == Byte::Zero);
        Ok(match zero {
            true => RegState::constant(0),
            false => RegState::unknown(),
        })
    }

    pub(crate) fn write_stack(
        &mut self,
        depth: u8,
        base: &RegState,
        access: MemAccess,
        stored: Stored<'_>,
    ) -> Checked {
        self.check_aligned(base, access)?;
        let extent = access.extent(base);
        let offsets = self.check_stack_bounds(base, extent, access.direction, AccessBy::Insn)?;
        self.touch_stack(depth, offsets.min);
        self.note_access(depth, offsets.min);
        if !offsets.known() {
            return self.write_stack_somewhere(depth, offsets, extent, stored);
        }
        self.write_stack_at(depth, offsets.min, access.size, stored)
    }

    fn write_stack_at(&mut self, depth: u8, off: i64, size: Size, stored: Stored<'_>) -> Checked {
        self.check_corruption(depth, off, size)?;
        // As it is before dynptrs end, which take pointers with them.
        let pointer = match stored {
            Stored::Reg(reg, value) if value.is_pointer() => Some(self.state.held(reg)),
            _ => None,
        };
        self.end_dynptrs(depth, off, i64::from(size.bytes()))?;
        if size == Size::DW {
            let end = off.saturating_add(SLOT_SIZE);
            self.notes.written(depth, slots_between(off, end));
        }
        let at_slot = off % SLOT_SIZE == 0;
        let precise = self.env.config.may_use_bpf();
        let spill = match stored {
            // Not spilled, but lost.
            Stored::Reg(_, value) if matches!(value.kind, Kind::Dynptr(_) | Kind::TpBuffer) => None,
            Stored::Reg(_, value) if pointer.is_some() => {
                self.check_spill(depth, value, size)?;
                pointer
            }
            Stored::Reg(reg, value) if at_slot && precise && self.keeps_number(value) => {
                Some(self.spilled_number(reg, value, size))
            }
            Stored::Imm(imm) if at_slot && precise => {
                let number = RegState::constant(i64::from(imm) as u64);
                Some(number.made(self.here()).into())
            }
            _ => None,
        };
        let zero = spill.is_none() && self.stores_zero(stored);
        let Some(frame) = self.state.frame_at(depth) else {
            return Err(not_modelled("a stack that is gone"));
        };
        match spill {
            Some(reg) => {
                frame.stack.spill(off, size, reg);
                self.note_spill(depth, off);
            }
            None => {
                let byte = if zero { Byte::Zero } else { Byte::Misc };
                let end = off + i64::from(size.bytes());
                frame.stack.set_bytes(off, end, byte);
            }
        }
        Ok(())
    }

    /// Whether zero is stored. That the bytes are known to be zero depends on the register.
    fn stores_zero(&mut self, stored: Stored<'_>) -> bool {
        match stored {
            Stored::Reg(reg, value) if value.as_constant() == Some(0) => {
                self.need(reg);
                true
            }
            Stored::Imm(imm) => imm == 0,
            _ => false,
        }
    }

    /// Whether numbers on the stack are the same as in registers, whatever is known of them, and are
    /// filled in part.
    fn tracks_spills(&self) -> bool {
        self.env.config.since(SPILLS_TRACKED)
    }

    /// Whether a number that goes to the stack is known there: to kernels that do not track it only
    /// if anything is known of it.
    fn keeps_number(&self, value: &RegState) -> bool {
        self.tracks_spills() || value.scalar != Scalar::of_size(Size::DW)
    }

    /// A number that goes to the stack, and belongs to the register as a copy does.
    fn spilled_number(&mut self, reg: Reg, value: &RegState, size: Size) -> Held {
        // To kernels that do not track numbers there a part is a number of its own, also if the rest
        // is 0.
        let is_part = size != Size::DW && !self.tracks_spills();
        if is_part || value.width_bits() > size.bytes() * 8 {
            let mut part = *value;
            part.unlink();
            return part.into();
        }
        // What was known as another number plus a distance becomes a number of its own.
        if value.link != Link::Same {
            self.state.reg_mut(reg).unlink();
        }
        let is_numbered = self.tracks_spills() && value.as_constant().is_none();
        if self.state.reg(reg).id == 0 && is_numbered {
            self.state.reg_mut(reg).id = self.new_id();
        }
        self.state.held(reg)
    }

    /// That a pointer is spilled whole, and not where it would outlive what it points to.
    fn check_spill(&self, depth: u8, value: &RegState, size: Size) -> Checked {
        if size != Size::DW {
            return Err(partial_pointer(
                "invalid size of register spill",
                value,
                size,
            ));
        }
        if matches!(value.kind, Kind::Stack(_)) && depth != self.state.depth() {
            return Err(Rejection::new(
                Code::Spill,
                "cannot spill pointers to stack into stack frame of the caller",
            )
            .label("the frame that it points to ends before the one it is stored in")
            .because(value.origin.made, "the pointer is made here")
            .help("copy the bytes to the caller's variable instead of their address"));
        }
        Ok(())
    }

    /// That no pointer is overwritten by a helper for those who may not see pointers: the kernel
    /// takes what helpers fill for so many bytes that are written one by one.
    pub(crate) fn check_fill(&mut self, depth: u8, off: i64, size: i64) -> Checked {
        if self.env.config.may_leak_pointers() {
            return Ok(());
        }
        (off..off + size).try_for_each(|off| self.check_corruption(depth, off, Size::B))
    }

    /// That no pointer is overwritten in part by those who may not see pointers.
    fn check_corruption(&mut self, depth: u8, off: i64, size: Size) -> Checked {
        if size == Size::DW || self.env.config.may_leak_pointers() {
            return Ok(());
        }
        match self.stack_slot(depth, off).spilled_pointer() {
            Some(reg) => {
                let message = "attempt to corrupt spilled pointer on stack";
                Err(partial_pointer(message, reg, size))
            }
            None => Ok(()),
        }
    }

    fn write_stack_somewhere(
        &mut self,
        depth: u8,
        offsets: Offsets,
        extent: Extent,
        stored: Stored<'_>,
    ) -> Checked {
        if !self.env.config.may_leak_pointers() {
            return Err(not_modelled(
                "writes at computed stack offsets without CAP_PERFMON",
            ));
        }
        let size = offsets.max + extent.size - offsets.min;
        self.end_dynptrs(depth, offsets.min, size)?;
        let allowed = self.env.config.since(SOMEWHERE_UNINIT);
        let zero = match stored {
            Stored::Reg(_, value) => value.as_constant() == Some(0),
            Stored::Imm(imm) => imm == 0,
            Stored::Unknown => false,
        };
        let mut stays_zero = false;
        for off in offsets.min..offsets.max + extent.size {
            let slot = self.stack_slot(depth, off);
            let byte = slot.byte(off);
            if byte == Byte::Invalid && !allowed {
                let wanted = Wanted {
                    named: Some(extent.reg),
                    depth,
                    off,
                    size: extent.size,
                };
                return Err(self.uninitialised(wanted, off, off - offsets.min));
            }
            // Any one of the bytes may be written; zero stays as it is only if zero is written.
            let spilled_zero =
                self.tracks_spills() && byte == Byte::Spill && slot.reg.as_constant() == Some(0);
            let is_zero = zero && (byte == Byte::Zero || spilled_zero);
            stays_zero |= is_zero;
            if let Some(frame) = self.state.frame_at(depth).filter(|_| !is_zero) {
                frame.stack.set_byte(off, Byte::Misc);
            }
        }
        if let (Stored::Reg(reg, _), true) = (stored, stays_zero) {
            self.need(reg);
        }
        Ok(())
    }

    /// That every byte that a load at a known place reads was written.
    fn check_written(&mut self, depth: u8, off: i64, size: i64) -> Checked {
        self.note_read(depth, Offsets { min: off, max: off }, size);
        let uninit = self.env.config.may_read_uninit_stack();
        let refused = |slot: Option<&Slot>| {
            let bytes = slot.map_or(Slot::INVALID.bytes, |slot| slot.bytes);
            match uninit {
                true => bytes.of_objects(),
                false => bytes.of_objects().or(bytes.of(Byte::Invalid)),
            }
        };
        let Some(stack) = self.state.stack_at(depth) else {
            return Err(not_modelled("a stack that is gone"));
        };
        match stack.find_byte(off, off + size, refused) {
            Some(at) => {
                let wanted = Wanted {
                    named: None,
                    depth,
                    off,
                    size,
                };
                Err(self.uninitialised(wanted, at, at - off))
            }
            None => Ok(()),
        }
    }

    /// That every byte that may be read was written, or is in a slot that a number was spilled
    /// to: of such a slot the kernel takes all bytes for written (seen on 6.18).
    pub(crate) fn check_initialised(
        &mut self,
        depth: u8,
        reg: Reg,
        offsets: Offsets,
        size: i64,
    ) -> Checked {
        self.note_read(depth, offsets, size);
        let uninit = self.env.config.may_read_uninit_stack();
        let hides = !self.env.config.may_leak_pointers();
        let refused = |slot: Option<&Slot>| {
            let slot = slot.unwrap_or(const { &Slot::INVALID });
            let in_spill = slot.is_spill() && slot.reg.is_scalar();
            if hides && slot.spilled_pointer().is_some() {
                ByteSet::ALL
            } else if uninit || in_spill {
                slot.bytes.of_objects()
            } else {
                slot.bytes.of_objects().or(slot.bytes.of(Byte::Invalid))
            }
        };
        let Some(stack) = self.state.stack_at(depth) else {
            return Err(not_modelled("a stack that is gone"));
        };
        match stack.find_byte(offsets.min, offsets.max + size, refused) {
            Some(at) => {
                let wanted = Wanted {
                    named: Some(reg),
                    depth,
                    off: offsets.min,
                    size,
                };
                Err(self.uninitialised(wanted, at, at - offsets.min))
            }
            None => Ok(()),
        }
    }

    /// Forgets what the bytes hold: somebody else writes them, or may write them.
    pub(crate) fn clobber_stack(&mut self, filled: &Filled) {
        let Some(frame) = self.state.frame_at(filled.depth) else {
            return;
        };
        let (off, end) = (filled.offsets.min, filled.offsets.max + filled.size);
        match filled.known {
            true => frame.stack.set_bytes(off, end, Byte::Misc),
            false => frame.stack.blur(off, end),
        }
    }

    pub(crate) fn touch_stack(&mut self, depth: u8, off: i64) {
        let stack = self.state.stack_at(depth);
        if stack.is_none_or(|stack| stack.reaches(off)) {
            return;
        }
        if let Some(frame) = self.state.frame_at(depth) {
            frame.stack.touch(off);
        }
    }

    fn stack_slot(&mut self, depth: u8, off: i64) -> Slot {
        let stack = self.state.stack_at(depth);
        stack.map_or(Slot::INVALID, |stack| stack.slot(off))
    }

    fn stack_byte(&mut self, depth: u8, off: i64) -> Byte {
        let stack = self.state.stack_at(depth);
        stack.map_or(Byte::Invalid, |stack| stack.byte(off))
    }
}

fn partial_pointer(message: &str, reg: &RegState, size: Size) -> Box<Rejection> {
    Rejection::new(Code::Spill, message)
        .label(format!(
            "{} bytes of a pointer ({})",
            size.bytes(),
            reg.type_name()
        ))
        .because(reg.origin.made, "the pointer is made here")
        .help("move pointers to the stack and back with 8 bytes")
}
