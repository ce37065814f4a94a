//! `ebpfasm check`: verifies every program of an object, or of a batch.

use std::path::Path;

use crate::args::CheckArgs;
use crate::batch::{self, Kernel};
use crate::{kernel_types, target, text_file, verdict};
use ebpf_asm::target::Target;
use ebpf_cli::exit::Exit;
use ebpf_cli::report::{self, Failure};

/// Runs the command.
pub(crate) fn run(args: &CheckArgs) -> Result<(), Failure> {
    match (&args.batch, &args.object) {
        (Some(rows), _) => {
            if args.target.target() != Target::default() {
                let message = "--cpu and --kernel are for an object, not for a batch";
                return Err(Failure::new(Exit::Usage, message));
            }
            let kernel = match args.kernel_too {
                true => Kernel::Asked,
                false => Kernel::NotAsked,
            };
            batch::run(rows, args.jobs, kernel)
        }
        (None, Some(object)) => check_object(object, args.target.target()),
        (None, None) => Err(Failure::new(Exit::Usage, "no object and no batch to check")),
    }
}

fn check_object(path: &Path, target: Target) -> Result<(), Failure> {
    let object = text_file::object(path)?;
    target::check(&object, target)?;
    let types = kernel_types::running();
    let object = kernel_types::relocated(&object, &types)?;
    let checked = verdict::all(&object, target, &types);
    let lines: String = checked.iter().map(|one| one.line() + "\n").collect();
    report::print(lines)?;
    verdict::refuse_rejected(&checked)
}
