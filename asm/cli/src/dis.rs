//! `ebpfasm dis`: shows an object as text.

use crate::args::ObjectArgs;
use crate::report::{self, Failure};
use crate::{emit, object_file};

/// Runs the command.
pub(crate) fn run(args: &ObjectArgs) -> Result<(), Failure> {
    let object = object_file::read(&args.object)?;
    report::print(emit::asm(&object)?)
}
