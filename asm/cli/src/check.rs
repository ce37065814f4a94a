//! `ebpfasm check`: verifies every program of an object.

use crate::args::ObjectArgs;
use crate::report::{self, Failure};
use crate::{object_file, verdict};

/// Runs the command.
pub(crate) fn run(args: &ObjectArgs) -> Result<(), Failure> {
    let object = object_file::read(&args.object)?;
    let checked = verdict::all(&object);
    let lines: String = checked.iter().map(|one| one.line() + "\n").collect();
    report::print(lines)?;
    verdict::refuse_rejected(&checked)
}
