//! Interrupts: kernel functions keep them off, and remember in a slot of the stack how they were.
//!
//! `bpf_local_irq_save` fills 8 bytes of the stack, and `bpf_local_irq_restore` takes them back,
//! the last first. Nothing may sleep in between, and a program does not end there. A lock that
//! is taken with interrupts off has such a flag as well, which only its own functions restore.
//!
//! Described in the kernel's `Documentation/bpf/kfuncs.rst` and the messages of kernel commit
//! c8e2ee1f3df0; messages as observed on Linux 6.18.
//!
//! Read before: `stack_object.rs`, `value/sections.rs`. Read next: `kfunc/invoke.rs`.

use crate::codes::Code;
use crate::diag::{Checked, Place, Rejection};
use crate::memory::mem::{Direction, MemAccess, Stored};
use crate::object::stack_object::{Spot, spot};
use crate::step::machine::Machine;
use crate::value::bytes::{Byte, Bytes};
use crate::value::reg::{Kind, RegState};
use crate::value::stack::{SLOT_SIZE, Slot, slots_between};
use crate::value::state::Reference;
use ebpf_asm::insn::Reg;
use ebpf_asm::isa::Size;

/// Whose functions turned interrupts off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum IrqOwner {
    /// Those that do nothing else.
    Native,
    /// Those of a lock.
    Lock,
}

impl IrqOwner {
    fn name(self) -> &'static str {
        match self {
            IrqOwner::Native => "native",
            IrqOwner::Lock => "lock",
        }
    }
}

impl Machine<'_, '_> {
    /// Turns interrupts off, and fills the flag that an argument, the one of this index, points
    /// to.
    pub(crate) fn save_irq(&mut self, index: usize, reg: Reg, owner: IrqOwner) -> Checked {
        let value = self.irq_argument(index, reg)?;
        let message = format!("expected uninitialized irq flag as arg#{index}");
        let refuse = || wrong_flag(&message, reg, &value);
        let spot = spot(&value, "irq_flag", 1)
            .map_err(|words| wrong_flag(&words, reg, &value).adds(&message))?;
        if is_flag(&self.irq_slot(spot)) {
            return Err(refuse());
        }
        let access = MemAccess {
            reg,
            off: 0,
            size: Size::DW,
            direction: Direction::Write,
        };
        self.write_stack(spot.depth, &value, access, Stored::Unknown)?;
        let id = self.new_id();
        self.state.owed_mut().irq_flags.push(Reference {
            id,
            acquired_at: self.slot,
        });
        let mut reg = RegState::pointer(Kind::IrqFlag(owner)).made(self.here());
        reg.ref_id = id;
        let slot = Slot {
            bytes: Bytes::all(Byte::IrqFlag),
            reg: reg.into(),
        };
        self.set_irq_slot(spot, slot);
        Ok(())
    }

    /// Turns interrupts on again, if they were, by the flag that an argument points to.
    pub(crate) fn restore_irq(&mut self, index: usize, reg: Reg, owner: IrqOwner) -> Checked {
        let value = self.irq_argument(index, reg)?;
        let message = format!("expected an initialized irq flag as arg#{index}");
        let refuse = || wrong_flag(&message, reg, &value);
        let spot = spot(&value, "irq_flag", 1)
            .map_err(|words| wrong_flag(&words, reg, &value).adds(&message))?;
        let slot = self.irq_slot(spot);
        let Kind::IrqFlag(saved_by) = slot.reg.kind else {
            return Err(refuse());
        };
        self.notes
            .read(spot.depth, slots_between(spot.off, spot.off + SLOT_SIZE));
        if saved_by != owner {
            let message = format!(
                "irq flag acquired by {} kfuncs cannot be restored with {} kfuncs",
                saved_by.name(),
                owner.name()
            );
            return Err(wrong_flag(&message, reg, &value)
                .because(slot.reg.origin.made, "the flag is filled here"));
        }
        let last = self.state.owed().irq_flags.last();
        if let Some(last) = last.filter(|last| last.id != slot.reg.ref_id) {
            let message = format!(
                "cannot restore irq state out of order, expected id={} acquired at insn_idx={}",
                last.id, last.acquired_at
            );
            return Err(Rejection::new(Code::IrqFlag, message)
                .label("is not the flag that was filled last")
                .because(Place::at(last.acquired_at), "this was")
                .help("restore flags in the opposite order"));
        }
        self.warn_above_stack(reg, &value);
        self.state.owed_mut().irq_flags.pop();
        self.set_irq_slot(spot, Slot::INVALID);
        Ok(())
    }

    fn irq_argument(&self, index: usize, reg: Reg) -> Checked<RegState> {
        let value = *self.state.reg(reg);
        if matches!(value.kind, Kind::Stack(_)) {
            return Ok(value);
        }
        let message = format!("arg#{index} doesn't point to an irq flag on stack");
        Err(wrong_flag(&message, reg, &value))
    }

    fn irq_slot(&mut self, spot: Spot) -> Slot {
        let stack = self.state.stack_at(spot.depth);
        let slot = stack.map(|stack| stack.slot(spot.off));
        slot.filter(is_flag).unwrap_or(Slot::INVALID)
    }

    fn set_irq_slot(&mut self, spot: Spot, slot: Slot) {
        if let Some(frame) = self.state.frame_at(spot.depth) {
            frame.stack.set_slot(spot.off, slot);
        }
    }
}

/// Whether a slot has a flag, whole.
fn is_flag(slot: &Slot) -> bool {
    slot.bytes.of(Byte::IrqFlag).is_all()
}

fn wrong_flag(message: &str, reg: Reg, value: &RegState) -> Box<Rejection> {
    let number = reg.number();
    Rejection::new(Code::IrqFlag, message)
        .label(format!("R{number} does not point to such a flag"))
        .because(value.origin.made, "the address is made here")
        .help(
            "let the flag be an unsigned long on the stack, filled by one save and given back by one \
             restore of its kind on each path",
        )
}
