//! What the table says of `-mcpu`, against clang's: no version emits what we say is newer.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use ebpf_asm::isa::Cpu;
use ebpf_asm::object;
use ebpf_asm::target::Target;
use ebpf_tests::policy::{self, CLANG, Need};
use ebpf_tests::{Outcome, clang, ensure, tool};
use libtest_mimic::Trial;

/// What every version has its own way to do: comparisons, numbers of 32 bits and signed ones,
/// swaps, atomics, extensions.
const SOURCE: &str = "cpu.c";

/// The compilers, and the versions that they know.
const COMPILERS: [(&str, &[Cpu]); 2] = [
    ("clang-14", &[Cpu::V1, Cpu::V2, Cpu::V3]),
    ("clang-22", &Cpu::ALL),
];

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |(compiler, cpus): (&'static str, &'static [Cpu])| {
        let needs = [Need::Tool(compiler), CLANG[1]];
        policy::trial(format!("cpu::{compiler}"), &needs, move || {
            no_newer_rows(compiler, cpus)
        })
    };
    COMPILERS.into_iter().map(trial).collect()
}

fn no_newer_rows(compiler: &str, cpus: &[Cpu]) -> Outcome {
    let folder = tempfile::tempdir()?;
    let mut before = BTreeSet::new();
    for &cpu in cpus {
        let mut operations = BTreeSet::new();
        for source in [SOURCE, "drop_icmp.c", "count_protocols.c"] {
            let path = folder.path().join("cpu.o");
            compile(compiler, &clang::source(source), cpu, &path)?;
            let object = object::read(&std::fs::read(&path)?)?;
            for program in &object.programs {
                Target::from(cpu)
                    .check(program)
                    .map_err(|error| format!("{compiler} -mcpu={cpu}, {source}: {error}"))?;
                operations.extend(program.insns.iter().map(|insn| insn.row().text));
            }
        }
        // Otherwise the source proves nothing of this version.
        let new = operations.difference(&before).count();
        ensure!(new > 0, "{compiler} -mcpu={cpu} uses nothing new");
        before.extend(operations);
    }
    Ok(())
}

fn compile(compiler: &str, source: &Path, cpu: Cpu, object: &Path) -> Outcome {
    let mut clang = Command::new(compiler);
    clang.args(["-O2", "-g", "-target", "bpf", "-c"]);
    clang.arg(format!("-mcpu={cpu}")).arg(source);
    clang.arg(format!(
        "-I/usr/include/{}-linux-gnu",
        std::env::consts::ARCH
    ));
    // What a version cannot do the source leaves out.
    clang.arg(format!("-DCPU={}", cpu.to_string().trim_start_matches('v')));
    tool::output(clang.arg("-o").arg(object))?;
    Ok(())
}
