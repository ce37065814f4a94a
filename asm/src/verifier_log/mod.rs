//! The log of the kernel's verifier, read: what it looked at, and why it refuses.
//!
//! A log is a protocol. Source lines (`; text @ file:line`), instructions (`3: (71) r0 = *(u8
//! *)(r2 +14)`) and states of registers tell of the way; then the refusal stands in plain
//! words, and statistics end it. Since Linux 7.3 a report stands behind the plain words, with
//! the reason, the place, the way there and a suggestion ([`Report`]). The form is as observed
//! on Linux 5.4 to 6.18, that of reports from published logs; none of it is a promise of the
//! kernel's, so what is not found is left out.
//!
//! | file | concept |
//! |---|---|
//! | `line.rs` | what a line of the log is |
//! | `report.rs` | the report of Linux 7.3 |
//! | `trail.rs` | the path that led to the refusal |
//!
//! ```
//! use ebpf_asm::verifier_log::VerifierLog;
//!
//! let log = VerifierLog::read("0: R1=ctx() R10=fp0\n0: (95) exit\nR0 !read_ok\n");
//! assert_eq!(log.point().as_deref(), Some("R0 !read_ok"));
//! assert_eq!(log.slot(), Some(0));
//! assert_eq!(log.insn(0), Some("exit"));
//! ```

mod line;
mod report;
mod trail;

use line::Line;
pub use report::{Annotation, Report};
pub use trail::{Step, Trail};

use crate::span::Span;

/// Most lines of the refusal that are quoted. A list counts as one.
const LINES: usize = 3;

/// How a line begins that is one of a list: of what was acquired, and is not given back.
const LISTED: &str = "Unreleased reference id=";

/// What a log says.
#[derive(Debug, Clone, Default)]
pub struct VerifierLog<'a> {
    /// The lines but those of reports.
    lines: Vec<Line<'a>>,
    reports: Vec<Report<'a>>,
}

impl<'a> VerifierLog<'a> {
    /// Reads a log. Every text is one, if need be one that says nothing.
    pub fn read(text: &'a str) -> VerifierLog<'a> {
        let mut log = VerifierLog::default();
        // Go's library prints logs with a tab before each line.
        let lines = loaded(text).lines();
        let mut lines = lines
            .map(|line| line.strip_prefix('\t').unwrap_or(line))
            .peekable();
        while let Some(line) = lines.next() {
            match Report::begin(line) {
                Some(mut report) => {
                    while let Some(line) = lines.next_if(|line| Report::has(line)) {
                        report.add(line);
                    }
                    log.reports.push(report.finish());
                }
                None => log.lines.extend(Line::all(line)),
            }
        }
        log
    }

    /// Whether the text has anything that only a verifier's log has.
    pub fn is_log(&self) -> bool {
        let is_words = |line: &Line<'_>| matches!(line, Line::Words(_) | Line::Source(_));
        !self.reports.is_empty() || !self.lines.iter().all(is_words)
    }

    /// The refusal in the plain words of the log's end, in one line; without any, the title of
    /// the report. `None` if the log gives no reason.
    pub fn point(&self) -> Option<String> {
        let words = self.words();
        match (words.as_slice(), self.reports.first()) {
            ([], None) => None,
            ([], Some(report)) => Some(report.title.to_owned()),
            (words, _) => Some(words.join("; ")),
        }
    }

    /// The refusal in plain words, line by line.
    pub fn words(&self) -> Vec<&'a str> {
        let endless = self.lines.iter().rev().find_map(|line| match line {
            Line::Endless(words) => Some(*words),
            _ => None,
        });
        if let Some(words) = endless {
            return vec![words];
        }
        // What stands behind the statistics is not the verifier's.
        let is_count = |line: &Line<'_>| matches!(line, Line::Statistics);
        let counted = self.lines.iter().rposition(is_count);
        let end = self.lines.iter().take(counted.unwrap_or(usize::MAX)).rev();
        let mut lines = 0;
        let mut in_list = false;
        let mut words: Vec<&str> = end
            .skip_while(|line| matches!(line, Line::Statistics))
            .map_while(|line| match line {
                Line::Words(words) => Some(*words),
                _ => None,
            })
            .take_while(|words| {
                let is_listed = words.starts_with(LISTED);
                lines += usize::from(!(in_list && is_listed));
                in_list = is_listed;
                lines <= LINES
            })
            .collect();
        words.reverse();
        words
    }

    /// The report that goes with the refusal, since Linux 7.3. Of several the first counts.
    pub fn report(&self) -> Option<&Report<'a>> {
        self.reports.first()
    }

    /// The instruction that is refused, in slots: the one that the report names, or the last one
    /// looked at.
    pub fn slot(&self) -> Option<usize> {
        let reported = self.report().and_then(|report| report.at.as_ref()?.slot);
        reported.or_else(|| self.last_slot())
    }

    /// The instruction that the verifier looked at last; `None` if it came to none.
    pub fn last_slot(&self) -> Option<usize> {
        self.lines.iter().rev().find_map(|line| match line {
            Line::Insn { slot, .. } => Some(*slot),
            _ => None,
        })
    }

    /// An instruction as the verifier prints it, if it has come to it.
    pub fn insn(&self, slot: usize) -> Option<&'a str> {
        let found = self.lines.iter().find_map(|line| match line {
            Line::Insn { slot: at, text, .. } if *at == slot => Some(*text),
            _ => None,
        });
        let annotations = self.reports.iter().flat_map(Report::annotations);
        found.or_else(|| {
            annotations
                .filter(|one| one.slot == Some(slot))
                .find_map(|one| one.insn)
        })
    }

    /// Where an instruction comes from: the source line above it. Its place is in logs since
    /// Linux 6.10, and is empty and 0 in older ones.
    pub fn source(&self, slot: usize) -> Option<Span<&'a str>> {
        let at = self
            .lines
            .iter()
            .rposition(|line| matches!(line, Line::Insn { slot: at, .. } if *at == slot))?;
        let above = self.lines.get(..at)?.iter().rev();
        above
            .take_while(|line| !matches!(line, Line::Branch { .. }))
            .find_map(|line| match line {
                Line::Source(span) => Some(*span),
                _ => None,
            })
    }

    /// The path that led to the end of the log.
    pub fn trail(&self) -> Trail<'a> {
        Trail::of(&self.lines)
    }
}

/// The log in what libbpf and bpftool print of a load that failed: what stands between their
/// marks, of the last one; the whole text if it has none.
fn loaded(text: &str) -> &str {
    let Some((_, log)) = text.rsplit_once("-- BEGIN PROG LOAD LOG --") else {
        return text;
    };
    let end = log.find("-- END PROG LOAD LOG --").unwrap_or(log.len());
    // The mark's line begins with the name of who prints it.
    let log = log.get(..end).unwrap_or(log);
    log.rsplit_once('\n').map_or(log, |(log, _)| log)
}

/// The number behind the last occurrence of a text in a log, such as `processed `.
pub fn figure(log: &str, text: &str) -> Option<u64> {
    let rest = log.get(log.rfind(text)? + text.len()..)?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests;
