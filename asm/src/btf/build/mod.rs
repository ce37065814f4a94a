//! Building: the BTF of an object, from what the object says of its functions, maps,
//! variables and externs.
//!
//! What an object's own BTF does not have is added, in the form that compilers give it:
//! libbpf reads it, and `object/read/` reads the same.
//!
//! Read next: `functions.rs`, `maps.rs`, `data.rs`, `externs.rs`.

mod data;
mod externs;
mod functions;
mod maps;

use super::{Btf, IntEncoding, Kind, SecVar, TypeId};
use crate::object::Object;

/// The name of the section that map definitions live in.
pub const MAPS_SECTION: &str = ".maps";
/// The name of the section that lists options of the kernel's configuration.
pub const KCONFIG_SECTION: &str = ".kconfig";
/// The name of the section that lists functions and variables of the kernel.
pub const KSYMS_SECTION: &str = ".ksyms";

/// The object with a BTF that describes each of its functions, maps, variables and externs.
pub fn complete(object: &Object) -> Object {
    let mut object = object.clone();
    let mut btf = object.btf.take().unwrap_or_default();
    for program in &mut object.programs {
        functions::add(&mut btf, program);
    }
    maps::add(&mut btf, &object.maps);
    for map in &mut object.maps {
        data::add(&mut btf, map);
    }
    externs::add(&mut btf, &mut object.externs);
    object.btf = Some(btf);
    object
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
