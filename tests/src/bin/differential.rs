//! The long run of the differential machine; CONTRIBUTING.md says how it is started.
//!
//! `differential [--seed S] [--count N] [--shown K] [--print NUMBER]
//! [--ebpfasm PATH]`: by default the command is built in the profile of this one.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

use ebpf_tests::differential::campaign::{Campaign, made};
use ebpf_tests::{Outcome, commands, sandbox};

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(failed) => {
            eprintln!("error: {}", failed.message().unwrap_or_default());
            ExitCode::FAILURE
        }
    }
}

/// Fails if a program is accepted that the kernel refuses.
fn run() -> Outcome<ExitCode> {
    let mut campaign = Campaign {
        seed: 1,
        count: 100_000,
        shown: 10,
    };
    let mut ebpfasm = None;
    let mut args = std::env::args().skip(1);
    while let Some(name) = args.next() {
        if name == "--ebpfasm" {
            ebpfasm = args.next().map(PathBuf::from);
            continue;
        }
        let number: u64 = args.next().ok_or("a number is missing")?.parse()?;
        match name.as_str() {
            "--seed" => campaign.seed = number,
            "--count" => campaign.count = number,
            "--shown" => campaign.shown = usize::try_from(number)?,
            "--print" => {
                let made = made(campaign.seed, number).ok_or("no such program")?;
                println!("{}\n{}", made.row.line(number).trim(), made.row.text());
                return Ok(ExitCode::SUCCESS);
            }
            other => return Err(format!("'{other}' is not known").into()),
        }
    }
    let ebpfasm = match ebpfasm {
        Some(path) => path,
        None => commands::built()?.ebpfasm.clone(),
    };
    sandbox::enter();
    let report = campaign.run_and_print(&ebpfasm)?;
    Ok(match report.matrix.whole.false_accepts {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}
