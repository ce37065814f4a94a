//! Rejections and warnings as text, in the look of rustc: the message, the lines of the source,
//! the help.
//!
//! Where the program has no source lines, its instructions are quoted, and slots stand where
//! line numbers would.
//!
//! Read before: `diag.rs`. Read next: `kernel_words.rs`.

use crate::codes::{Code, Severity};
use crate::diag::{Cause, Rejection};
use crate::warning::Warning;
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};
use ebpf_asm::program::Program;
use ebpf_asm::span::Span;
use std::ops::Range;

/// Whether the text is for a terminal that shows colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decor {
    /// Plain text.
    Plain,
    /// With ANSI escape codes.
    Styled,
}

/// Lines between two that are quoted, above which they are quoted apart: each costs memory.
const FAR: usize = 10_000;

/// A line of the source, or of the listing, with what is to be said of it.
struct Marked {
    file: String,
    line: usize,
    text: String,
    /// The bytes of the text that are underlined.
    range: Range<usize>,
    label: String,
    primary: bool,
}

/// What stands between an instruction and a remark on it.
pub(crate) const REMARK: &str = "  ; ";

/// What lines are quoted from: a program, or what is known of one.
pub trait Quoted {
    /// What stands for the file where no source is known.
    fn name(&self) -> &str;
    /// Where an instruction comes from, if that is known.
    fn span(&self, slot: usize) -> Option<Span<&str>>;
    /// The instruction at a slot, if one begins there.
    fn insn(&self, slot: usize) -> Option<String>;
}

impl Quoted for Program {
    fn name(&self) -> &str {
        &self.name
    }

    fn span(&self, slot: usize) -> Option<Span<&str>> {
        Program::span(self, slot)
    }

    fn insn(&self, slot: usize) -> Option<String> {
        let insn = self.slots().find(|(at, _)| *at == slot);
        insn.map(|(_, insn)| insn.to_string())
    }
}

/// What there is to tell of a refusal, ours or the kernel's, or of a warning.
pub(crate) struct Told<'a> {
    /// The code, if there is one: it says whether this is a refusal or a warning.
    pub(crate) code: Option<Code>,
    /// What is wrong.
    pub(crate) message: &'a str,
    /// The instruction that is refused, or warned of, and what is to be said of it.
    pub(crate) refused: Option<(usize, &'a str)>,
    /// What led there, in the order of execution.
    pub(crate) causes: &'a [Cause],
    /// Why that is wrong.
    pub(crate) note: Option<&'a str>,
    /// What would help.
    pub(crate) help: Option<&'a str>,
}

impl<'a> Told<'a> {
    /// What the simulator has to tell of an instruction.
    fn ours(
        code: Code,
        message: &'a str,
        at: (usize, &'a str),
        causes: &'a [Cause],
        help: &'a Option<String>,
    ) -> Told<'a> {
        Told {
            code: Some(code),
            message,
            refused: Some(at),
            causes,
            note: None,
            help: help.as_deref(),
        }
    }
}

impl Rejection {
    /// The rejection of `program` as text of several lines, the last one ended.
    pub fn render(&self, program: &Program, decor: Decor) -> String {
        let at = (self.slot, self.label.as_str());
        let told = Told::ours(self.code, &self.message, at, &self.causes, &self.help);
        render(&told, program, decor)
    }
}

impl Warning {
    /// The warning of `program` as text of several lines, the last one ended.
    pub fn render(&self, program: &Program, decor: Decor) -> String {
        let at = (self.slot, self.label.as_str());
        let told = Told::ours(self.code, &self.message, at, &self.causes, &self.help);
        render(&told, program, decor)
    }
}

/// A refusal, or a warning, as text of several lines, the last one ended.
pub(crate) fn render(told: &Told<'_>, quoted: &dyn Quoted, decor: Decor) -> String {
    let marked = told.marked(quoted);
    let mut sources: Vec<Source<'_>> = runs(&marked).into_iter().map(Source::new).collect();
    // The place of the refusal stands first, whatever led there from elsewhere.
    sources.sort_by_key(|source| !source.marks.iter().any(|mark| mark.primary));
    let id = told.code.map(|code| code.to_string());
    let level = match told.code.map_or(Severity::Error, Code::severity) {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(told.message);
    let title = match &id {
        Some(id) => title.id(id.as_str()),
        None => title,
    };
    let mut report = vec![Group::with_title(title).elements(sources.iter().map(Source::snippet))];
    let besides = [(Level::NOTE, told.note), (Level::HELP, told.help)];
    for (level, text) in besides {
        let title = text.map(|text| level.secondary_title(text));
        report.extend(title.map(Group::with_title));
    }
    let renderer = match decor {
        Decor::Plain => Renderer::plain(),
        Decor::Styled => Renderer::styled(),
    };
    without_empty_lines(&renderer.render(&report))
}

/// The marks of each file, in the order of their lines; those that are too far from each other
/// are apart.
fn runs(marked: &[Marked]) -> Vec<Vec<&Marked>> {
    let mut files: Vec<&str> = Vec::new();
    for mark in marked {
        if !files.contains(&mark.file.as_str()) {
            files.push(&mark.file);
        }
    }
    let mut runs: Vec<Vec<&Marked>> = Vec::new();
    for file in files {
        let mut marks: Vec<&Marked> = marked.iter().filter(|mark| mark.file == file).collect();
        marks.sort_by_key(|mark| mark.line);
        let near = |a: &&Marked, b: &&Marked| b.line - a.line <= FAR;
        runs.extend(marks.chunk_by(near).map(<[&Marked]>::to_vec));
    }
    runs
}

impl Told<'_> {
    /// All that is marked. Beside a line of the source no instruction is quoted that a compiler made
    /// for no line, as to take a variable's address: it says nothing to who wrote the source.
    fn marked(&self, quoted: &dyn Quoted) -> Vec<Marked> {
        let has_source = |slot| quoted.span(slot).is_some_and(|span| !span.text.is_empty());
        let in_source = self.refused.is_some_and(|(slot, _)| has_source(slot));
        let causes = self.causes.iter();
        let causes = causes
            .filter(|cause| !in_source || has_source(cause.slot))
            .map(|cause| (cause.slot, cause.text.as_str(), false));
        let refused = self.refused.map(|(slot, label)| (slot, label, true));
        let all = causes.chain(refused);
        all.map(|(slot, label, primary)| {
            let (file, line, text, range) = match quoted.span(slot) {
                Some(span) if !span.text.is_empty() => from_source(span),
                _ => from_listing(quoted, slot),
            };
            Marked {
                file,
                line,
                text,
                range,
                label: label.to_owned(),
                primary,
            }
        })
        .collect()
    }
}

fn from_source(span: Span<&str>) -> (String, usize, String, Range<usize>) {
    let text = span.text.trim_end().to_owned();
    let range = underlined(&text, span.column as usize);
    (span.file.to_owned(), span.line as usize, text, range)
}

fn from_listing(quoted: &dyn Quoted, slot: usize) -> (String, usize, String, Range<usize>) {
    let text = quoted.insn(slot).unwrap_or_else(|| "?".to_owned());
    // Behind it there may be a line of the source, whose place is not known.
    let range = 0..text.find(REMARK).unwrap_or(text.len());
    (quoted.name().to_owned(), slot, text, range)
}

/// The bytes to underline: a called method's name, or an instruction up to its comment.
fn underlined(text: &str, column: usize) -> Range<usize> {
    let first = text.len() - text.trim_start().len();
    let start = match column.checked_sub(1) {
        Some(start) if text.is_char_boundary(start) && start < text.len() => start,
        _ => first,
    };
    let rest = text.get(start..).unwrap_or_default();
    let name = rest
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(rest.len());
    let called = rest
        .get(name..)
        .is_some_and(|after| after.starts_with(['(', ':']));
    let code = rest
        .find(';')
        .and_then(|at| rest.get(..at))
        .unwrap_or(rest)
        .trim_end();
    let length = if name > 0 && called { name } else { code.len() };
    start..start + length.max(1).min(rest.len().max(1))
}

/// The lines of one file that are quoted.
struct Source<'a> {
    marks: Vec<&'a Marked>,
    first: usize,
    text: String,
    starts: Vec<usize>,
}

impl<'a> Source<'a> {
    /// Lines in between that nothing is to be said of are left empty.
    fn new(marks: Vec<&'a Marked>) -> Source<'a> {
        let first = marks.iter().map(|mark| mark.line).min().unwrap_or(0);
        let last = marks.iter().map(|mark| mark.line).max().unwrap_or(0);
        let (mut text, mut starts) = (String::new(), Vec::new());
        for line in first..=last {
            starts.push(text.len());
            let of_line = marks.iter().filter(|mark| mark.line == line);
            if let Some(mark) = of_line.max_by_key(|mark| mark.primary) {
                text.push_str(&mark.text);
            }
            text.push('\n');
        }
        Source {
            marks,
            first,
            text,
            starts,
        }
    }

    /// The bytes of all lines that are underlined. Where the line is known otherwise from another
    /// instruction, that is all of it.
    fn range(&self, mark: &Marked) -> Range<usize> {
        let start = self.starts.get(mark.line - self.first).copied();
        let start = start.unwrap_or(0);
        let quoted = self.text.get(start..).and_then(|text| text.lines().next());
        let quoted = quoted.unwrap_or_default();
        let range = match quoted == mark.text {
            true => mark.range.clone(),
            false => underlined(quoted, 0),
        };
        start + range.start..start + range.end
    }

    fn snippet(&self) -> Snippet<'_, Annotation<'_>> {
        let file = self.marks.first().map_or("", |mark| mark.file.as_str());
        let annotations = self.marks.iter().map(|mark| {
            let range = self.range(mark);
            let kind = match mark.primary {
                true => AnnotationKind::Primary,
                false => AnnotationKind::Context,
            };
            let annotation = kind.span(range);
            match mark.label.is_empty() {
                true => annotation,
                false => annotation.label(mark.label.as_str()),
            }
        });
        Snippet::source(self.text.as_str())
            .path(file)
            .line_start(self.first)
            .annotations(annotations)
    }
}

/// Drops quoted lines that are empty: those between the lines that are spoken of.
fn without_empty_lines(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    for line in text.lines() {
        let number = line.trim_start().trim_end();
        let empty = number
            .strip_suffix('|')
            .is_some_and(|number| number.trim().parse::<usize>().is_ok());
        if !empty {
            kept.push_str(line.trim_end());
            kept.push('\n');
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines as a hostile object may have them: one number with two texts, and far apart.
    struct Odd;

    impl Quoted for Odd {
        fn name(&self) -> &str {
            "odd"
        }

        fn span(&self, slot: usize) -> Option<Span<&str>> {
            Some(match slot {
                0 => Span {
                    file: "a.c",
                    line: 7,
                    column: 9,
                    text: "    return a_long_name;",
                },
                1 => Span {
                    file: "a.c",
                    line: 7,
                    column: 0,
                    text: "x",
                },
                _ => Span {
                    file: "a.c",
                    line: u32::MAX,
                    column: 1,
                    text: "far",
                },
            })
        }

        fn insn(&self, _slot: usize) -> Option<String> {
            None
        }
    }

    #[test]
    fn lines_that_contradict_each_other_are_quoted_all_the_same() {
        let causes = [1, 2].map(|slot| Cause {
            slot,
            text: format!("cause {slot}"),
        });
        let told = Told {
            code: None,
            message: "wrong",
            refused: Some((0, "here")),
            causes: &causes,
            note: None,
            help: None,
        };
        let text = render(&told, &Odd, Decor::Plain);
        for words in [
            "error: wrong\n",
            "cause 1",
            "cause 2",
            "here",
            "a.c:4294967295:1",
        ] {
            assert!(text.contains(words), "{words}:\n{text}");
        }
    }
}
