//! Programs in which jumps do not reach with 16 bits: whatever the assembler makes of them
//! goes where the source says.
//!
//! The programs are *markers*, `r0 = NUMBER`, with jumps between them. From each marker on,
//! the source and what was assembled must come to the same marker next, whatever registers
//! hold; then they visit the same ones in the same order for ever.

use std::collections::HashMap;

use ebpf_asm::assembler::{AssembleError, Assembler, Source};
use ebpf_asm::insn::{Fields, Insn, Reg};
use ebpf_asm::isa::{Cond, Cpu, Operand, Sem, Width};
use ebpf_asm::program::Program;
use ebpf_asm::span::Sources;
use proptest::prelude::*;

/// What stands behind a marker.
#[derive(Debug, Clone, Copy)]
enum Way {
    On,
    Goto(usize),
    If(Cond, Width, Source, usize),
    MayGoto(usize),
    Exit,
}

/// Numbers that differ from run to run, the same ones every time (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// `markers` markers, of which about `jumps` are followed by a jump up to `reach` markers
/// away.
fn ways(seed: u64, markers: usize, jumps: usize, reach: usize) -> Vec<Way> {
    let mut random = Random(seed);
    let mut ways = vec![Way::On; markers];
    for _ in 0..jumps {
        let at = random.below(markers);
        let lowest = at.saturating_sub(reach);
        let to = lowest + random.below((at + reach).min(markers - 1) - lowest + 1);
        let source = match random.below(2) {
            0 => Source::Reg(random.one_of(&Reg::ALL)),
            _ => Source::Imm(random.below(5) as i32 - 2),
        };
        let width = random.one_of(&[Width::W32, Width::W64]);
        ways[at] = match random.below(10) {
            0..4 => Way::Goto(to),
            4 => Way::MayGoto(to),
            5 => Way::Exit,
            _ => Way::If(random.one_of(&Cond::ALL), width, source, to),
        };
    }
    ways[markers - 1] = Way::Exit;
    ways
}

fn assemble(ways: &[Way], cpu: Cpu) -> Result<Program, AssembleError> {
    let mut a = Assembler::new("far");
    let sources = Sources::new();
    a.target(cpu);
    let labels: Vec<_> = ways.iter().map(|_| a.label()).collect();
    for (marker, way) in ways.iter().enumerate() {
        a.at(Some(sources.span("far.bpf", marker as u32 + 1, 1)));
        a.bind(labels[marker]).mov(Reg::R0, marker as i32);
        match *way {
            Way::On => &mut a,
            Way::Goto(to) => a.ja(labels[to]),
            Way::If(cond, width, source, to) => a.jump(cond, width, Reg::R1, source, labels[to]),
            Way::MayGoto(to) => {
                let row = Sem::MayGoto.row().expect("a row");
                a.insn_to(Insn::new(row, Fields::default()), labels[to])
            }
            Way::Exit => a.exit(),
        };
    }
    a.finish("xdp")
}

/// What registers hold, and whether `may_goto` goes.
struct Machine {
    registers: [u64; 11],
    may_goto: bool,
}

impl Machine {
    fn random(random: &mut Random) -> Machine {
        let small = [0, 1, 2, 3, u64::MAX, u64::MAX - 1, 1 << 32, u64::MAX << 32];
        Machine {
            registers: std::array::from_fn(|_| random.one_of(&small)),
            may_goto: random.below(2) == 0,
        }
    }

    fn register(&self, reg: Reg) -> u64 {
        self.registers[reg.index()]
    }

    /// The marker behind `marker`; `None` if the program ends.
    fn next_in_source(&self, ways: &[Way], marker: usize) -> Option<usize> {
        let taken = match ways[marker] {
            Way::On => None,
            Way::Exit => return None,
            Way::Goto(to) => Some(to),
            Way::MayGoto(to) => Some(to).filter(|_| self.may_goto),
            Way::If(cond, width, source, to) => {
                let right = match source {
                    Source::Reg(reg) => self.register(reg),
                    Source::Imm(imm) => imm as i64 as u64,
                };
                let holds = cond.holds(width, self.register(Reg::R1), right);
                Some(to).filter(|_| holds)
            }
        };
        Some(taken.unwrap_or(marker + 1))
    }

    /// The same in the program that was assembled.
    fn next_in_program(&self, code: &Code, marker: usize) -> Option<usize> {
        let mut slot = code.slots[&marker] + 1;
        loop {
            let insn = code.insns[slot].expect("an instruction begins there");
            let jumps = match insn.sem() {
                Sem::Exit => return None,
                Sem::Mov { .. } => return Some(insn.imm() as usize),
                Sem::Ja | Sem::Gotol => true,
                Sem::MayGoto => self.may_goto,
                Sem::Jump {
                    cond,
                    width,
                    operand,
                } => {
                    let right = match operand {
                        Operand::Reg => self.register(insn.src()),
                        Operand::Imm => insn.imm() as i64 as u64,
                    };
                    cond.holds(width, self.register(insn.dst()), right)
                }
                other => panic!("{other:?} was not in the source"),
            };
            let distance = insn.distance().filter(|_| jumps).unwrap_or(0);
            slot = (slot + 1).strict_add_signed(distance as isize);
        }
    }
}

/// A program by slots.
struct Code {
    insns: Vec<Option<Insn>>,
    /// The slot of each marker.
    slots: HashMap<usize, usize>,
}

impl Code {
    fn of(program: &Program) -> Code {
        let mut insns = vec![None; program.slot_count()];
        let mut slots = HashMap::new();
        for (slot, insn) in program.slots() {
            insns[slot] = Some(*insn);
            if let Sem::Mov { .. } = insn.sem() {
                slots.insert(insn.imm() as usize, slot);
            }
        }
        Code { insns, slots }
    }

    /// The slots that are come to from no marker.
    fn unreached(&self, program: &Program) -> Vec<usize> {
        let mut seen = vec![false; self.insns.len()];
        let mut open: Vec<usize> = self.slots.values().copied().collect();
        while let Some(slot) = open.pop() {
            if std::mem::replace(&mut seen[slot], true) {
                continue;
            }
            let insn = self.insns[slot].expect("an instruction begins there");
            open.extend(program.target(slot, &insn));
            if !matches!(insn.sem(), Sem::Ja | Sem::Gotol | Sem::Exit) {
                open.push(slot + 1);
            }
        }
        (0..seen.len()).filter(|&slot| !seen[slot]).collect()
    }
}

/// That source and program go the same ways, and that nothing was added that is never come to.
fn check(ways: &[Way], program: &Program, seed: u64) {
    let code = Code::of(program);
    assert_eq!(code.slots.len(), ways.len(), "every marker is there once");
    let mut random = Random(seed);
    for marker in 0..ways.len() {
        let tries = if matches!(ways[marker], Way::On) {
            1
        } else {
            6
        };
        for _ in 0..tries {
            let machine = Machine::random(&mut random);
            assert_eq!(
                machine.next_in_program(&code, marker),
                machine.next_in_source(ways, marker),
                "from marker {marker}, {:?}",
                ways[marker]
            );
        }
        let line = program.span(code.slots[&marker]).map(|span| span.line);
        assert_eq!(line, Some(marker as u32 + 1), "the line of marker {marker}");
    }
    assert_eq!(code.unreached(program), [], "no way leads there");
}

fn far_jumps(ways: &[Way]) -> usize {
    let far = |(at, way): &(usize, &Way)| match way {
        Way::Goto(to) | Way::If(_, _, _, to) | Way::MayGoto(to) => at.abs_diff(*to) > 32_768,
        _ => false,
    };
    ways.iter().enumerate().filter(far).count()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 8,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_assembled_program_goes_where_the_source_goes(
        seed in any::<u64>(),
        markers in 30_000..90_000usize,
        jumps in prop_oneof![1..40usize, 1_000..9_000usize],
        reach in prop_oneof![Just(32_700usize), Just(33_000), Just(90_000)],
    ) {
        let ways = ways(seed, markers, jumps, reach);
        for cpu in [Cpu::V4, Cpu::V3] {
            let program = assemble(&ways, cpu).expect("all can be reached");
            let has_gotol = program.insns.iter().any(|insn| insn.sem() == Sem::Gotol);
            prop_assert!(cpu == Cpu::V4 || !has_gotol);
            check(&ways, &program, seed);
        }
    }
}

#[test]
fn twenty_thousand_far_jumps_in_two_hundred_thousand_instructions() {
    let ways = ways(7, 170_000, 40_000, 170_000);
    let far = far_jumps(&ways);
    assert!(far > 19_000, "{far}");
    for cpu in [Cpu::V4, Cpu::V1] {
        let begun = std::time::Instant::now();
        let program = assemble(&ways, cpu).expect("all can be reached");
        println!(
            "{cpu:?}: {} slots of {far} far jumps in {:?}",
            program.slot_count(),
            begun.elapsed()
        );
        check(&ways, &program, 7);
    }
}

/// Each far jump lengthens the next but one just beyond its reach, and so on: what becomes
/// far, becomes far late.
#[test]
fn jumps_that_become_far_one_by_one_are_found_in_few_rounds() {
    let mut ways = vec![Way::On; 120_000];
    for (at, way) in ways.iter_mut().enumerate().take(60_000) {
        let cond = Way::If(Cond::Jeq, Width::W64, Source::Imm(1), at + 32_766 - at % 3);
        *way = if at % 2 == 0 { cond } else { Way::On };
    }
    ways[119_999] = Way::Exit;
    for cpu in [Cpu::V4, Cpu::V3] {
        let program = assemble(&ways, cpu).expect("all can be reached");
        check(&ways, &program, 1);
    }
}

/// Every goal has a way of its own across the middle: more than a stretch of slots can hold.
#[test]
fn what_no_chain_of_jumps_reaches_is_an_error_with_line_and_label() {
    let mut a = Assembler::new("crowd");
    let sources = Sources::new();
    a.target(Cpu::V3);
    let count = 40_000;
    let labels: Vec<_> = (0..count)
        .map(|n| a.named_label(format!("goal_{n}")))
        .collect();
    for (line, label) in labels.iter().enumerate() {
        a.at(Some(sources.span("crowd.bpf", line as u32 + 1, 5)));
        a.jeq(Reg::R1, line as i32, *label);
    }
    for label in &labels {
        a.bind(*label).mov(Reg::R0, 0);
    }
    a.exit();
    let error = a.clone().finish("xdp").expect_err("too many ways");
    let Some(line) = error.span().map(|span| span.line) else {
        panic!("no place: {error}");
    };
    let index = line - 1;
    assert_eq!(
        error.to_string(),
        format!(
            "instruction {index} (if r1 == {index} goto +0) is 39999 slots from \
             'goal_{index}', which its field cannot hold, and too many jumps go as far for chains \
             of goto to serve them"
        )
    );
    a.target(Cpu::V4);
    assert!(a.finish("xdp").is_ok());
}

/// Distances that the source gives in numbers mean slots of the source.
#[test]
fn numbers_as_distances_stay_right_when_jumps_between_are_lengthened() {
    for cpu in [Cpu::V4, Cpu::V3] {
        let mut a = Assembler::new("numbers");
        a.target(cpu);
        let end = a.label();
        let goto = |distance| {
            let insn = Insn::new(Sem::Ja.row().expect("a row"), Fields::default());
            insn.with_distance(distance).expect("it fits")
        };
        // Over the far jump, and in the middle of the program over the islands.
        a.insn(goto(2)).mov(Reg::R0, 1).jeq(Reg::R1, 0, end);
        a.mov(Reg::R0, 3);
        for marker in 4..70_000 {
            match marker % 100 {
                0 => a.insn(goto(1)),
                _ => a.mov(Reg::R0, marker),
            };
        }
        a.bind(end).mov(Reg::R0, 70_000).exit();
        let program = a.finish("xdp").expect("all can be reached");
        assert!(program.slot_count() > 70_002, "something was added");
        let code = Code::of(&program);
        let target = |slot: usize| program.target(slot, &code.insns[slot].expect("one"));
        assert_eq!(target(0), Some(code.slots[&3]));
        let short = (100..70_000).step_by(100);
        for marker in short.filter(|marker| marker + 2 < 70_000) {
            let from = code.slots[&(marker - 1)] + 1;
            let jump =
                (from..from + 3).find(|slot| target(*slot) == Some(code.slots[&(marker + 2)]));
            assert!(
                jump.is_some(),
                "{cpu:?}: the jump behind marker {}",
                marker - 1
            );
        }
    }
}
