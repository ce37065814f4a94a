//! Verification of the large programs of `tests/c/large/`: the simulator's time against the
//! kernel's own ("verification time" of `BPF_LOG_STATS`), of programs above a thousand
//! instructions, asked in turn through `ebpfasm check --batch --kernel-too`: over and over in one
//! batch, and each time as the first row of a new one, which finds nothing in any cache: none of these
//! programs needs the kernel's types, for which the first row that does is verified twice.

use ebpf_tests::corpus::CLANGS;
use ebpf_tests::differential::judge::{Answer, Judge, Logs, Word};
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
        "ratio of the first",
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

/// Times in microseconds, of one program after the other.
#[derive(Default)]
struct Times {
    ours: Vec<f64>,
    kernel: Vec<f64>,
}

impl Times {
    /// Asks both for their verdicts, which must be to accept.
    fn ask(&mut self, judge: &mut Judge, name: &str, program: &Row) -> Outcome<Answer> {
        let answer = judge.ask(program)?;
        let both = (answer.ours.verdict, answer.kernel.verdict);
        ensure!(both == (Word::Accept, Word::Accept), "{name}: {both:?}");
        self.ours.push(answer.ours.usec as f64);
        self.kernel.push(answer.kernel.usec as f64);
        Ok(answer)
    }

    /// Both medians, ours and the kernel's.
    fn medians(self) -> (f64, f64) {
        (median(self.ours), median(self.kernel))
    }
}

fn one(name: &str, slots: usize, program: &Row) -> Outcome {
    let ebpfasm = &commands::built()?.ebpfasm;
    // A batch of its own, for its memory.
    let mut judge = Judge::start(ebpfasm, Logs::None)?;
    let (mut again, mut first) = (Times::default(), Times::default());
    let mut followed = (0, 0);
    for _ in 0..ROUNDS {
        let answer = again.ask(&mut judge, name, program)?;
        followed = (answer.kernel.processed, answer.ours.processed);
    }
    for _ in 0..ROUNDS {
        let mut new = Judge::start(ebpfasm, Logs::None)?;
        first.ask(&mut new, name, program)?;
    }
    let ratio = |(ours, kernel): (f64, f64)| format!("{:.2}", ours / kernel.max(1.0));
    let each = |usec: f64, insns: u64| format!("{:.0}", usec * 1000.0 / insns.max(1) as f64);
    let (ours, kernel) = again.medians();
    row(&[
        name.to_owned(),
        slots.to_string(),
        followed.0.to_string(),
        followed.1.to_string(),
        format!("{kernel:.0}"),
        format!("{ours:.0}"),
        ratio((ours, kernel)),
        ratio(first.medians()),
        each(kernel, followed.0),
        each(ours, followed.1),
        format!("{:.1}", judge.peak_memory()? as f64 / 1e6),
    ]);
    Ok(())
}
