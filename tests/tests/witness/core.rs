//! CO-RE: what we write into the instructions of clang's objects for the running kernel is what
//! libbpf hands to it.

use std::fs;
use std::path::Path;

use ebpf_asm::btf::Btf;
use ebpf_asm::btf::core::CoreKind;
use ebpf_asm::insn::encode_all;
use ebpf_asm::object::{self, Fate};
use ebpf_tests::policy::{self, Need};
use ebpf_tests::{Outcome, clang, ensure, ensure_eq, tool};
use libtest_mimic::Trial;

/// A compiler, and what it takes beside the source: clang 14 does not know `TYPE_MATCHES`.
const CLANGS: [(&str, &[&str], usize); 2] =
    [("clang-14", &[], 12), ("clang-22", &["-DMATCHES"], 13)];

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |(clang, flags, kinds): (&'static str, &'static [&'static str], usize)| {
        let needs = [
            Need::Kernel,
            Need::Vmlinux,
            Need::Tool(clang),
            Need::Tool("cc"),
            Need::Header("bpf/libbpf.h"),
        ];
        let name = format!("core::we_answer_relocations_of_{clang}_as_libbpf_does");
        policy::trial(name, &needs, move || answers(clang, flags, kinds))
    };
    CLANGS.into_iter().map(trial).collect()
}

fn answers(clang: &str, flags: &[&str], kinds: usize) -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("core.o");
    let mut command = tool::command(clang);
    command
        .args(["-O2", "-g", "-target", "bpf", "-c"])
        .args(flags);
    command.arg(format!(
        "-I/usr/include/{}-linux-gnu",
        std::env::consts::ARCH
    ));
    command.arg(clang::source("core.c")).arg("-o").arg(&path);
    tool::output(&mut command)?;

    let mut object = object::read(&fs::read(&path)?)?;
    let vmlinux = Btf::from_bytes(&fs::read("/sys/kernel/btf/vmlinux")?)?;
    let answers = object.relocate_core(&vmlinux)?;
    for kind in CoreKind::all().take(kinds) {
        let mut asked = answers.iter().map(|answer| answer.relocation.kind);
        ensure!(asked.any(|asked| asked == kind), "nothing asks for {kind}");
    }
    let poisoned = answers
        .iter()
        .filter(|answer| answer.fate == Fate::Poisoned);
    ensure!(poisoned.count() >= 2, "nothing is missing");

    let theirs = libbpf(&path, folder.path())?;
    for program in &object.programs {
        let ours = encode_all(&program.insns);
        let ours: Vec<String> = ours.chunks_exact(8).map(shown).collect();
        let theirs: Vec<&str> = theirs
            .lines()
            .filter_map(|line| {
                line.strip_prefix(program.name.as_str())?
                    .trim_start()
                    .split_once(' ')
            })
            .map(|(_, insn)| insn)
            .collect();
        ensure_eq!(theirs.len(), ours.len(), "the slots of the program");
        for (slot, (theirs, ours)) in theirs.iter().zip(&ours).enumerate() {
            let asked: Vec<_> = answers
                .iter()
                .filter(|answer| answer.slot == slot)
                .collect();
            ensure!(
                theirs == ours,
                "slot {slot} is '{theirs}' by libbpf, and '{ours}' by us: {asked:?}"
            );
        }
    }
    Ok(())
}

/// An instruction as `libbpf_core.c` prints it.
fn shown(insn: &[u8]) -> String {
    let [code, registers, o0, o1, i0, i1, i2, i3] = *insn else {
        return String::new();
    };
    let (offset, imm) = (
        i16::from_le_bytes([o0, o1]),
        i32::from_le_bytes([i0, i1, i2, i3]),
    );
    format!(
        "{code:02x} {} {} {offset} {imm}",
        registers & 15,
        registers >> 4
    )
}

fn libbpf(object: &Path, folder: &Path) -> Outcome<String> {
    let show = clang::link_libbpf(&clang::source("libbpf_core.c"), folder)?;
    tool::output(std::process::Command::new(show).arg(object))
}
