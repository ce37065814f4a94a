//! `ebpfld`: attaches eBPF programs to network interfaces and shows what runs there.
//!
//! | file | concept |
//! |---|---|
//! | `args.rs` | the command line |
//! | `attach.rs`, `detach.rs`, `status/`, `doctor/`, `demo/` | a command each |
//! | `latest.rs`, `object_file.rs` | which object, and which program in it |
//! | `report.rs`, `exit.rs` | how a command speaks and ends |
//! | `advice.rs`, `explain.rs` | what to do when the kernel says no |
//! | `signals.rs`, `table.rs`, `age.rs` | waiting for a signal; text in columns; how long ago |
#![forbid(unsafe_code)]

mod advice;
mod age;
mod args;
mod attach;
mod demo;
mod detach;
mod doctor;
mod exit;
mod explain;
mod latest;
mod object_file;
mod report;
mod signals;
mod status;
mod table;

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
        Command::Attach(args) => attach::run(args),
        Command::Detach(args) => detach::run(args),
        Command::Status(args) => status::run(args),
        Command::Doctor => doctor::run(),
        Command::Demo => demo::run(),
    }
}
