//! Where an instruction comes from: a file, a line, a column, and the line's text.
//!
//! Read next: `lines.rs`.

use std::sync::Arc;

/// A place in a source file: one that errors keep, or, with borrowed names, one that a program
/// or the sources lend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span<S = Arc<str>> {
    /// The file's path as the compiler knows it.
    pub file: S,
    /// The line, counted from 1; 0 if unknown.
    pub line: u32,
    /// The column, counted from 1; 0 if unknown.
    pub column: u32,
    /// The text of the line; empty if unknown.
    pub text: S,
}

impl Span<&str> {
    /// The place with its own names.
    pub fn to_owned(self) -> Span {
        Span {
            file: Arc::from(self.file),
            line: self.line,
            column: self.column,
            text: Arc::from(self.text),
        }
    }
}

/// The texts of source files, from which spans quote their lines.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
}

#[derive(Debug, Clone)]
struct SourceFile {
    path: String,
    text: String,
    /// Where each line begins, in bytes.
    begins: Vec<usize>,
}

impl SourceFile {
    /// The line at an index.
    fn line(&self, index: usize) -> Option<&str> {
        let rest = self.text.get(*self.begins.get(index)?..)?;
        rest.lines().next()
    }
}

impl Sources {
    /// No files: spans will have no text.
    pub fn new() -> Sources {
        Sources::default()
    }

    /// Adds the text of a file, under the path by which spans name it.
    pub fn add(&mut self, path: &str, text: &str) {
        let ends = text.match_indices('\n').map(|(at, _)| at + 1);
        self.files.push(SourceFile {
            path: path.to_owned(),
            text: text.to_owned(),
            begins: std::iter::once(0).chain(ends).collect(),
        });
    }

    /// The place with its line's text, if the file is known.
    pub fn span<'s>(&'s self, path: &'s str, line: u32, column: u32) -> Span<&'s str> {
        let known = self.files.iter().find(|file| file.path == path);
        let index = (line as usize).checked_sub(1);
        let text = known.and_then(|file| file.line(index?));
        Span {
            file: path,
            line,
            column,
            text: text.unwrap_or_default(),
        }
    }
}
