//! The maps of a row, as the verifier takes them.
//!
//! Read before: `row.rs`, `subject.rs`. Read next: `wide.rs`.

use ebpf_asm::btf::{Btf, Kind, TypeId};
use ebpf_asm::map_type::MapType;
use ebpf_asm::object::{Data, DataKind, Map};
use ebpf_verifier_sim::Code;

use super::row::{MapRow, Row};
use super::subject::Unusable;

/// What the maps in a map of maps are like if the row does not say.
const INNER_SIZE: u32 = 4;

/// The largest section of constants that is filled up with zeros, in bytes.
const LARGEST_DATA: u32 = 64 << 20;

/// The maps, in the order of the row.
pub(super) fn maps(row: &Row, btf: Option<&Btf>) -> Result<Vec<Map>, Unusable> {
    let maps = row.maps.iter().enumerate();
    let maps: Vec<Map> = maps
        .map(|(index, one)| map(index, one, btf))
        .collect::<Result<_, _>>()?;
    check_arenas(row, &maps)?;
    Ok(maps)
}

fn map(index: usize, row: &MapRow, btf: Option<&Btf>) -> Result<Map, Unusable> {
    let refused = |why: String| Unusable::Refused {
        code: Code::MapCreate,
        message: format!("map '{}' cannot be created: {why}", map_name(index)),
    };
    let map_type = MapType::from_number(row.map_type)
        .ok_or_else(|| refused(format!("there are no maps of type {}", row.map_type)))?;
    if row.btf_value_type_id != 0 && btf.is_none() {
        let type_id = row.btf_value_type_id;
        return Err(refused(format!(
            "btf_value_type_id is {type_id}, and the row has no btf"
        )));
    }
    let of_maps = map_type.holds_maps();
    let inner = match (&row.inner, of_maps) {
        (Some(inner), true) => Some(Box::new(map(index, inner, btf)?)),
        (None, true) => Some(Box::new(Map {
            key_size: INNER_SIZE,
            value_size: INNER_SIZE,
            max_entries: 1,
            ..Map::new("inner", MapType::Array)
        })),
        (_, false) => None,
    };
    let value_type = (row.btf_value_type_id != 0).then_some(TypeId(row.btf_value_type_id));
    Ok(Map {
        key_size: row.key_size,
        value_size: row.value_size,
        max_entries: row.max_entries,
        map_flags: row.map_flags,
        map_extra: row.map_extra,
        inner,
        data: data(row, map_type),
        key_type: value_type
            .and(btf)
            .and_then(|btf| key_type(btf, row.key_size)),
        value_type,
        ..Map::new(map_name(index), map_type)
    })
}

/// What the map at an index of the row is called.
pub(super) fn map_name(index: usize) -> String {
    format!("map_{index}")
}

/// The contents, if they are constants to the verifier.
fn data(row: &MapRow, map_type: MapType) -> Option<Data> {
    if !row.is_constant() || map_type != MapType::Array {
        return None;
    }
    let mut bytes = row
        .contents
        .as_ref()
        .map_or(Vec::new(), |hex| hex.0.clone());
    if row.value_size > LARGEST_DATA {
        return None;
    }
    bytes.resize(row.value_size as usize, 0);
    Some(Data {
        kind: DataKind::Rodata,
        bytes,
        variables: Vec::new(),
        addresses: Vec::new(),
    })
}

/// An integer of the key's size, which is all that the kernel wants of an array's key.
pub(super) fn key_type(btf: &Btf, key_size: u32) -> Option<TypeId> {
    let fits = |kind: &Kind| match kind {
        Kind::Int {
            size,
            offset: 0,
            bits,
            ..
        } => *size == key_size && u32::from(*bits) == size * 8,
        _ => false,
    };
    btf.types().find(|(_, ty)| fits(&ty.kind)).map(|(id, _)| id)
}

/// That the arenas which a program refers to have an address in user space: who loads objects maps
/// them to have one, and nobody does so for a row.
fn check_arenas(row: &Row, maps: &[Map]) -> Result<(), Unusable> {
    let without = |(row, map): (&MapRow, &Map)| {
        map.map_type == MapType::Arena && map.map_extra == 0 && !row.insns.is_empty()
    };
    match row.maps.iter().zip(maps).any(without) {
        true => Err(Unusable::Refused {
            code: Code::Arena,
            message: "arena's user address must be set via map_extra or mmap()".to_owned(),
        }),
        false => Ok(()),
    }
}
