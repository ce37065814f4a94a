//! Parsing: text as an object. A line is matched against the spellings of the table, so
//! that what the printer prints is read back, and nothing else has to be known.
//!
//! Read next: `directive.rs`, `listing.rs`, `spelling.rs`.

use super::directive::is_directive;
use super::listing::{self, Listing};
use super::spelling::{Known, Wrong, match_line, try_line};
use super::synonyms::Printers;
use super::token::{Placed, Sign, Token, tokens};
use crate::assembler::{AssembleError, Assembler, Label};
use crate::helper;
use crate::insn::Insn;
use crate::isa::{Imm64, Sem};
use crate::near::near;
use crate::object::Object;
use crate::program::Reference;
use crate::span::Span;
use std::collections::HashMap;
use std::str::Lines;

/// What is wrong in a text, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{}:{}: {message}", span.file, span.line, span.column)]
pub struct ParseError {
    /// The place; columns are bytes, counted from 1.
    pub span: Span,
    /// How many bytes from there are wrong; 0 if something is missing there.
    pub len: usize,
    /// What is wrong, and what was expected.
    pub message: String,
    /// What was probably meant, or what to do about it.
    pub help: Option<String>,
}

/// Reads the text of a file as an object. `path` is the name that messages and the
/// instructions' source places give the file.
///
/// # Errors
/// The first line that is wrong.
pub fn parse(path: &str, text: &str) -> Result<Object, ParseError> {
    let mut parser = Parser {
        file: path,
        whole: text,
        text: "",
        number: 0,
        lines: text.lines(),
        object: Object::default(),
        late: Vec::new(),
        current: None,
        listing: None,
    };
    parser.run().map_err(|wrong| parser.error(wrong))?;
    Ok(parser.object)
}

/// A program of so many instructions gets room for all lines that follow at once: to grow
/// step by step costs more than to parse.
const LONG: usize = 1024;

/// The state of reading a text.
pub(super) struct Parser<'a> {
    file: &'a str,
    /// All of the text.
    whole: &'a str,
    /// The line being read.
    text: &'a str,
    /// Its number, counted from 1.
    pub(super) number: u32,
    /// The lines behind it.
    pub(super) lines: Lines<'a>,
    pub(super) object: Object,
    /// Values of maps that name what may stand further down.
    pub(super) late: Vec<super::directive::LateValue>,
    pub(super) current: Option<Current>,
    /// What is read is a tool's listing.
    pub(super) listing: Option<Listing<'a>>,
}

/// The program being read.
pub(super) struct Current {
    pub(super) program: super::directive::Header,
    pub(super) assembler: Assembler,
    labels: HashMap<String, Bound>,
    /// What the instructions' places are in.
    pub(super) places: Places,
    /// Which functions everybody may call, by name.
    pub(super) global: Vec<String>,
}

/// A label and the line that first names it; bound or not.
struct Bound {
    label: Label,
    line: u32,
    column: u32,
    is_bound: bool,
}

/// Whether a label is bound where it is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binding {
    /// It stands for the place.
    Here,
    /// It is only named.
    Elsewhere,
}

/// What instructions come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Places {
    /// The text that is read.
    Text,
    /// What a `.line` says.
    Given,
}

impl Current {
    pub(super) fn new(program: super::directive::Header) -> Current {
        Current {
            assembler: Assembler::new(&*program.name),
            program,
            labels: HashMap::new(),
            places: Places::Text,
            global: Vec::new(),
        }
    }
}

impl<'a> Parser<'a> {
    fn run(&mut self) -> Result<(), Wrong> {
        let mut line = Vec::new();
        self.listing = listing::begins(self.lines.clone(), &mut line);
        while let Some(text) = self.lines.next() {
            self.number += 1;
            self.text = text;
            if is_directive(text) {
                self.directive(text)?;
            } else if self.listing.is_some() {
                self.listing_line(text, &mut line)?;
            } else {
                self.line(text, &mut line)?;
            }
        }
        self.finish_program()?;
        self.finish_values()
    }

    /// The error at a place of the line whose number is the parser's.
    fn error(&self, wrong: Wrong) -> ParseError {
        let index = self.number.saturating_sub(1) as usize;
        let line = self.whole.lines().nth(index).unwrap_or_default();
        ParseError {
            span: self.span_of(line, wrong.begin).to_owned(),
            len: wrong.end.saturating_sub(wrong.begin) as usize,
            message: wrong.message,
            help: wrong.help,
        }
    }

    /// The place of a column, counted from 0, of the line being read.
    pub(super) fn span(&self, column: u32) -> Span<&'a str> {
        self.span_of(self.text, column)
    }

    /// The place of a column of the line whose number is the parser's.
    fn span_of(&self, line: &'a str, column: u32) -> Span<&'a str> {
        Span {
            file: self.file,
            line: self.number,
            column: column.saturating_add(1),
            text: line,
        }
    }

    /// How many bytes of text follow, and how many lines, if they are as long as those before.
    fn ahead(&self) -> (usize, usize) {
        let before = (self.text.as_ptr() as usize).saturating_sub(self.whole.as_ptr() as usize);
        let length = before / (self.number.max(1) as usize);
        let bytes = self.whole.len().saturating_sub(before);
        (bytes, bytes / length.max(1))
    }

    /// Labels and an instruction.
    fn line(&mut self, text: &'a str, all: &mut Vec<Placed<'a>>) -> Result<(), Wrong> {
        split(text, all)?;
        let mut rest = all.as_slice();
        while let [name, colon, tail @ ..] = rest
            && let Token::Word(_) = name.token
            && colon.token == Token::Sign(Sign::COLON)
        {
            self.label(name)?;
            rest = tail;
        }
        let [first, ..] = rest else { return Ok(()) };
        let Some(current) = &self.current else {
            let missing = "an instruction outside any program";
            let help = "begin a program: .prog SECTION NAME";
            return Err(Wrong::at(first, missing).help(Some(help.into())));
        };
        let (row, filled) = match_line(rest, Printers::SOURCE, Known::Nothing)?;
        let insn = Insn::new(row, filled.fields);
        let span = match current.places {
            Places::Given => None,
            Places::Text => Some(self.span(first.begin)),
        };
        let symbol = filled.symbol.and_then(|at| rest.get(usize::from(at)));
        let ahead = (current.assembler.len() == LONG).then(|| self.ahead());
        if let Some(current) = &mut self.current {
            if let Some((bytes, lines)) = ahead {
                current.assembler.reserve(lines, bytes);
            }
            current.assembler.at(span);
            if symbol.is_none() {
                current.assembler.insn(insn);
            }
        }
        symbol.map_or(Ok(()), |symbol| self.symbolic(insn, symbol))
    }

    /// An instruction with a name in the place of a number.
    fn symbolic(&mut self, insn: Insn, symbol: &Placed<'a>) -> Result<(), Wrong> {
        let Token::Word(name) = symbol.token else {
            return Ok(());
        };
        if let Sem::LoadImm64(Imm64::MapFd | Imm64::MapValueFd) = insn.sem() {
            let reference = self.reference(insn, symbol, name)?;
            if let Some(current) = &mut self.current {
                current.assembler.ld_reference(insn.dst(), reference);
            }
            return Ok(());
        }
        if let Sem::Call(_) = insn.sem()
            && let Some(Reference::Extern(index)) = self.kfunc(name)
        {
            if let Some(current) = &mut self.current {
                current.assembler.call_extern(index);
            }
            return Ok(());
        }
        let label = self.name_label(symbol, name, Binding::Elsewhere)?;
        if let Some(current) = &mut self.current {
            current.assembler.insn_to(insn, label);
        }
        Ok(())
    }

    /// What a name in `r1 = NAME ll` or `r1 = NAME[0] + 4 ll` stands for.
    fn reference(&self, insn: Insn, symbol: &Placed<'_>, name: &str) -> Result<Reference, Wrong> {
        let maps = &self.object.maps;
        let map = maps.iter().position(|map| map.name == name);
        match (map, insn.sem()) {
            (Some(map), Sem::LoadImm64(Imm64::MapValueFd)) => {
                let offset = insn.next_imm() as u32;
                return Ok(Reference::MapValue { map, offset });
            }
            (Some(map), _) => return Ok(Reference::Map(map)),
            (None, Sem::LoadImm64(Imm64::MapFd)) => {
                if let Some(reference) = self.named(name) {
                    return Ok(reference);
                }
            }
            _ => {}
        }
        let variables = maps.iter().filter_map(|map| map.data.as_ref());
        let variables = variables.flat_map(|data| &data.variables).map(|v| &*v.name);
        let externs = self.object.externs.iter().map(|known| &*known.name);
        let names = maps.iter().map(|map| &*map.name);
        let meant = near(name, names.chain(variables).chain(externs));
        let message = format!("no map, variable or extern is named '{name}' above");
        Err(Wrong::at(symbol, message).help(Some(match meant {
            Some(meant) => format!("did you mean '{meant}'?"),
            None => format!("a map is made with: .map {name} TYPE key_size=4 ..."),
        })))
    }

    /// The variable or extern of this name.
    fn named(&self, name: &str) -> Option<Reference> {
        let in_data = |(map, data): (usize, &crate::object::Data)| {
            let variable = data.variables.iter().find(|v| v.name == name)?;
            let offset = variable.offset;
            Some(Reference::MapValue { map, offset })
        };
        let maps = self.object.maps.iter().enumerate();
        let mut data = maps.filter_map(|(index, map)| Some((index, map.data.as_ref()?)));
        data.find_map(in_data).or_else(|| self.kfunc(name))
    }

    /// The extern of this name.
    fn kfunc(&self, name: &str) -> Option<Reference> {
        let mut externs = self.object.externs.iter();
        externs
            .position(|known| known.name == name)
            .map(Reference::Extern)
    }

    /// Binds a label here.
    fn label(&mut self, placed: &Placed<'a>) -> Result<(), Wrong> {
        let Token::Word(name) = placed.token else {
            return Ok(());
        };
        let label = self.name_label(placed, name, Binding::Here)?;
        if let Some(current) = &mut self.current {
            current.assembler.bind(label);
        }
        Ok(())
    }

    /// The label of this name, bound here or only named.
    pub(super) fn name_label(
        &mut self,
        placed: &Placed<'_>,
        name: &str,
        binding: Binding,
    ) -> Result<Label, Wrong> {
        let (line, column) = (self.number, placed.begin);
        let Some(current) = &mut self.current else {
            return Err(Wrong::at(placed, "a label outside any program"));
        };
        if let Some(known) = current.labels.get_mut(name) {
            if known.is_bound && binding == Binding::Here {
                let message = format!("the label '{name}' is bound twice");
                return Err(Wrong::at(placed, message));
            }
            known.is_bound |= binding == Binding::Here;
            return Ok(known.label);
        }
        let label = current.assembler.named_label(name);
        let new = Bound {
            label,
            line,
            column,
            is_bound: binding == Binding::Here,
        };
        current.labels.insert(name.to_owned(), new);
        Ok(label)
    }

    /// Adds the program that has been read to the object.
    pub(super) fn finish_program(&mut self) -> Result<(), Wrong> {
        self.finish_listing()?;
        let Some(current) = self.current.take() else {
            return Ok(());
        };
        if let Some(wrong) = self.unbound(&current.labels) {
            return Err(wrong);
        }
        let header = current.program;
        let program = current.assembler.finish(&header.assembled_as);
        let mut program = program.map_err(|error: AssembleError| {
            self.number = error.span().map_or(self.number, |span| span.line);
            Wrong::line(error.to_string())
        })?;
        header.complete(&mut program, &current.global);
        self.object.programs.push(program);
        Ok(())
    }

    /// What is wrong if a label is named and nowhere bound.
    fn unbound(&mut self, labels: &HashMap<String, Bound>) -> Option<Wrong> {
        let unbound = labels.iter().filter(|(_, known)| !known.is_bound);
        let (name, known) = unbound.min_by_key(|(_, known)| (known.line, known.column))?;
        self.number = known.line;
        let begin = known.column;
        let end = begin + u32::try_from(name.len()).unwrap_or_default();
        let (message, meant) = match name.starts_with("bpf_") {
            true => {
                let names = helper::HELPERS.iter().map(|helper| helper.name);
                let meant = near(name.trim_start_matches("bpf_"), names);
                let message = format!("no helper, function or extern is named {name}");
                (message, meant.map(|meant| format!("bpf_{meant}")))
            }
            false => {
                let bound = labels.iter().filter(|(_, known)| known.is_bound);
                let meant = near(name, bound.map(|(name, _)| name.as_str()));
                let message = format!("the label '{name}' is nowhere bound");
                (message, meant.map(str::to_owned))
            }
        };
        Some(Wrong {
            begin,
            end,
            message,
            help: meant.map(|meant| format!("did you mean '{meant}'?")),
        })
    }
}

/// Splits a line into its tokens.
pub(super) fn split<'a>(text: &'a str, all: &mut Vec<Placed<'a>>) -> Result<(), Wrong> {
    tokens(text, all).map_err(|(begin, end)| Wrong {
        begin,
        end,
        message: "no register, number, name or operator".into(),
        help: help_of_word(text.get(begin as usize..end as usize)),
    })
}

/// What to say of a word like `r11`, and of a number that is none.
fn help_of_word(word: Option<&str>) -> Option<String> {
    let word = word?;
    if word.starts_with(|first: char| first.is_ascii_digit()) {
        return Some("numbers are decimal, or hexadecimal behind 0x, and have 64 bits".into());
    }
    let digits = word.strip_prefix(['r', 'w'])?;
    let is_register = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_register.then(|| "registers are r0 to r10, and their low halves w0 to w10".into())
}

/// Whether a line is an instruction by itself.
pub(super) fn is_instruction<'a>(text: &'a str, all: &mut Vec<Placed<'a>>) -> bool {
    split(text, all).is_ok()
        && !all.is_empty()
        && try_line(all, Printers::SOURCE, Known::Nothing).is_some()
}
