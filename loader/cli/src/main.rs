//! `ebpfld`: attaches eBPF programs to network interfaces and shows what runs there.
//!
//! | file | concept |
//! |---|---|
//! | `args.rs` | the command line |
//! | `attach.rs`, `detach.rs`, `status/`, `doctor/`, `demo/` | a command each |
//! | `latest.rs`, `choice.rs` | which object, and which program in it |
//! | `advice.rs`, `explain.rs` | what to do when the kernel says no |
//! | `signals.rs`, `table.rs`, `age.rs` | waiting for a signal; text in columns; how long ago |
#![forbid(unsafe_code)]

mod advice;
mod age;
mod args;
mod attach;
mod choice;
mod demo;
mod detach;
mod doctor;
mod explain;
mod latest;
mod signals;
mod status;
mod table;

use clap::Parser;

use args::{Command, CommandLine};
use ebpf_cli::exit::Exit;
use ebpf_cli::report::Failure;

fn main() -> Exit {
    let command = CommandLine::parse().command;
    ebpf_cli::end(|| run(&command))
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
