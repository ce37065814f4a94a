//! `ebpfasm check` of the smallest program that does something, as a whole process: what is not
//! verification, but beginning and ending.

use std::process::Command;

use ebpf_tests::{Outcome, commands, workspace};

use crate::command::{cpu_seconds, milliseconds};
use crate::stats::{head, median, row};

/// How often the command is run for each of both.
const ROUNDS: usize = 21;

pub(crate) fn print() -> Outcome {
    let mut command = commands::ebpfasm()?;
    command
        .arg("check")
        .arg(workspace().join("tests/cases/packet/drop_icmp.bpf"));
    let times = |of: fn(&mut Command) -> Outcome<f64>, command: &mut Command| {
        let times: Outcome<Vec<f64>> = (0..ROUNDS).map(|_| of(command)).collect();
        times.map(median)
    };
    let cpu = times(cpu_seconds, &mut command)? * 1e3;
    let wall = times(milliseconds, &mut command)?;
    head(&["command", "CPU ms", "wall ms"]);
    row(&[
        "`ebpfasm check drop_icmp.bpf`".to_owned(),
        format!("{cpu:.1}"),
        format!("{wall:.1}"),
    ]);
    Ok(())
}
