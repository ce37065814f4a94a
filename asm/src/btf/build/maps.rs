//! Map definitions as the C in the kernel's `Documentation/bpf/maps.rst` makes them (section
//! `.maps`): a variable of an anonymous struct whose members' types carry the numbers.
//! `object/read/maps.rs` reads the same.

use super::{MAPS_SECTION, int, known_or_new, section, set_section};
use crate::btf::{Bitfields, Btf, Kind, Linkage, Member, SecVar, Signedness, TypeId};
use crate::map_type::MapType;
use crate::object::{Map, Pinning, maps_as_defined};

/// Describes the maps that are neither sections of variables nor structs of functions, each by
/// a variable in `.maps`. A
/// definition that is there and says the same stays as it is.
pub(super) fn add(btf: &mut Btf, maps: &[Map]) {
    let defined: Vec<&Map> = maps.iter().filter(|map| map.is_defined()).collect();
    if defined.is_empty() && section(btf, MAPS_SECTION).is_none() {
        return;
    }
    let known: Vec<TypeId> = match section(btf, MAPS_SECTION).and_then(|id| btf.get(id)) {
        Some(ty) => match &ty.kind {
            Kind::DataSec { vars, .. } => vars.iter().map(|var| var.var).collect(),
            _ => Vec::new(),
        },
        None => Vec::new(),
    };
    let mut vars = Vec::with_capacity(defined.len());
    let mut end = 0_u32;
    for map in defined {
        let same = |var: &&TypeId| maps_as_defined(btf, **var).is_some_and(|known| is(&known, map));
        let var = match known.iter().find(same) {
            Some(var) => *var,
            None => variable(btf, map),
        };
        let size = btf.size_of(var).unwrap_or(0);
        // Behind the struct, a pointer for each index up to the last that holds something.
        let indexes = map.values.iter().map(|(index, _)| index.saturating_add(1));
        let size = size.saturating_add(indexes.max().unwrap_or(0).saturating_mul(8));
        vars.push(SecVar {
            var,
            offset: end,
            size,
        });
        end = end.saturating_add(size);
        end = end.checked_next_multiple_of(8).unwrap_or(u32::MAX);
    }
    set_section(btf, MAPS_SECTION, end, vars);
}

/// Whether a definition says what a map is; what the map holds stands beside it.
fn is(known: &Map, map: &Map) -> bool {
    let inner = |map: &Map| {
        let inner = map.inner.as_deref()?;
        Some(Map {
            name: String::new(),
            ..inner.clone()
        })
    };
    let bare = |map: &Map| Map {
        values: Vec::new(),
        inner: None,
        data: None,
        ..map.clone()
    };
    bare(known) == bare(map) && inner(known) == inner(map)
}

fn variable(btf: &mut Btf, map: &Map) -> TypeId {
    let ty = definition(btf, map);
    let linkage = Linkage::Global;
    btf.add(&map.name, Kind::Var { ty, linkage })
}

/// What a member of a map's definition carries.
enum Carries {
    /// `int (*name)[number]`.
    Number(u32),
    /// `enum { number } name`.
    Long(u64),
    /// `type *name`.
    Type(TypeId),
    /// `type *name[]`.
    Pointers(TypeId),
}

/// The anonymous struct that defines a map.
fn definition(btf: &mut Btf, map: &Map) -> TypeId {
    let mut members = Vec::new();
    let mut offset = 0u32;
    for (name, carries) in members_of(btf, map) {
        let (ty, size) = carrier(btf, name, carries);
        // A number of 64 bits stands at a multiple of 8, and so do pointers.
        members.push(Member {
            name: btf.intern(name),
            ty,
            offset: offset * 8,
        });
        offset += size;
    }
    let kind = Kind::Struct {
        size: offset,
        members,
        bitfields: Bitfields::No,
    };
    known_or_new(btf, "", kind)
}

/// The members of a map's definition.
fn members_of(btf: &mut Btf, map: &Map) -> Vec<(&'static str, Carries)> {
    let number = |name, number| (number != 0).then_some((name, Carries::Number(number)));
    // The kernel takes the types of both or of neither.
    let both = map.key_type.is_some() && map.value_type.is_some();
    let sized = |name, size_name, ty: Option<TypeId>, size| match ty.filter(|_| both) {
        Some(ty) => Some((name, Carries::Type(ty))),
        None => number(size_name, size),
    };
    let extra = match u32::try_from(map.map_extra) {
        Ok(extra) => number("map_extra", extra),
        Err(_) => Some(("map_extra", Carries::Long(map.map_extra))),
    };
    let pinning = match map.pinning {
        Pinning::None => 0,
        Pinning::ByName => 1,
    };
    let values = match (&map.inner, map.map_type) {
        (Some(inner), _) => Some(definition(btf, inner)),
        (None, MapType::ProgArray) if !map.values.is_empty() => Some(program(btf)),
        _ => None,
    };
    let members = [
        Some(("type", Carries::Number(map.map_type.number()))),
        sized("key", "key_size", map.key_type, map.key_size),
        sized("value", "value_size", map.value_type, map.value_size),
        Some(("max_entries", Carries::Number(map.max_entries))),
        number("map_flags", map.map_flags),
        extra,
        number("numa_node", map.numa_node),
        number("pinning", pinning),
        values.map(|values| ("values", Carries::Pointers(values))),
    ];
    members.into_iter().flatten().collect()
}

/// `int (void)`, which stands for a program.
fn program(btf: &mut Btf) -> TypeId {
    let kind = Kind::FuncProto {
        ret: int(btf),
        params: Vec::new(),
    };
    known_or_new(btf, "", kind)
}

/// The type of a member, and its size in bytes.
fn carrier(btf: &mut Btf, name: &str, carries: Carries) -> (TypeId, u32) {
    match carries {
        Carries::Type(ty) => (known_or_new(btf, "", Kind::Ptr(ty)), 8),
        Carries::Number(len) => {
            let element = int(btf);
            let array = array(btf, element, len);
            (known_or_new(btf, "", Kind::Ptr(array)), 8)
        }
        Carries::Long(number) => {
            let name = btf.intern(&format!("__{name}"));
            let kind = Kind::Enum64 {
                size: 8,
                signed: Signedness::Unsigned,
                values: vec![(name, number as i64)],
            };
            (known_or_new(btf, "", kind), 8)
        }
        Carries::Pointers(to) => {
            let pointer = known_or_new(btf, "", Kind::Ptr(to));
            (array(btf, pointer, 0), 0)
        }
    }
}

fn array(btf: &mut Btf, element: TypeId, len: u32) -> TypeId {
    let index = int(btf);
    let kind = Kind::Array {
        element,
        index,
        len,
    };
    known_or_new(btf, "", kind)
}
