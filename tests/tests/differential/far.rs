//! Jumps that do not reach with 16 bits: large programs whose parts are laid out in any order,
//! lengthened by the assembler, run by the interpreter and by the kernel's test run, and
//! worked out here from what the parts are.

use ebpf_asm::assembler::Assembler;
use ebpf_asm::insn::{Insn, Reg};
use ebpf_asm::isa::{Cond, Cpu, Sem, Size};
use ebpf_asm::object::Object;
use ebpf_syscalls::bpf::TestRun;
use ebpf_tests::differential::Chance;
use ebpf_tests::subjects::Subject;
use ebpf_tests::{Failed, Outcome, ensure, ensure_eq};
use ebpf_verifier_sim::interp::{Machine, Packet};

/// The bytes of the packet, all of which programs look at.
const PACKET: usize = 64;

/// What part of the program one runs through before the next: in this order they are run.
const PARTS: usize = 48;

/// The steps of a part.
const STEPS: usize = 2500;

/// The conditional jumps of a part, some of which are taken.
const BRANCHES: usize = 30;

/// `bpf_ktime_get_ns` and its like are not called: a program is a function of its packet.
#[derive(Debug, Clone, Copy)]
enum Step {
    Add(i32),
    Xor(i32),
    Mul(i32),
    /// To the beginning of a later part, if a byte of the packet compares so.
    Branch {
        cond: Cond,
        byte: usize,
        with: i32,
        to: usize,
    },
}

/// The parts in the order in which they run.
fn parts(chance: &mut Chance) -> Vec<Vec<Step>> {
    let part = |part: usize, chance: &mut Chance| {
        let mut steps: Vec<Step> = (0..STEPS)
            .map(|_| match (chance.below(3), chance.below(1 << 30) as i32) {
                (0, imm) => Step::Add(imm),
                (1, imm) => Step::Xor(imm),
                (_, imm) => Step::Mul(imm | 1),
            })
            .collect();
        for _ in 0..BRANCHES {
            let conds = [Cond::Jset, Cond::Jeq, Cond::Jgt, Cond::Jslt];
            steps[chance.below(STEPS)] = Step::Branch {
                cond: conds[chance.below(conds.len())],
                byte: chance.below(PACKET),
                with: [1, 2, 254, 4][chance.below(4)],
                to: (part + 1 + chance.below(PARTS - part)).min(PARTS),
            };
        }
        steps
    };
    (0..PARTS).map(|index| part(index, chance)).collect()
}

/// What a program returns for a packet.
fn result(parts: &[Vec<Step>], packet: &[u8]) -> u32 {
    let (mut part, mut r0) = (0, 1u64);
    while let Some(steps) = parts.get(part) {
        part += 1;
        for step in steps {
            let extended = |imm: i32| i64::from(imm) as u64;
            match *step {
                Step::Add(imm) => r0 = r0.wrapping_add(extended(imm)),
                Step::Xor(imm) => r0 ^= extended(imm),
                Step::Mul(imm) => r0 = r0.wrapping_mul(extended(imm)),
                Step::Branch {
                    cond,
                    byte,
                    with,
                    to,
                } => {
                    let byte = u64::from(packet[byte]);
                    if cond.holds(ebpf_asm::isa::Width::W64, byte, extended(with)) {
                        part = to;
                        break;
                    }
                }
            }
        }
    }
    r0 as u32
}

/// The parts as a program, laid out in another order than they run in.
fn subject(parts: &[Vec<Step>], cpu: Cpu, chance: &mut Chance) -> Outcome<Subject> {
    let mut a = Assembler::new("far");
    a.target(cpu);
    let labels: Vec<_> = (0..=parts.len()).map(|_| a.label()).collect();
    let short = a.label();
    a.ldx(Size::W, Reg::R6, Reg::R1, 0)
        .ldx(Size::W, Reg::R2, Reg::R1, 4)
        .mov(Reg::R3, Reg::R6)
        .add(Reg::R3, PACKET as i32)
        .jgt(Reg::R3, Reg::R2, short)
        .mov(Reg::R0, 1)
        .ja(labels[0]);
    a.bind(short).mov(Reg::R0, 0).exit();
    let mut order: Vec<usize> = (0..=parts.len()).collect();
    chance.shuffle(&mut order);
    for part in order {
        a.bind(labels[part]);
        let Some(steps) = parts.get(part) else {
            a.exit();
            continue;
        };
        for step in steps {
            match *step {
                Step::Add(imm) => a.add(Reg::R0, imm),
                Step::Xor(imm) => a.xor(Reg::R0, imm),
                Step::Mul(imm) => a.mul(Reg::R0, imm),
                Step::Branch {
                    cond,
                    byte,
                    with,
                    to,
                } => {
                    a.ldx(Size::B, Reg::R7, Reg::R6, byte as i16);
                    let width = ebpf_asm::isa::Width::W64;
                    a.jump(cond, width, Reg::R7, with.into(), labels[to])
                }
            };
        }
        a.ja(labels[part + 1]);
    }
    let program = a
        .finish("xdp")
        .map_err(|error| Failed::from(error.to_string()))?;
    Subject::new(Object {
        license: "GPL".to_owned(),
        programs: vec![program],
        ..Object::default()
    })
}

/// That three ways to know what a program does agree.
pub(crate) fn agrees(programs: u32) -> Outcome {
    for seed in 0..programs {
        for cpu in [Cpu::V4, Cpu::V3] {
            let mut chance = Chance::new(u64::from(seed));
            let parts = parts(&mut chance);
            let subject = subject(&parts, cpu, &mut chance)?;
            let insns = &subject.object.programs[0].insns;
            let gotols = insns.iter().filter(|insn| insn.sem() == Sem::Gotol);
            let gotos = insns.iter().filter(|insn| insn.sem() == Sem::Ja);
            // Else nothing was far.
            match cpu {
                Cpu::V4 => ensure!(gotols.count() > PARTS, "too few far jumps"),
                _ => ensure!(
                    gotols.count() == 0 && gotos.count() > 2 * PARTS,
                    "no islands"
                ),
            }
            compare(&parts, &subject, insns, &mut chance)?;
        }
    }
    Ok(())
}

fn compare(parts: &[Vec<Step>], subject: &Subject, insns: &[Insn], chance: &mut Chance) -> Outcome {
    let loaded = subject.load()?;
    for _ in 0..8 {
        // Small numbers, so that both ways are common.
        let packet: [u8; PACKET] = std::array::from_fn(|_| chance.below(4) as u8);
        let expected = result(parts, &packet);
        let mut machine = Machine::new(&subject.object)?;
        let ours = machine.run(&subject.program, Packet::new(&packet))?;
        let run = TestRun {
            data: &packet,
            ..TestRun::default()
        };
        let kernels = loaded.test_run(&run, &mut [0; 256])?;
        let what = format!("{} instructions", insns.len());
        ensure_eq!(ours.ret, expected, "the interpreter's result of {what}");
        ensure_eq!(kernels.retval, expected, "the kernel's result of {what}");
    }
    Ok(())
}
