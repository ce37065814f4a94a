//! `ebpfasm`: builds eBPF objects from Rust files, checks and shows them.
//!
//! | file | concept |
//! |---|---|
//! | `args.rs` | the command line |
//! | `build/` | `build`: from a program file to an object |
//! | `btf/` | `btf`: types as C, and as they are |
//! | `check.rs`, `dis.rs`, `diff/`, `cfg/` | the commands of these names |
//! | `isa/` | `isa`: the instruction set, listed or explained |
//! | `explain.rs` | `explain`: what the codes of rejections mean |
//! | `select.rs`, `source.rs` | the program that `--prog` names; source lines |
//! | `core_relo.rs` | CO-RE relocations in words |
//! | `trace.rs` | `check --trace`, `--log-level`: what the verifier does |
//! | `privilege.rs`, `limited.rs` | who loads (`check --privilege`) |
//! | `running.rs`, `said.rs` | the running kernel's configuration, and what it says (`check --kernel-too`) |
//! | `batch/` | `check --batch`: corpora of programs, one a line |
//! | `emit.rs`, `json.rs` | the forms in which an object is written |
//! | `text_file.rs` | program text in the place of an object |
//! | `kernel_types.rs` | a kernel's own types: the running one's, or those of `check --btf` |
//! | `map_sizes.rs` | sizes of maps that an object leaves to what loads it |
//! | `target.rs` | what is too new for `--cpu` and `--kernel` |
//! | `timed.rs` | how long a verdict takes |
//! | `verdict.rs` | what the verifier says of an object |
//! | `write.rs` | how a file is written whole or not at all |
#![forbid(unsafe_code)]

mod args;
mod batch;
mod btf;
mod build;
mod cfg;
mod check;
mod core_relo;
mod diff;
mod dis;
mod emit;
mod explain;
mod isa;
mod json;
mod kernel_types;
#[cfg(target_os = "linux")]
mod limited;
mod machine;
mod map_sizes;
mod privilege;
#[cfg_attr(not(target_os = "linux"), path = "no_running.rs")]
mod running;
mod said;
mod select;
mod source;
mod target;
mod text_file;
mod timed;
mod trace;
mod verdict;
mod write;

use clap::Parser;

use args::{Command, CommandLine};
use ebpf_cli::exit::Exit;
use ebpf_cli::report::Failure;

/// Verifying, reading types and printing are walks through many small things.
#[cfg(target_os = "linux")]
#[global_allocator]
static HEAP: ebpf_syscalls::heap::Heap = ebpf_syscalls::heap::Heap::new();

fn main() -> Exit {
    let command = CommandLine::parse().command;
    ebpf_cli::end(|| run(&command))
}

fn run(command: &Command) -> Result<Exit, Failure> {
    let done = match command {
        Command::Diff(args) => return diff::run(args),
        Command::Build(args) => build::run(args),
        Command::Check(args) => check::run(args),
        Command::Dis(args) => dis::run(args),
        Command::Cfg(args) => cfg::run(args),
        Command::Btf(args) => btf::run(args),
        Command::Isa(args) => isa::run(args),
        Command::Explain(args) => explain::run(args),
    };
    done.map(Exit::from)
}
