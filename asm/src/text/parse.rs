//! Parsing: text as an object. A line is matched against the spellings of the table, so
//! that what the printer prints is read back, and nothing else has to be known.
//!
//! Read next: `directive.rs`, `token.rs`, `spelling.rs`, `fields.rs`, `labels.rs`, `origins.rs`,
//! `listing.rs`.

use super::directive::is_directive;
use super::labels::{Astray, Labels, Twice, Why};
use super::listing::{self, Listing};
use super::origins::Origins;
use super::spelling::{Known, Wrong, spelled, wrong};
use super::synonyms::Printer;
use super::token::{Line, Placed, Token};
use super::words::Word;
use crate::assembler::{AssembleError, Assembler, Label};
use crate::btf::ext::LineInfo;
use crate::btf::{Linkage, TypeId};
use crate::helper;
use crate::insn::Insn;
use crate::isa::{Imm64, Sem};
use crate::near::near;
use crate::object::Object;
use crate::program::Reference;
use crate::span::Span;
use std::borrow::Cow;

/// What to write for the slip at the beginning of a text, whose first word stands there.
fn slip(rest: &str, first: Placed) -> Option<String> {
    let line = rest.lines().next()?.get(first.begin as usize..)?;
    super::slips::help(line).map(str::to_owned)
}

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
    let mut parser = Parser::new(path, text);
    parser.run().map_err(|wrong| parser.error(wrong))?;
    let mut object = parser.object;
    parser.origins.name_lines(&mut object.programs);
    Ok(object)
}

/// The most errors that [`errors`] tells of: who has more has another problem.
pub const MOST_ERRORS: usize = 20;

/// All that is wrong in the text of a file, as far as it can be told apart: each line that is no
/// instruction is an error, and behind a directive that is wrong nothing is looked at.
pub fn errors(path: &str, text: &str) -> Vec<ParseError> {
    let mut parser = Parser::new(path, text);
    let mut errors = Vec::new();
    while !parser.rest.is_empty() && errors.len() < MOST_ERRORS {
        let (before, is_instruction) = (parser.rest.len(), !is_directive(parser.rest));
        match parser.item() {
            Ok(()) => {}
            Err(wrong) if is_instruction && parser.listing.is_none() => {
                errors.push(parser.error(wrong));
                if parser.rest.len() == before {
                    parser.next_line();
                }
            }
            // What is wrong may be so only for the lines that are missing.
            Err(_) if !errors.is_empty() => return errors,
            Err(wrong) => return vec![parser.error(wrong)],
        }
    }
    if errors.is_empty()
        && let Err(wrong) = parser.finish()
    {
        errors.push(parser.error(wrong));
    }
    errors
}

/// A program of so many instructions gets room for all lines that follow at once: to grow
/// step by step costs more than to parse.
const LONG: usize = 1024;

/// The state of reading a text.
pub(super) struct Parser<'a> {
    path: &'a str,
    /// All of the text.
    whole: &'a str,
    pub(super) origins: Origins<'a>,
    /// The line being read.
    text: &'a str,
    /// Its number, counted from 1.
    pub(super) number: u32,
    /// What is behind it.
    pub(super) rest: &'a str,
    pub(super) object: Object,
    /// Values of maps that name what may stand further down.
    pub(super) late: Vec<super::directive::LateValue>,
    /// Addresses in data of what may stand further down.
    pub(super) late_addresses: Vec<super::addresses::LateAddress>,
    /// Numbers of types that may stand further down.
    pub(super) mentioned: Vec<super::types::Mentioned>,
    /// Where the named variables of the last section end, in bytes.
    pub(super) behind_variables: usize,
    pub(super) current: Option<Current<'a>>,
    /// What is read is a tool's listing.
    pub(super) listing: Option<Listing<'a>>,
}

/// The program being read.
pub(super) struct Current<'a> {
    pub(super) program: super::directive::Header,
    pub(super) assembler: Assembler,
    labels: Labels<'a>,
    /// The line of this text that each instruction stands in, whatever a `.line` says.
    pub(super) numbers: LineNumbers,
    /// What the instructions' places are in.
    pub(super) places: Places,
    /// What is said of each of the functions behind the first.
    pub(super) functions: Vec<FunctionHeader>,
}

/// Lines by instruction. Mostly one stands behind the other: kept is where it does not.
#[derive(Default)]
pub(super) struct LineNumbers {
    /// An instruction and its line, ascending.
    runs: Vec<(usize, u32)>,
}

impl LineNumbers {
    /// Says in which line the instruction of an index stands. Indexes ascend.
    pub(super) fn push(&mut self, index: usize, number: u32) {
        if self.get(index) != Some(number) {
            self.runs.push((index, number));
        }
    }

    /// The line of an instruction.
    fn get(&self, index: usize) -> Option<u32> {
        let run = match self.runs.last() {
            Some(last) if last.0 <= index => last,
            _ => {
                let behind = self.runs.partition_point(|(first, _)| *first <= index);
                self.runs.get(behind.checked_sub(1)?)?
            }
        };
        let (first, number) = *run;
        number.checked_add(u32::try_from(index - first).ok()?)
    }
}

/// What a `.func` line says beside the name.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FunctionHeader {
    pub(super) linkage: Linkage,
    pub(super) type_id: Option<TypeId>,
}

/// What instructions come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Places {
    /// The text that is read.
    Text,
    /// What a `.line` says.
    Given,
}

impl Current<'_> {
    pub(super) fn new(program: super::directive::Header) -> Self {
        Current {
            assembler: Assembler::new(&*program.name),
            program,
            labels: Labels::default(),
            numbers: LineNumbers::default(),
            places: Places::Text,
            functions: Vec::new(),
        }
    }
}

impl<'a> Parser<'a> {
    fn new(path: &'a str, text: &'a str) -> Self {
        Parser {
            path,
            whole: text,
            origins: Origins::new(path, text),
            text: "",
            number: 0,
            rest: text,
            object: Object::default(),
            late: Vec::new(),
            late_addresses: Vec::new(),
            mentioned: Vec::new(),
            behind_variables: 0,
            current: None,
            listing: listing::begins(text),
        }
    }

    fn run(&mut self) -> Result<(), Wrong> {
        if u32::try_from(self.whole.len()).is_err() {
            return Err(Wrong::line("the text has 4 GiB or more"));
        }
        while !self.rest.is_empty() {
            self.item()?;
        }
        self.finish()
    }

    /// The next line, and with a directive those that belong to it.
    #[inline]
    fn item(&mut self) -> Result<(), Wrong> {
        self.number += 1;
        if is_directive(self.rest) {
            let text = self.next_line();
            self.directive(text)
        } else if self.listing.is_some() {
            let text = self.next_line();
            self.listing_line(text)
        } else {
            self.line()
        }
    }

    /// What can be known only when all lines were read.
    fn finish(&mut self) -> Result<(), Wrong> {
        self.finish_program()?;
        self.finish_values()?;
        self.finish_addresses()?;
        self.finish_types()
    }

    /// The next line, which becomes the one that is being read.
    pub(super) fn next_line(&mut self) -> &'a str {
        self.take(self.rest.find('\n').unwrap_or(self.rest.len()))
    }

    /// The next line, whose length is known.
    fn take(&mut self, len: usize) -> &'a str {
        let (text, rest) = self.rest.split_at_checked(len).unwrap_or((self.rest, ""));
        self.rest = rest.strip_prefix('\n').unwrap_or(rest);
        self.text = text.strip_suffix('\r').unwrap_or(text);
        self.text
    }

    /// The error at a place of the line whose number is the parser's.
    fn error(&self, wrong: Wrong) -> ParseError {
        let index = self.number.saturating_sub(1) as usize;
        let line = self.whole.lines().nth(index).unwrap_or_default();
        let span = Span {
            file: self.path,
            line: self.number.max(1),
            column: wrong.begin.saturating_add(1),
            text: line,
        };
        ParseError {
            span: span.to_owned(),
            len: wrong.end.saturating_sub(wrong.begin) as usize,
            message: wrong.message,
            help: wrong.help,
        }
    }

    /// The place of a column, counted from 0, of the line being read.
    #[inline]
    pub(super) fn here(&mut self, column: u32) -> LineInfo {
        self.origins.in_text(self.text, self.number, column)
    }

    /// Makes room for the lines that follow, if they are as long as those before.
    #[cold]
    fn make_room(&mut self) {
        let before = self.whole.len().saturating_sub(self.rest.len());
        let length = before / (self.number.max(1) as usize);
        if let Some(current) = &mut self.current {
            current.assembler.reserve(self.rest.len() / length.max(1));
        }
    }

    /// The next line: labels and an instruction.
    fn line(&mut self) -> Result<(), Wrong> {
        let line = Line::of(self.rest);
        let mut first = line.next(0);
        while let Some(name) = first
            && name.token.is_name()
            && let Some(end) = line.colon_at(name.end)
        {
            self.label(name, name_of(line, name)?)?;
            first = line.next(end);
        }
        let Some(first) = first else {
            self.next_line();
            return Ok(());
        };
        if self.current.is_none() {
            let missing = "an instruction outside any program";
            let help = "begin a program: .prog SECTION NAME";
            return Err(Wrong::at(first, missing).help(Some(help.into())));
        }
        let Some(spelled) = spelled(line, Some(first), Printer::Source, &Known::Nothing) else {
            let wrong = wrong(line, Some(first), Printer::Source, &Known::Nothing);
            return Err(wrong.or_help(slip(self.rest, first)));
        };
        let (insn, symbol) = (spelled.insn, spelled.symbol);
        self.take(line.len(spelled.end));
        let Some(current) = &mut self.current else {
            return Ok(());
        };
        current.numbers.push(current.assembler.len(), self.number);
        if current.places == Places::Text {
            let place = self.origins.in_text(self.text, self.number, first.begin);
            current.assembler.at_record(place);
        }
        if symbol.is_none() {
            current.assembler.insn(insn);
        }
        if current.assembler.len() == LONG {
            self.make_room();
        }
        match symbol {
            Some(symbol) => self.symbolic(insn, symbol, name_of(line, symbol)?),
            None => Ok(()),
        }
    }

    /// An instruction with a name in the place of a number.
    fn symbolic(&mut self, insn: Insn, symbol: Placed, name: Cow<'a, str>) -> Result<(), Wrong> {
        if let Sem::LoadImm64(Imm64::MapFd | Imm64::MapValueFd) = insn.sem() {
            let reference = self.reference(insn, symbol, &name)?;
            if let Some(current) = &mut self.current {
                current.assembler.ld_reference(insn.dst(), reference);
            }
            return Ok(());
        }
        if let Sem::Call(_) = insn.sem()
            && let Some(Reference::Extern(index)) = self.external_named(&name)
        {
            if let Some(current) = &mut self.current {
                current.assembler.call_extern(index);
            }
            return Ok(());
        }
        if let Some(current) = &mut self.current {
            let here = (self.number, symbol);
            let label = current.labels.name(name, here, &mut current.assembler);
            current.assembler.insn_to(insn, label);
        }
        Ok(())
    }

    /// What a name in `r1 = NAME ll` or `r1 = NAME[0] + 4 ll` stands for.
    fn reference(&self, insn: Insn, symbol: Placed, name: &str) -> Result<Reference, Wrong> {
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

    /// The extern or variable of this name.
    fn named(&self, name: &str) -> Option<Reference> {
        let in_data = |(map, data): (usize, &crate::object::Data)| {
            let variable = data.variables.iter().find(|v| v.name == name)?;
            let offset = variable.offset;
            Some(Reference::MapValue { map, offset })
        };
        let maps = self.object.maps.iter().enumerate();
        let mut data = maps.filter_map(|(index, map)| Some((index, map.data.as_ref()?)));
        self.external_named(name).or_else(|| data.find_map(in_data))
    }

    /// The extern of this name.
    pub(super) fn external_named(&self, name: &str) -> Option<Reference> {
        let mut externs = self.object.externs.iter();
        externs
            .position(|known| known.name == name)
            .map(Reference::Extern)
    }

    /// Binds a label here.
    pub(super) fn label(&mut self, placed: Placed, name: Cow<'a, str>) -> Result<Label, Wrong> {
        let Some(current) = &mut self.current else {
            return Err(Wrong::at(placed, "a label outside any program"));
        };
        let here = (self.number, placed);
        let bound = current
            .labels
            .bind(name.clone(), here, &mut current.assembler);
        let message = || format!("the label '{name}' is bound twice");
        let label = bound.map_err(|Twice| Wrong::at(placed, message()))?;
        current.assembler.bind(label);
        Ok(label)
    }

    /// Begins a function here.
    pub(super) fn begin_function(
        &mut self,
        placed: Placed,
        name: Cow<'a, str>,
        header: FunctionHeader,
    ) -> Result<(), Wrong> {
        let Some(current) = &mut self.current else {
            return Err(Wrong::at(placed, "a function outside any program"));
        };
        let here = (self.number, placed);
        let message = || format!("the name '{name}' is that of a label");
        let bound = current
            .labels
            .bind_function(name.clone(), here, &mut current.assembler);
        let label = bound.map_err(|Twice| Wrong::at(placed, message()))?;
        current.assembler.function(label, &*name);
        current.functions.push(header);
        Ok(())
    }

    /// Adds the program that has been read to the object.
    pub(super) fn finish_program(&mut self) -> Result<(), Wrong> {
        self.finish_listing()?;
        let Some(current) = self.current.take() else {
            return Ok(());
        };
        if let Some(wrong) = self.astray(&current.labels) {
            return Err(wrong);
        }
        let header = current.program;
        let program = current.assembler.finish(&header.assembled_as);
        let mut program = program.map_err(|error: AssembleError| {
            let line = error.index().and_then(|index| current.numbers.get(index));
            self.number = line.unwrap_or(self.number);
            Wrong::line(error.to_string())
        })?;
        header.complete(&mut program, &current.functions);
        self.object.programs.push(program);
        Ok(())
    }

    /// What is wrong if an instruction goes to a label and cannot.
    fn astray(&mut self, labels: &Labels<'a>) -> Option<Wrong> {
        let Astray {
            name,
            why,
            line,
            begin,
            end,
        } = labels.astray()?;
        self.number = line;
        let (message, meant) = match name.starts_with("bpf_") {
            _ if why == Why::Several => {
                let message = format!("several functions are named '{name}'");
                (message, None)
            }
            true => {
                let names = helper::HELPERS.iter().map(|helper| helper.name);
                let meant = near(name.trim_start_matches("bpf_"), names);
                let message = format!("no helper, function or extern is named {name}");
                (message, meant.map(|meant| format!("bpf_{meant}")))
            }
            false => {
                let meant = near(name, labels.bound());
                let message = format!("the label '{name}' is nowhere bound");
                (message, meant.map(str::to_owned))
            }
        };
        Some(Wrong {
            begin,
            end,
            message,
            help: match why {
                Why::Several => Some("call one by its distance: call pc+3".into()),
                Why::Nowhere => meant.map(|meant| format!("did you mean '{meant}'?")),
            },
        })
    }
}

/// What a token names.
fn name_of<'a>(line: Line<'a>, placed: Placed) -> Result<Cow<'a, str>, Wrong> {
    let text = line.text(placed);
    match placed.token {
        Token::Quoted => {
            let Placed { begin, end, .. } = placed;
            Ok(Word { text, begin, end }.string()?.into())
        }
        _ => Ok(text.into()),
    }
}

/// Whether a line is an instruction by itself.
pub(super) fn is_instruction(text: &str) -> bool {
    let line = Line::of(text);
    spelled(line, line.next(0), Printer::Source, &Known::Nothing).is_some()
}
