//! Refusing what is too new for a target.

use ebpf_asm::object::Object;
use ebpf_asm::target::{Target, TargetError};
use ebpf_cli::exit::Exit;
use ebpf_cli::report::Failure;

/// Fails if a program has an instruction that the target does not have.
pub(crate) fn check(object: &Object, target: Target) -> Result<(), Failure> {
    let mut programs = object.programs.iter();
    programs
        .try_for_each(|program| target.check(program))
        .map_err(|error| too_new(&error))
}

/// The failure for an instruction that is too new.
pub(crate) fn too_new(error: &TargetError) -> Failure {
    let name = error.name.to_lowercase();
    Failure::new(Exit::Unsupported, error.to_string())
        .help(format!("what it does, and what has it: ebpfasm isa {name}"))
}
