//! Programs with one thing changed.

use ebpf_asm::insn::Slot;
use ebpf_asm::load_flags::{BPF_F_ANY_ALIGNMENT, BPF_F_STRICT_ALIGNMENT, BPF_F_TEST_STATE_FREQ};

use super::Chance;
use super::reach::LD_IMM64;
use super::row::Row;
use super::shrink::without;

/// Flags of the load that may change what is refused or how much is followed.
const FLAGS: [u32; 4] = [
    BPF_F_STRICT_ALIGNMENT,
    BPF_F_ANY_ALIGNMENT,
    BPF_F_STRICT_ALIGNMENT | BPF_F_ANY_ALIGNMENT,
    BPF_F_TEST_STATE_FREQ,
];

/// The row with one to three things changed. Slots of instructions that refer to maps keep
/// their opcode, or the row would be none.
#[must_use]
pub fn mutated(row: &Row, chance: &mut Chance) -> Row {
    let mut row = row.clone();
    for _ in 0..=chance.below(3) {
        row = once(row, chance);
    }
    row
}

fn once(mut row: Row, chance: &mut Chance) -> Row {
    let count = row.slots.len();
    let at = chance.below(count);
    if count == 0 {
        return row;
    }
    if chance.below(20) == 0 {
        row.prog_flags ^= chance.pick(&FLAGS);
        return row;
    }
    let second = at > 0 && row.slots[at - 1].opcode == LD_IMM64;
    let slot = &mut row.slots[at];
    if second || slot.opcode == LD_IMM64 {
        // Few, or most of what is changed would be refused for it.
        if chance.below(4) == 0 {
            wide(slot, chance);
        }
        return row;
    }
    match chance.below(9) {
        0 => slot.dst = chance.below(11) as u8,
        1 => {
            slot.src = if slot.src == 0 {
                0
            } else {
                chance.below(11) as u8
            }
        }
        2 => {
            let by = chance.pick(&[-8, -4, -1, 1, 4, 8]);
            slot.offset = slot.offset.wrapping_add(by);
        }
        3 => slot.imm = slot.imm.wrapping_add(chance.pick(&[-8, -1, 1, 8])),
        4 => slot.imm = chance.corner() as i32,
        // Another operation of the class, another size, 32 instead of 64 bits.
        5 => slot.opcode = slot.opcode & 0x0f | (chance.below(14) as u8) << 4,
        6 => slot.opcode ^= chance.pick(&[0x03, 0x08, 0x10, 0x18]),
        7 => {
            let other = chance.below(count);
            let near = other > 0 && row.slots[other - 1].opcode == LD_IMM64;
            if !near && row.slots[other].opcode != LD_IMM64 {
                row.slots.swap(at, other);
            }
        }
        _ => {
            if let Some(shorter) = without(&row, at) {
                return shorter;
            }
        }
    }
    if row.slots[at].opcode == LD_IMM64 {
        // Would take the next instruction with it.
        row.slots[at].opcode = 0xb7;
    }
    row
}

/// Changes a slot of the instruction of two, which stays one.
fn wide(slot: &mut Slot, chance: &mut Chance) {
    match chance.below(5) {
        0 => slot.dst = chance.below(12) as u8,
        1 => slot.src = 1 + chance.below(7) as u8,
        2 => slot.offset = slot.offset.wrapping_add(chance.pick(&[-1, 1, 8])),
        _ => slot.imm = slot.imm.wrapping_add(chance.pick(&[-8, -1, 1, 4, 8, 48])),
    }
}
