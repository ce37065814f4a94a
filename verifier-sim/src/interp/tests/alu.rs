//! Every row of the table that computes, against `ebpf_asm::eval` and RFC 9669's words.

use super::super::Machine;
use super::{object, packet};
use ebpf_asm::eval;
use ebpf_asm::insn::{Fields, Insn, Reg::*};
use ebpf_asm::isa::{ISA, Operand, Sem, Width};

const NUMBERS: [u64; 10] = [
    0,
    1,
    7,
    31,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1122_3344_5566_7788,
    0x8000_0000_0000_0000,
    u64::MAX,
];

/// What R1 holds after an instruction on R1 and R2, or the `imm` `right`.
fn expected(sem: Sem, left: u64, right: u64) -> Option<u64> {
    // A number in an instruction has 32 bits and is sign-extended.
    let operand = |operand| match operand {
        Operand::Imm => i64::from(right as i32) as u64,
        Operand::Reg => right,
    };
    Some(match sem {
        Sem::Alu {
            op,
            width,
            operand: o,
        } => eval::alu(op, width, left, operand(o)),
        Sem::Neg { width } => eval::neg(width, left),
        Sem::Mov { width, operand: o } => eval::truncate(width, operand(o)),
        Sem::Movsx { width, from } => eval::movsx(width, from, right),
        Sem::ByteSwap { swap, size } => eval::byte_swap(swap, size, left),
        Sem::Jump {
            cond,
            width,
            operand: o,
        } => u64::from(cond.holds(width, left, operand(o))),
        _ => return None,
    })
}

/// R1 after the instruction, in two halves; for jumps whether it was taken.
fn computed(insn: Insn, left: u64, right: u64) -> u64 {
    let is_jump = matches!(insn.sem(), Sem::Jump { .. });
    let object = object("xdp", Vec::new(), |a| {
        a.ldx(ebpf_asm::isa::Size::W, R6, R1, 0);
        a.ld_imm64(R1, left).ld_imm64(R2, right);
        if is_jump {
            let (taken, out) = (a.label(), a.label());
            a.insn_to(insn, taken).mov(R1, 0).ja(out);
            a.bind(taken).mov(R1, 1).bind(out);
        } else {
            a.insn(insn);
        }
        a.st(ebpf_asm::isa::Size::DW, R6, 0, R1).mov(R0, 0).exit();
    });
    let run = Machine::new(&object).unwrap().run("p", packet()).unwrap();
    u64::from_le_bytes(run.packet[..8].try_into().unwrap())
}

#[test]
fn every_row_that_computes_does_what_it_means() {
    let mut rows = 0;
    for row in &ISA {
        if expected(row.sem, 0, 0).is_none() {
            continue;
        }
        rows += 1;
        for left in NUMBERS {
            for right in NUMBERS {
                let fields = Fields {
                    dst: R1,
                    src: R2,
                    imm: right as i32,
                    ..Fields::default()
                };
                let insn = Insn::new(row, fields);
                let value = computed(insn, left, right);
                assert_eq!(
                    Some(value),
                    expected(row.sem, left, right),
                    "{insn} with {left:#x} and {right:#x}"
                );
            }
        }
    }
    assert!(rows > 100, "only {rows} rows");
}

#[test]
fn a_wide_instruction_counts_once() {
    let object = object("xdp", Vec::new(), |a| {
        a.ld_imm64(R0, 1 << 40).mov32(R0, R0).exit();
    });
    let run = Machine::new(&object).unwrap().run("p", packet()).unwrap();
    assert_eq!((run.ret, run.executed), (0, 3));
    assert_eq!(Width::W32.bits(), 32);
}
