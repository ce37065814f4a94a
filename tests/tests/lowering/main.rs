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
mod random;
mod shrink;
mod subject;

use std::process::ExitCode;

use ebpf_tests::policy::{self, Need};
use ebpf_tests::{Failed, Outcome};

use crate::random::Random;
use crate::subject::{Law, Subject};

/// The interface that packets come in by: `lo`, as in the kernel's test runs.
const INGRESS_IFINDEX: u64 = 1;

fn main() -> ExitCode {
    policy::main(|| {
        vec![
            policy::trial("generated::interpreter", &[], || {
                generated(Law::Interpreter, 3000)
            }),
            policy::trial("generated::verifier", &[], || {
                generated(Law::Verifier, 1000)
            }),
            policy::trial("generated::kernel", &[Need::Kernel], || {
                generated(Law::Kernel, 300)
            }),
        ]
    })
}

/// A number that the environment sets.
fn setting(name: &str, default: u64) -> u64 {
    let set = std::env::var(name).ok().and_then(|text| text.parse().ok());
    set.unwrap_or(default)
}

/// Holds generated programs to a law.
fn generated(law: Law, programs: u64) -> Outcome {
    let first = setting("EBPF_LOWERING_SEED", 1);
    let programs = setting("EBPF_LOWERING_PROGRAMS", programs);
    for seed in first..first + programs {
        let mut random = Random::new(seed);
        let recording = generate::unit(&mut random);
        let subject = Subject::new(recording, random);
        if let Err(broken) = subject.check(law) {
            let small = shrink::shrink(&subject, law, &broken);
            let broken = small.check(law).err().unwrap_or(broken);
            return Err(Failed::from(format!("seed {seed}: {broken}\n{small}")));
        }
    }
    Ok(())
}
