//! What a command says when it fails: one sentence, what it rests on, and what to do.
//!
//! ```text
//! error: eth0 already runs XDP program 'fw' (id 7, native), attached by another owner (link 3)
//! help: replace it with --replace, or detach it first
//! ```

use std::fmt;
use std::io::{self, BufWriter, IsTerminal, Write};

use crate::exit::Exit;
use anstyle::{AnsiColor, Style};

/// Bold red.
const ERROR: Style = AnsiColor::Red.on_default().bold();
/// Bold cyan.
const HELP: Style = AnsiColor::Cyan.on_default().bold();
/// Bold green.
const NOTE: Style = AnsiColor::Green.on_default().bold();

/// A command that failed.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    message: String,
    details: Option<String>,
    help: Vec<String>,
}

impl Failure {
    /// A failure with its sentence, without advice.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Failure {
            exit,
            message: message.into(),
            details: None,
            help: Vec::new(),
        }
    }

    /// A failure to do something with a file: `cannot {what} {path}: {error}`.
    pub fn file(what: &str, path: impl fmt::Display, error: &io::Error) -> Self {
        let failure = Failure::new(Exit::of(error), format!("cannot {what} {path}: {error}"));
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                failure.help("make room there, or write elsewhere; nothing was left half-written")
            }
            _ => failure,
        }
    }

    /// Several lines that stand between the sentence and the advice.
    #[must_use]
    pub fn details(mut self, details: impl Into<String>) -> Self {
        self.details = Some(details.into());
        self
    }

    /// One more thing to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// The sentence.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// How the command ends.
    #[must_use]
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// Prints it to standard error.
    pub fn print(&self) {
        explain(&self.to_string());
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

/// Prints what a command is asked for to standard output, undecorated if that is no
/// terminal.
///
/// # Errors
/// If it cannot be written. A reader that has gone away, as `head` does, is not an error.
pub fn print(text: impl fmt::Display) -> Result<(), Failure> {
    written(write_at_once(
        anstream::stdout().lock(),
        text.to_string().as_bytes(),
    ))
}

/// Prints bytes to standard output as they are.
///
/// # Errors
/// As for [`print()`].
pub fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    written(write_at_once(io::stdout().lock(), bytes))
}

/// Prints what is long to standard output as it is made.
///
/// # Errors
/// As for [`print()`].
pub fn stream(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = BufWriter::with_capacity(STREAM_BUFFER, io::stdout().lock());
    let result = write(&mut out).and_then(|()| out.flush());
    // What could not be written is not tried again when the buffer goes.
    let _ = out.into_parts();
    written(result)
}

/// The buffer of what is streamed, in bytes: a pipe's own size.
const STREAM_BUFFER: usize = 64 << 10;

fn written(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::file("write to", "standard output", &error))
        }
        _ => Ok(()),
    }
}

/// Prints a remark to standard error.
pub fn note(text: impl fmt::Display) {
    explain(&format!("{NOTE}note{NOTE:#}: {text}\n"));
}

/// Prints what to do about a remark to standard error.
pub fn help(text: impl fmt::Display) {
    explain(&format!("{HELP}help{HELP:#}: {text}\n"));
}

/// Prints several lines to standard error, undecorated if that is no terminal.
pub fn explain(text: &str) {
    // What nobody can read changes nothing about what was done.
    let _ = write_at_once(anstream::stderr().lock(), text.as_bytes());
}

/// What to tell another program that prints to our standard error about colours.
#[must_use]
pub fn colour_choice() -> &'static str {
    let asked_not_to = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    match io::stderr().is_terminal() && !asked_not_to {
        true => "always",
        false => "never",
    }
}

/// One call a text, so that commands that run at once do not mix their lines.
fn write_at_once(mut to: impl Write, bytes: &[u8]) -> io::Result<()> {
    to.write_all(bytes)?;
    to.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_comes_first_and_advice_last() {
        let failure = Failure::new(Exit::Conflict, "it is taken")
            .help("take another")
            .details("  by somebody\n")
            .help("or wait");
        let text = anstream::adapter::strip_str(&failure.to_string()).to_string();
        assert_eq!(
            text,
            "error: it is taken\n  by somebody\nhelp: take another\nhelp: or wait\n"
        );
    }
}
