//! What the command refuses before it asks the kernel for anything: no root is needed.

use std::fs::{self, File};
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use ebpf_tests::policy::trial;
use ebpf_tests::{Outcome, ensure, ensure_eq};
use libtest_mimic::Trial;

use crate::console::{Console, said};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("refusals::command_lines", &[], command_lines),
        trial("refusals::missing_things", &[], missing_things),
        trial("refusals::objects", &[], objects),
        trial("refusals::broken_objects", &[], broken_objects),
        trial(
            "refusals::sources_and_foreign_objects",
            &[],
            sources_and_foreign_objects,
        ),
        trial("refusals::nothing_built", &[], nothing_built),
        trial("refusals::the_newest_object_is_named", &[], newest),
        trial("refusals::outputs_that_end", &[], outputs_that_end),
        trial("refusals::no_colour_in_a_pipe", &[], no_colour_in_a_pipe),
    ]
}

fn command_lines() -> Outcome {
    let console = Console::new()?;
    for line in [
        "",
        "attach",
        "nosuch",
        "attach lo drop.o --mode fast",
        "detach",
    ] {
        let said = console.run(line)?;
        ensure_eq!(said.exit, Some(2), "'{line}': {said:?}");
    }
    for line in [&["attach", ""][..], &["detach", ""], &["attach", "lo", ""]] {
        let said = said(console.command("")?.args(line))?;
        ensure_eq!(said.exit, Some(2), "{line:?}: {said:?}");
    }
    let help = console.run("--help")?.ends(0)?.prints("Exit codes:")?;
    for command in ["attach", "detach", "status", "doctor", "demo"] {
        ensure!(help.out.contains(command), "--help names {command}");
        console.run(&format!("{command} --help"))?.ends(0)?;
    }
    Ok(())
}

fn missing_things() -> Outcome {
    let console = Console::new()?;
    let near = console.run("attach ol drop.o")?.ends(5)?;
    near.complains("error: there is no interface 'ol'")?
        .complains("help: did you mean lo?")?;
    console
        .run("detach nosuch0")?
        .ends(5)?
        .complains("'nosuch0'")?;
    console
        .run("attach lo nosuch.o")?
        .ends(5)?
        .complains("there is no object nosuch.o")?;
    Ok(())
}

fn objects() -> Outcome {
    let console = Console::new()?;
    let two = console.run("attach lo two.o")?.ends(2)?;
    two.complains("two.o has several XDP programs\n  one (xdp)\n  two (xdp)\n")?
        .complains("--prog one")?;
    let other = console.run("attach lo not_xdp.o")?.ends(8)?;
    other.complains("not_xdp.o has no XDP program\n  classify")?;
    let folder = console.run("attach lo .")?.ends(8)?;
    folder.complains("error: . is a folder, not a file")?;
    let typed = console
        .run("attach lo not_xdp.o --prog classify")?
        .ends(8)?;
    typed.complains("'classify' is of type sched_cls, and interfaces run XDP programs")?;
    Ok(())
}

fn broken_objects() -> Outcome {
    let console = Console::new()?;
    let good = fs::read(console.folder().join("drop.o"))?;
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    // Offsets in the ELF header: EI_CLASS, EI_DATA, e_machine.
    let broken = [
        (Vec::new(), "is empty"),
        (b"#!/bin/sh\n".to_vec(), "not an ELF file"),
        (good[..good.len() / 2].to_vec(), "truncated"),
        (good[..40].to_vec(), "ELF"),
        (with(4, 1), "32-bit"),
        (with(5, 2), "big-endian"),
        (with(18, 62), "not a BPF object"),
    ];
    for (bytes, complaint) in broken {
        fs::write(console.folder().join("broken.o"), bytes)?;
        let said = console.run("attach lo broken.o")?.ends(8)?;
        said.complains("error: broken.o")?.complains(complaint)?;
    }
    Ok(())
}

/// What is not an object yet, and what is one that this version cannot use.
fn sources_and_foreign_objects() -> Outcome {
    let console = Console::new()?;
    for (name, advice) in [
        ("drop.rs", "help: build it first: ebpfasm build drop.rs"),
        ("drop.bpf", "help: build it first: ebpfasm build drop.bpf"),
        ("drop.c", "help: compile it first: clang"),
    ] {
        fs::write(console.folder().join(name), "fn main() {}")?;
        let said = console.run(&format!("attach lo {name}"))?.ends(8)?;
        said.complains(advice)?;
    }
    let mut bytes = fs::read(console.folder().join("drop.o"))?;
    // Its section, under a name that is no program type's.
    let mut renamed = 0;
    for at in 0..bytes.len().saturating_sub(5) {
        if bytes[at..].starts_with(b"\0xdp\0") {
            bytes[at + 1..at + 4].copy_from_slice(b"abc");
            renamed += 1;
        }
    }
    ensure!(renamed > 0, "no section is called xdp");
    fs::write(console.folder().join("other.o"), bytes)?;
    let said = console.run("attach lo other.o")?.ends(8)?;
    said.complains("has no XDP program")?
        .complains("a section named 'xdp'")?;
    Ok(())
}

fn nothing_built() -> Outcome {
    let console = Console::new()?;
    let said = console.run("attach lo")?.ends(5)?;
    said.complains("target/bpf")?.complains("ebpfasm build")?;
    Ok(())
}

/// The object is named with its age and digest, whatever becomes of it.
fn newest() -> Outcome {
    let console = Console::new()?;
    let objects = console.folder().join("target/bpf");
    fs::create_dir_all(&objects)?;
    for (name, age_s) in [("old.o", 7200), ("new.o", 3600)] {
        let path = objects.join(name);
        fs::copy(console.folder().join("two.o"), &path)?;
        let then = SystemTime::now() - Duration::from_secs(age_s);
        File::options().write(true).open(path)?.set_modified(then)?;
    }
    let said = console.run("attach lo")?.ends(2)?;
    said.complains("note: using target/bpf/new.o, built 1 h ago, sha256 ")?;
    Ok(())
}

/// A reader that goes away is no error, and a full disk is one.
fn outputs_that_end() -> Outcome {
    let console = Console::new()?;
    let mut full = console.command("status")?;
    full.stdout(File::options().write(true).open("/dev/full")?);
    said(&mut full)?
        .ends(9)?
        .complains("cannot write to standard output")?;
    for line in ["status", "doctor", "--help"] {
        let mut command = console.command(line)?;
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        drop(child.stdout.take());
        let output = child.wait_with_output()?;
        let err = String::from_utf8_lossy(&output.stderr);
        ensure!(!err.contains("panicked"), "{line}: {err}");
        // `doctor` may find this machine wanting.
        let fine = output.status.success() || line == "doctor";
        ensure!(fine, "{line}: {} {err}", output.status);
    }
    Ok(())
}

fn no_colour_in_a_pipe() -> Outcome {
    let console = Console::new()?;
    for line in ["attach nosuch0 drop.o", "status", "doctor", "--help"] {
        let said = console.run(line)?;
        let both = said.out + &said.err;
        ensure!(!both.contains('\u{1b}'), "{line}: {both:?}");
    }
    Ok(())
}
