//! `ebpfasm dis`: shows an object as text.

use crate::args::ObjectArgs;
use crate::emit;
use ebpf_cli::object_file::ObjectFile;
use ebpf_cli::report::{self, Failure};

/// Runs the command.
pub(crate) fn run(args: &ObjectArgs) -> Result<(), Failure> {
    let object = ObjectFile::read(&args.object)?.object;
    report::print(emit::asm(&object)?)
}
