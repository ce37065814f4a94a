//! `ebpfld doctor`: what this machine can do, what is missing, and what to do about it.

mod interfaces;
mod kernel;
mod privileges;

use std::fmt::{self, Write};
use std::path::Path;

use anstyle::{AnsiColor, Style};
use ebpf_syscalls::bpffs;

use ebpf_cli::exit::Exit;
use ebpf_cli::report::{self, Failure};

/// Width of the column with the states, in characters.
const STATE_WIDTH: usize = 8;

/// Width of the column with the subjects, in characters.
const SUBJECT_WIDTH: usize = 26;

/// Something that was looked at.
#[derive(Debug)]
struct Check {
    subject: String,
    state: State,
    finding: String,
    help: Option<String>,
}

/// What it means for attaching programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// As it should be.
    Good,
    /// Attaching works without; something else is less good.
    Note,
    /// Attaching fails, with this exit code.
    Missing(Exit),
}

impl Check {
    fn new(subject: impl Into<String>, state: State, finding: impl Into<String>) -> Self {
        Check {
            subject: subject.into(),
            state,
            finding: finding.into(),
            help: None,
        }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Runs the command.
pub(crate) fn run() -> Result<(), Failure> {
    let mut checks = kernel::checks();
    checks.extend(privileges::checks());
    checks.push(bpffs_check());
    checks.extend(interfaces::checks()?);
    report::print(render(&checks))?;
    verdict(&checks)
}

/// Whether pins have a place.
fn bpffs_check() -> Check {
    let at = bpffs::MOUNT_POINT;
    match bpffs::is_on_bpffs(Path::new(at)) {
        Ok(true) => Check::new("bpffs", State::Good, format!("mounted at {at}")),
        Ok(false) => Check::new(
            "bpffs",
            State::Missing(Exit::Unsupported),
            format!("not mounted at {at}, so that links cannot be pinned"),
        )
        .help(format!(
            "mount -t bpf bpf {at}, or `ebpfld attach --mount-bpffs`, which does so"
        )),
        Err(error) => Check::new("bpffs", State::Note, error.to_string()),
    }
}

fn render(checks: &[Check]) -> String {
    let mut text = String::new();
    for check in checks {
        // Writing to a string does not fail.
        let _ = write!(text, "{check}");
    }
    text
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, color) = match self.state {
            State::Good => ("ok", AnsiColor::Green),
            State::Note => ("note", AnsiColor::Yellow),
            State::Missing(_) => ("missing", AnsiColor::Red),
        };
        let style = Style::new().fg_color(Some(color.into())).bold();
        writeln!(
            f,
            "{style}{word:<STATE_WIDTH$}{style:#} {:<SUBJECT_WIDTH$} {}",
            self.subject, self.finding
        )?;
        let indent = STATE_WIDTH + 1;
        match &self.help {
            Some(help) => writeln!(f, "{:indent$}help: {help}", ""),
            None => Ok(()),
        }
    }
}

/// Whether programs can be attached here, by this user.
fn verdict(checks: &[Check]) -> Result<(), Failure> {
    let missing = checks.iter().filter_map(|check| match check.state {
        State::Missing(exit) => Some((check, exit)),
        _ => None,
    });
    let all: Vec<_> = missing.collect();
    let Some((_, exit)) = all.first() else {
        return Ok(());
    };
    let subjects: Vec<_> = all
        .iter()
        .map(|(check, _)| check.subject.as_str())
        .collect();
    Err(Failure::new(
        *exit,
        format!(
            "`ebpfld attach` cannot work here yet: {} missing",
            subjects.join(", ")
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_fails_and_the_first_decides() {
        let good = || Check::new("a", State::Good, "x");
        let note = || Check::new("b", State::Note, "x");
        let missing = |exit| Check::new("c", State::Missing(exit), "x").help("get it");
        assert!(verdict(&[good(), note()]).is_ok());
        let checks = [
            good(),
            missing(Exit::Permission),
            missing(Exit::Unsupported),
        ];
        assert_eq!(verdict(&checks).unwrap_err().exit(), Exit::Permission);
        let text = anstream::adapter::strip_str(&render(&checks)).to_string();
        assert_eq!(text.lines().count(), 5);
        assert!(text.contains("\n         help: get it\n"), "{text}");
    }
}
