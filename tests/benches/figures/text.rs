//! How fast text is parsed and objects are printed.
//!
//! Parsing is measured in this process; printing as the whole of a command, `ebpfasm dis`
//! beside `llvm-objdump -d` on the same object. Both by the processor's time, which other
//! work on the machine changes little.

use std::hint::black_box;
use std::time::Duration;

use ebpf_asm::object::{self, Object};
use ebpf_asm::text::{Options, parse, print_object};
use ebpf_tests::subjects::{self, Subject};
use ebpf_tests::{Outcome, commands, tool};
use nix::time::{ClockId, clock_gettime};

use crate::command::cpu_seconds;
use crate::stats::{head, median, row};

/// How many instructions the program has at least.
const LENGTH: usize = 200_000;

/// How often each is measured.
const ROUNDS: usize = 9;

pub(crate) fn print() -> Outcome {
    let object = large(subjects::count_protocols()?)?;
    let text = printed(&object)?;
    let lines = text.lines().count() as f64;
    let mut seconds = [const { Vec::new() }; 2];
    for _ in 0..ROUNDS {
        seconds[0].push(thread_seconds(|| {
            parse("bench", black_box(&text)).map(drop)
        }));
        seconds[1].push(thread_seconds(|| printed(black_box(&object))));
    }
    let [parsing, printing] = seconds.map(median);
    head(&["what", "million lines a second"]);
    row(&[
        "`parse`".to_owned(),
        format!("{:.1}", lines / parsing / 1e6),
    ]);
    row(&[
        "`print_object`".to_owned(),
        format!("{:.1}", lines / printing / 1e6),
    ]);
    println!();
    commands_side_by_side(&object)
}

/// The whole commands on one object.
fn commands_side_by_side(object: &Object) -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("large.o");
    std::fs::write(&path, object::write(object)?)?;
    let llvm = ["llvm-objdump-22", "llvm-objdump"];
    let Some(llvm) = llvm.into_iter().find(|name| tool::find(name).is_some()) else {
        return Err("no llvm-objdump to compare with".into());
    };
    let mut seconds = [const { Vec::new() }; 2];
    for _ in 0..ROUNDS {
        seconds[0].push(cpu_seconds(commands::ebpfasm()?.arg("dis").arg(&path))?);
        seconds[1].push(cpu_seconds(tool::command(llvm).arg("-d").arg(&path))?);
    }
    let [ours, theirs] = seconds.map(median);
    head(&["command", "ms", "ratio"]);
    for (name, time) in [("ebpfasm dis", ours), (llvm, theirs)] {
        let ratio = format!("{:.2}", time / theirs);
        row(&[format!("`{name}`"), format!("{:.0}", time * 1e3), ratio]);
    }
    Ok(())
}

/// The subject's instructions over and over, in one program.
fn large(subject: Subject) -> Outcome<Object> {
    let mut object = subject.object;
    let [program] = object.programs.as_mut_slice() else {
        return Err("not one program".into());
    };
    let (insns, references) = (program.insns.clone(), program.references.clone());
    let slots = program.slot_count();
    for round in 1..=LENGTH / insns.len() {
        program.insns.extend(&insns);
        let moved = references
            .iter()
            .map(|(at, what)| (at + round * slots, *what));
        program.references.extend(moved);
    }
    Ok(object)
}

fn printed(object: &Object) -> Outcome<String> {
    let mut text = String::new();
    print_object(&mut text, object, Options::CODE)?;
    Ok(text)
}

/// The thread's processor time for one call.
fn thread_seconds<T>(work: impl FnOnce() -> T) -> f64 {
    let now = || clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from);
    let begin = now();
    black_box(work());
    match (begin, now()) {
        (Ok(begin), Ok(end)) => (end - begin).as_secs_f64(),
        _ => f64::NAN,
    }
}
