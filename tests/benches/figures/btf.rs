//! How long `ebpfasm btf` takes for the kernel's own types, beside bpftool: whole processes,
//! their output thrown away.

use std::process::{Command, Stdio};
use std::time::Instant;

use ebpf_asm::btf::Btf;
use ebpf_tests::{Outcome, commands, ensure, tool};

use crate::stats::{head, median, row};

/// How often each is measured.
const ROUNDS: usize = 21;

/// The kernel's types.
const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

pub(crate) fn print() -> Outcome {
    let (mut reading, mut writing) = (Vec::new(), Vec::new());
    let mut times: [[Vec<f64>; 2]; 2] = Default::default();
    for _ in 0..ROUNDS {
        for (format, [ours, theirs]) in ["raw", "c"].into_iter().zip(&mut times) {
            let mut ebpfasm = commands::ebpfasm()?;
            ours.push(milliseconds(
                ebpfasm.args(["btf", VMLINUX, "--format", format]),
            )?);
            let mut bpftool = tool::command("bpftool");
            bpftool.args(["btf", "dump", "file", VMLINUX, "format", format]);
            theirs.push(milliseconds(&mut bpftool)?);
        }
        let bytes = std::fs::read(VMLINUX)?;
        let started = Instant::now();
        let btf = Btf::from_bytes(&bytes)?;
        reading.push(started.elapsed().as_secs_f64() * 1e3);
        let started = Instant::now();
        ensure!(btf.to_bytes() == bytes, "it is not written as it was");
        writing.push(started.elapsed().as_secs_f64() * 1e3);
    }
    head(&["what", "ms, median", "ratio to bpftool"]);
    for (format, [ours, theirs]) in ["raw", "c"].into_iter().zip(times) {
        let (ours, theirs) = (median(ours), median(theirs));
        let line = |what: String, ms: f64| {
            row(&[what, format!("{ms:.1}"), format!("{:.2}", ms / theirs)]);
        };
        line(
            format!("`bpftool btf dump file vmlinux format {format}`"),
            theirs,
        );
        line(format!("`ebpfasm btf vmlinux --format {format}`"), ours);
    }
    row(&[
        "`Btf::from_bytes`".into(),
        format!("{:.1}", median(reading)),
        String::new(),
    ]);
    row(&[
        "`Btf::to_bytes`".into(),
        format!("{:.1}", median(writing)),
        String::new(),
    ]);
    Ok(())
}

fn milliseconds(command: &mut Command) -> Outcome<f64> {
    command.stdout(Stdio::null());
    let started = Instant::now();
    let status = command.status()?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(started.elapsed().as_secs_f64() * 1e3)
}
