//! What instructions do: programs of all rows of the table that compute, on registers, stack
//! and jumps, run by the interpreter and by the kernel's test run.

use ebpf_asm::assembler::Assembler;
use ebpf_asm::insn::{Fields, Insn, Reg};
use ebpf_asm::isa::{AluOp, ISA, Imm64, Operand, Row, Sem, Size, Width};
use ebpf_asm::object::Object;
use ebpf_asm::program::Program;
use ebpf_asm::text::print_program;
use ebpf_syscalls::bpf::TestRun;
use ebpf_tests::subjects::Subject;
use ebpf_tests::{Failed, Outcome, ensure_eq};
use ebpf_verifier_sim::interp::{Machine, Packet};
use ebpf_verifier_sim::{Config, Decor, Verdict, verify};
use proptest::prelude::*;

use crate::for_all;

/// The registers that hold numbers: all but the frame pointer.
const NUMBERS: usize = 10;

/// The 8-byte words of the stack that hold numbers.
const WORDS: usize = 4;

/// The most instructions between beginning and end.
const LONGEST: usize = 40;

/// The packet, which no program here looks at.
const PACKET: [u8; 14] = [0; 14];

/// An odd number that mixes well: 2^64 by the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// An instruction to be made, in numbers that are fitted to its row.
#[derive(Debug, Clone)]
struct Step {
    row: &'static Row,
    dst: usize,
    src: usize,
    imm: i32,
    next_imm: i32,
    /// Of a place on the stack in bytes; of a jump, how many steps it leaves out.
    place: usize,
}

/// Numbers to begin with, and steps.
type Recipe = (Vec<u64>, Vec<Step>);

pub(crate) fn agrees(cases: u32) -> Outcome {
    let recipe = (
        proptest::collection::vec(number(), NUMBERS + WORDS),
        proptest::collection::vec(step(), 1..LONGEST),
    );
    for_all(cases, &recipe, same_result, listing)
}

fn same_result(recipe: Recipe) -> Outcome {
    let program = program(&recipe)?;
    let subject = Subject::new(Object {
        license: "GPL".to_owned(),
        programs: vec![program],
        ..Object::default()
    })?;
    let program = &subject.object.programs[0];
    if let Verdict::Rejected(why) = verify(&subject.object, program, &Config::default()) {
        return Err(why.render(program, Decor::Plain).into());
    }
    let mut machine = Machine::new(&subject.object)?;
    let ours = machine.run(&subject.program, Packet::new(&PACKET))?;
    let run = TestRun {
        data: &PACKET,
        ..TestRun::default()
    };
    let kernels = subject.load()?.test_run(&run, &mut [0; 64])?;
    ensure_eq!(
        ours.ret,
        kernels.retval,
        "the interpreter's result, and the kernel's"
    );
    Ok(())
}

fn listing(recipe: &Recipe) -> String {
    let mut text = String::new();
    match program(recipe) {
        // Writing to a string cannot fail.
        Ok(program) => drop(print_program(&mut text, &Object::default(), &program)),
        Err(failed) => text = failed.message().unwrap_or_default().to_owned(),
    }
    text
}

/// Numbers, of which those near the ends of the widths are common.
fn number() -> impl Strategy<Value = u64> {
    let near = prop_oneof![
        Just(0u64),
        Just(1 << 7),
        Just(1 << 15),
        Just(1 << 31),
        Just(1 << 32),
        Just(1 << 63),
    ];
    prop_oneof![
        any::<u64>(),
        (near, -2i64..=2).prop_map(|(corner, off)| corner.wrapping_add_signed(off)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let rows: Vec<&'static Row> = ISA.iter().filter(|row| computes(row)).collect();
    let numbers = (number(), any::<i32>());
    (
        proptest::sample::select(rows),
        0..NUMBERS,
        0..NUMBERS,
        numbers,
        0..WORDS * 8,
    )
        .prop_map(|(row, dst, src, (imm, next_imm), place)| Step {
            row,
            dst,
            src,
            imm: imm as i32,
            next_imm,
            place,
        })
}

/// Whether a row computes something from numbers alone.
fn computes(row: &Row) -> bool {
    match row.sem {
        Sem::Alu { .. }
        | Sem::Neg { .. }
        | Sem::Mov { .. }
        | Sem::Movsx { .. }
        | Sem::ByteSwap { .. }
        | Sem::Jump { .. }
        | Sem::Ja
        | Sem::Gotol
        | Sem::Load { .. }
        | Sem::LoadSx { .. }
        | Sem::Store { .. }
        | Sem::Atomic { .. } => true,
        Sem::LoadImm64(kind) => kind == Imm64::Value,
        _ => false,
    }
}

fn register(number: usize) -> Reg {
    Reg::ALL[number % NUMBERS]
}

/// Where a word of the stack lies.
fn word(number: usize) -> i16 {
    -8 * (number as i16 + 1)
}

/// Numbers into all registers and words; the steps; all of them mixed into R0.
fn program((numbers, steps): &Recipe) -> Outcome<Program> {
    let mut a = Assembler::new("generated");
    for (index, number) in numbers.iter().skip(NUMBERS).enumerate() {
        a.ld_imm64(Reg::R0, *number)
            .st(Size::DW, Reg::R10, word(index), Reg::R0);
    }
    for (index, number) in numbers.iter().take(NUMBERS).enumerate() {
        a.ld_imm64(register(index), *number);
    }
    // A label before each step and one after all.
    let labels: Vec<_> = (0..=steps.len()).map(|_| a.label()).collect();
    for (index, step) in steps.iter().enumerate() {
        a.bind(labels[index]);
        let insn = Insn::new(step.row, fields(step));
        match step.row.sem {
            Sem::Jump { .. } => {
                let to = (index + 1 + step.place % 4).min(steps.len());
                a.insn_to(insn, labels[to])
            }
            // Over nothing: what is left out for good is unreachable, which is refused.
            Sem::Ja | Sem::Gotol => a.insn_to(insn, labels[index + 1]),
            _ => a.insn(insn),
        };
    }
    a.bind(labels[steps.len()]);
    mix(&mut a);
    a.finish("xdp")
        .map_err(|error| Failed::from(error.to_string()))
}

/// Everything into the low half of R0, which is what a test run shows.
fn mix(a: &mut Assembler) {
    let multiply = |a: &mut Assembler| {
        // One of the registers mixed in already.
        a.ld_imm64(Reg::R1, GOLDEN).mul(Reg::R0, Reg::R1);
        a.mov(Reg::R1, Reg::R0)
            .rsh(Reg::R1, 29)
            .xor(Reg::R0, Reg::R1);
    };
    for number in 1..NUMBERS {
        a.xor(Reg::R0, register(number));
        if number > 1 {
            multiply(a);
        } else {
            a.mul(Reg::R0, 0x9e3_779b);
        }
    }
    for index in 0..WORDS {
        a.ldx(Size::DW, Reg::R2, Reg::R10, word(index))
            .xor(Reg::R0, Reg::R2);
        multiply(a);
    }
    a.mov(Reg::R1, Reg::R0)
        .rsh(Reg::R1, 32)
        .xor(Reg::R0, Reg::R1)
        .exit();
}

/// The step's numbers, made into fields that its row allows and the verifier takes.
fn fields(step: &Step) -> Fields {
    let plain = Fields {
        dst: register(step.dst),
        src: register(step.src),
        imm: step.imm,
        next_imm: step.next_imm,
        offset: 0,
    };
    let on_stack = |size: Size| {
        let bytes = size.bytes() as usize;
        let aligned = step.place / bytes * bytes;
        aligned as i16 - 8 * WORDS as i16
    };
    match step.row.sem {
        Sem::Alu { op, width, operand } => Fields {
            imm: constant(op, width, operand, step.imm),
            ..plain
        },
        Sem::Load { size } | Sem::LoadSx { size } => Fields {
            src: Reg::R10,
            offset: on_stack(size),
            ..plain
        },
        Sem::Store { size, .. } | Sem::Atomic { size, .. } => Fields {
            dst: Reg::R10,
            offset: on_stack(size),
            ..plain
        },
        _ => plain,
    }
}

/// The verifier refuses to shift by more than the width, and to divide by a constant zero.
fn constant(op: AluOp, width: Width, operand: Operand, imm: i32) -> i32 {
    match (operand, op) {
        (Operand::Imm, AluOp::Lsh | AluOp::Rsh | AluOp::Arsh) => {
            imm.rem_euclid(width.bits() as i32)
        }
        (Operand::Imm, AluOp::Div | AluOp::Mod | AluOp::Sdiv | AluOp::Smod) if imm == 0 => 1,
        _ => imm,
    }
}
