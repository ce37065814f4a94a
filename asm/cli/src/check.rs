//! `ebpfasm check`: verifies every program of an object, or of a batch.

use std::path::Path;

use crate::args::CheckArgs;
use crate::batch::{self, Kernel};
use crate::{text_file, verdict};
use ebpf_cli::exit::Exit;
use ebpf_cli::report::{self, Failure};

/// Runs the command.
pub(crate) fn run(args: &CheckArgs) -> Result<(), Failure> {
    match (&args.batch, &args.object) {
        (Some(rows), _) => {
            let kernel = match args.kernel_too {
                true => Kernel::Asked,
                false => Kernel::NotAsked,
            };
            batch::run(rows, args.jobs, kernel)
        }
        (None, Some(object)) => check_object(object),
        (None, None) => Err(Failure::new(Exit::Usage, "no object and no batch to check")),
    }
}

fn check_object(path: &Path) -> Result<(), Failure> {
    let object = text_file::object(path)?;
    let checked = verdict::all(&object);
    let lines: String = checked.iter().map(|one| one.line() + "\n").collect();
    report::print(lines)?;
    verdict::refuse_rejected(&checked)
}
