//! Printing an object: directives for all that it is besides instructions, and its programs.
//!
//! Read before: `print.rs`, `places.rs`. Read next: `data.rs`, `addresses.rs`, `types.rs`.

use super::addresses::print_addresses;
use super::data::print_data;
use super::places::{Place, Places};
use super::print::{name, print_insn};
use super::types::{print_core_relocation, print_type_id, print_types};
use super::words::quoted;
use crate::insn::Insn;
use crate::map_flags::MAP_FLAGS;
use crate::object::{
    Autocreate, Data, DataKind, Extern, ExternKind, Map, MapValue, Object, Pinning, Strength,
};
use crate::program::Program;
use crate::section::section;
use crate::span::Span;
use std::fmt::{self, Write};

/// How an object is printed.
#[derive(Clone, Copy)]
pub struct Options<'r> {
    /// How much of it.
    pub extent: Extent,
    /// Comments.
    pub remarks: &'r dyn Remarks,
}

/// How much of an object is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// What people read: license, maps with their variables, externs, programs.
    Code,
    /// All that it holds: also its types (`.btf`) and what refers to them, and the source lines
    /// of instructions.
    Whole,
}

impl Options<'static> {
    /// What people read, without comments.
    pub const CODE: Options<'static> = Options {
        extent: Extent::Code,
        remarks: &NoRemarks,
    };
    /// All that the object holds: what is read from the text is the same object.
    pub const WHOLE: Options<'static> = Options {
        extent: Extent::Whole,
        ..Options::CODE
    };
}

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

/// Writes an object as text that [`parse`](super::parse()) reads.
///
/// # Errors
/// Those of `out`.
///
/// # Examples
/// ```
/// use ebpf_asm::text::{Options, parse, print_object};
///
/// let object = parse("p.bpf", ".prog xdp p\n r0=2\n exit\n")?;
/// let mut text = String::new();
/// print_object(&mut text, &object, Options::CODE)?;
/// assert_eq!(text, ".prog xdp p\n    r0 = 2\n    exit\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn print_object(out: &mut dyn Write, object: &Object, options: Options<'_>) -> fmt::Result {
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
    let extent = options.extent;
    for map in &object.maps {
        let is_section = |data: &Data| data.kind != DataKind::Arena;
        if !map.data.as_ref().is_some_and(is_section) {
            print_map(out, object, map, extent)?;
        }
        if let Some(data) = &map.data {
            print_data(out, map, data, extent)?;
            print_addresses(out, object, data)?;
        }
    }
    for known in &object.externs {
        print_extern(out, known, extent)?;
    }
    for program in &object.programs {
        print_header(out, program, extent)?;
        print_instructions(out, object, program, options)?;
    }
    // The types stand last, since they are long and few read them.
    match &object.btf {
        Some(btf) if extent == Extent::Whole => print_types(out, btf),
        _ => Ok(()),
    }
}

fn print_extern(out: &mut dyn Write, known: &Extern, extent: Extent) -> fmt::Result {
    let kind = match known.kind {
        ExternKind::Function => "func",
        ExternKind::Variable => "var",
    };
    let strength = match known.strength {
        Strength::Strong => "",
        Strength::Weak => " weak",
    };
    write!(out, ".extern {kind} {}{strength}", name(&known.name))?;
    print_type_id(out, "type_id", known.type_id, extent)?;
    out.write_str("\n")
}

fn print_map(out: &mut dyn Write, object: &Object, map: &Map, extent: Extent) -> fmt::Result {
    write!(out, ".map {} {}", name(&map.name), map.map_type)?;
    print_parameters(out, map, &Map::new("", map.map_type), extent)?;
    writeln!(out)?;
    if let Some(inner) = &map.inner {
        write!(out, ".inner {}", inner.map_type)?;
        print_parameters(out, inner, &Map::new("", inner.map_type), extent)?;
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
pub(super) fn print_parameters(
    out: &mut dyn Write,
    map: &Map,
    usual: &Map,
    extent: Extent,
) -> fmt::Result {
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
        pinning if pinning == usual.pinning => {}
        Pinning::ByName => out.write_str(" pinning=by_name")?,
        Pinning::None => out.write_str(" pinning=none")?,
    }
    if map.autocreate == Autocreate::OnRequest {
        out.write_str(" autocreate=on_request")?;
    }
    print_type_id(out, "key_type_id", map.key_type, extent)?;
    print_type_id(out, "value_type_id", map.value_type, extent)
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

fn print_header(out: &mut dyn Write, program: &Program, extent: Extent) -> fmt::Result {
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
    if let Some(id) = program.attach_btf_id {
        write!(out, " attach_btf_id={}", id.0)?;
    }
    let first = program.functions.first();
    let type_id = first.and_then(|function| function.type_id);
    print_type_id(out, "type_id", type_id, extent)?;
    writeln!(out)
}

/// Writes a program of `object`: labels where jumps go, maps and externs by their names, one
/// line an instruction.
///
/// # Errors
/// Those of `out`.
pub fn print_program(out: &mut dyn Write, object: &Object, program: &Program) -> fmt::Result {
    print_instructions(out, object, program, Options::CODE)
}

fn print_instructions(
    out: &mut dyn Write,
    object: &Object,
    program: &Program,
    options: Options<'_>,
) -> fmt::Result {
    let places = Places::of(object, program);
    let mut named = places.iter().peekable();
    for (slot, insn) in program.slots() {
        if let Some((_, place)) = named.next_if(|(at, _)| *at == slot) {
            place.print(out)?;
            if let Place::Function(function) = place {
                print_type_id(out, "type_id", function.type_id, options.extent)?;
            }
            out.write_str("\n")?;
        }
        if options.extent == Extent::Whole {
            print_origin(out, program, slot)?;
        }
        if let Some(remark) = options.remarks.before(program, slot) {
            writeln!(out, "    ; {remark}")?;
        }
        out.write_str("    ")?;
        match options.remarks.beside(program, slot, insn) {
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

/// Writes what stands before an instruction in the text of a whole object: its source line, and
/// what it asks of the kernel's types. What is said of the inside of an instruction has no line
/// to stand before, and the kernel refuses it.
fn print_origin(out: &mut dyn Write, program: &Program, slot: usize) -> fmt::Result {
    if program.lines.begins_at(slot)
        && let Some(span) = program.span(slot)
    {
        print_line(out, span)?;
    } else if slot == 0 {
        writeln!(out, ".line none")?;
    }
    let asked = &program.core_relocations;
    let first = asked.partition_point(|(at, _)| *at < slot);
    let asked = asked.iter().skip(first);
    let mut asked = asked.take_while(|(at, _)| *at == slot);
    asked.try_for_each(|(_, relocation)| print_core_relocation(out, relocation))
}

fn print_line(out: &mut dyn Write, span: Span<&str>) -> fmt::Result {
    let (file, text) = (quoted(span.file.as_bytes()), quoted(span.text.as_bytes()));
    writeln!(out, ".line {file} {} {} {text}", span.line, span.column)
}
