//! The figures of BENCHMARKS.md, all in one run, side by side: medians and ratios.
//!
//! `cargo bench -p ebpf-tests --bench figures`, as root; with `-- WORD` only those with the word
//! in their title. Not a test: nothing here fails for
//! being slow. What each figure is compared with runs in turn with it, so that both meet the
//! same machine.
#![forbid(unsafe_code)]

mod attach;
mod awake;
mod btf;
mod build;
mod check;
mod codec;
mod command;
mod instructions;
mod open;
mod stats;
mod text;
mod unrolled;
mod verify;

use std::process::ExitCode;

use ebpf_tests::{Outcome, sandbox};

/// A title, and what prints the table below it.
type Figure = (&'static str, fn() -> Outcome);

fn main() -> ExitCode {
    sandbox::enter();
    let figures: &[Figure] = &[
        ("Instructions of drop_icmp", instructions::print),
        ("Time of drop_icmp in the kernel", unrolled::print),
        ("Encoding and decoding", codec::print),
        ("Types of the kernel", btf::print),
        ("Text", text::print),
        ("ebpfasm build", build::print),
        ("ebpfld attach", attach::print),
        ("Reading an object", open::print),
        ("Verification", verify::print),
        ("ebpfasm check", check::print),
    ];
    let mut code = ExitCode::SUCCESS;
    let only = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    let wanted = |title: &str| {
        only.as_ref()
            .is_none_or(|only| title.contains(only.as_str()))
    };
    for (title, print) in figures.iter().filter(|(title, _)| wanted(title)) {
        println!("## {title}\n");
        if let Err(failed) = print() {
            println!("not measured: {}", failed.message().unwrap_or_default());
            code = ExitCode::FAILURE;
        }
        println!();
    }
    code
}
