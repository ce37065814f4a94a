//! The manners that `ebpfasm` and `ebpfld` share: how a command speaks and ends, and where
//! objects are.
//!
//! | file | concept |
//! |---|---|
//! | `exit.rs` | the one table of exit codes |
//! | `report.rs` | errors, advice and remarks; what goes to standard output |
//! | `place.rs` | where built objects are: `target/bpf` of the workspace |
//! | `input.rs` | what commands read: files and standard input |
//! | `object_file.rs` | an object file, read, with its digest |
#![forbid(unsafe_code)]

pub mod exit;
pub mod input;
pub mod object_file;
pub mod place;
pub mod report;

use std::panic;

use exit::Exit;
use report::Failure;

/// Runs a command, tells its failure, and says how it ends.
pub fn end<T: Into<Exit>>(run: impl FnOnce() -> Result<T, Failure> + panic::UnwindSafe) -> Exit {
    // A panic is a fault of ours; it ends like any other failure.
    let result = panic::catch_unwind(run).unwrap_or_else(|_| {
        Err(
            Failure::new(Exit::Internal, "this program met a fault of its own")
                .help("please report it with the lines above"),
        )
    });
    match result {
        Ok(done) => done.into(),
        Err(failure) => {
            failure.print();
            failure.exit()
        }
    }
}
