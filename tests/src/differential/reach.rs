//! Where slots lead: what is to be put right where slots come or go between.
//!
//! Read before: `row.rs`. Read next: `shrink.rs`.

use ebpf_asm::insn::Slot;

/// The opcode of the instruction of two slots.
pub(super) const LD_IMM64: u8 = 0x18;

/// What such an instruction has for a source if it loads the address of a function.
const PSEUDO_FUNC: u8 = 4;

/// The opcode of calls, and what one of a function of the program has for a source.
const CALL: u8 = 0x85;
const PSEUDO_CALL: u8 = 1;

/// The opcode of the jump whose distance is in `imm`.
const GOTOL: u8 = 0x06;

/// What a slot leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Another slot of the function, so many after the next.
    Jump(i64),
    /// The first slot of a function.
    Function(i64),
}

/// Where a slot that begins an instruction leads.
pub(super) fn reach(slot: &Slot) -> Option<Reach> {
    let (class, code) = (slot.opcode & 7, slot.opcode & 0xf0);
    match slot.opcode {
        CALL if slot.src == PSEUDO_CALL => Some(Reach::Function(slot.imm.into())),
        LD_IMM64 if slot.src == PSEUDO_FUNC => Some(Reach::Function(slot.imm.into())),
        GOTOL => Some(Reach::Jump(slot.imm.into())),
        _ if (class == 5 || class == 6) && code != 0x80 && code != 0x90 => {
            Some(Reach::Jump(slot.offset.into()))
        }
        _ => None,
    }
}

/// Makes a slot that leads somewhere lead so many slots after the next.
pub(super) fn set_reach(slot: &mut Slot, distance: i64) {
    match slot.opcode {
        CALL | LD_IMM64 | GOTOL => slot.imm = distance as i32,
        _ => slot.offset = distance as i16,
    }
}

/// Whether a slot is the second of its instruction.
pub(super) fn is_second(slots: &[Slot], at: usize) -> bool {
    at.checked_sub(1)
        .and_then(|before| slots.get(before))
        .is_some_and(|slot| slot.opcode == LD_IMM64)
}
