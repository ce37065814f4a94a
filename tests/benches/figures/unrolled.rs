//! Time of one decision in the kernel: 64 copies of the program's body one after the other,
//! less the same with a body that decides nothing. A single run is too short to be told from
//! an empty one.

use ebpf_asm::assembler::Assembler;
use ebpf_asm::insn::{Insn, Reg};
use ebpf_asm::isa::Sem;
use ebpf_asm::object::Object;
use ebpf_asm::program::Program;
use ebpf_syscalls::bpf::TestRun;
use ebpf_tests::subjects::Subject;
use ebpf_tests::{Failed, Outcome, frames};

use crate::instructions::builds;
use crate::stats::{head, median, row};

/// How often a body is copied.
const COPIES: usize = 64;

/// How often the kernel runs a program for one measurement.
const REPEAT: u32 = 20_000;

/// How often each is measured.
const ROUNDS: usize = 15;

/// Where the context is kept: no body here uses it.
const CTX: Reg = Reg::R9;

pub(crate) fn print() -> Outcome {
    let null = unrolled(&parsed("r0 = 2\nexit\n")?)?.load()?;
    let mut loaded = Vec::new();
    for build in builds()? {
        let program = unrolled(&build.subject.object.programs[0])?.load()?;
        loaded.push((build.by, program));
    }
    head(&[
        "build",
        "ICMP, ns a copy",
        "ratio",
        "UDP, ns a copy",
        "ratio",
    ]);
    let icmp = frames::icmp_echo(1);
    let udp = frames::udp(1);
    let mut times = vec![[Vec::new(), Vec::new()]; loaded.len()];
    for _ in 0..ROUNDS {
        for (at, frame) in [&icmp, &udp].into_iter().enumerate() {
            let base = time(&null, frame)?;
            for ((_, program), times) in loaded.iter().zip(&mut times) {
                times[at].push((time(program, frame)? - base) / COPIES as f64);
            }
        }
    }
    let medians: Vec<[f64; 2]> = times.into_iter().map(|each| each.map(median)).collect();
    let ours = medians[0];
    for ((by, _), medians) in loaded.iter().zip(&medians) {
        let mut cells = vec![by.clone()];
        for (time, our) in medians.iter().zip(ours) {
            cells.push(format!("{time:.2}"));
            cells.push(format!("{:.2}", our / time));
        }
        row(&cells);
    }
    println!("\nRatios are ours to theirs.");
    Ok(())
}

/// Nanoseconds of a run.
fn time(program: &ebpf_loader::Program, frame: &[u8]) -> Outcome<f64> {
    let run = TestRun {
        data: frame,
        repeat: REPEAT,
        ..TestRun::default()
    };
    Ok(f64::from(
        program.test_run(&run, &mut [0; 256])?.duration_ns,
    ))
}

fn parsed(body: &str) -> Outcome<Program> {
    let object = ebpf_asm::text::parse("null", &format!(".prog xdp null\n{body}"))?;
    object
        .programs
        .into_iter()
        .next()
        .ok_or_else(|| "no program".into())
}

/// All copies; where one would exit, the next begins.
fn unrolled(program: &Program) -> Outcome<Subject> {
    let mut a = Assembler::new("unrolled");
    a.mov(CTX, Reg::R1);
    for _ in 0..COPIES {
        a.mov(Reg::R1, CTX);
        copy(&mut a, program)?;
    }
    a.exit();
    let program = a
        .finish("xdp")
        .map_err(|error| Failed::from(error.to_string()))?;
    Subject::new(Object {
        license: "GPL".to_owned(),
        programs: vec![program],
        ..Object::default()
    })
}

fn copy(a: &mut Assembler, program: &Program) -> Outcome {
    let slots: Vec<(usize, &Insn)> = program.slots().collect();
    let labels: Vec<_> = slots.iter().map(|_| a.label()).collect();
    let next = a.label();
    for (index, (slot, insn)) in slots.iter().enumerate() {
        a.bind(labels[index]);
        match (insn.sem(), program.target(*slot, insn)) {
            // The last one falls through to the next copy.
            (Sem::Exit, _) if index + 1 == slots.len() => {}
            (Sem::Exit, _) => {
                a.ja(next);
            }
            (_, Some(target)) => {
                let at = slots.binary_search_by_key(&target, |(slot, _)| *slot);
                let at = at.map_err(|_| "a jump into an instruction")?;
                a.insn_to(**insn, labels[at]);
            }
            _ => {
                a.insn(**insn);
            }
        }
    }
    a.bind(next);
    Ok(())
}
