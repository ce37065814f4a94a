//! Building: the BTF of an object, from what the object says of its functions, maps,
//! variables and externs.
//!
//! What an object's own BTF does not have is added, in the form that compilers give it:
//! libbpf reads it, and `object/read/` reads the same.
//!
//! Read next: `functions.rs`, `maps.rs`, `structs.rs`, `data.rs`, `externs.rs`.

mod data;
mod externs;
mod functions;
mod maps;
mod structs;

use super::{Btf, IntEncoding, Kind, SecVar, TypeId};
use crate::object::{DataKind, Map, Object};
use crate::program::Program;

/// The name of the section that map definitions live in.
pub const MAPS_SECTION: &str = ".maps";
/// The name of the section that lists options of the kernel's configuration.
pub const KCONFIG_SECTION: &str = ".kconfig";
/// The name of the section that lists functions and variables of the kernel.
pub const KSYMS_SECTION: &str = ".ksyms";

/// The object with a BTF that describes each of its maps, variables and externs, and its
/// functions.
///
/// Functions of an object that knows no function's type and no source place stay without:
/// nothing says what they take, and the kernel checks a global function with a type on its
/// own, as if it took what the type says.
pub fn complete(object: &Object) -> Object {
    let mut object = object.clone();
    let functions_are_known = object.programs.iter().any(is_described);
    let mut btf = object.btf.take().unwrap_or_default();
    for program in object.programs.iter_mut().filter(|_| functions_are_known) {
        functions::add(&mut btf, program);
    }
    maps::add(&mut btf, &object.maps);
    structs::add(&mut btf, &object.maps);
    let mut known = data::Known::of(&btf);
    for map in &mut object.maps {
        data::add(&mut btf, &mut known, map);
    }
    externs::add(&mut btf, &mut object.externs);
    object.btf = Some(btf);
    object
}

/// Whether an object says something that only BTF can: without it, an object does as well.
pub(crate) fn is_needed(object: &Object) -> bool {
    let by_program =
        |program: &Program| is_described(program) || !program.core_relocations.is_empty();
    // Maps are defined by types, and libbpf wants to know the types of all externs.
    let by_map = |map: &Map| {
        let data = map.data.as_ref();
        data.is_none_or(|data| matches!(data.kind, DataKind::Kconfig | DataKind::Arena))
    };
    object.btf.is_some()
        || !object.externs.is_empty()
        || object.programs.iter().any(by_program)
        || object.maps.iter().any(by_map)
}

/// Whether a program knows the type of a function, or where instructions come from.
fn is_described(program: &Program) -> bool {
    let mut functions = program.functions.iter();
    !program.lines.is_empty() || functions.any(|function| function.type_id.is_some())
}

/// `int`, 32 bits, signed.
pub fn int(btf: &mut Btf) -> TypeId {
    scalar(btf, "int", 4, IntEncoding::SIGNED)
}

/// The integer type of this name, size in bytes and encoding; one that is there is taken.
pub fn scalar(btf: &mut Btf, name: &str, size: u32, encoding: IntEncoding) -> TypeId {
    let kind = Kind::Int {
        size,
        encoding,
        offset: 0,
        bits: (size * 8) as u8,
    };
    known_or_new(btf, name, kind)
}

/// The type of this name and kind; one that is there is taken.
fn known_or_new(btf: &mut Btf, name: &str, kind: Kind) -> TypeId {
    btf.find(name, |known| *known == kind)
        .unwrap_or_else(|| btf.add(name, kind))
}

/// Sets what a section holds; the section is added if there is none of the name.
fn set_section(btf: &mut Btf, name: &str, size: u32, vars: Vec<SecVar>) -> TypeId {
    let kind = Kind::DataSec { size, vars };
    match section(btf, name) {
        Some(id) => {
            if let Some(ty) = btf.get_mut(id) {
                ty.kind = kind;
            }
            id
        }
        None => btf.add(name, kind),
    }
}

/// The section of this name.
fn section(btf: &Btf, name: &str) -> Option<TypeId> {
    btf.find(name, |kind| matches!(kind, Kind::DataSec { .. }))
}
