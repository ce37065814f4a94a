//! The report of Linux 7.3: what is wrong, the reason, the place, the way there, what to do.
//!
//! ```text
//! Verification failed: Register Type Safety: Unreadable register
//!
//! Reason:
//!   R0 has never been initialized on this path, so the verifier cannot use it as an input.
//!
//! At:
//!   insn 0
//!         | ^-- error: R0 is not readable
//!   Instruction context:
//!   >>> 0 | (95) exit
//!
//! Causal path:
//!   no retained diagnostic events on this path
//!
//! Suggestion:
//!   Initialize R0 on every path before this instruction.
//! ```
//!
//! With line information, source lines stand on the left, instructions on the right, and `>>>`
//! before those that are meant:
//!
//! ```text
//!   entry @ case.c:79:6
//!       78 |         cpumask = bpf_cpumask_create();             1 | (bf) r6 = r0
//!   >>> 79 |         if (!cpumask) {                        >>>  2 | (55) if r6 != 0x0 goto pc+5
//!          |         ^-- branch: explored as true, goto followed
//! ```
//!
//! Read before: `line.rs`. Read next: `trail.rs`.

use crate::span::Span;
use crate::text::opcode_before;

/// How a report begins.
const BEGIN: &str = "Verification failed: ";

/// What stands before the line and the instruction that are meant.
const MEANT: &str = ">>> ";

/// What stands before a remark.
const REMARK: &str = "^-- ";

/// A report, as far as it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report<'a> {
    /// The kind of fault, such as `Register Type Safety`; empty if it is not told.
    pub category: &'a str,
    /// What is wrong, such as `Unreadable register`.
    pub title: &'a str,
    /// The reason, in sentences; empty if none is given.
    pub reason: String,
    /// The instruction that is refused.
    pub at: Option<Annotation<'a>>,
    /// What led there, in the order of execution.
    pub causes: Vec<Annotation<'a>>,
    /// What to do; empty if nothing is suggested.
    pub suggestion: String,
    section: Section,
}

/// An instruction with a remark on it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Annotation<'a> {
    /// The instruction's slot.
    pub slot: Option<usize>,
    /// The instruction as the kernel prints it.
    pub insn: Option<&'a str>,
    /// The source line, if the program has line information.
    pub source: Option<Span<&'a str>>,
    /// The kind of remark, such as `error`, `update` or `branch`; empty if it has none.
    pub kind: &'a str,
    /// The remark.
    pub text: &'a str,
}

/// The part of the report that lines are in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Section {
    #[default]
    None,
    Reason,
    At,
    Causes,
    Suggestion,
}

impl Section {
    fn begin(line: &str) -> Option<Section> {
        Some(match line {
            "Reason:" => Section::Reason,
            "At:" => Section::At,
            "Causal path:" => Section::Causes,
            "Suggestion:" => Section::Suggestion,
            _ => return None,
        })
    }
}

impl<'a> Report<'a> {
    /// The report that begins with this line.
    pub(super) fn begin(line: &'a str) -> Option<Report<'a>> {
        let title = line.trim_start().strip_prefix(BEGIN)?.trim_end();
        let (category, title) = title.rsplit_once(": ").unwrap_or(("", title));
        Some(Report {
            category,
            title,
            ..Report::default()
        })
    }

    /// Whether a line belongs to the report before it: what is indented, and headings.
    pub(super) fn has(line: &str) -> bool {
        line.trim().is_empty()
            || line.starts_with("  ")
            || Section::begin(line.trim_end()).is_some()
    }

    /// Adds a line that belongs to it.
    pub(super) fn add(&mut self, line: &'a str) {
        let line = line.trim_end();
        if let Some(section) = Section::begin(line) {
            self.section = section;
            return;
        }
        let text = line.trim_start();
        match self.section {
            _ if text.is_empty() => {}
            Section::None => {}
            Section::Reason => add_sentence(&mut self.reason, text),
            Section::Suggestion => add_sentence(&mut self.suggestion, text),
            Section::At => {
                let at = self.at.get_or_insert_default();
                at.add(text);
            }
            Section::Causes => {
                if begins_annotation(text) {
                    self.causes.push(Annotation::default());
                }
                if let Some(cause) = self.causes.last_mut() {
                    cause.add(text);
                }
            }
        }
    }

    /// The report without what says nothing.
    pub(super) fn finish(mut self) -> Report<'a> {
        self.causes.retain(|cause| !cause.text.is_empty());
        self.at = self
            .at
            .filter(|at| at.slot.is_some() || at.source.is_some());
        self
    }

    /// All remarks, the one on the refused instruction first.
    pub fn annotations(&self) -> impl Iterator<Item = &Annotation<'a>> {
        self.at.iter().chain(&self.causes)
    }
}

fn add_sentence(sentences: &mut String, text: &str) {
    if !sentences.is_empty() {
        sentences.push(' ');
    }
    sentences.push_str(text);
}

/// `entry @ case.c:79:6` or `insn 0`: the place that the lines below it show.
fn begins_annotation(text: &str) -> bool {
    place(text).is_some() || slot_named(text).is_some()
}

/// `entry @ case.c:79:6`: the file, the line and the column.
fn place(text: &str) -> Option<Span<&str>> {
    if text.contains(" | ") || text.starts_with(MEANT) {
        return None;
    }
    let (_, place) = text.rsplit_once(" @ ")?;
    let (rest, column) = place.rsplit_once(':')?;
    let (file, line) = rest.rsplit_once(':')?;
    Some(Span {
        file,
        line: line.parse().ok()?,
        column: column.parse().ok()?,
        text: "",
    })
}

/// `insn 0`.
fn slot_named(text: &str) -> Option<usize> {
    text.strip_prefix("insn ")?
        .trim_end_matches(':')
        .parse()
        .ok()
}

impl<'a> Annotation<'a> {
    fn add(&mut self, text: &'a str) {
        if let Some(slot) = slot_named(text) {
            self.slot = Some(slot);
        } else if let Some(place) = place(text) {
            self.source = Some(place);
        } else if let Some((_, remark)) = text.split_once(REMARK) {
            let (kind, text) = remark.split_once(": ").unwrap_or(("", remark));
            (self.kind, self.text) = (kind, text);
        } else if text.starts_with(MEANT) {
            self.meant(text);
        }
    }

    /// `>>> 79 | if (!cpumask) {   >>>  2 | (55) if r6 != 0x0 goto pc+5`: either half may be alone.
    fn meant(&mut self, text: &'a str) {
        let halves = text.rsplit_once(MEANT).filter(|(left, _)| !left.is_empty());
        let (left, right) = halves.map_or((text, None), |(left, right)| (left, Some(right)));
        for half in [Some(left), right].into_iter().flatten() {
            let half = half.trim_start_matches(MEANT).trim_start();
            let Some((number, text)) = half.split_once(" | ") else {
                continue;
            };
            match (opcode_before(text), number.trim().parse()) {
                (Some((_, insn)), Ok(slot)) => (self.slot, self.insn) = (Some(slot), Some(insn)),
                (None, Ok(line)) => self.quote(line, text.trim_end()),
                (_, Err(_)) => {}
            }
        }
    }

    /// Takes the text of the source line, if it is the one that was named.
    fn quote(&mut self, line: usize, text: &'a str) {
        if let Some(source) = self.source.as_mut().filter(|one| one.line as usize == line) {
            source.text = text;
        }
    }
}
