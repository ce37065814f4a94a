//! LLVM's and binutils' tools read our ELF; what llvm-objdump prints, we parse.

use std::path::Path;

use ebpf_asm::insn::Insn;
use ebpf_asm::text::parse;
use ebpf_tests::policy::{self, CLANG, Need};
use ebpf_tests::subjects::{self, Subject};
use ebpf_tests::{Outcome, clang, ensure, ensure_eq, tool};
use libtest_mimic::Trial;

use crate::{Named, SUBJECTS, save};

const OBJDUMP: Need = Need::Tool("llvm-objdump");

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for subject in SUBJECTS {
        let (name, _) = subject;
        trials.push(policy::trial(
            format!("llvm::disassembles_{name}"),
            &[OBJDUMP],
            move || disassembles_ours(subject),
        ));
        trials.push(policy::trial(
            format!("llvm::we_parse_the_disassembly_of_clangs_{name}"),
            &[OBJDUMP, CLANG[0], CLANG[1]],
            move || disassembles_clangs(name),
        ));
        trials.push(policy::trial(
            format!("readelf::reads_{name}"),
            &[Need::Tool("readelf")],
            move || readelf(subject),
        ));
    }
    trials
}

fn disassembles_ours((_, subject): Named) -> Outcome {
    let subject = subject()?;
    let folder = tempfile::tempdir()?;
    same_instructions(&subject, &save(&subject.object, folder.path())?)
}

fn disassembles_clangs(name: &str) -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = clang::compile(&clang::source(&format!("{name}.c")), folder.path())?;
    same_instructions(&subjects::twin(&format!("{name}.c"))?, &path)
}

/// Our parser makes of llvm-objdump's lines the instructions that are in the object.
fn same_instructions(subject: &Subject, path: &Path) -> Outcome {
    let mut objdump = tool::command("llvm-objdump");
    let listing = tool::output(objdump.args(["-d", "-S", "-r"]).arg(path))?;
    ensure!(
        listing.contains(&format!("<{}>:", subject.program)),
        "no symbol {} in:\n{listing}",
        subject.program
    );
    let parsed = parse("objdump", &listing).map_err(|error| format!("{error}\n{listing}"))?;
    ensure_eq!(parsed.programs[0].name, subject.program, "names");
    let [program] = subject.object.programs.as_slice() else {
        return Err("not one program".into());
    };
    // A reference to a map is the linker's business, and zero in the file.
    let bare = |insn: &Insn| match insn.slots() {
        2 => insn
            .to_string()
            .split('=')
            .next()
            .unwrap_or_default()
            .to_owned(),
        _ => insn.to_string(),
    };
    let ours: Vec<String> = program.insns.iter().map(bare).collect();
    let theirs: Vec<String> = parsed.programs[0].insns.iter().map(bare).collect();
    ensure_eq!(theirs, ours, "the instructions by llvm-objdump, and ours");
    Ok(())
}

fn readelf((name, subject): Named) -> Outcome {
    let subject = subject()?;
    let folder = tempfile::tempdir()?;
    let path = save(&subject.object, folder.path())?;
    let mut readelf = tool::command("readelf");
    let shown = tool::output(readelf.args(["--wide", "-h", "-S", "-s", "-r"]).arg(path))?;
    let mut expected = vec![
        "Linux BPF",
        "REL (Relocatable file)",
        ".BTF",
        ".BTF.ext",
        "license",
    ];
    expected.push(&subject.program);
    if name == "count_protocols" {
        expected.extend([".maps", "R_BPF_", "protocols", "verdicts"]);
    }
    for what in expected {
        ensure!(shown.contains(what), "no {what} in:\n{shown}");
    }
    ensure!(!shown.contains("arning"), "readelf warns:\n{shown}");
    Ok(())
}
