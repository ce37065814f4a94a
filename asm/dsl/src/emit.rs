//! How a program file hands its unit over: [`emit`].

use std::path::Path;
use std::process::ExitCode;

use crate::unit::Unit;

/// The environment variable that names the file, or pipe, that [`emit`] writes the unit to.
///
/// `ebpfasm build` sets it when it runs a program file. What is written is the private format
/// of [`Unit::to_wire`].
pub const UNIT_PATH: &str = "EBPFASM_UNIT_PATH";

/// Hands the unit to `ebpfasm build`; run by hand, prints what was recorded.
///
/// Every program file ends with `pub fn main() -> ExitCode { emit(unit()) }`.
pub fn emit(unit: Unit) -> ExitCode {
    match std::env::var_os(UNIT_PATH) {
        Some(path) => write_wire(&unit, Path::new(&path)),
        None => print_listing(&unit),
    }
}

fn write_wire(unit: &Unit, path: &Path) -> ExitCode {
    match std::fs::write(path, unit.to_wire()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!(
                "error: cannot write the unit to {}: {error}",
                path.display()
            );
            ExitCode::from(9)
        }
    }
}

fn print_listing(unit: &Unit) -> ExitCode {
    print!("{unit}");
    eprintln!("This is the recording. To make an object of it: ebpfasm build FILE.rs");
    match unit.check() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
