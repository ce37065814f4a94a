//! Where an instruction comes from: a file, a line, a column, and the line's text.

use std::hash::{Hash, Hasher};
use std::ops::{Deref, Range};
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
    pub text: LineText,
    /// Where the inlined function that this place is in was called.
    pub inlined_at: Option<Arc<Span>>,
}

/// The text of a line: a part of its file's text, which all lines of a file share.
#[derive(Clone)]
pub struct LineText {
    shared: Arc<str>,
    begin: u32,
    end: u32,
}

impl LineText {
    /// The bytes from where to where of a text; if it has none there, no text at all.
    pub fn part_of(shared: &Arc<str>, bytes: Range<usize>) -> LineText {
        let places = (u32::try_from(bytes.start), u32::try_from(bytes.end));
        match (places, shared.get(bytes)) {
            ((Ok(begin), Ok(end)), Some(_)) => LineText {
                shared: shared.clone(),
                begin,
                end,
            },
            // Beyond 4 GiB a line is its own.
            (_, part) => LineText::from(part.unwrap_or_default()),
        }
    }
}

impl From<Arc<str>> for LineText {
    fn from(shared: Arc<str>) -> LineText {
        let end = u32::try_from(shared.len()).unwrap_or(0);
        LineText {
            shared,
            begin: 0,
            end,
        }
    }
}

impl From<&str> for LineText {
    fn from(text: &str) -> LineText {
        LineText::from(Arc::from(text))
    }
}

impl From<String> for LineText {
    fn from(text: String) -> LineText {
        LineText::from(Arc::from(text))
    }
}

impl Deref for LineText {
    type Target = str;

    fn deref(&self) -> &str {
        let bytes = self.begin as usize..self.end as usize;
        self.shared.get(bytes).unwrap_or_default()
    }
}

impl PartialEq for LineText {
    fn eq(&self, other: &LineText) -> bool {
        **self == **other
    }
}

impl Eq for LineText {}

impl Hash for LineText {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl std::fmt::Debug for LineText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (**self).fmt(f)
    }
}

/// The texts of source files, from which spans quote their lines.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    files: Vec<(Arc<str>, Vec<LineText>)>,
}

impl Sources {
    /// No files: spans will have no text.
    pub fn new() -> Sources {
        Sources::default()
    }

    /// Adds the text of a file, under the path by which spans name it.
    pub fn add(&mut self, path: &str, text: &str) {
        let lines = text.lines().map(LineText::from).collect();
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
            text: text.unwrap_or_else(|| LineText::from("")),
            inlined_at: None,
        }
    }
}
