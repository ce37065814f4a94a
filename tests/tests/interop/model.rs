//! The same account of an object as libbpf's, from what we read.

use ebpf_asm::map_flags::BPF_F_MMAPABLE;
use std::collections::BTreeSet;

use ebpf_asm::btf::{Btf, Kind, TypeId};
use ebpf_asm::insn::{Insn, encode_all};
use ebpf_asm::map_type::MapType;
use ebpf_asm::object::{DataKind, Map, MapValue, Object, Pinning};
use ebpf_asm::program::{Program, Reference};

use crate::witness::{Account, hex};

/// The maps and programs as they stand in the object.
pub(crate) fn definitions(object: &Object) -> Account {
    let btf = object.btf.as_ref();
    let mut lines = Vec::new();
    for map in &object.maps {
        let name = &map.name;
        let pin = match map.pinning {
            Pinning::None => "-",
            Pinning::ByName => name,
        };
        lines.push(format!("map {name} {} pin {pin}", definition(map, btf)));
        if let Some(inner) = &map.inner {
            lines.push(format!("inner {name} {}", definition(inner, btf)));
        }
        // The loader fills in the kernel's configuration.
        if let Some(data) = map.data.as_ref().filter(|d| d.kind != DataKind::Kconfig) {
            lines.push(format!("initial {name} {}", hex(&data.bytes)));
        }
    }
    for program in &object.programs {
        lines.push(format!(
            "program {} section {} type {} attach {}",
            program.name,
            program.section,
            program.prog_type.number(),
            attach_type(object, program)
        ));
    }
    Account::new(lines)
}

/// What libbpf gives programs as their attach type before it knows the kernel: of functions of
/// a struct the index of the member.
fn attach_type(object: &Object, program: &Program) -> u32 {
    let named = |(_, value): &&(u32, MapValue)| *value == MapValue::Program(program.name.clone());
    let structs = object.maps.iter();
    let mut structs = structs.filter(|map| map.map_type == MapType::StructOps);
    let member = structs.find_map(|map| {
        let (byte, _) = map.values.iter().find(named)?;
        match &object.btf.as_ref()?.get(map.value_type?)?.kind {
            Kind::Struct { members, .. } => members.iter().position(|m| m.offset == byte * 8),
            _ => None,
        }
    });
    match member {
        Some(member) => member as u32,
        None => program.expected_attach_type.map_or(0, |t| t.number()),
    }
}

fn definition(map: &Map, btf: Option<&Btf>) -> String {
    // libbpf finds the types of structs of functions in the kernel.
    let btf = btf.filter(|_| map.map_type != MapType::StructOps);
    // Loaders differ in whether all sections of data, or only those with variables that other
    // files see, are shared with user space by mmap(2).
    let flags = match map.data {
        Some(_) => map.map_flags & !BPF_F_MMAPABLE,
        None => map.map_flags,
    };
    format!(
        "type {} key {} value {} entries {} flags 0x{flags:x} extra {} node {} {} {}",
        map.map_type.number(),
        map.key_size,
        map.value_size,
        map.created_entries(4096),
        map.map_extra,
        map.numa_node,
        type_line(btf, map.key_type),
        type_line(btf, map.value_type)
    )
}

/// A type's kind, name and size.
fn type_line(btf: Option<&Btf>, id: Option<TypeId>) -> String {
    let known = btf.zip(id).and_then(|(btf, id)| {
        let kind = kind_number(&btf.get(id)?.kind);
        let size = btf.size_of(id).map_or(-22, i64::from);
        Some(format!("{kind}:{}:{size}", btf.name(id)))
    });
    known.unwrap_or_else(|| "-".to_owned())
}

/// The kinds that keys and values have (`BTF_KIND_*`).
fn kind_number(kind: &Kind) -> u32 {
    match kind {
        Kind::Int { .. } => 1,
        Kind::Ptr(_) => 2,
        Kind::Array { .. } => 3,
        Kind::Struct { .. } => 4,
        Kind::Union { .. } => 5,
        Kind::Enum { .. } => 6,
        Kind::Typedef(_) => 8,
        Kind::DataSec { .. } => 15,
        Kind::Enum64 { .. } => 19,
        _ => 0,
    }
}

/// The instructions of a program; in those that the loader changes by what the kernel is,
/// question marks.
pub(crate) fn instructions(object: &Object, program: &Program) -> Vec<String> {
    let name = &program.name;
    let bound = bound_to_the_kernel(program);
    let mut lines = Vec::new();
    for (slot, insn) in program.slots() {
        let (map, insn) = referred(object, program, slot, insn);
        for (at, bytes) in encode_all(&[insn]).chunks(8).enumerate() {
            let (slot, map) = (slot + at, if at == 0 { map } else { "" });
            let shown = match bound.contains(&slot) {
                true => "?".to_owned(),
                false => hex(bytes),
            };
            lines.push(format!("insn {name} {slot} {shown} {map}"));
        }
    }
    lines
}

/// The names of maps taken out of lines about instructions, for programs that the kernel has
/// refused: libbpf's account has none there.
pub(crate) fn without_maps(account: &Account) -> Account {
    account.map(|line| {
        let words: Vec<&str> = line.splitn(5, ' ').collect();
        match words[..] {
            ["insn", name, slot, bytes, map] if !map.is_empty() => {
                format!("insn {name} {slot} {bytes} *")
            }
            _ => line.clone(),
        }
    })
}

/// The lines about a program's instructions in libbpf's account, with question marks where
/// [`instructions`] has them.
pub(crate) fn theirs(account: &Account, program: &Program) -> Account {
    let bound = bound_to_the_kernel(program);
    let lines = account.of("insn").filter_map(|line| {
        let [name, slot, bytes, map] = line.splitn(4, ' ').collect::<Vec<_>>()[..] else {
            return None;
        };
        let bytes = match bound.contains(&slot.parse().ok()?) {
            true => "?",
            false => bytes,
        };
        (name == program.name).then(|| format!("insn {name} {slot} {bytes} {map}"))
    });
    Account::new(lines)
}

/// The slots of instructions whose numbers depend on the kernel: what refers to an extern, and
/// what CO-RE changes, which makes a call that fails of what cannot be.
fn bound_to_the_kernel(program: &Program) -> BTreeSet<usize> {
    let externs = program.references.iter();
    let externs = externs.filter(|(_, reference)| matches!(reference, Reference::Extern(_)));
    let relocated = program.core_relocations.iter().map(|(slot, _)| *slot);
    let first: BTreeSet<usize> = externs.map(|(slot, _)| *slot).chain(relocated).collect();
    let slots = program.slots().filter(|(slot, _)| first.contains(slot));
    slots
        .flat_map(|(slot, insn)| slot..slot + insn.slots())
        .collect()
}

/// The name of the map that an instruction refers to, and the instruction as libbpf hands it
/// to the kernel, without the descriptor.
fn referred<'o>(
    object: &'o Object,
    program: &Program,
    slot: usize,
    insn: &Insn,
) -> (&'o str, Insn) {
    let (map, offset) = match program.reference(slot) {
        Some(Reference::Map(map)) => (map, 0),
        Some(Reference::MapValue { map, offset }) => (map, offset),
        Some(Reference::Extern(_)) | None => return ("", *insn),
    };
    let name = object.maps.get(map).map_or("?", |map| map.name.as_str());
    (name, insn.with_imm(0, offset as i32))
}
