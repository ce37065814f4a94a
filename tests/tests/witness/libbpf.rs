//! libbpf loads our objects, and what it loaded decides as it should.

use std::fmt::Write as _;
use std::fs::File;

use ebpf_tests::policy::{self, Need};
use ebpf_tests::{Outcome, clang, ensure, ensure_eq, frames, oracle, tool};
use libtest_mimic::Trial;

use crate::{Named, SUBJECTS, save};

pub(crate) fn trials() -> Vec<Trial> {
    let needs = [Need::Kernel, Need::Tool("cc"), Need::Header("bpf/libbpf.h")];
    let trial = |subject: Named| {
        let name = format!("libbpf::loads_and_runs_{}", subject.0);
        policy::trial(name, &needs, move || loads_and_runs(subject))
    };
    SUBJECTS.into_iter().map(trial).collect()
}

fn loads_and_runs((_, subject): Named) -> Outcome {
    let subject = subject()?;
    let folder = tempfile::tempdir()?;
    let object = save(&subject.object, folder.path())?;
    let show = clang::link_libbpf(&clang::source("libbpf_show.c"), folder.path())?;
    let input = folder.path().join("frames");
    std::fs::write(&input, hex_lines())?;
    let mut command = std::process::Command::new(show);
    let shown = tool::output(command.arg(object).stdin(File::open(input)?))?;

    let program = &subject.object.programs[0];
    let expected = format!(
        "program {} in {}, type {}, {} instructions",
        program.name,
        program.section,
        program.prog_type.number(),
        program.slot_count()
    );
    ensure!(
        shown.lines().any(|line| line == expected),
        "no '{expected}' in:\n{shown}"
    );
    for map in &subject.object.maps {
        let expected = format!(
            "map {} type {} key {} value {} entries {}, types known",
            map.name,
            map.map_type.number(),
            map.key_size,
            map.value_size,
            map.max_entries
        );
        ensure!(
            shown.lines().any(|line| line == expected),
            "no '{expected}' in:\n{shown}"
        );
    }
    let returned: Vec<&str> = shown
        .lines()
        .filter_map(|line| line.strip_prefix("returns "))
        .collect();
    let judged: Vec<String> = frames::all()
        .iter()
        .map(|f| oracle::verdict(&f.bytes).to_string())
        .collect();
    ensure_eq!(returned, judged, "the verdicts");
    Ok(())
}

/// All frames, one a line.
fn hex_lines() -> String {
    let mut lines = String::new();
    for frame in frames::all() {
        for byte in frame.bytes {
            // Writing to a string cannot fail.
            let _ = write!(lines, "{byte:02x}");
        }
        lines.push('\n');
    }
    lines
}
