//! Printing: a row's spelling with the fields filled in.

use super::addresses::print_addresses;
use super::data::print_data;
use super::directive::MAP_FLAGS;
use super::places::Places;
use super::template::{Hole, Piece, pieces};
use super::token::is_plain;
use super::words::quoted;
use crate::helper;
use crate::insn::Insn;
use crate::isa::{ISA, Row};
use crate::object::{ExternKind, Map, MapValue, Object, Pinning, Strength};
use crate::program::Program;
use crate::section::section;
use crate::span::Span;
use std::fmt::{self, Write};
use std::sync::LazyLock;

/// Names for what an instruction has only numbers for.
pub trait Names {
    /// Writes what a jump or code address of `distance` slots reaches.
    ///
    /// # Errors
    /// Those of `out`.
    fn jump(&self, out: &mut dyn Write, distance: i32) -> fmt::Result {
        signed(out, distance.into())
    }

    /// Writes the function of the program that a call of `distance` slots reaches.
    ///
    /// # Errors
    /// Those of `out`.
    fn function(&self, out: &mut dyn Write, distance: i32) -> fmt::Result {
        out.write_str("pc")?;
        signed(out, distance.into())
    }

    /// Writes what stands in the place of a whole instruction that refers to something by
    /// name, if this one does.
    ///
    /// # Errors
    /// Those of `out`.
    fn reference(&self, out: &mut dyn Write) -> Result<Referred, fmt::Error> {
        let _ = out;
        Ok(Referred::Nothing)
    }
}

/// Whether an instruction refers to something by name, and has been written so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Referred {
    /// It does not, and nothing has been written.
    Nothing,
    /// It does, and it has been written.
    Written,
}

/// No names at all: distances are numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Numbers;

impl Names for Numbers {}

/// The spellings of the rows taken apart, in the order of the table.
static SPELLINGS: LazyLock<Vec<Vec<Piece>>> =
    LazyLock::new(|| ISA.iter().map(|row| pieces(row.text).collect()).collect());

/// The pieces of a row's spelling.
fn spelling(row: &'static Row) -> &'static [Piece] {
    let bytes = (std::ptr::from_ref(row) as usize).wrapping_sub(ISA.as_ptr() as usize);
    let index = bytes / size_of::<Row>();
    SPELLINGS.get(index).map_or(&[], Vec::as_slice)
}

/// Writes one instruction.
///
/// # Errors
/// Those of `out`.
pub fn print_insn(out: &mut dyn Write, insn: &Insn, names: &dyn Names) -> fmt::Result {
    if names.reference(out)? == Referred::Written {
        return Ok(());
    }
    for piece in spelling(insn.row()) {
        match piece {
            Piece::Text(text) => out.write_str(text)?,
            Piece::Hole(hole) => print_hole(out, *hole, insn, names)?,
        }
    }
    Ok(())
}

fn print_hole(out: &mut dyn Write, hole: Hole, insn: &Insn, names: &dyn Names) -> fmt::Result {
    const WHOLE: [&str; 11] = [
        "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10",
    ];
    const LOW: [&str; 11] = [
        "w0", "w1", "w2", "w3", "w4", "w5", "w6", "w7", "w8", "w9", "w10",
    ];
    match hole {
        Hole::Dst => out.write_str(WHOLE[insn.dst().index()]),
        Hole::Dst32 => out.write_str(LOW[insn.dst().index()]),
        Hole::Src => out.write_str(WHOLE[insn.src().index()]),
        Hole::Src32 => out.write_str(LOW[insn.src().index()]),
        Hole::Imm | Hole::ImmBits => plain(out, insn.imm().into()),
        Hole::NextImm => plain(out, insn.next_imm().into()),
        Hole::Imm64 => write!(out, "{:#x}", insn.imm64()),
        Hole::OffsetNumber => plain(out, insn.offset().into()),
        Hole::Offset => spaced(out, insn.offset().into()),
        Hole::PlusImm => spaced(out, insn.imm().into()),
        Hole::RegImm => write!(out, "r{}", insn.imm()),
        Hole::Jump | Hole::JumpImm => names.jump(out, insn.distance().unwrap_or(0)),
        Hole::Function => names.function(out, insn.imm()),
        Hole::Helper | Hole::HelperId => match helper::by_id(insn.imm()) {
            Some(helper) => {
                out.write_str("bpf_")?;
                out.write_str(helper.name)
            }
            None => plain(out, insn.imm().into()),
        },
        // Of synonyms only, which are not printed.
        Hole::Symbol | Hole::Remark => Ok(()),
    }
}

/// `-4`, `4`: without the formatter, which takes most of the time that printing takes.
fn plain(out: &mut dyn Write, number: i64) -> fmt::Result {
    if number < 0 {
        out.write_str("-")?;
    }
    digits(out, number.unsigned_abs())
}

/// `+4`, `-4`.
fn signed(out: &mut dyn Write, number: i64) -> fmt::Result {
    out.write_str(if number < 0 { "-" } else { "+" })?;
    digits(out, number.unsigned_abs())
}

/// `+ 4` or `- 4`, as it stands behind a register.
fn spaced(out: &mut dyn Write, number: i64) -> fmt::Result {
    out.write_str(if number < 0 { "- " } else { "+ " })?;
    digits(out, number.unsigned_abs())
}

/// The decimal digits of a number.
fn digits(out: &mut dyn Write, mut number: u64) -> fmt::Result {
    let mut text = [0; 20];
    let mut begin = text.len();
    loop {
        begin -= 1;
        if let Some(digit) = text.get_mut(begin) {
            *digit = b'0' + (number % 10) as u8;
        }
        number /= 10;
        if number == 0 {
            break;
        }
    }
    let digits = text.get(begin..).unwrap_or_default();
    out.write_str(std::str::from_utf8(digits).unwrap_or_default())
}

impl fmt::Display for Insn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print_insn(f, self, &Numbers)
    }
}

/// Writes an object as text that [`parse`](super::parse()) reads: license, maps with their
/// variables, externs, programs. Types and source lines are left out.
///
/// # Errors
/// Those of `out`.
pub fn print_object(out: &mut dyn Write, object: &Object) -> fmt::Result {
    print_object_with(out, object, &NoRemarks)
}

/// As [`print_object`], with comments.
///
/// # Errors
/// Those of `out`.
pub fn print_object_with(
    out: &mut dyn Write,
    object: &Object,
    remarks: &dyn Remarks,
) -> fmt::Result {
    print(out, object, remarks, Lines::Left)
}

/// As [`print_object`], with a `.line` wherever the source line changes.
///
/// # Errors
/// Those of `out`.
pub fn print_object_with_lines(out: &mut dyn Write, object: &Object) -> fmt::Result {
    print(out, object, &NoRemarks, Lines::Printed)
}

/// What becomes of source lines.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lines {
    Left,
    Printed,
}

fn print(out: &mut dyn Write, object: &Object, remarks: &dyn Remarks, lines: Lines) -> fmt::Result {
    if !object.license.is_empty() {
        writeln!(out, ".license {}", license(&object.license))?;
    }
    if let Some(version) = object.version {
        let [_, major, minor, patch] = version.to_be_bytes();
        match version >> 24 {
            0 => writeln!(out, ".version {major}.{minor}.{patch}")?,
            _ => writeln!(out, ".version {version}")?,
        }
    }
    for map in &object.maps {
        match &map.data {
            Some(data) => {
                print_data(out, map, data)?;
                print_addresses(out, object, data)?;
            }
            None => print_map(out, object, map)?,
        }
    }
    for known in &object.externs {
        let kind = match known.kind {
            ExternKind::Function => "func",
            ExternKind::Variable => "var",
        };
        let strength = match known.strength {
            Strength::Strong => "",
            Strength::Weak => " weak",
        };
        writeln!(out, ".extern {kind} {}{strength}", name(&known.name))?;
    }
    for program in &object.programs {
        print_header(out, program)?;
        print_instructions(out, object, program, remarks, lines)?;
    }
    Ok(())
}

fn print_map(out: &mut dyn Write, object: &Object, map: &Map) -> fmt::Result {
    write!(out, ".map {} {}", name(&map.name), map.map_type)?;
    print_parameters(out, map, &Map::new("", map.map_type))?;
    writeln!(out)?;
    if let Some(inner) = &map.inner {
        write!(out, ".inner {}", inner.map_type)?;
        print_parameters(out, inner, &Map::new("", inner.map_type))?;
        writeln!(out)?;
    }
    for (index, value) in &map.values {
        let of_map = |index: &usize| object.maps.get(*index).map(|map| map.name.as_str());
        let value = match value {
            MapValue::Map(index) => of_map(index).unwrap_or("?"),
            MapValue::Program(program) => program,
            MapValue::Bytes(bytes) => {
                writeln!(out, ".bytes {index} {}", quoted(bytes))?;
                continue;
            }
        };
        writeln!(out, ".value {index} {}", name(value))?;
    }
    Ok(())
}

/// Writes the parameters in which a map differs from the usual one.
pub(super) fn print_parameters(out: &mut dyn Write, map: &Map, usual: &Map) -> fmt::Result {
    let numbers = [
        ("key_size", map.key_size, usual.key_size),
        ("value_size", map.value_size, usual.value_size),
        ("max_entries", map.max_entries, usual.max_entries),
    ];
    for (name, number, usual) in numbers {
        if number != usual {
            write!(out, " {name}={number}")?;
        }
    }
    if map.map_flags != usual.map_flags {
        write!(out, " map_flags={}", flags(map.map_flags))?;
    }
    if map.map_extra != usual.map_extra {
        write!(out, " map_extra={}", map.map_extra)?;
    }
    if map.numa_node != usual.numa_node {
        write!(out, " numa_node={}", map.numa_node)?;
    }
    match map.pinning {
        pinning if pinning == usual.pinning => Ok(()),
        Pinning::ByName => out.write_str(" pinning=by_name"),
        Pinning::None => out.write_str(" pinning=none"),
    }
}

/// Flags by their names, or as a number if one has none.
fn flags(flags: u32) -> String {
    let known = MAP_FLAGS.iter().filter(|(_, flag)| flags & flag != 0);
    let names: Vec<&str> = known.clone().map(|(name, _)| *name).collect();
    let named = known.fold(0, |all, (_, flag)| all | flag);
    match named == flags && flags != 0 {
        true => names.join("|"),
        false => flags.to_string(),
    }
}

/// A license as the rest of a line: in quotes if it is not words with a space between each two.
fn license(license: &str) -> String {
    match license.split(' ').all(|word| name(word) == word) {
        true => license.to_owned(),
        false => quoted(license.as_bytes()),
    }
}

/// A name among an instruction's tokens: in quotes if it would be read as something else.
pub(super) fn symbol(name: &str) -> String {
    match is_plain(name) {
        true => name.to_owned(),
        false => quoted(name.as_bytes()),
    }
}

/// A name as a directive's word: in quotes if it would not be one word.
pub(super) fn name(name: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '$' | '/' | '-');
    let is_name = !name.is_empty() && name != super::data::UNNAMED;
    match is_name && name.chars().all(is_plain) {
        true => name.to_owned(),
        false => quoted(name.as_bytes()),
    }
}

fn print_header(out: &mut dyn Write, program: &Program) -> fmt::Result {
    write!(
        out,
        ".prog {} {}",
        name(&program.section),
        name(&program.name)
    )?;
    let known = section(&program.section);
    if known.map(|known| known.prog_type) != Some(program.prog_type) {
        write!(out, " type={}", program.prog_type)?;
    }
    if known.and_then(|known| known.attach_type) != program.expected_attach_type {
        match program.expected_attach_type {
            Some(attach_type) => write!(out, " attach_type={attach_type}")?,
            None => out.write_str(" attach_type=none")?,
        }
    }
    writeln!(out)
}

/// Writes a program of `object`: labels where jumps go, maps and externs by their names, one
/// line an instruction.
///
/// # Errors
/// Those of `out`.
pub fn print_program(out: &mut dyn Write, object: &Object, program: &Program) -> fmt::Result {
    print_instructions(out, object, program, &NoRemarks, Lines::Left)
}

fn print_instructions(
    out: &mut dyn Write,
    object: &Object,
    program: &Program,
    remarks: &dyn Remarks,
    lines: Lines,
) -> fmt::Result {
    let places = Places::of(object, program);
    let mut spans = program.lines.iter().peekable();
    let mut named = places.iter().peekable();
    for (slot, insn) in program.slots() {
        if let Some((_, place)) = named.next_if(|(at, _)| *at == slot) {
            place.print(out)?;
            out.write_str("\n")?;
        }
        if lines == Lines::Printed
            && let Some((_, span)) = spans.next_if(|(at, _)| *at == slot)
        {
            print_line(out, span)?;
        }
        if let Some(remark) = remarks.before(program, slot) {
            writeln!(out, "    ; {remark}")?;
        }
        out.write_str("    ")?;
        match remarks.beside(program, slot, insn) {
            None => print_insn(out, insn, &places.insn(slot, insn))?,
            Some(remark) => {
                let insn = places.insn(slot, insn).to_string();
                write!(out, "{insn:REMARK_COLUMN$} ; {remark}")?;
            }
        }
        out.write_str("\n")?;
    }
    Ok(())
}

/// How wide instructions are made that have a comment beside them.
const REMARK_COLUMN: usize = 42;

/// Comments on a program's instructions, one line each: the text stays what it is to a parser.
pub trait Remarks {
    /// What to say on the line before the instruction at `slot`.
    fn before(&self, _program: &Program, _slot: usize) -> Option<String> {
        None
    }

    /// What to say beside the instruction at `slot`.
    fn beside(&self, _program: &Program, _slot: usize, _insn: &Insn) -> Option<String> {
        None
    }
}

/// No comments.
struct NoRemarks;

impl Remarks for NoRemarks {}

fn print_line(out: &mut dyn Write, span: Span<&str>) -> fmt::Result {
    let (file, text) = (quoted(span.file.as_bytes()), quoted(span.text.as_bytes()));
    writeln!(out, ".line {file} {} {} {text}", span.line, span.column)
}
