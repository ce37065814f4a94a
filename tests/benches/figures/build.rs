//! How long `ebpfasm build` takes, beside clang on the C twin.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use ebpf_tests::{Outcome, clang, commands, workspace};

use crate::command::milliseconds;
use crate::stats::{head, median, row};

/// How often each is measured.
const ROUNDS: usize = 21;

pub(crate) fn print() -> Outcome {
    let folder = tempfile::tempdir()?;
    let source = fs::read_to_string(workspace().join("programs/drop_icmp.rs"))?;
    let file = folder.path().join("drop_icmp.rs");
    fs::write(&file, &source)?;
    let cold = milliseconds(&mut ebpfasm(folder.path())?)?;
    let (mut unchanged, mut changed, mut clangs) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        unchanged.push(milliseconds(&mut ebpfasm(folder.path())?)?);
        let started = Instant::now();
        clang::compile(&clang::source("drop_icmp.c"), folder.path())?;
        clangs.push(started.elapsed().as_secs_f64() * 1e3);
        fs::write(
            &file,
            format!("{source}\n/// Changed.\npub const ROUND: usize = {round};\n"),
        )?;
        changed.push(milliseconds(&mut ebpfasm(folder.path())?)?);
    }
    let clang = median(clangs);
    head(&["what", "ms, median", "ratio to clang"]);
    let line = |what: &str, ms: f64| {
        row(&[
            what.to_owned(),
            format!("{ms:.1}"),
            format!("{:.2}", ms / clang),
        ]);
    };
    line("`clang -O2 -g -target bpf -c drop_icmp.c`", clang);
    line("`ebpfasm build`, file unchanged", median(unchanged));
    line("`ebpfasm build`, file changed", median(changed));
    line("`ebpfasm build`, the first of all, once", cold);
    Ok(())
}

/// A build in a folder outside any workspace, with a cache of its own.
fn ebpfasm(folder: &Path) -> Outcome<Command> {
    let mut command = commands::ebpfasm()?;
    command
        .args(["build", "drop_icmp.rs"])
        .current_dir(folder)
        .env("XDG_CACHE_HOME", folder.join("cache"));
    Ok(command)
}
