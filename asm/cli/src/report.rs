//! What a command says when it fails: one sentence, what it rests on, and what to do.
//!
//! ```text
//! error: the cache /home/x/.cache/ebpfasm belongs to another user
//! help: what lies there would be run: set XDG_CACHE_HOME to a folder of yours
//! ```

use std::fmt;
use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use ebpf_verifier_sim::Decor;

use crate::exit::Exit;

/// Bold red.
const ERROR: Style = AnsiColor::Red.on_default().bold();
/// Bold cyan.
const HELP: Style = AnsiColor::Cyan.on_default().bold();

/// A command that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
    details: Option<String>,
    help: Vec<String>,
}

impl Failure {
    /// A failure with its sentence, without advice.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Failure {
            exit,
            message: message.into(),
            details: None,
            help: Vec::new(),
        }
    }

    /// A failure to do something with a file: `cannot {what} {path}: {error}`.
    pub(crate) fn file(what: &str, path: impl fmt::Display, error: &io::Error) -> Self {
        let failure = Failure::new(Exit::of(error), format!("cannot {what} {path}: {error}"));
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                failure.help("make room there, or write elsewhere; nothing was left half-written")
            }
            _ => failure,
        }
    }

    /// Several lines that stand between the sentence and the advice.
    pub(crate) fn details(mut self, details: impl Into<String>) -> Self {
        self.details = Some(details.into());
        self
    }

    /// One more thing to do about it.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// How the command ends.
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// Prints it to standard error.
    pub(crate) fn print(&self) {
        // With standard error gone there is nobody left to tell.
        let _ = write_at_once(anstream::stderr().lock(), &self.to_string());
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{ERROR}error{ERROR:#}: {}", self.message)?;
        if let Some(details) = &self.details {
            writeln!(f, "{}", details.trim_end())?;
        }
        for help in &self.help {
            writeln!(f, "{HELP}help{HELP:#}: {help}")?;
        }
        Ok(())
    }
}

/// Prints what a command is asked for to standard output.
///
/// A reader that has gone away, as `head` does, is not an error.
pub(crate) fn print(text: impl AsRef<[u8]>) -> Result<(), Failure> {
    match write_bytes(io::stdout().lock(), text.as_ref()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::file("write to", "standard output", &error))
        }
        _ => Ok(()),
    }
}

/// Prints several lines to standard error, as they are.
pub(crate) fn explain(text: &str) {
    // With standard error gone there is nobody left to tell.
    let _ = write_at_once(anstream::stderr().lock(), text);
}

/// How to decorate what goes to standard error; [`explain`] takes off what does not fit.
pub(crate) fn decor() -> Decor {
    Decor::Styled
}

/// What to tell another program that prints to our standard error about colours.
pub(crate) fn colour_choice() -> &'static str {
    let asked_not_to = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    match io::stderr().is_terminal() && !asked_not_to {
        true => "always",
        false => "never",
    }
}

/// One call a text, so that commands that run at once do not mix their lines.
fn write_at_once(to: impl Write, text: &str) -> io::Result<()> {
    write_bytes(to, text.as_bytes())
}

fn write_bytes(mut to: impl Write, bytes: &[u8]) -> io::Result<()> {
    to.write_all(bytes)?;
    to.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_comes_first_and_advice_last() {
        let failure = Failure::new(Exit::Usage, "it is wrong")
            .help("do it right")
            .details("  here\n");
        let text = anstream::adapter::strip_str(&failure.to_string()).to_string();
        assert_eq!(text, "error: it is wrong\n  here\nhelp: do it right\n");
    }
}
