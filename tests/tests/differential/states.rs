//! States: what the kernel's log of level 2 says to be known behind every instruction, and what
//! ours says.
//!
//! The programs are the accepted cases, and generated ones. They must be the same to the last id;
//! of the cases, which are verified without the kernel's types here, for as long as both look at
//! the same instructions.

use std::fs;
use std::path::{Path, PathBuf};

use ebpf_asm::object::Object;
use ebpf_asm::program::Program;
use ebpf_asm::text::parse;
use ebpf_loader::{Error, Loader, LogLevel};
use ebpf_tests::differential::campaign::{Campaign, Disagreement};
use ebpf_tests::differential::judge::Logs;
use ebpf_tests::differential::logs::compared;
use ebpf_tests::head::{Field, Head};
use ebpf_tests::{Outcome, commands, ensure, workspace};
use ebpf_verifier_sim::{Config, KernelLog, KernelTypes, verify_watched};

/// The seed of the generated programs.
const SEED: u64 = 7;

/// What the kernel does with a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kernel {
    Takes,
    Refuses,
}

/// How much of what was looked at was compared.
#[derive(Debug, Default)]
struct Sum {
    programs: usize,
    whole: usize,
    states: usize,
    differing: Vec<String>,
}

pub(crate) fn agree() -> Outcome {
    let mut sum = Sum::default();
    for path in cases(&workspace().join("tests/cases")) {
        let text = fs::read_to_string(&path)?;
        let head = Head::read(&path, &text)?;
        let others = [Field::Without, Field::Types, Field::AnsweredBy];
        let is_plain = others.iter().all(|field| head.get(*field).is_none());
        if head.get(Field::Verdict) == Some("accept") && is_plain {
            let object = parse("case", &text)?;
            for program in &object.programs {
                let kernel = sum.add(&path, &object, program)?;
                ensure!(kernel == Kernel::Takes, "{} is refused", path.display());
            }
        }
    }
    sum.judge()
}

/// The same of so many generated programs: what the kernel refuses is followed up to there.
pub(crate) fn agree_on_generated(cases: u32) -> Outcome {
    let campaign = Campaign {
        seed: SEED,
        count: cases.into(),
        shown: 3,
        logs: Logs::States,
        ..Campaign::default()
    };
    let ebpfasm = &commands::built()?.ebpfasm;
    let report = campaign.run(ebpfasm)?;
    println!("{} states are the same", report.states);
    ensure!(
        report.count(Disagreement::States) == 0,
        "states differ:\n{}",
        report.kinds(&campaign, ebpfasm)?
    );
    ensure!(
        report.states as u64 > 10 * u64::from(cases),
        "only {} states of {cases} programs",
        report.states
    );
    Ok(())
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

impl Sum {
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
        let mut loader = Loader::new(object);
        let kernels = match loader.load_with_log(&program.name, LogLevel::States) {
            Ok((_, log)) => log,
            Err(Error::Rejected(_)) => return Ok(Kernel::Refuses),
            Err(error) => return Err(error.into()),
        };
        self.programs += 1;
        let compared = compared(&log.take(), &kernels);
        self.states += compared.alike;
        match compared.differs {
            None => self.whole += 1,
            Some(differs) if differs.is_state() => {
                let name = path.file_stem().unwrap_or_default().display();
                self.differing.push(format!("{name}\n{differs}"));
            }
            Some(_) => {}
        }
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
