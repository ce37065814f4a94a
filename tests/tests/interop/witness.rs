//! What libbpf and the kernel make of an object: the lines of `tests/c/libbpf_object.c`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use ebpf_tests::{Outcome, clang, ensure, frames, tool};
use tempfile::TempDir;

/// Lines about an object, sorted: a word for what each is about, then the rest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Account(Vec<String>);

impl Account {
    /// The account of these lines.
    pub(crate) fn new(lines: impl IntoIterator<Item = String>) -> Account {
        let mut lines: Vec<String> = lines.into_iter().collect();
        lines.sort();
        Account(lines)
    }

    /// The lines about some things only.
    pub(crate) fn about(&self, words: &[&str]) -> Account {
        let is_about = |line: &&String| words.contains(&line.split(' ').next().unwrap_or_default());
        Account(self.0.iter().filter(is_about).cloned().collect())
    }

    /// The rest of the lines about one thing, sorted.
    pub(crate) fn of<'a>(&'a self, word: &'a str) -> impl Iterator<Item = &'a str> {
        let lines = self.0.iter().filter_map(|line| line.split_once(' '));
        lines
            .filter(move |(first, _)| *first == word)
            .map(|(_, rest)| rest)
    }

    /// Without the lines about loading and running programs other than the chosen ones.
    pub(crate) fn of_programs(&self, chosen: impl Fn(&str) -> bool) -> Account {
        let keeps = |line: &&String| {
            let mut words = line.split(' ');
            let is_of_program = matches!(words.next(), Some("load" | "run"));
            !is_of_program || words.next().is_some_and(&chosen)
        };
        Account(self.0.iter().filter(keeps).cloned().collect())
    }

    /// The same lines, each changed.
    pub(crate) fn map(&self, change: impl FnMut(&String) -> String) -> Account {
        Account::new(self.0.iter().map(change))
    }

    /// Fails with the lines that only one of two accounts has.
    pub(crate) fn must_be(&self, should: &Account, what: &str) -> Outcome {
        let mut balance: BTreeMap<&str, i32> = BTreeMap::new();
        for line in &self.0 {
            *balance.entry(line).or_default() += 1;
        }
        for line in &should.0 {
            *balance.entry(line).or_default() -= 1;
        }
        let mut differences = String::new();
        for (line, count) in balance
            .into_iter()
            .filter(|(_, count)| *count != 0)
            .take(16)
        {
            let whose = if count > 0 {
                "ours only"
            } else {
                "theirs only"
            };
            // Writing to a string cannot fail.
            let _ = write!(differences, "\n    {whose}: {line}");
        }
        ensure!(differences.is_empty(), "{what} differ:{differences}");
        Ok(())
    }
}

/// Whether the kernel's verifier has judged a program of libbpf's account, as libbpf says;
/// otherwise something of its object was refused before, such as a map of another program.
pub(crate) fn is_judged(account: &Account, said: &str, program: &str) -> bool {
    let accepted = format!("{program} 0");
    let refused = format!("prog '{program}': BPF program load failed");
    account.of("load").any(|line| line == accepted) || said.contains(&refused)
}

/// What libbpf and the kernel make of the object in a file, and what libbpf says on the way.
pub(crate) fn account(object: &Path) -> Outcome<(Account, String)> {
    let witness = witness()?;
    let mut command = Command::new(&witness.program);
    let command = command.arg(object).stdin(File::open(&witness.frames)?);
    let output = command.output()?;
    ensure!(output.status.success(), "{}", tool::both(&output));
    let lines = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok((Account::new(lines.lines().map(str::to_owned)), said))
}

/// The frames that every program gets.
pub(crate) fn frames() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = frames::all().into_iter().map(|frame| frame.bytes).collect();
    // A long one, and one that ends with Ethernet's header.
    all.push((0..1024_u32).map(|i| (i * 7 + i / 256) as u8).collect());
    all.push((0..14).collect());
    all
}

/// The program that asks libbpf, built once, and the file with its frames.
struct Witness {
    program: PathBuf,
    frames: PathBuf,
    /// Goes with the process.
    _folder: TempDir,
}

fn witness() -> Outcome<&'static Witness> {
    static WITNESS: OnceLock<Result<Witness, String>> = OnceLock::new();
    let built = WITNESS
        .get_or_init(|| build().map_err(|failed| failed.message().unwrap_or_default().to_owned()));
    built.as_ref().map_err(|message| message.into())
}

fn build() -> Outcome<Witness> {
    let folder = tempfile::tempdir()?;
    let program = clang::link_libbpf(&clang::source("libbpf_object.c"), folder.path())?;
    let path = folder.path().join("frames");
    let lines = frames()
        .iter()
        .map(|frame| hex(frame) + "\n")
        .collect::<String>();
    std::fs::write(&path, lines)?;
    Ok(Witness {
        program,
        frames: path,
        _folder: folder,
    })
}

/// Bytes as two digits each, and none as `-`.
pub(crate) fn hex(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "-".to_owned();
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
