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

impl Span {
    /// A place whose line's text is not known.
    pub fn new(file: impl Into<Arc<str>>, line: u32, column: u32) -> Span {
        Span {
            file: file.into(),
            line,
            column,
            text: Arc::from(""),
            inlined_at: None,
        }
    }

    /// The place with the text of its line, taken from the text of the whole file.
    #[must_use]
    pub fn with_source(mut self, source: &str) -> Span {
        let index = (self.line as usize).wrapping_sub(1);
        if let Some(text) = source.lines().nth(index) {
            self.text = Arc::from(text);
        }
        self
    }
}
