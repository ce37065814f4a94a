//! Where instructions come from: lines of the text that is read, or what a `.line` says.
//!
//! The names of all programs' lines are one section. The text stands in it as a whole, so that
//! a line of it is a number and nothing is copied line by line.

use crate::btf::StrId;
use crate::btf::ext::{LineCol, LineInfo};
use crate::btf::strings::{Strings, up_to_nul};
use crate::program::Program;
use crate::span::Span;

/// The names, and what they are made of.
pub(super) struct Origins<'a> {
    path: &'a str,
    text: &'a str,
    names: Strings,
    /// Path and text among the names, once an instruction comes from there.
    own: Option<Own>,
    /// The last file and line that a `.line` gave.
    given: (StrId, StrId),
}

#[derive(Clone, Copy)]
struct Own {
    path: StrId,
    /// Where the text begins.
    text: StrId,
}

impl<'a> Origins<'a> {
    pub(super) fn new(path: &'a str, text: &'a str) -> Origins<'a> {
        Origins {
            path,
            text,
            names: Strings::new(),
            own: None,
            given: (StrId(0), StrId(0)),
        }
    }

    /// The place of a column, counted from 0, of a line that is a part of the text.
    #[inline]
    pub(super) fn in_text(&mut self, line: &str, number: u32, column: u32) -> LineInfo {
        let own = match self.own {
            Some(own) => own,
            None => self.add_text(),
        };
        let begin = (line.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        let begin = u32::try_from(begin).ok();
        LineInfo {
            insn_off: 0,
            file_name: own.path,
            line: begin
                .and_then(|begin| own.text.0.checked_add(begin))
                .map_or(StrId(0), StrId),
            line_col: LineCol::new(number, column.saturating_add(1)),
        }
    }

    #[cold]
    fn add_text(&mut self) -> Own {
        let own = Own {
            path: self
                .names
                .push(up_to_nul(self.path).as_bytes())
                .unwrap_or_default(),
            text: self.names.push_lines(self.text).unwrap_or_default(),
        };
        *self.own.insert(own)
    }

    /// The place that a `.line` says.
    pub(super) fn given(&mut self, place: Span<&str>) -> LineInfo {
        let (file, line) = self.given;
        self.given = (self.name(place.file, file), self.name(place.text, line));
        LineInfo {
            insn_off: 0,
            file_name: self.given.0,
            line: self.given.1,
            line_col: LineCol::new(place.line, place.column),
        }
    }

    /// A name, which may be the same as the one before.
    fn name(&mut self, name: &str, before: StrId) -> StrId {
        match self.names.is(before, name) {
            true => before,
            false => self
                .names
                .push(up_to_nul(name).as_bytes())
                .unwrap_or_default(),
        }
    }

    /// Gives the lines of programs their names.
    pub(super) fn name_lines(&self, programs: &mut [Program]) {
        for program in programs
            .iter_mut()
            .filter(|program| !program.lines.is_empty())
        {
            program.lines.take_names(&self.names);
        }
    }
}
