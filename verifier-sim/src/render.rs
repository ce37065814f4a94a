//! Rejections as text, in the look of rustc: the message, the lines of the source, the help.
//!
//! Where the program has no source lines, its instructions are quoted, and slots stand where
//! line numbers would.
//!
//! Read before: `diag.rs`.

use crate::diag::Rejection;
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

impl Rejection {
    /// The rejection of `program` as text of several lines, the last one ended.
    pub fn render(&self, program: &Program, decor: Decor) -> String {
        let marked = self.marked(program);
        let mut files: Vec<&str> = marked.iter().map(|mark| mark.file.as_str()).collect();
        files.dedup();
        // The place of the refusal stands first, whatever led there from other files.
        files.sort_by_key(|file| !marked.iter().any(|mark| mark.primary && mark.file == *file));
        files.dedup();
        let sources: Vec<Source<'_>> = files
            .into_iter()
            .map(|file| Source::new(marked.iter().filter(|mark| mark.file == file).collect()))
            .collect();
        let id = self.code.to_string();
        let title = Level::ERROR
            .primary_title(self.message.as_str())
            .id(id.as_str());
        let mut report =
            vec![Group::with_title(title).elements(sources.iter().map(Source::snippet))];
        if let Some(help) = &self.help {
            report.push(Group::with_title(
                Level::HELP.secondary_title(help.as_str()),
            ));
        }
        let renderer = match decor {
            Decor::Plain => Renderer::plain(),
            Decor::Styled => Renderer::styled(),
        };
        without_empty_lines(&renderer.render(&report))
    }

    fn marked(&self, program: &Program) -> Vec<Marked> {
        let causes = self
            .causes
            .iter()
            .map(|cause| (cause.slot, &cause.text, false));
        let all = causes.chain([(self.slot, &self.label, true)]);
        all.map(|(slot, label, primary)| {
            let (file, line, text, range) = match program.span(slot) {
                Some(span) if !span.text.is_empty() => from_source(span),
                _ => from_listing(program, slot),
            };
            Marked {
                file,
                line,
                text,
                range,
                label: label.clone(),
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

fn from_listing(program: &Program, slot: usize) -> (String, usize, String, Range<usize>) {
    let insn = program.slots().find(|(at, _)| *at == slot);
    let text = insn.map_or_else(|| "?".to_owned(), |(_, insn)| insn.to_string());
    let range = 0..text.len();
    (program.name.clone(), slot, text, range)
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
            if let Some(mark) = marks.iter().find(|mark| mark.line == line) {
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

    fn snippet(&self) -> Snippet<'_, Annotation<'_>> {
        let file = self.marks.first().map_or("", |mark| mark.file.as_str());
        let annotations = self.marks.iter().map(|mark| {
            let start = self
                .starts
                .get(mark.line - self.first)
                .copied()
                .unwrap_or(0);
            let range = start + mark.range.start..start + mark.range.end;
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
