//! What a command says when it fails: one sentence, what it rests on, and what to do.
//!
//! ```text
//! error: eth0 already runs XDP program 'fw' (id 7, native), attached by another owner (link 3)
//! help: replace it with --replace, or detach it first
//! ```

use std::fmt;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use ebpf_loader::Attachment;

use crate::exit::Exit;

/// Bold red.
const ERROR: Style = AnsiColor::Red.on_default().bold();
/// Bold cyan.
const HELP: Style = AnsiColor::Cyan.on_default().bold();
/// Bold green.
const NOTE: Style = AnsiColor::Green.on_default().bold();

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

    /// The sentence.
    pub(crate) fn message(&self) -> &str {
        &self.message
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
pub(crate) fn print(text: impl fmt::Display) -> Result<(), Failure> {
    match write_at_once(anstream::stdout().lock(), &text.to_string()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::new(
            Exit::Io,
            format!("cannot write to standard output: {error}"),
        )),
        _ => Ok(()),
    }
}

/// Prints a remark to standard error.
pub(crate) fn note(text: impl fmt::Display) {
    // A remark that nobody can read changes nothing about what was done.
    let line = format!("{NOTE}note{NOTE:#}: {text}\n");
    let _ = write_at_once(anstream::stderr().lock(), &line);
}

/// Prints a log to standard error, as it is.
pub(crate) fn log(text: &str) {
    // As for remarks.
    let _ = writeln!(anstream::stderr().lock(), "{}", text.trim_end());
}

/// One call a text, so that commands that run at once do not mix their lines.
fn write_at_once(mut to: impl Write, text: &str) -> io::Result<()> {
    to.write_all(text.as_bytes())?;
    to.flush()
}

/// A program by its name, where the kernel tells it, and its id.
pub(crate) fn program(attachment: &Attachment) -> String {
    match &attachment.program {
        Some(facts) => format!("{} (id {})", facts.name, attachment.prog_id),
        None => format!("program {}", attachment.prog_id),
    }
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
