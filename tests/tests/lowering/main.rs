//! The lowering of the DSL against a direct evaluation of what was recorded.
//!
//! The law: a compiled program does to every packet and every map what the recording says,
//! in the interpreter and in the kernel, and both verifiers take it. `generate.rs` makes
//! programs, `evaluate.rs` says what they mean, `subject.rs` compares, `shrink.rs` makes a
//! program that breaks the law small.
//!
//! `EBPF_LOWERING_PROGRAMS` sets how many programs are made, `EBPF_LOWERING_SEED` the first
//! one's seed.
#![forbid(unsafe_code)]

mod evaluate;
mod generate;
mod numbers;
mod programs;
mod random;
mod shrink;
mod subject;

use std::process::ExitCode;

use ebpf_asm::isa::Cpu;
use ebpf_asm::target::Target;
use ebpf_dsl::Unit;
use ebpf_tests::frames::{self, of_length};
use ebpf_tests::policy::{self, Need};
use ebpf_tests::{Failed, Outcome};

use crate::random::Random;
use crate::subject::{Law, Subject};

/// The interface that packets come in by: `lo`, as in the kernel's test runs.
const INGRESS_IFINDEX: u64 = 1;

fn main() -> ExitCode {
    policy::main(|| {
        let written = programs::units().into_iter().flat_map(|unit| {
            let trial = |law: Law, needs: &[Need]| {
                let unit = unit.clone();
                policy::trial(format!("{}::{law}", unit.name()), needs, move || {
                    written(&unit, Target::default(), law)
                })
            };
            [
                trial(Law::Interpreter, &[]),
                trial(Law::Verifier, &[]),
                trial(Law::Kernel, &[Need::Kernel]),
            ]
        });
        let generated = [
            policy::trial("generated::interpreter", &[], || {
                generated(Target::default(), Law::Interpreter, 600)
            }),
            policy::trial("generated::verifier", &[], || {
                generated(Target::default(), Law::Verifier, 200)
            }),
            policy::trial("generated::kernel", &[Need::Kernel], || {
                generated(Target::default(), Law::Kernel, 150)
            }),
        ];
        let for_targets = targets().into_iter().flat_map(|target| {
            let trial = |law: Law, needs: &[Need], programs| {
                let name = format!("{target}::{law}").replace(' ', "_");
                policy::trial(name, needs, move || for_target(target, law, programs))
            };
            [
                trial(Law::Interpreter, &[], 200),
                trial(Law::Kernel, &[Need::Kernel], 60),
            ]
        });
        written.chain(generated).chain(for_targets).collect()
    })
}

/// Older targets than the default one: each misses something else.
fn targets() -> Vec<Target> {
    let kernels = [(4, 13), (4, 20), (5, 0), (6, 5)];
    let kernels = kernels.map(|kernel| Target {
        kernel: Some(kernel),
        ..Target::default()
    });
    let cpus = [Cpu::V1, Cpu::V2, Cpu::V3].map(Target::from);
    cpus.into_iter().chain(kernels).collect()
}

/// Holds the programs of `programs.rs`, and generated ones, to a law when they are compiled for
/// an older target.
fn for_target(target: Target, law: Law, programs: u64) -> Outcome {
    for unit in programs::units() {
        written(&unit, target, law)?;
    }
    generated(target, law, programs)
}

/// A number that the environment sets.
fn setting(name: &str, default: u64) -> u64 {
    let set = std::env::var(name).ok().and_then(|text| text.parse().ok());
    set.unwrap_or(default)
}

/// Holds a program of `programs.rs` to a law.
fn written(unit: &Unit, target: Target, law: Law) -> Outcome {
    let frames = frames::all().into_iter().map(|frame| frame.bytes);
    let packets = frames.flat_map(|frame| shapes(&frame)).collect();
    let subject = Subject::on(unit.recording().clone(), packets).for_target(target);
    subject.check(law).map_err(|broken| {
        let program = &subject;
        Failed::from(format!("{broken}\n{program}"))
    })
}

/// A frame, cut off at several places and behind a VLAN tag.
fn shapes(frame: &[u8]) -> Vec<Vec<u8>> {
    let lengths = [frame.len(), 14, 17, 18, 33, 34, 41, 42, 54, 62];
    let mut all: Vec<Vec<u8>> = lengths.map(|len| of_length(frame, len)).to_vec();
    let (macs, rest) = frame.split_at(12);
    all.push([macs, &[0x81, 0x00, 0x20, 0x05], rest].concat());
    all
}

/// Holds generated programs to a law.
fn generated(target: Target, law: Law, programs: u64) -> Outcome {
    let first = setting("EBPF_LOWERING_SEED", 1);
    let programs = setting("EBPF_LOWERING_PROGRAMS", programs);
    for seed in first..first + programs {
        let mut random = Random::new(seed);
        let recording = generate::unit(&mut random);
        let subject = Subject::new(recording, random).for_target(target);
        if let Err(broken) = subject.check(law) {
            let small = shrink::shrink(&subject, law, &broken);
            let broken = small.check(law).err().unwrap_or(broken);
            return Err(Failed::from(format!("seed {seed}: {broken}\n{small}")));
        }
    }
    Ok(())
}
