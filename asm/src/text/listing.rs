//! Listings: what llvm-objdump, bpftool and the verifier print, as they print it.
//!
//! A program is a listing if its first instruction has a number before it. Each line is
//!
//! ```text
//! [number ':'] [live registers] ['(' opcode ')' | raw bytes] instruction [annotation]
//! ```
//!
//! and what begins with no number is an annotation, but for what names a section or a
//! function. The number is the instruction's slot. One that comes twice, as on paths that the
//! verifier walks twice, must be the same instruction; one that does not come at all, since
//! the verifier never went there, is an error. An opcode or raw bytes select the row where the
//! text alone does not, and must not contradict it.
//!
//! A listing that names no section, or one that is no program type's (`.text`), is taken as a
//! socket filter; a `.prog` line above it says otherwise.

use super::directive::{Header, is_directive};
use super::parse::{Current, FunctionHeader, Parser, is_instruction};
use super::spelling::{Known, Wrong, match_line, spelled};
use super::synonyms::Printer;
use super::token::{Line as Tokens, Placed, Token};
use crate::btf::ext::LineInfo;
use crate::insn::{Insn, Slot};
use std::collections::BTreeMap;

/// The listing of one program so far.
#[derive(Debug, Default)]
pub(super) struct Listing<'a> {
    /// The section that the lines are in.
    section: Option<String>,
    /// What is printed at each number, and where.
    insns: BTreeMap<usize, (Insn, LineInfo)>,
    /// Functions that begin at a number; `None` is the next that comes.
    functions: Vec<(Option<usize>, String)>,
    /// The last instruction, to which bytes on a line of their own belong.
    last: Option<Last<'a>>,
}

/// An instruction as it was printed.
#[derive(Debug, Clone, Copy)]
struct Last<'a> {
    number: usize,
    printer: Printer,
    text: &'a str,
}

/// What a line of a listing is.
#[derive(Debug, PartialEq, Eq)]
enum Line<'a> {
    Section(&'a str),
    Symbol(&'a str),
    Function(&'a str),
    Log(&'a str),
    Bytes(&'a str),
    Instruction(Numbered<'a>),
    Annotation,
}

/// An instruction with what stands before it.
#[derive(Debug, PartialEq, Eq)]
struct Numbered<'a> {
    number: usize,
    before: Before<'a>,
    printer: Printer,
    text: &'a str,
}

/// What stands between the number and the text.
#[derive(Debug, PartialEq, Eq)]
enum Before<'a> {
    Nothing,
    Opcode(u8),
    Bytes(&'a str),
}

/// What bpftool prints of an instruction that is newer than it: `BUG_ldx_91`.
const BUG: &str = "BUG_";

/// Whether the lines, up to the next directive, are a listing: the first that is an
/// instruction decides.
pub(super) fn begins(text: &str) -> Option<Listing<'_>> {
    for line in text.lines() {
        let text = line.trim_start();
        match text.as_bytes() {
            [] | [b';', ..] => {}
            _ if is_directive(line) => return None,
            _ => match classify(line) {
                Line::Instruction(_) | Line::Section(_) | Line::Log(_) => {
                    return Some(Listing::default());
                }
                _ if is_instruction(line) => return None,
                _ => {}
            },
        }
    }
    None
}

fn classify(line: &str) -> Line<'_> {
    let text = line.trim();
    if let Some(rest) = text.strip_prefix("Disassembly of section ") {
        return Line::Section(rest.trim_end_matches(':'));
    }
    if let Some(numbered) = numbered(line) {
        return numbered;
    }
    if let Some((address, name)) = text.split_once(" <")
        && let Some(name) = name.strip_suffix(">:")
        && address.len() == 16
        && address.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        return Line::Symbol(name);
    }
    if let Some(rest) = text.strip_prefix("libbpf: prog '")
        && let Some(name) = rest.strip_suffix("': -- BEGIN PROG LOAD LOG --")
    {
        return Line::Log(name);
    }
    if slots(text).is_some() {
        return Line::Bytes(text);
    }
    match function(text) {
        Some(name) => Line::Function(name),
        None => Line::Annotation,
    }
}

/// The name in `int parse(struct xdp_md * ctx):`, with which bpftool begins a function.
fn function(text: &str) -> Option<&str> {
    let (before, _) = text.strip_suffix("):")?.split_once('(')?;
    let (_, name) = before.rsplit_once([' ', '*'])?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (!name.is_empty() && name.chars().all(is_name)).then_some(name)
}

/// A line that begins with a number: `None` if it does not.
fn numbered(line: &str) -> Option<Line<'_>> {
    let trimmed = line.trim_start();
    let digits = trimmed.bytes().take_while(u8::is_ascii_digit).count();
    let rest = trimmed.get(digits..)?.strip_prefix(':')?;
    let number = trimmed.get(..digits)?.parse().ok()?;
    let rest = rest.trim();
    if let Some((before, text)) = bytes_before(rest) {
        return Some(Line::Instruction(Numbered {
            number,
            before,
            printer: Printer::Llvm,
            text: without_symbol(text),
        }));
    }
    if let Some((opcode, text)) = opcode_before(live_registers_off(rest)) {
        // bpftool pads its numbers, the verifier does so only beside live registers.
        let padded = trimmed.len() < line.len() && rest.starts_with('(');
        return Some(Line::Instruction(Numbered {
            number,
            before: Before::Opcode(opcode),
            printer: match padded {
                true => Printer::Bpftool,
                false => Printer::Verifier,
            },
            text,
        }));
    }
    // `5: R0=scalar()`, `7: safe`, and an address with its relocation.
    let is_state = rest.is_empty()
        || rest.starts_with(['R', '\''])
        || ["frame", "safe", "caller", "fp"]
            .iter()
            .any(|word| rest.starts_with(word));
    Some(match is_state {
        true => Line::Annotation,
        false => Line::Instruction(Numbered {
            number,
            before: Before::Nothing,
            printer: Printer::Llvm,
            text: without_symbol(rest),
        }),
    })
}

/// `(bf)`, and what stands behind.
pub(crate) fn opcode_before(text: &str) -> Option<(u8, &str)> {
    let (opcode, rest) = text.strip_prefix('(')?.split_once(')')?;
    let opcode = (opcode.len() == 2).then(|| u8::from_str_radix(opcode, 16))?;
    Some((opcode.ok()?, rest.trim_start()))
}

/// The text without the registers that are live, `.12...6...`, as the verifier lists them.
pub(crate) fn live_registers_off(text: &str) -> &str {
    let len = text
        .bytes()
        .take_while(|byte| matches!(byte, b'.' | b'0'..=b'9'))
        .count();
    match text.get(len..) {
        Some(rest) if len >= 10 => rest.trim_start(),
        _ => text,
    }
}

/// Raw bytes, and what stands behind: 8 or 16 with a space between each two.
fn bytes_before(text: &str) -> Option<(Before<'_>, &str)> {
    let of_slots = |slots: usize| {
        let (bytes, rest) = text.split_at_checked(slots * 24 - 1)?;
        let ends = rest.is_empty() || rest.starts_with(['\t', ' ']);
        let hex = bytes.bytes().enumerate().all(|(n, byte)| match n % 3 {
            2 => byte == b' ',
            _ => byte.is_ascii_hexdigit(),
        });
        (ends && hex).then(|| (Before::Bytes(bytes), rest.trim_start()))
    };
    of_slots(2).or_else(|| of_slots(1))
}

/// The instruction without the symbol that LLVM adds to a distance: `goto +4 <LBB0_2>`.
fn without_symbol(text: &str) -> &str {
    match text
        .strip_suffix('>')
        .and_then(|rest| rest.rsplit_once(" <"))
    {
        Some((instruction, _)) if !instruction.is_empty() => instruction,
        _ => text,
    }
}

/// The slots that raw bytes are.
fn slots(text: &str) -> Option<(Slot, Option<Slot>)> {
    let mut bytes = [0; 16];
    let mut count = 0;
    for pair in text.split(' ') {
        let digits = pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit());
        let byte = u8::from_str_radix(pair, 16).ok().filter(|_| digits)?;
        *bytes.get_mut(count)? = byte;
        count += 1;
    }
    let slot = |at: usize| {
        let eight = bytes.get(at..at + 8)?;
        Some(Slot::from_bytes(eight.try_into().ok()?))
    };
    match count {
        8 => Some((slot(0)?, None)),
        16 => Some((slot(0)?, slot(8))),
        _ => None,
    }
}

impl<'a> Parser<'a> {
    /// One line of a listing.
    pub(super) fn listing_line(&mut self, line: &'a str) -> Result<(), Wrong> {
        match classify(line) {
            Line::Section(name) => {
                self.finish_program()?;
                self.listing = Some(Listing {
                    section: Some(name.to_owned()),
                    ..Listing::default()
                });
                Ok(())
            }
            Line::Symbol(name) => self.symbol(name),
            Line::Function(name) => self.listed_function(name),
            Line::Log(name) => self.begin_listed(None, name),
            Line::Bytes(text) => self.listed_bytes(line, text),
            Line::Instruction(numbered) => self.listed(line, numbered),
            Line::Annotation if is_instruction(line) => {
                let message = "an instruction without its number";
                Err(Wrong {
                    end: len(line),
                    ..Wrong::line(message)
                }
                .help(Some(
                    "the program began as a listing: number all or none".into(),
                )))
            }
            Line::Annotation => Ok(()),
        }
    }

    /// `0000000000000038 <parse>:`: a function, a program or a label.
    fn symbol(&mut self, name: &str) -> Result<(), Wrong> {
        let is_label = ["LBB", "Ltmp", "L", ".L"].iter().any(|prefix| {
            name.strip_prefix(prefix)
                .is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit() || b == b'_'))
        });
        let Some(listing) = self.listing.as_mut().filter(|_| !is_label) else {
            return Ok(());
        };
        // All that is in `.text` is called from elsewhere in it.
        if self.current.is_some() && listing.section.as_deref() == Some(".text") {
            return self.listed_function(name);
        }
        let section = listing.section.take();
        self.begin_listed(section.as_deref(), name)?;
        if let Some(listing) = &mut self.listing {
            listing.section = section;
        }
        Ok(())
    }

    /// Begins a program that a listing names.
    fn begin_listed(&mut self, section: Option<&str>, name: &str) -> Result<(), Wrong> {
        self.finish_program()?;
        self.refuse_second(name)?;
        self.listing = Some(Listing::default());
        self.current = Some(Current::new(Header::listed(section, name)));
        Ok(())
    }

    fn listed_function(&mut self, name: &str) -> Result<(), Wrong> {
        if self.current.is_none() {
            return self.begin_listed(None, name);
        }
        if let Some(listing) = &mut self.listing
            && !listing.insns.is_empty()
        {
            listing.functions.push((None, name.to_owned()));
        }
        Ok(())
    }

    /// Bytes on a line of their own, as `bpftool prog dump xlated ... opcodes` prints them.
    fn listed_bytes(&mut self, line: &str, text: &str) -> Result<(), Wrong> {
        let Some(last) = self.listing.as_ref().and_then(|listing| listing.last) else {
            return Ok(());
        };
        let insn = decode(text).map_err(|message| over(line, text, message))?;
        let above = Tokens::of(last.text);
        if spelled(above, above.next(0), last.printer, &Known::Bytes(insn)).is_none() {
            let message = format!("the bytes are '{insn}', and the line above says otherwise");
            return Err(over(line, text, message));
        }
        if let Some(listing) = &mut self.listing
            && let Some((listed, _)) = listing.insns.get_mut(&last.number)
        {
            *listed = insn;
        }
        Ok(())
    }

    fn listed(&mut self, line: &'a str, numbered: Numbered<'a>) -> Result<(), Wrong> {
        if self.current.is_none() {
            let section = self.listing.as_mut().and_then(|l| l.section.take());
            self.begin_listed(section.as_deref(), "prog")?;
        }
        let known = match numbered.before {
            Before::Nothing => Known::Nothing,
            Before::Opcode(opcode) => Known::Opcode(opcode),
            Before::Bytes(bytes) => {
                Known::Bytes(decode(bytes).map_err(|message| over(line, bytes, message))?)
            }
        };
        let insn = match known {
            // The tool is older than the instruction.
            Known::Bytes(insn) if numbered.text == "<unknown>" => insn,
            _ if numbered.text.starts_with(BUG) => return self.list_unknown(line, &numbered),
            _ => {
                let (begin, _) = place(line, numbered.text);
                let moved = |wrong: Wrong| Wrong {
                    begin: wrong.begin + begin,
                    end: wrong.end + begin,
                    ..wrong
                };
                let tokens = Tokens::of(numbered.text);
                let spelled =
                    match_line(tokens, tokens.next(0), numbered.printer, &known).map_err(moved)?;
                if let Some(symbol) = spelled.symbol {
                    let message = "a name where a listing has a distance";
                    return Err(moved(Wrong::at(symbol, message)));
                }
                spelled.insn
            }
        };
        self.list(line, numbered.number, insn)?;
        if let Some(listing) = &mut self.listing {
            listing.last = Some(Last {
                number: numbered.number,
                printer: numbered.printer,
                text: numbered.text,
            });
        }
        Ok(())
    }

    /// Waits for the bytes of an instruction that bpftool has no text for.
    fn list_unknown(&mut self, line: &str, numbered: &Numbered<'a>) -> Result<(), Wrong> {
        let bytes = self.rest.lines().next().unwrap_or_default().trim();
        if slots(bytes).is_none() {
            let message = "bpftool has no text for this instruction".to_owned();
            let help = "have it print the bytes: bpftool prog dump xlated ... opcodes";
            return Err(over(line, numbered.text, message).help(Some(help.into())));
        }
        let insn = decode(bytes).map_err(|message| over(line, numbered.text, message))?;
        self.list(line, numbered.number, insn)?;
        if let Some(listing) = &mut self.listing {
            listing.last = None;
        }
        Ok(())
    }

    /// Puts an instruction in its place.
    fn list(&mut self, line: &str, number: usize, insn: Insn) -> Result<(), Wrong> {
        let here = self.here(0);
        let Some(listing) = &mut self.listing else {
            return Ok(());
        };
        if let Some((before, at)) = listing.insns.get(&number)
            && *before != insn
        {
            let line_of = at.line_col.line();
            let message =
                format!("instruction {number} is '{insn}' here, and '{before}' in line {line_of}");
            return Err(Wrong {
                end: len(line),
                ..Wrong::line(message)
            });
        }
        for (at, _) in &mut listing.functions {
            at.get_or_insert(number);
        }
        listing.insns.entry(number).or_insert((insn, here));
        Ok(())
    }

    /// Hands the listing's instructions to the assembler, in order.
    pub(super) fn finish_listing(&mut self) -> Result<(), Wrong> {
        let Some(listing) = &mut self.listing else {
            return Ok(());
        };
        let listing = std::mem::take(listing);
        let end = self.number;
        let mut next = listing
            .insns
            .first_key_value()
            .map_or(0, |(first, _)| *first);
        for (&number, (insn, place)) in &listing.insns {
            self.number = place.line_col.line();
            if number != next {
                let message = format!("instruction {next} is missing: number {number} follows");
                let help = "a verifier's log has what was walked: ask for all with log level 2";
                return Err(Wrong::line(message).help(Some(help.into())));
            }
            next = number
                .checked_add(insn.slots())
                .ok_or_else(|| Wrong::line(format!("no instruction can follow number {number}")))?;
            for (at, name) in &listing.functions {
                if *at == Some(number) {
                    let placed = Placed {
                        token: Token::Word(None),
                        begin: 0,
                        end: 0,
                    };
                    self.begin_function(placed, name.clone().into(), FunctionHeader::default())?;
                }
            }
            if let Some(current) = &mut self.current {
                current.assembler.at_record(*place);
                let index = current.assembler.len();
                current.numbers.push(index, place.line_col.line());
                current.assembler.insn(*insn);
            }
        }
        self.number = end;
        Ok(())
    }
}

fn decode(bytes: &str) -> Result<Insn, String> {
    let (first, second) = slots(bytes).ok_or("raw bytes are 8 or 16")?;
    Insn::decode(first, second).map_err(|error| error.to_string())
}

/// An error about a part of a line.
fn over(line: &str, part: &str, message: String) -> Wrong {
    let (begin, end) = place(line, part);
    Wrong {
        begin,
        end,
        ..Wrong::line(message)
    }
}

/// From where to where a part stands in its line.
fn place(line: &str, part: &str) -> (u32, u32) {
    let begin = (part.as_ptr() as usize).saturating_sub(line.as_ptr() as usize);
    let begin = u32::try_from(begin).unwrap_or_default();
    (begin, begin + len(part))
}

fn len(text: &str) -> u32 {
    u32::try_from(text.len()).unwrap_or(u32::MAX)
}
