//! Verification of the large programs of `tests/c/large/`: the simulator's time against the
//! kernel's own ("verification time" of `BPF_LOG_STATS`), of programs above a thousand
//! instructions, asked in turn through `ebpfasm check --batch --kernel-too`.

use ebpf_tests::corpus::CLANGS;
use ebpf_tests::differential::judge::{Judge, Logs, Word};
use ebpf_tests::differential::row::Row;
use ebpf_tests::large::{self, Build};
use ebpf_tests::{Outcome, commands, ensure};

use crate::awake::Awake;
use crate::stats::{head, median, row};

/// Programs of fewer slots are left out.
const LARGE: usize = 1000;

/// How often each is asked.
const ROUNDS: usize = 25;

pub(crate) fn print() -> Outcome {
    head(&[
        "program",
        "slots",
        "followed, by the kernel",
        "by us",
        "kernel, us",
        "ours, us",
        "ratio",
        "kernel, ns each",
        "ours, ns each",
        "ours, MB",
    ]);
    let awake = Awake::start()?;
    for source in large::sources()? {
        let build = Build {
            clang: CLANGS[1],
            cpu: 3,
            fault: 0,
        };
        let object = build.object(&source)?;
        let programs = object.programs.iter();
        for program in programs.filter(|program| program.slot_count() > LARGE) {
            let name = format!("{source}: {}", program.name);
            one(&name, program.slot_count(), &Row::of(&object, program))?;
        }
    }
    drop(awake);
    println!("\nThe ratio is our time to the kernel's.");
    Ok(())
}

fn one(name: &str, slots: usize, program: &Row) -> Outcome {
    // A batch of its own, for its memory.
    let mut judge = Judge::start(&commands::built()?.ebpfasm, Logs::None)?;
    let (mut ours, mut kernels) = (Vec::new(), Vec::new());
    let mut followed = (0, 0);
    for _ in 0..ROUNDS {
        let answer = judge.ask(program)?;
        let both = (answer.ours.verdict, answer.kernel.verdict);
        ensure!(both == (Word::Accept, Word::Accept), "{name}: {both:?}");
        ours.push(answer.ours.usec as f64);
        kernels.push(answer.kernel.usec as f64);
        followed = (answer.kernel.processed, answer.ours.processed);
    }
    let (ours, kernel) = (median(ours), median(kernels));
    let each = |usec: f64, insns: u64| format!("{:.0}", usec * 1000.0 / insns.max(1) as f64);
    row(&[
        name.to_owned(),
        slots.to_string(),
        followed.0.to_string(),
        followed.1.to_string(),
        format!("{kernel:.0}"),
        format!("{ours:.0}"),
        format!("{:.2}", ours / kernel.max(1.0)),
        each(kernel, followed.0),
        each(ours, followed.1),
        format!("{:.1}", judge.peak_memory()? as f64 / 1e6),
    ]);
    Ok(())
}
