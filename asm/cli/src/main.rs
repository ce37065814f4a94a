//! `ebpfasm`: builds eBPF objects from Rust files, checks and shows them.
//!
//! | file | concept |
//! |---|---|
//! | `args.rs` | the command line |
//! | `build/` | `build`: from a program file to an object |
//! | `check.rs`, `dis.rs` | `check` and `dis` |
//! | `emit.rs`, `json.rs` | the forms in which an object is written |
//! | `object_file.rs`, `verdict.rs` | an object read; what the verifier says of it |
//! | `place.rs`, `write.rs` | where objects go, and how a file is written whole or not at all |
//! | `report.rs`, `exit.rs` | how a command speaks and ends |
#![forbid(unsafe_code)]

mod args;
mod build;
mod check;
mod dis;
mod emit;
mod exit;
mod json;
mod object_file;
mod place;
mod report;
mod verdict;
mod write;

use std::panic;

use clap::Parser;

use args::{Command, CommandLine};
use exit::Exit;
use report::Failure;

fn main() -> Exit {
    let command = CommandLine::parse().command;
    // A panic is a fault of ours; it ends like any other failure.
    let result = panic::catch_unwind(|| run(&command)).unwrap_or_else(|_| {
        Err(
            Failure::new(Exit::Internal, "this program met a fault of its own")
                .help("please report it with the lines above"),
        )
    });
    match result {
        Ok(()) => Exit::Ok,
        Err(failure) => {
            failure.print();
            failure.exit()
        }
    }
}

fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Build(args) => build::run(args),
        Command::Check(args) => check::run(args),
        Command::Dis(args) => dis::run(args),
    }
}
