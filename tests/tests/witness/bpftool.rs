//! bpftool loads our objects, and shows their types and source lines.

use std::fs;
use std::path::Path;

use ebpf_tests::policy::{self, Need};
use ebpf_tests::{Outcome, ensure, subjects, tool, workspace};
use libtest_mimic::Trial;

use crate::{Named, SUBJECTS, save};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    let of_tracepoint: Named = ("sched_watch", subjects::sched_watch);
    for subject in SUBJECTS.into_iter().chain([of_tracepoint]) {
        let (name, _) = subject;
        let tool = Need::Tool("bpftool");
        trials.push(policy::trial(
            format!("bpftool::loads_{name}_and_shows_its_lines"),
            &[Need::Kernel, tool],
            move || loads_and_shows_lines(subject),
        ));
        trials.push(policy::trial(
            format!("bpftool::shows_the_types_of_{name}"),
            &[tool],
            move || shows_types(subject),
        ));
    }
    trials
}

fn bpftool(arguments: &[&str]) -> Outcome<String> {
    tool::output(tool::command("bpftool").args(arguments))
}

fn text(path: &Path) -> Outcome<&str> {
    path.to_str().ok_or_else(|| "a path that is no text".into())
}

/// The listing quotes lines that stand in the program's file, with their numbers.
fn loads_and_shows_lines((name, subject): Named) -> Outcome {
    let subject = subject()?;
    let folder = tempfile::tempdir()?;
    let object = save(&subject.object, folder.path())?;
    // Its own folder in the sandbox's bpffs, which goes with the process.
    let pins = Path::new("/sys/fs/bpf").join(format!("bpftool-{name}"));
    bpftool(&["prog", "loadall", text(&object)?, text(&pins)?])?;
    let pin = pins.join(&subject.program);
    let listing = bpftool(&["prog", "dump", "xlated", "pinned", text(&pin)?, "linum"])?;
    let source = fs::read_to_string(workspace().join("programs").join(format!("{name}.rs")))?;
    let quoted: Vec<&str> = listing
        .lines()
        .filter_map(|line| line.trim().strip_prefix("; "))
        .collect();
    ensure!(
        quoted.len() >= 4,
        "few source lines in bpftool's listing:\n{listing}"
    );
    for quote in quoted {
        let (line, place) = quote.rsplit_once(" [").unwrap_or((quote, ""));
        let line = line.trim();
        let number = source
            .lines()
            .position(|l| l.trim() == line)
            .map(|index| index + 1);
        let Some(number) = number else {
            return Err(format!("bpftool quotes what is not in the source: {quote}").into());
        };
        let file = format!("{name}.rs");
        ensure!(
            place.contains(&file),
            "bpftool names another file than {file}: {quote}"
        );
        // A line that stands there several times is found at its first place.
        let once = source.lines().filter(|l| l.trim() == line).count() == 1;
        let told = place.contains(&format!("line_num:{number} "));
        ensure!(told || !once, "line {number} is shown as: {quote}");
    }
    Ok(())
}

fn shows_types((name, subject): Named) -> Outcome {
    let subject = subject()?;
    let folder = tempfile::tempdir()?;
    let object = save(&subject.object, folder.path())?;
    let types = bpftool(&["btf", "dump", "file", text(&object)?])?;
    let function = format!("FUNC '{}'", subject.program);
    ensure!(types.contains(&function), "no {function} in:\n{types}");
    let declared = bpftool(&["btf", "dump", "file", text(&object)?, "format", "c"])?;
    if name == "count_protocols" {
        let has = |what: &str| types.contains(what);
        ensure!(
            has("STRUCT 'Counter' size=16"),
            "no struct Counter in:\n{types}"
        );
        ensure!(
            has("VAR 'protocols'") && has("VAR 'verdicts'"),
            "no maps in:\n{types}"
        );
        ensure!(
            declared.contains("struct Counter {") && declared.contains(" packets;"),
            "no struct Counter in C:\n{declared}"
        );
    }
    if name == "sched_watch" {
        let thread = "struct task_struct {\n\t__s32 pid;\n\t__s32 tgid;\n\t__u8 comm[16];\n\t\
                      struct task_struct *real_parent;\n};";
        ensure!(declared.contains(thread), "no {thread} in C:\n{declared}");
    }
    Ok(())
}
