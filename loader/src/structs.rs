//! Structs of functions for the kernel (`struct_ops`): what the kernel knows of an object's, for
//! which its map is created and its programs are loaded.
//!
//! The kernel and the object may have different structs of one name: members are the same if
//! their names are.

use ebpf_asm::btf::core::essential_name;
use ebpf_asm::btf::{Btf, Kind, Member, TypeId};
use ebpf_asm::map_type::MapType;
use ebpf_asm::object::{Map, MapValue, Object};
use ebpf_asm::program::Program;

use crate::error::{Error, Result};

/// What the kernel calls the value of a struct's map: this and the struct's name.
const VALUE: &str = "bpf_struct_ops_";

/// What the kernel wants to know of the map of a struct.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KernelValue {
    /// The type of the value in the kernel's BTF.
    pub(crate) type_id: u32,
    /// Its size in bytes.
    pub(crate) size: u32,
}

/// What the kernel wants to know of a program that is a function of a struct.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KernelMember {
    /// The struct in the kernel's BTF.
    pub(crate) struct_id: u32,
    /// The member, by its index.
    pub(crate) index: u32,
}

/// The value of a struct's map in the kernel.
pub(crate) fn value(object: &Object, map: &Map, kernel: &Btf) -> Result<KernelValue> {
    let name = struct_name(object, map)?;
    let value = format!("{VALUE}{name}");
    let found = kernel.find(&value, is_struct);
    let size = found.and_then(|id| kernel.size_of(id));
    found
        .zip(size)
        .map(|(id, size)| KernelValue {
            type_id: id.0,
            size,
        })
        .ok_or_else(|| missing(name))
}

/// The member of a struct that a program is.
pub(crate) fn member(object: &Object, program: &Program, kernel: &Btf) -> Result<KernelMember> {
    let bad = |what: String| Error::BadObject { what };
    let of_no_struct = || {
        bad(format!(
            "program '{}' is a function of no struct (sections .struct_ops, .struct_ops.link)",
            program.name
        ))
    };
    let (map, byte) = named_in(object, program).ok_or_else(of_no_struct)?;
    let name = struct_name(object, map)?;
    let known = kernel.find(name, is_struct).ok_or_else(|| missing(name))?;
    let own = object.btf.as_ref().zip(map.value_type);
    let member = own.and_then(|(btf, ty)| {
        let at = |member: &&Member| member.offset == byte.saturating_mul(8);
        Some(btf.str(members(btf, ty).iter().find(at)?.name))
    });
    let member = member.ok_or_else(|| {
        bad(format!(
            "program '{}' is at byte {byte} of struct '{name}', where no member begins",
            program.name
        ))
    })?;
    let mut theirs = members(kernel, known).iter();
    let index = theirs.position(|known| kernel.str(known.name) == member);
    let index = index.and_then(|index| u32::try_from(index).ok());
    index
        .map(|index| KernelMember {
            struct_id: known.0,
            index,
        })
        .ok_or_else(|| Error::ExternMissing {
            name: format!("{name}.{member}"),
            what: "struct member",
        })
}

/// The struct that a program is a function of, and the byte of its member.
fn named_in<'o>(object: &'o Object, program: &Program) -> Option<(&'o Map, u32)> {
    let mut structs = object.maps.iter();
    structs.find_map(|map| {
        let is_it = |(_, value): &&(u32, MapValue)| matches!(value, MapValue::Program(name) if *name == program.name);
        let value = map.values.iter().find(is_it);
        value
            .filter(|_| map.map_type == MapType::StructOps)
            .map(|(byte, _)| (map, *byte))
    })
}

/// The name of a struct, without what CO-RE puts behind it.
fn struct_name<'o>(object: &'o Object, map: &Map) -> Result<&'o str> {
    let own = object.btf.as_ref().zip(map.value_type);
    let name = own.map_or("", |(btf, ty)| btf.name(ty));
    match essential_name(name) {
        "" => Err(Error::BadObject {
            what: format!("map '{}' is a struct of functions without a type", map.name),
        }),
        name => Ok(name),
    }
}

fn members(btf: &Btf, id: TypeId) -> &[Member] {
    match btf.get(id).map(|ty| &ty.kind) {
        Some(Kind::Struct { members, .. }) => members,
        _ => &[],
    }
}

fn is_struct(kind: &Kind) -> bool {
    matches!(kind, Kind::Struct { .. })
}

fn missing(name: &str) -> Error {
    Error::ExternMissing {
        name: name.to_owned(),
        what: "struct of functions",
    }
}
