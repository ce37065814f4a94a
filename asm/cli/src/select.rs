//! The program that `--prog` names.

use std::path::Path;

use ebpf_asm::object::Object;
use ebpf_asm::program::Program;

use ebpf_cli::exit::Exit;
use ebpf_cli::input;
use ebpf_cli::report::Failure;

/// The program of this name.
pub(crate) fn program<'o>(
    object: &'o Object,
    name: &str,
    path: &Path,
) -> Result<&'o Program, Failure> {
    object.program(name).ok_or_else(|| {
        let names: Vec<&str> = object.programs.iter().map(|p| p.name.as_str()).collect();
        let failure = Failure::new(
            Exit::NotFound,
            format!("{} has no program '{name}'", input::shown(path)),
        );
        match names.as_slice() {
            [] => failure.help("it has no program at all"),
            names => failure.help(format!("it has {}", names.join(", "))),
        }
    })
}
