//! An object as JSON, for other programs.
//!
//! The layout is a promise: `schema` names it, and another layout gets another name. Fields
//! may be added. Numbers are numbers, bytes are hexadecimal text.

use ebpf_asm::insn::{Insn, encode_all};
use ebpf_asm::object::{self, Object};
use ebpf_asm::program::{self, Reference};
use ebpf_asm::span::Span;
use serde::Serialize;

use crate::core_relo;
use ebpf_cli::exit::Exit;
use ebpf_cli::report::Failure;

/// The name of the layout.
const SCHEMA: &str = "ebpfasm.object.v1";

#[derive(Serialize)]
struct Document<'o> {
    schema: &'static str,
    license: &'o str,
    maps: Vec<Map<'o>>,
    programs: Vec<Program<'o>>,
}

#[derive(Serialize)]
struct Map<'o> {
    name: &'o str,
    map_type: &'static str,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
}

#[derive(Serialize)]
struct Program<'o> {
    name: &'o str,
    section: &'o str,
    prog_type: &'static str,
    expected_attach_type: Option<&'static str>,
    functions: Vec<Function<'o>>,
    insns: Vec<Instruction<'o>>,
}

#[derive(Serialize)]
struct Function<'o> {
    name: &'o str,
    slot: usize,
}

#[derive(Serialize)]
struct Instruction<'o> {
    /// Where it begins, in slots of 8 bytes.
    slot: usize,
    bytes: String,
    text: String,
    map: Option<&'o str>,
    r#extern: Option<&'o str>,
    /// The slot that it jumps to, calls or takes the address of.
    target: Option<usize>,
    /// What it asks of the kernel's types (CO-RE).
    core_relo: Option<String>,
    source: Option<Source<'o>>,
}

#[derive(Serialize)]
struct Source<'o> {
    file: &'o str,
    line: u32,
    column: u32,
    text: &'o str,
}

/// The object as one JSON document, its line ended.
pub(crate) fn object(object: &Object) -> Result<String, Failure> {
    let document = Document {
        schema: SCHEMA,
        license: &object.license,
        maps: object.maps.iter().map(map).collect(),
        programs: object.programs.iter().map(|p| program(object, p)).collect(),
    };
    let text = serde_json::to_string_pretty(&document).map_err(|error| {
        Failure::new(
            Exit::Internal,
            format!("the object cannot be printed: {error}"),
        )
    })?;
    Ok(text + "\n")
}

fn map(map: &object::Map) -> Map<'_> {
    Map {
        name: &map.name,
        map_type: map.map_type.name(),
        key_size: map.key_size,
        value_size: map.value_size,
        max_entries: map.max_entries,
        map_flags: map.map_flags,
    }
}

fn program<'o>(object: &'o Object, program: &'o program::Program) -> Program<'o> {
    let functions = program.functions.iter().map(|function| Function {
        name: &function.name,
        slot: function.slot,
    });
    let insns = program.slots().map(|(slot, insn)| Instruction {
        slot,
        bytes: bytes(insn),
        text: insn.to_string(),
        map: program.reference(slot).and_then(|at| map_name(object, at)),
        r#extern: program
            .reference(slot)
            .and_then(|at| extern_name(object, at)),
        target: program.target(slot, insn),
        core_relo: core_relo::at(object, program, slot),
        source: program.span(slot).map(source),
    });
    Program {
        name: &program.name,
        section: &program.section,
        prog_type: program.prog_type.name(),
        expected_attach_type: program.expected_attach_type.map(|attach| attach.name()),
        functions: functions.collect(),
        insns: insns.collect(),
    }
}

fn map_name(object: &Object, reference: Reference) -> Option<&str> {
    let (Reference::Map(map) | Reference::MapValue { map, .. }) = reference else {
        return None;
    };
    object.maps.get(map).map(|map| map.name.as_str())
}

fn extern_name(object: &Object, reference: Reference) -> Option<&str> {
    let Reference::Extern(index) = reference else {
        return None;
    };
    object.externs.get(index).map(|known| known.name.as_str())
}

fn bytes(insn: &Insn) -> String {
    let bytes = encode_all(&[*insn]);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn source(span: Span<&str>) -> Source<'_> {
    Source {
        file: span.file,
        line: span.line,
        column: span.column,
        text: span.text.trim(),
    }
}
