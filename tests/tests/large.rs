//! The large programs of `tests/c/large/`: the simulator says of each what the kernel says.
//!
//! Each source is compiled as it is, when the kernel takes all of its programs, and once with
//! each of its faults, when the kernel refuses some. Among the tests two ways of compiling are
//! tried; `EBPF_LARGE=all` tries both clangs and every `-mcpu`. How many instructions both
//! followed is printed.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use ebpf_asm::object::Object;
use ebpf_tests::corpus::{CLANGS, Clang};
use ebpf_tests::differential::judge::{Answer, Judge, Logs, Word};
use ebpf_tests::differential::row::Row;
use ebpf_tests::large::{self, Build};
use ebpf_tests::policy::{self, Need};
use ebpf_tests::{Failed, Outcome, commands, ensure};
use libtest_mimic::Trial;

/// With the value `all`, every way of compiling is tried.
const EVERY: &str = "EBPF_LARGE";

/// The ways that are tried otherwise: compiler and `-mcpu`.
const SOME: [(Clang, u32); 2] = [(CLANGS[0], 2), (CLANGS[1], 4)];

const NEEDS: [Need; 4] = [
    Need::Kernel,
    Need::Tool("clang-14"),
    Need::Tool("clang-22"),
    Need::Header("bpf/bpf_helpers.h"),
];

fn main() -> ExitCode {
    policy::main(|| {
        let sources = match large::sources() {
            Ok(sources) => sources,
            Err(error) => {
                let why = Failed::from(format!("no sources: {error}"));
                return vec![Trial::test("large", || Err(why))];
            }
        };
        let trial = |source: String| {
            let name = source.clone();
            policy::trial(name, &NEEDS, move || all_builds(&source))
        };
        sources.into_iter().map(trial).collect()
    })
}

fn all_builds(source: &str) -> Outcome {
    let mut judge = Judge::start(&commands::built()?.ebpfasm, Logs::None)?;
    for (clang, cpu) in ways() {
        for fault in 0..=large::faults(source)? {
            let build = Build { clang, cpu, fault };
            let object = build.object(source)?;
            let name = format!(
                "{source}, clang {} -mcpu=v{cpu}, fault {fault}",
                clang.version
            );
            let refused = all_programs(&name, &object, &mut judge)?;
            match fault {
                0 => ensure!(refused.is_empty(), "{name}: the kernel refuses {refused:?}"),
                _ => ensure!(!refused.is_empty(), "{name}: the kernel refuses nothing"),
            }
        }
    }
    Ok(())
}

fn ways() -> Vec<(Clang, u32)> {
    if std::env::var_os(EVERY).is_none_or(|value| value != "all") {
        return SOME.to_vec();
    }
    let all = |clang: Clang| (1..=clang.newest_cpu).map(move |cpu| (clang, cpu));
    CLANGS.into_iter().flat_map(all).collect()
}

/// The programs that the kernel refuses; fails if the simulator says something else of one.
fn all_programs(name: &str, object: &Object, judge: &mut Judge) -> Outcome<Vec<String>> {
    let mut refused = Vec::new();
    for program in &object.programs {
        let answer = judge.ask(&Row::of(object, program))?;
        let Answer { ours, kernel, .. } = &answer;
        ensure!(
            ours.verdict == kernel.verdict && kernel.verdict != Word::Unsupported,
            "{name}: {}: {:?} {}; the kernel: {:?} {}",
            program.name,
            ours.verdict,
            ours.msg,
            kernel.verdict,
            kernel.msg
        );
        if kernel.verdict == Word::Reject {
            refused.push(program.name.clone());
        } else {
            println!(
                "{name}: {}: {} slots, {} instructions followed, by the kernel {}",
                program.name,
                program.slot_count(),
                ours.processed,
                kernel.processed
            );
        }
    }
    Ok(refused)
}
