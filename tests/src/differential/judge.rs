//! The batch that is asked: `ebpfasm check --batch - --kernel-too`.
//!
//! Read before: `compiled.rs`. Read next: `logs.rs`.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;

use ebpf_verifier_sim::Code;
use serde::Deserialize;

use super::logs::{self, Compared};
use super::row::Row;
use crate::Outcome;

/// More than there are processors: loading a program is mostly waiting for the kernel.
const JOBS: &str = "8";

/// Logs of so many bytes are not compared.
const LONGEST_LOG: usize = 1 << 20;

/// A verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Word {
    /// The program is accepted.
    Accept,
    /// The program is refused.
    Reject,
    /// There is no verdict.
    Unsupported,
}

/// What one verifier says.
#[derive(Debug, Clone, Deserialize)]
pub struct Said {
    /// The verdict.
    pub verdict: Word,
    /// The first words of a refusal.
    pub msg: String,
    /// Instructions followed.
    pub processed: u64,
    /// Microseconds.
    pub usec: u64,
    /// The code of a refusal.
    #[serde(default)]
    pub code: String,
    /// The log of level 2, if it was asked for.
    #[serde(default)]
    pub log: String,
}

/// What both say of a row.
#[derive(Debug, Clone, Deserialize)]
pub struct Answer {
    /// The row's number.
    pub id: u64,
    /// The simulator.
    #[serde(flatten)]
    pub ours: Said,
    /// The running kernel.
    pub kernel: Said,
}

impl Answer {
    /// Whether the simulator accepts what the kernel refuses.
    #[must_use]
    pub fn is_false_accept(&self) -> bool {
        self.ours.verdict == Word::Accept && self.kernel.verdict == Word::Reject
    }

    /// Whether both accept, and followed as many instructions.
    #[must_use]
    pub fn is_accepted_alike(&self) -> bool {
        let accepted = (self.ours.verdict, self.kernel.verdict) == (Word::Accept, Word::Accept);
        accepted && self.ours.processed == self.kernel.processed
    }

    /// Both logs, compared, if there are such. Of what is no instruction none are: the simulator
    /// follows something else in its place; nor are long ones, of which the kernel keeps the end.
    #[must_use]
    pub fn compared_logs(&self) -> Option<Compared> {
        let is_short = |log: &str| (1..LONGEST_LOG).contains(&log.len());
        let both = is_short(&self.ours.log) && is_short(&self.kernel.log);
        let is_compared = both && self.ours.code != Code::Encoding.to_string();
        is_compared.then(|| logs::compared(&self.ours.log, &self.kernel.log))
    }

    /// Whether the simulator refuses what the kernel accepts.
    #[must_use]
    pub fn is_false_reject(&self) -> bool {
        self.ours.verdict == Word::Reject && self.kernel.verdict == Word::Accept
    }
}

/// Whether the answers have logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Logs {
    /// They have none.
    #[default]
    None,
    /// They have the log of every instruction that was looked at.
    States,
}

/// A batch that runs.
#[derive(Debug)]
pub struct Judge {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Judge {
    /// Starts a batch of the command `ebpfasm`.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start(ebpfasm: &Path, logs: Logs) -> Outcome<Judge> {
        let level: &[&str] = match logs {
            Logs::None => &[],
            Logs::States => &["--log-level", "2"],
        };
        let mut child = Command::new(ebpfasm)
            .args(["check", "--batch", "-", "--kernel-too", "--jobs", JOBS])
            .args(level)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let output = output.ok_or("the batch has no output")?;
        Ok(Judge {
            child,
            input,
            output: BufReader::new(output),
        })
    }

    /// Asks for one verdict.
    ///
    /// # Errors
    /// If there is no answer.
    pub fn ask(&mut self, row: &Row) -> Outcome<Answer> {
        let input = self.input.as_mut().ok_or("the batch has ended")?;
        input.write_all(row.line(0).as_bytes())?;
        input.flush()?;
        self.answer()?
            .ok_or_else(|| "the batch ended without an answer".into())
    }

    /// Asks for the verdicts on some rows, which are given in their order.
    ///
    /// # Errors
    /// If answers are missing.
    pub fn ask_some(&mut self, rows: &[String]) -> Outcome<Vec<Answer>> {
        let mut input = self.input.take().ok_or("the batch has ended")?;
        thread::scope(|scope| {
            let writer = scope.spawn(move || {
                for row in rows {
                    // A batch that has gone away is noticed where answers are missing.
                    let _ = input.write_all(row.as_bytes());
                }
                input
            });
            let missing = || "the batch ended without an answer".into();
            let answers = rows.iter().map(|_| self.answer()?.ok_or_else(missing));
            let answers = answers.collect::<Outcome<Vec<Answer>>>();
            if answers.is_err() {
                // It would wait for somebody to read, and the writer for it.
                let _ = self.child.kill();
            }
            self.input = writer.join().ok();
            answers
        })
    }

    /// The most memory that the batch has had so far, in bytes.
    ///
    /// # Errors
    /// If `/proc` does not say it.
    pub fn peak_memory(&self) -> Outcome<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let kilobytes: u64 = kilobytes.ok_or("no VmHWM in /proc")?.trim().parse()?;
        Ok(kilobytes * 1024)
    }

    fn answer(&mut self) -> Outcome<Option<Answer>> {
        let mut line = String::new();
        match self.output.read_line(&mut line)? {
            0 => Ok(None),
            _ => Ok(Some(
                serde_json::from_str(&line).map_err(|error| format!("{error}: {line}"))?,
            )),
        }
    }

    /// Asks for the verdicts on all rows, made while answers come; ends the batch.
    ///
    /// # Errors
    /// If answers are missing, or `each` fails.
    pub fn ask_all(
        mut self,
        rows: impl Iterator<Item = String> + Send,
        mut each: impl FnMut(Answer) -> Outcome,
    ) -> Outcome {
        let mut input = self.input.take().ok_or("the batch has ended")?;
        thread::scope(|scope| {
            scope.spawn(move || {
                for row in rows {
                    // A batch that has gone away is noticed where answers are missing.
                    if input.write_all(row.as_bytes()).is_err() {
                        return;
                    }
                }
            });
            while let Some(answer) = self.answer()? {
                each(answer)?;
            }
            Ok(())
        })
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        // It ends with its input; what it returns then says nothing more.
        drop(self.input.take());
        let _ = self.child.wait();
    }
}
