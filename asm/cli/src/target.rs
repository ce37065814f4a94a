//! Refusing what is too new for a target.
//!
//! What an instruction set does not have cannot be done there (exit code 7); what a release does
//! not have its verifier rejects (3), whichever command finds it and whatever it is.

use ebpf_asm::isa::KernelVersion;
use ebpf_asm::program::Program;
use ebpf_asm::target::{Target, TargetError, TooNew};
use ebpf_cli::exit::Exit;
use ebpf_cli::report::{self, Failure};
use ebpf_verifier_sim::{Code, NEWEST};

/// Fails if one of the programs has an instruction that the target does not have.
pub(crate) fn check<'p>(
    mut programs: impl Iterator<Item = &'p Program>,
    target: Target,
) -> Result<(), Failure> {
    programs
        .try_for_each(|program| target.check(program))
        .map_err(|error| too_new(&error))
}

/// The failure for an instruction that is too new.
pub(crate) fn too_new(error: &TargetError) -> Failure {
    let name = error.name.to_lowercase();
    let isa = format!("what it does, and what has it: ebpfasm isa {name}");
    match error.why {
        TooNew::Cpu(_) => Failure::new(Exit::Unsupported, error.to_string()).help(isa),
        TooNew::Kernel(_) | TooNew::NoKernel => Failure::new(Exit::Rejected, error.to_string())
            .help(isa)
            .help(format!(
                "more on it: ebpfasm explain {}",
                Code::KernelTooOld
            )),
    }
}

/// Says of releases that are newer than any that the verifier was compared with that they are
/// taken for the newest of these.
pub(crate) fn note_unknown(kernels: &[KernelVersion]) {
    let newer = kernels.iter().filter(|kernel| **kernel > NEWEST);
    let newer: Vec<String> = newer
        .map(|(major, minor)| format!("{major}.{minor}"))
        .collect();
    if !newer.is_empty() {
        let (major, minor) = NEWEST;
        report::note(format_args!(
            "Linux {} is not known here: judged as Linux {major}.{minor}, the newest that is",
            newer.join(" and ")
        ));
    }
}
