//! `ebpfasm check`: verifies every program of an object.

use crate::args::ObjectArgs;
use crate::verdict;
use ebpf_cli::object_file::ObjectFile;
use ebpf_cli::report::{self, Failure};

/// Runs the command.
pub(crate) fn run(args: &ObjectArgs) -> Result<(), Failure> {
    let object = ObjectFile::read(&args.object)?.object;
    let checked = verdict::all(&object);
    let lines: String = checked.iter().map(|one| one.line() + "\n").collect();
    report::print(lines)?;
    verdict::refuse_rejected(&checked)
}
