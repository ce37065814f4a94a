//! The slots that are compared.

use ebpf_asm::insn::{Fields, Insn, Reg, Slot};
use ebpf_asm::isa::{Callee, Field, ISA, Imm64, Row, Sem, rows_of};
use proptest::prelude::*;

use super::offer::{FUNCTION, Kernel};

/// One slot, or the two of a wide instruction.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    /// What was changed.
    #[expect(dead_code, reason = "shown by Debug")]
    pub(super) what: String,
    pub(super) first: Slot,
    pub(super) second: Option<Slot>,
    /// Several fields were changed at once.
    pub(super) is_random: bool,
}

/// `bpf_ktime_get_ns`, a helper without arguments (`linux/bpf.h`).
const KTIME_GET_NS: i32 = 5;

const REGISTERS: [u8; 6] = [0, 1, 2, 10, 11, 15];
const SOURCES: [u8; 11] = [0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 15];
const OFFSETS: [i16; 8] = [0, 1, 2, 8, 16, 24, 32, -8];
const NUMBERS: [i32; 20] = [
    0,
    1,
    8,
    16,
    31,
    32,
    33,
    64,
    0x40,
    0x41,
    0xe0,
    0xe1,
    0xf0,
    0xf1,
    0x100,
    0x110,
    0x10000,
    0x10001,
    -1,
    i32::MIN,
];

/// Each form of each instruction and each opcode that has none, and these with one field
/// changed in every way of the lists above.
pub(super) fn systematic(kernel: &Kernel) -> Vec<Candidate> {
    let mut all = Vec::new();
    for opcode in 0..=u8::MAX {
        if rows_of(opcode).next().is_none() {
            let bare = Slot {
                opcode,
                dst: 1,
                ..Slot::default()
            };
            all.extend([0, 1, 2].map(|src| changed("no row", Slot { src, ..bare }, None)));
        }
    }
    for row in &ISA {
        let (first, second) = sample(row, kernel).encode();
        change_each(row, first, second, &mut all);
    }
    all
}

/// An instruction of the row that the kernel takes, as far as one can be made without knowing
/// the machine.
fn sample(row: &'static Row, kernel: &Kernel) -> Insn {
    let (jump, imm) = match row.sem {
        Sem::Call(Callee::Helper) => (1, KTIME_GET_NS),
        Sem::Call(Callee::Local) => (1, FUNCTION),
        // Counted from the end of the first slot of two.
        Sem::LoadImm64(Imm64::Code) => (1, FUNCTION + 1),
        Sem::LoadImm64(Imm64::MapFd | Imm64::MapValueFd) => (1, kernel.map()),
        _ => (1, 1),
    };
    let offset = match row.offset {
        Field::Jump => jump,
        _ => 0,
    };
    let fields = Fields {
        dst: Reg::R1,
        src: Reg::R2,
        offset,
        imm,
        next_imm: 0,
    };
    Insn::new(row, fields)
}

fn change_each(row: &Row, first: Slot, second: Option<Slot>, all: &mut Vec<Candidate>) {
    let mut push = |what: String, first, second| all.push(changed(&what, first, second));
    push(row.text.to_owned(), first, second);
    for dst in REGISTERS {
        push(format!("{}: dst", row.text), Slot { dst, ..first }, second);
    }
    for src in SOURCES {
        push(format!("{}: src", row.text), Slot { src, ..first }, second);
    }
    for offset in OFFSETS {
        // A jump back would be followed a million times.
        if offset >= 0 || row.offset != Field::Jump {
            let first = Slot { offset, ..first };
            push(format!("{}: offset", row.text), first, second);
        }
    }
    for imm in NUMBERS {
        if imm >= 0 || row.imm != Field::Jump {
            push(format!("{}: imm", row.text), Slot { imm, ..first }, second);
        }
    }
    let Some(second) = second else { return };
    for spoiled in [
        Slot {
            opcode: 7,
            ..second
        },
        Slot { dst: 1, ..second },
        Slot { src: 1, ..second },
        Slot {
            offset: 1,
            ..second
        },
        Slot { imm: 1, ..second },
    ] {
        push(format!("{}: second slot", row.text), first, Some(spoiled));
    }
}

fn changed(what: &str, first: Slot, second: Option<Slot>) -> Candidate {
    Candidate {
        what: what.to_owned(),
        first,
        second,
        is_random: false,
    }
}

/// Any opcode of the table or not, and small or any numbers in the fields.
pub(super) fn random() -> impl Strategy<Value = Candidate> {
    let opcode = prop_oneof![
        3 => proptest::sample::select(&ISA[..]).prop_map(|row| row.opcode),
        1 => any::<u8>(),
    ];
    let register = || prop_oneof![2 => Just(0u8), 3 => 0u8..11, 1 => 11u8..16];
    let offset =
        prop_oneof![3 => Just(0i16), 3 => proptest::sample::select(&OFFSETS[..7]), 1 => 0i16..];
    let imm = prop_oneof![
        3 => Just(0i32),
        3 => proptest::sample::select(&NUMBERS[..17]),
        1 => 0i32..,
    ];
    let fields = (opcode, register(), register(), offset, imm);
    fields.prop_map(|(opcode, dst, src, offset, imm)| {
        let first = Slot {
            opcode,
            dst,
            src,
            offset,
            imm,
        };
        let is_wide = rows_of(opcode).any(|row| row.slots() == 2);
        Candidate {
            what: "random".to_owned(),
            first,
            second: is_wide.then(Slot::default),
            is_random: true,
        }
    })
}
