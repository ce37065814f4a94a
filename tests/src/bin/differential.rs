//! The long run of the differential machine; CONTRIBUTING.md says how it is started.
//!
//! `differential [--seed S] [--count N] [--shown K] [--print NUMBER] [--clang] [--loops]
//! [--growing] [--states] [--ebpfasm PATH]`: by default the command is built in the profile of
//! this one. With `--clang` programs that clang built are among those that are changed; with `--loops` all programs
//! are of loops that lie in one another; with `--growing` all are grown from accepted ones.
//! With `--states` what both knew at every instruction is compared too, by their logs.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

use ebpf_tests::differential::campaign::{Campaign, Disagreement, Kind};
use ebpf_tests::differential::compiled;
use ebpf_tests::differential::judge::{Judge, Logs};
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

/// Fails if a program is accepted that the kernel refuses, or that the interpreter meets a fault in,
/// or if both knew other things on the way.
fn run() -> Outcome<ExitCode> {
    let mut campaign = Campaign {
        kind: Kind::All,
        seed: 1,
        count: 100_000,
        shown: 10,
        compiled: Vec::new(),
        logs: Logs::None,
    };
    let (mut ebpfasm, mut print, mut clang) = (None, None, false);
    let mut args = std::env::args().skip(1);
    while let Some(name) = args.next() {
        let mut value = || args.next().ok_or("a value is missing");
        match name.as_str() {
            "--seed" => campaign.seed = value()?.parse()?,
            "--count" => campaign.count = value()?.parse()?,
            "--shown" => campaign.shown = value()?.parse()?,
            "--print" => print = Some(value()?.parse()?),
            "--ebpfasm" => ebpfasm = Some(PathBuf::from(value()?)),
            "--clang" => clang = true,
            "--loops" => campaign.kind = Kind::Loops,
            "--growing" => campaign.kind = Kind::Growing,
            "--states" => campaign.logs = Logs::States,
            other => return Err(format!("'{other}' is not known").into()),
        }
    }
    let ebpfasm = match ebpfasm {
        Some(path) => path,
        None => commands::built()?.ebpfasm.clone(),
    };
    sandbox::enter();
    if clang {
        campaign.compiled = compiled::accepted(&ebpfasm)?;
        println!("{} programs that clang built", campaign.compiled.len());
    }
    if let Some(number) = print {
        let mut judge = Judge::start(&ebpfasm, Logs::None)?;
        let made = campaign.made(number, &mut judge)?;
        let made = made.ok_or("no such program")?;
        println!("{}\n{}", made.row.line(number).trim(), made.row.text());
        return Ok(ExitCode::SUCCESS);
    }
    let report = campaign.run_and_print(&ebpfasm)?;
    Ok(
        match report.unsound() + report.count(Disagreement::States) {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        },
    )
}
