//! Where an instruction comes from: a file, a line, a column, and the line's text.

use std::sync::Arc;

/// A place in a source file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Span {
    /// The file's path as the compiler knows it.
    pub file: Arc<str>,
    /// The line, counted from 1; 0 if unknown.
    pub line: u32,
    /// The column, counted from 1; 0 if unknown.
    pub column: u32,
    /// The text of the line; empty if unknown.
    pub text: Arc<str>,
    /// Where the inlined function that this place is in was called.
    pub inlined_at: Option<Arc<Span>>,
}

/// The texts of source files, from which spans quote their lines.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    files: Vec<(Arc<str>, Vec<Arc<str>>)>,
}

impl Sources {
    /// No files: spans will have no text.
    pub fn new() -> Sources {
        Sources::default()
    }

    /// Adds the text of a file, under the path by which spans name it.
    pub fn add(&mut self, path: &str, text: &str) {
        let lines = text.lines().map(Arc::from).collect();
        self.files.push((Arc::from(path), lines));
    }

    /// The place with its line's text, if the file is known.
    pub fn span(&self, path: &str, line: u32, column: u32) -> Span {
        let known = self.files.iter().find(|(file, _)| &**file == path);
        let file = known.map_or_else(|| Arc::from(path), |(file, _)| file.clone());
        let index = (line as usize).checked_sub(1);
        let text = known.and_then(|(_, lines)| lines.get(index?)).cloned();
        Span {
            file,
            line,
            column,
            text: text.unwrap_or_else(|| Arc::from("")),
            inlined_at: None,
        }
    }
}
