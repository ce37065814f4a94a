//! Building: the BTF of an object, from what the object says of its functions and maps.
//!
//! What an object's own BTF does not have is added: a type for each function, and the
//! definitions of its maps as the C in the kernel's `Documentation/bpf/maps.rst` makes them
//! (section `.maps`): a variable of an anonymous struct whose members' types carry the
//! numbers. `object/read/maps.rs` reads the same.

use super::{Bitfields, Btf, Forward, IntEncoding, Kind, Linkage, Member, SecVar, TypeId};
use crate::object::{Map, Object};
use crate::program::Program;

/// The name of the section that map definitions live in.
pub const MAPS_SECTION: &str = ".maps";

/// The object with a BTF that describes each of its functions and maps.
pub fn complete(object: &Object) -> Object {
    let mut object = object.clone();
    let mut btf = object.btf.take().unwrap_or_default();
    for program in &mut object.programs {
        add_functions(&mut btf, program);
    }
    let known = btf.find(MAPS_SECTION, |kind| matches!(kind, Kind::DataSec { .. }));
    if known.is_none() && !object.maps.is_empty() {
        add_maps(&mut btf, &object.maps);
    }
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
    btf.find(name, |known| *known == kind)
        .unwrap_or_else(|| btf.add(name, kind))
}

/// Gives a type to each function that has none: the program itself takes its context,
/// others take nothing that is known.
fn add_functions(btf: &mut Btf, program: &mut Program) {
    let context = program.prog_type.context_struct();
    for (index, function) in program.functions.iter_mut().enumerate() {
        if function.type_id.is_some() {
            continue;
        }
        let ret = int(btf);
        let mut params = Vec::new();
        if index == 0 {
            let forward = Kind::Fwd(Forward::Struct);
            let pointee = match context {
                "" => TypeId::VOID,
                name => btf
                    .find(name, |kind| {
                        matches!(kind, Kind::Fwd(_) | Kind::Struct { .. })
                    })
                    .unwrap_or_else(|| btf.add(name, forward)),
            };
            params.push((btf.intern("ctx"), btf.add("", Kind::Ptr(pointee))));
        }
        let linkage = if index == 0 {
            Linkage::Global
        } else {
            Linkage::Static
        };
        let proto = btf.add("", Kind::FuncProto { ret, params });
        function.type_id = Some(btf.add(&function.name, Kind::Func { proto, linkage }));
    }
}

/// Adds a variable for each map, and the section that holds them.
fn add_maps(btf: &mut Btf, maps: &[Map]) {
    let mut vars = Vec::new();
    let mut offset = 0;
    for map in maps {
        let (ty, size) = map_definition(btf, map);
        let var = btf.add(
            &map.name,
            Kind::Var {
                ty,
                linkage: Linkage::Global,
            },
        );
        vars.push(SecVar { var, offset, size });
        offset += size;
    }
    btf.add(MAPS_SECTION, Kind::DataSec { size: offset, vars });
}

/// The size in bytes of a map's variable in `.maps`: a pointer for each member of its
/// definition.
pub fn map_var_size(map: &Map) -> u32 {
    members_of(map).iter().flatten().count() as u32 * 8
}

/// What a member of a map's definition carries.
enum Carries {
    /// `int (*name)[number]`.
    Number(u32),
    /// `type *name`.
    Type(TypeId),
}

/// The members of a map's definition.
fn members_of(map: &Map) -> [Option<(&'static str, Carries)>; 5] {
    let number = |name, number| Some((name, Carries::Number(number)));
    // The kernel takes the types of both or of neither.
    let both = map.key_type.is_some() && map.value_type.is_some();
    let typed = |name, size_name, ty: Option<TypeId>, size| match (ty, size) {
        (Some(ty), _) if both => Some((name, Carries::Type(ty))),
        (_, 0) => None,
        (_, size) => number(size_name, size),
    };
    [
        number("type", map.map_type.number()),
        typed("key", "key_size", map.key_type, map.key_size),
        typed("value", "value_size", map.value_type, map.value_size),
        number("max_entries", map.max_entries),
        (map.map_flags != 0).then_some(("map_flags", Carries::Number(map.map_flags))),
    ]
}

/// The anonymous struct that defines a map, and its size in bytes.
fn map_definition(btf: &mut Btf, map: &Map) -> (TypeId, u32) {
    let mut members = Vec::new();
    let mut offset = 0;
    for (name, carries) in members_of(map).into_iter().flatten() {
        let pointee = match carries {
            Carries::Type(ty) => ty,
            Carries::Number(len) => {
                let element = int(btf);
                btf.add(
                    "",
                    Kind::Array {
                        element,
                        index: element,
                        len,
                    },
                )
            }
        };
        let ty = btf.add("", Kind::Ptr(pointee));
        members.push(Member {
            name: btf.intern(name),
            ty,
            offset: offset * 8,
        });
        offset += 8;
    }
    let kind = Kind::Struct {
        size: offset,
        members,
        bitfields: Bitfields::No,
    };
    (btf.add("", kind), offset)
}
