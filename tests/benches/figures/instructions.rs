//! How many instructions there are, and how many each path executes: exact, not measured.

use std::path::PathBuf;

use ebpf_tests::frames::{self, of_length};
use ebpf_tests::subjects::{self, Subject};
use ebpf_tests::{Outcome, clang};
use ebpf_verifier_sim::interp::{Machine, Packet};

use crate::stats::{head, row};

/// A compiler's build of `drop_icmp`.
pub(crate) struct Build {
    pub(crate) by: String,
    pub(crate) subject: Subject,
}

/// Ours, and that of every clang that is installed.
pub(crate) fn builds() -> Outcome<Vec<Build>> {
    let mut builds = vec![Build {
        by: "ebpfasm".to_owned(),
        subject: subjects::drop_icmp()?,
    }];
    for (by, path) in clangs() {
        let folder = tempfile::tempdir()?;
        let object = clang::compile_by(&path, &clang::source("drop_icmp.c"), folder.path())?;
        let object = ebpf_asm::object::read(&std::fs::read(object)?)?;
        builds.push(Build {
            by,
            subject: Subject::new(object)?,
        });
    }
    Ok(builds)
}

/// Debian's names for clang, by version.
fn clangs() -> Vec<(String, PathBuf)> {
    let versions = (11..40).map(|version| format!("clang-{version}"));
    versions
        .filter_map(|name| ebpf_tests::tool::find(&name).map(|path| (name, path)))
        .collect()
}

pub(crate) fn print() -> Outcome {
    let icmp = frames::icmp_echo(1);
    let arp = of_length(&frames::marker(0), 60);
    let paths = [
        ("shorter than Ethernet", of_length(&icmp, 10)),
        ("not IPv4", arp),
        ("shorter than IPv4", of_length(&icmp, 30)),
        ("ICMP", icmp),
        ("UDP", frames::udp(1)),
    ];
    let mut titles = vec!["build", "in all"];
    titles.extend(paths.iter().map(|(name, _)| *name));
    head(&titles);
    for build in builds()? {
        let subject = &build.subject;
        let mut machine = Machine::new(&subject.object)?;
        let mut cells = vec![
            build.by,
            subject.object.programs[0].slot_count().to_string(),
        ];
        for (_, frame) in &paths {
            let run = machine.run(&subject.program, Packet::new(frame))?;
            cells.push(run.executed.to_string());
        }
        row(&cells);
    }
    Ok(())
}
