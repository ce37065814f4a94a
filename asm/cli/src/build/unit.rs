//! Running a compiled program file, which hands over what it declares.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use ebpf_asm::dsl::{UNIT_PATH, Unit};

use super::cache::Cache;
use super::library::{Library, with_search_path};
use super::toolchain::Toolchain;
use ebpf_cli::exit::Exit;
use ebpf_cli::report::Failure;

/// Runs the program and reads its unit. What it prints goes to standard error.
pub(super) fn record(
    executable: &Path,
    source: &Path,
    cache: &Cache,
    toolchain: &Toolchain,
    library: &Library,
) -> Result<Unit, Failure> {
    let path = cache.temporary("unit")?;
    let mut command = Command::new(executable);
    with_search_path(&mut command, &[&library.folder, &toolchain.libdir]);
    let run = command
        .env(UNIT_PATH, &path)
        .stdin(Stdio::null())
        .stdout(Stdio::from(io::stderr()))
        .status();
    let bytes = fs::read(&path);
    let _ = fs::remove_file(&path);
    let source = source.display();
    let bad = |what: String| Failure::new(Exit::BadObject, format!("{source} {what}"));
    let status = run.map_err(|error| Failure::file("run the compiled", &source, &error))?;
    if !status.success() {
        return Err(bad(format!("fails when it is run: {status}")));
    }
    let bytes = bytes.map_err(|_| {
        bad("hands over nothing".to_owned())
            .help("end it with: pub fn main() -> ExitCode { emit(unit()) }")
    })?;
    Unit::from_wire(&bytes).map_err(|error| bad(format!("hands over no unit: {error}")))
}
