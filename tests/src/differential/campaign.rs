//! A run: so many programs of a seed, and what came of it.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Write as _};
use std::path::Path;
use std::time::Instant;

use super::generate::growing::{Lineage, ROUNDS};
use super::generate::{self, Generated};
use super::judge::{Answer, Judge, Logs, Said, Word};
use super::matrix::Matrix;
use super::mutate::mutated;
use super::shrink::smallest;
use super::witness::{self, Seen};
use super::{Chance, row::Row};
use crate::Outcome;

/// One of so many programs is one with something changed; but none of work queues, for Linux 6.18
/// falls over a null where a map without special fields is handed to `bpf_wq_init`.
const MUTATED: u64 = 4;

/// One of so many programs is one that clang built, with something changed, if there are such.
const COMPILED: u64 = 32;

/// How the matrix calls programs with something changed.
const GENERATED_CHANGED: &str = "(generated, and changed)";
const COMPILED_CHANGED: &str = "(built by clang, and changed)";

/// What the kernel says where the address is taken of a function that no path leads to.
const NO_PROGRAM: &str = "verifier bug: No program to jit at insn";

/// So many lineages grow side by side.
const BESIDE: u64 = 128;

/// Programs of each kind of disagreement that are kept.
const EXAMPLES: usize = 3;

/// So many numbers of programs are shown of those that are not followed alike.
const SHOWN: usize = 8;

/// What programs are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// Of all constructs.
    #[default]
    All,
    /// Of loops that lie in one another.
    Loops,
    /// Grown from accepted ones.
    Growing,
}

/// What to do.
#[derive(Debug, Clone, Default)]
pub struct Campaign {
    /// What programs.
    pub kind: Kind,
    /// The seed.
    pub seed: u64,
    /// How many programs.
    pub count: u64,
    /// How many kinds of disagreement are made small and shown.
    pub shown: usize,
    /// Programs that clang built: see `compiled.rs`.
    pub compiled: Vec<Row>,
    /// Whether what both knew at every instruction is compared too.
    pub logs: Logs,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Report {
    /// How often both agreed.
    pub matrix: Matrix,
    /// The kinds of disagreement, by words of both, with how many there were and the numbers
    /// of some.
    pub kinds: HashMap<(Disagreement, String), (u64, Vec<u64>)>,
    /// What the second witness saw of accepted programs.
    pub ran: Ran,
    /// How many instructions the simulator followed of programs that both accept.
    pub followed: Followed,
    /// How many refusals have the same words.
    pub worded: Worded,
    /// How many instructions both looked at with the same state behind them.
    pub states: usize,
    /// What the simulator took where both accept.
    pub ours: Taken,
    /// What the kernel took for the same programs.
    pub kernel: Taken,
}

/// How many programs the second witness was asked for, by what it saw but faults.
#[derive(Debug, Default)]
pub struct Ran {
    /// All runs ended.
    pub ended: u64,
    /// How many have no construct that the interpreter does not model.
    pub modelled: u64,
    /// How many of these ran to the end.
    pub modelled_ended: u64,
    /// A run was stopped before its end, by what stopped it.
    pub stopped: BTreeMap<String, u64>,
    /// By what the interpreter does not know in them.
    pub not_known: BTreeMap<String, u64>,
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ended, modelled) = (self.modelled_ended, self.modelled);
        writeln!(
            f,
            "in the interpreter: {} ran to the end; {ended} of {modelled} that it models",
            self.ended
        )?;
        let parts = [("stopped", &self.stopped), ("not known", &self.not_known)];
        for (part, counts) in parts {
            let mut counts: Vec<_> = counts.iter().collect();
            counts.sort_by_key(|(_, count)| u64::MAX - **count);
            for (words, count) in counts {
                writeln!(f, "{count:7} {part}: {words}")?;
            }
        }
        Ok(())
    }
}

/// What verifying took.
#[derive(Debug, Default)]
pub struct Taken {
    /// Microseconds.
    pub usec: u64,
    /// Instructions followed.
    pub processed: u64,
}

impl Taken {
    fn add(&mut self, said: &Said) {
        self.usec += said.usec;
        self.processed += said.processed;
    }

    /// Millions of instructions a second.
    fn rate(&self) -> f64 {
        self.processed as f64 / self.usec.max(1) as f64
    }
}

/// How many instructions the simulator followed, compared with the kernel.
#[derive(Debug, Default)]
pub struct Followed {
    /// As many.
    pub alike: u64,
    /// More: the numbers of the programs.
    pub more: Vec<u64>,
    /// Fewer.
    pub fewer: Vec<u64>,
}

/// What the first words of refusals by both are.
#[derive(Debug, Default)]
pub struct Worded {
    /// The same.
    pub alike: u64,
    /// Not the same: the numbers of the programs.
    pub other: Vec<u64>,
}

/// On what they disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Disagreement {
    /// The simulator accepts, the kernel refuses.
    FalseAccept,
    /// The simulator refuses, the kernel accepts.
    FalseReject,
    /// The simulator accepts what the interpreter meets a fault in.
    Fault,
    /// Both give the same verdict, and knew other things on the way.
    States,
    /// The simulator does not know.
    Unsupported,
}

impl Campaign {
    /// The program of a number; those that grow are asked for as they do.
    ///
    /// # Errors
    /// If the batch does not answer.
    pub fn made(&self, number: u64, judge: &mut Judge) -> Outcome<Option<Generated>> {
        if self.kind != Kind::Growing {
            return Ok(self.drawn(number));
        }
        let mut lineage = Lineage::new(self.seed, number / ROUNDS);
        for _ in 0..number % ROUNDS {
            let made = lineage.child();
            let answer = judge.ask(&made.row)?;
            lineage.judged(made, &answer);
        }
        Ok(Some(lineage.child()))
    }

    /// The program of a number, of programs that do not grow.
    fn drawn(&self, number: u64) -> Option<Generated> {
        if self.kind == Kind::Loops {
            return generate::loops::program(self.seed, number);
        }
        let mut chance = Chance::new(self.seed.wrapping_add(number));
        if number % COMPILED == 1 && !self.compiled.is_empty() {
            let row = &self.compiled[chance.below(self.compiled.len())];
            return Some(Generated {
                row: mutated(row, &mut chance),
                prog_type: row.program.prog_type,
                constructs: vec![COMPILED_CHANGED],
            });
        }
        let mut made = generate::program(self.seed, number)?;
        let never = made.constructs.contains(&generate::Construct::Work.text());
        if number.is_multiple_of(MUTATED) && !never {
            made.row = mutated(&made.row, &mut chance);
            made.constructs.push(GENERATED_CHANGED);
        }
        Some(made)
    }

    /// Makes the programs and asks for their verdicts.
    ///
    /// # Errors
    /// If the command `ebpfasm` does not answer.
    pub fn run(&self, ebpfasm: &Path) -> Outcome<Report> {
        let mut report = Report::default();
        let judge = Judge::start(ebpfasm, self.logs)?;
        if self.kind == Kind::Growing {
            self.grow(judge, &mut report)?;
            return Ok(report);
        }
        let lines = (0..self.count).filter_map(|number| Some(self.drawn(number)?.row.line(number)));
        judge.ask_all(lines, |answer| {
            let made = self.drawn(answer.id);
            report.add(&answer, &made.ok_or("a program that was not asked")?);
            Ok(())
        })?;
        Ok(report)
    }

    /// The same of programs that grow: so many that the last lineage is whole.
    fn grow(&self, mut judge: Judge, report: &mut Report) -> Outcome {
        let count = self.count.div_ceil(ROUNDS);
        for first in (0..count).step_by(BESIDE as usize) {
            let numbers = first..count.min(first + BESIDE);
            let lineage = |number| Lineage::new(self.seed, number);
            let mut lineages: Vec<Lineage> = numbers.clone().map(lineage).collect();
            for round in 0..ROUNDS {
                let made: Vec<Generated> = lineages.iter_mut().map(Lineage::child).collect();
                let of_round = numbers.clone().map(|number| number * ROUNDS + round);
                let rows = made.iter().zip(of_round);
                let rows: Vec<String> = rows.map(|(made, number)| made.row.line(number)).collect();
                let answers = judge.ask_some(&rows)?;
                for ((lineage, made), answer) in lineages.iter_mut().zip(made).zip(answers) {
                    report.add(&answer, &made);
                    lineage.judged(made, &answer);
                }
            }
        }
        Ok(())
    }

    /// As [`Campaign::run`], printing all of it.
    ///
    /// # Errors
    /// As [`Campaign::run`].
    pub fn run_and_print(&self, ebpfasm: &Path) -> Outcome<Report> {
        let begin = Instant::now();
        let report = self.run(ebpfasm)?;
        let seconds = begin.elapsed().as_secs_f64();
        println!("{}", report.matrix);
        println!("{}", report.times());
        println!("{}", report.followed);
        println!("{}", report.worded);
        if self.logs == Logs::States {
            println!(
                "looked at with the same state: {} instructions",
                report.states
            );
        }
        println!(
            "{:.0} programs a second, both verdicts",
            report.matrix.whole.total() as f64 / seconds
        );
        println!("{}", report.ran);
        println!("{}", report.kinds(self, ebpfasm)?);
        Ok(report)
    }
}

impl Followed {
    fn add(&mut self, answer: &Answer) {
        match answer.ours.processed.cmp(&answer.kernel.processed) {
            Ordering::Equal => self.alike += 1,
            Ordering::Greater => self.more.push(answer.id),
            Ordering::Less => self.fewer.push(answer.id),
        }
    }
}

impl Worded {
    fn add(&mut self, answer: &Answer) {
        let (ours, kernel) = (&answer.ours.msg, &answer.kernel.msg);
        // The instruction is one of those that the kernel has made of the program's by then.
        let no_program = kernel.starts_with(NO_PROGRAM) && words(ours) == words(kernel);
        match ours == kernel || no_program {
            true => self.alike += 1,
            false => self.other.push(answer.id),
        }
    }
}

/// Some of many numbers of programs.
fn some(numbers: &[u64]) -> &[u64] {
    numbers.get(..SHOWN).unwrap_or(numbers)
}

impl fmt::Display for Followed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "followed by both alike: {}; more by the simulator: {} (e.g. {:?}), fewer: {} (e.g. {:?})",
            self.alike,
            self.more.len(),
            some(&self.more),
            self.fewer.len(),
            some(&self.fewer),
        )
    }
}

impl fmt::Display for Worded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "refused by both in the same words: {}; in others: {} (e.g. {:?})",
            self.alike,
            self.other.len(),
            some(&self.other),
        )
    }
}

impl Report {
    /// How many programs are accepted that the kernel refuses, or that met a fault.
    #[must_use]
    pub fn unsound(&self) -> u64 {
        self.count(Disagreement::FalseAccept) + self.count(Disagreement::Fault)
    }

    /// How many programs there is a disagreement of this kind on.
    #[must_use]
    pub fn count(&self, which: Disagreement) -> u64 {
        let kinds = self.kinds.iter();
        let counts = kinds.filter(|((kind, _), _)| *kind == which);
        counts.map(|(_, (count, _))| count).sum()
    }

    fn add(&mut self, answer: &Answer, made: &Generated) {
        let constructs = made.constructs.iter().copied();
        self.matrix.add(answer, made.prog_type.name(), constructs);
        if answer.ours.verdict == Word::Accept {
            self.run(answer.id, made);
        }
        let kind = if answer.is_false_accept() {
            (Disagreement::FalseAccept, words(&answer.kernel.msg))
        } else if answer.is_false_reject() {
            (Disagreement::FalseReject, words(&answer.ours.msg))
        } else if answer.ours.verdict == answer.kernel.verdict {
            if answer.ours.verdict == Word::Accept {
                self.followed.add(answer);
                self.ours.add(&answer.ours);
                self.kernel.add(&answer.kernel);
            } else {
                self.worded.add(answer);
            }
            self.compare_logs(answer);
            return;
        } else {
            (Disagreement::Unsupported, words(&answer.ours.msg))
        };
        self.note(kind, answer.id);
    }

    fn compare_logs(&mut self, answer: &Answer) {
        let Some(compared) = answer.compared_logs() else {
            return;
        };
        self.states += compared.alike;
        if let Some(differs) = compared.differs {
            let kind = (Disagreement::States, words(&differs.to_string()));
            self.note(kind, answer.id);
        }
    }

    fn note(&mut self, kind: (Disagreement, String), number: u64) {
        let (count, numbers) = self.kinds.entry(kind).or_default();
        *count += 1;
        if numbers.len() < EXAMPLES {
            numbers.push(number);
        }
    }

    /// Asks the second witness for an accepted program.
    fn run(&mut self, number: u64, made: &Generated) {
        let seen = witness::runs(&made.row, number);
        if made.is_modelled() {
            self.ran.modelled += 1;
            self.ran.modelled_ended += u64::from(seen == Seen::Ended);
        }
        match seen {
            Seen::Ended => self.ran.ended += 1,
            Seen::Stopped(by) => *self.ran.stopped.entry(words(&by)).or_default() += 1,
            Seen::NotKnown(what) => *self.ran.not_known.entry(words(&what)).or_default() += 1,
            Seen::Fault(what) => self.note((Disagreement::Fault, words(&what)), number),
        }
    }

    fn times(&self) -> String {
        let (ours, kernel) = (&self.ours, &self.kernel);
        format!(
            "accepted by both: simulator {} us, {:.2} M insns/s; kernel {} us, {:.2} M insns/s",
            ours.usec,
            ours.rate(),
            kernel.usec,
            kernel.rate()
        )
    }

    /// The kinds of disagreement by frequency, the first of them with a small program.
    ///
    /// # Errors
    /// If the batch does not answer.
    pub fn kinds(&self, campaign: &Campaign, ebpfasm: &Path) -> Outcome<String> {
        let mut kinds: Vec<_> = self.kinds.iter().collect();
        kinds.sort_by_key(|((kind, _), (count, _))| (*kind, u64::MAX - count));
        let mut judge = Judge::start(ebpfasm, campaign.logs)?;
        let mut text = String::new();
        let mut left = campaign.shown;
        for ((kind, words), (count, numbers)) in kinds {
            writeln!(text, "{count:7} {kind:?}: {words} (e.g. {numbers:?})")
                .map_err(|e| e.to_string())?;
            if left == 0 || *kind == Disagreement::Unsupported {
                continue;
            }
            left -= 1;
            let Some(&number) = numbers.first() else {
                continue;
            };
            if let Some(made) = campaign.made(number, &mut judge)? {
                text += &match kind {
                    Disagreement::Fault => made.row.text(),
                    _ => example(made.row, *kind, words, &mut judge)?,
                };
            }
        }
        Ok(text)
    }
}

/// The smallest program of a kind of disagreement.
fn example(row: Row, kind: Disagreement, said: &str, judge: &mut Judge) -> Outcome<String> {
    let small = smallest(row, judge, |answer| match kind {
        Disagreement::FalseAccept => answer.is_false_accept() && words(&answer.kernel.msg) == said,
        Disagreement::States => says_otherwise(answer).is_some(),
        _ => answer.is_false_reject() && words(&answer.ours.msg) == said,
    })?;
    let answer = judge.ask(&small)?;
    let states = says_otherwise(&answer).unwrap_or_default();
    Ok(format!(
        "    simulator: {:?} {}\n    kernel: {:?} {}\n{states}{}\n",
        answer.ours.verdict,
        answer.ours.msg,
        answer.kernel.verdict,
        answer.kernel.msg,
        small.text()
    ))
}

/// What both say at the first instruction where they say other things.
fn says_otherwise(answer: &Answer) -> Option<String> {
    let differs = answer.compared_logs()?.differs?;
    Some(format!("{differs}\n"))
}

/// A message without its numbers: what is the same for all programs of a kind.
fn words(message: &str) -> String {
    let mut text = String::new();
    for c in message.chars().take(120) {
        match c {
            c if c.is_ascii_digit() => {
                if !text.ends_with('#') {
                    text.push('#');
                }
            }
            c => text.push(c),
        }
    }
    text
}
