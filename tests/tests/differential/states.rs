//! States: what the kernel's log of level 2 says to be known behind every instruction, and what
//! ours says.
//!
//! The programs are the accepted cases, and generated ones. Both logs are read as the instructions that were looked
//! at, in order, with the state behind each. They must be the same to the last id for as long as
//! both look at the same instructions; where one prunes a path that the other follows, the rest
//! is left out, and counted.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use ebpf_asm::object::Object;
use ebpf_asm::program::Program;
use ebpf_asm::text::parse;
use ebpf_loader::{Error, Loader, LogLevel};
use ebpf_tests::differential::generate;
use ebpf_tests::{Outcome, ensure, workspace};
use ebpf_verifier_sim::{Config, KernelLog, KernelTypes, verify_watched};

/// The seed of the generated programs.
const SEED: u64 = 7;

/// Cases in which something is shown otherwise, and why.
const KNOWN: [(&str, &str); 1] = [(
    "map/in_map.bpf",
    "a value of a map of maps has the outer map's name until it is known to be there",
)];

/// One entry of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    /// An instruction that was looked at, and the state behind it as far as it is told.
    Looked(Looked),
    /// A branch that was begun.
    Branch { from: usize, to: usize },
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Looked {
    slot: usize,
    insn: String,
    state: Vec<String>,
}

impl fmt::Display for Looked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ; {}", self.slot, self.insn, self.state.join(" "))
    }
}

impl Entry {
    /// Where in the program it is.
    fn place(&self) -> (usize, Option<usize>) {
        match self {
            Entry::Looked(looked) => (looked.slot, None),
            Entry::Branch { from, to } => (*from, Some(*to)),
        }
    }
}

/// What the kernel does with a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kernel {
    Takes,
    Refuses,
}

/// How much of what was looked at was compared.
#[derive(Debug, Default)]
struct Compared {
    programs: usize,
    whole: usize,
    states: usize,
    differing: Vec<String>,
}

pub(crate) fn agree() -> Outcome {
    let mut compared = Compared::default();
    for path in cases(&workspace().join("tests/cases")) {
        let text = fs::read_to_string(&path)?;
        let is_known = KNOWN.iter().any(|(name, _)| path.ends_with(name));
        if is_known {
            continue;
        }
        let heads = ["; without:", "; types:", "; answered by:"];
        let plain = !heads.iter().any(|head| text.contains(head));
        if text.contains("; verdict: accept") && plain {
            let object = parse("case", &text)?;
            for program in &object.programs {
                let kernel = compared.add(&path, &object, program)?;
                ensure!(kernel == Kernel::Takes, "{} is refused", path.display());
            }
        }
    }
    compared.judge()
}

/// The same of so many generated programs, as far as the kernel takes them.
pub(crate) fn agree_on_generated(cases: u32) -> Outcome {
    let mut compared = Compared::default();
    for number in 0..cases.into() {
        let Some(generated) = generate::program(SEED, number) else {
            continue;
        };
        let object = generated.row.whole()?;
        for program in &object.programs {
            let name = format!("program {number} of seed {SEED}");
            compared.add(Path::new(&name), &object, program)?;
        }
    }
    compared.judge()
}

fn cases(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        match path.is_dir() {
            true => files.extend(cases(&path)),
            false if path.extension().is_some_and(|e| e == "bpf") => files.push(path),
            false => {}
        }
    }
    files
}

impl Compared {
    /// Compares one more program, if the kernel takes it.
    fn add(&mut self, path: &Path, object: &Object, program: &Program) -> Outcome<Kernel> {
        let types = KernelTypes::unknown();
        let mut log = KernelLog::new(object, program, &types);
        verify_watched(
            object,
            program,
            &Config {
                cpus: ebpf_syscalls::cpu::ids().ok(),
                ..Config::default()
            },
            &types,
            &mut |event| log.add(event),
        );
        let ours = entries(&log.take());
        let mut loader = Loader::new(object);
        let kernels = match loader.load_with_log(&program.name, LogLevel::States) {
            Ok((_, log)) => entries(&log),
            Err(Error::Rejected(_)) => return Ok(Kernel::Refuses),
            Err(error) => return Err(error.into()),
        };
        self.programs += 1;
        for (our, their) in ours.iter().zip(&kernels) {
            if our.place() != their.place() {
                return Ok(Kernel::Takes);
            }
            let (Entry::Looked(ours), Entry::Looked(kernels)) = (our, their) else {
                continue;
            };
            self.states += 1;
            if ours.insn != kernels.insn || !is_same(&ours.state, &kernels.state) {
                let name = path.file_stem().unwrap_or_default().display();
                let differing = format!("{name}\n  ours   {ours}\n  kernel {kernels}");
                self.differing.push(differing);
                return Ok(Kernel::Takes);
            }
        }
        self.whole += usize::from(ours.len() == kernels.len());
        Ok(Kernel::Takes)
    }

    /// Fails if a state differs, or too few were compared.
    fn judge(&self) -> Outcome {
        println!(
            "{} programs, {} of them looked at in the same order to the end, {} states, {} differ",
            self.programs,
            self.whole,
            self.states,
            self.differing.len()
        );
        ensure!(self.states > 1000, "only {} states", self.states);
        ensure!(
            self.differing.is_empty(),
            "states differ:\n{}",
            self.differing.join("\n")
        );
        Ok(())
    }
}

/// Whether a state is the kernel's: the same registers, and the same in every slot of the stack
/// that both show. Ours shows slots that changed, the kernel's those that were read too, but not
/// what helpers wrote; where a path is found covered, it does not show the last state any more.
fn is_same(ours: &[String], kernels: &[String]) -> bool {
    if kernels.is_empty() {
        return true;
    }
    let is_slot = |word: &&String| word.starts_with("fp-");
    let others = |state: &'_ [String]| -> Vec<String> {
        state
            .iter()
            .filter(|word| !is_slot(word))
            .cloned()
            .collect()
    };
    let slots = |word: &&String| {
        let place = |word: &String| word.split('=').next().map(str::to_owned);
        !is_slot(word)
            || ours
                .iter()
                .all(|our| place(our) != place(word) || told(our) == told(word))
    };
    others(ours) == others(kernels) && kernels.iter().all(|word| slots(&word))
}

/// A slot as far as it can be relied on: the kernel shows a dynptr that is made where another
/// was with the other's `dynptr_id`.
fn told(slot: &str) -> &str {
    match slot.split_once(",dynptr_id=") {
        Some((start, _)) if start.contains("=dynptr_") => start,
        _ => slot,
    }
}

/// The entries of a log.
fn entries(log: &str) -> Vec<Entry> {
    let mut all: Vec<Entry> = Vec::new();
    for line in log.lines() {
        if let Some(branch) = branch(line) {
            all.push(branch);
            continue;
        }
        let Some((slot, rest)) = line.split_once(": ") else {
            continue;
        };
        let Ok(slot) = slot.parse() else {
            continue;
        };
        let (insn, state) = rest.split_once(';').unwrap_or((rest, ""));
        match (rest.starts_with('('), all.last_mut()) {
            (true, _) => all.push(Entry::Looked(Looked {
                slot,
                insn: without_address(insn.trim_end()),
                state: words(state),
            })),
            // What the kernel tells of its work moved the state to a line of its own.
            (false, Some(Entry::Looked(looked))) if looked.state.is_empty() => {
                looked.state = words(rest);
            }
            (false, _) => {}
        }
    }
    all
}

/// An instruction without the address of a map, which the kernel tells to the privileged.
fn without_address(insn: &str) -> String {
    match insn.split_once(" = 0x") {
        Some((load, _)) if insn.starts_with("(18)") => load.to_owned(),
        _ => insn.to_owned(),
    }
}

/// `from 18 to 23: R0=...`, or `safe`.
fn branch(line: &str) -> Option<Entry> {
    let (from, rest) = line.strip_prefix("from ")?.split_once(" to ")?;
    let (to, _) = rest.split_once(':')?;
    Some(Entry::Branch {
        from: from.parse().ok()?,
        to: to.parse().ok()?,
    })
}

/// The registers and slots of a state, spaces in parentheses being part of them; none if it is
/// only said that the path is covered.
fn words(state: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in state.split_whitespace().filter(|word| *word != "safe") {
        let open = |text: &String| text.matches('(').count() > text.matches(')').count();
        match words.last_mut().filter(|last| open(last)) {
            Some(last) => *last += &format!(" {word}"),
            None => words.push(word.to_owned()),
        }
    }
    words
}
