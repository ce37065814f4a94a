//! Structs of functions for the kernel: sections `.struct_ops` and its likes, laid out as
//! BTF says, with the addresses of the programs that members are.

use super::{File, Seen, WriteError, symbol};
use crate::btf::{Btf, Kind};
use crate::object::elf_numbers::R_BPF_64_ABS64;
use crate::object::{Map, MapValue, Object, STRUCT_SECTIONS};
use object::SectionKind;
use object::write::SectionId;

/// The most bytes of a struct: a small text may ask for any number.
const MAX_STRUCT: u32 = 64 << 10;

/// A struct in the file.
pub(super) struct PlacedStruct {
    /// The index of its map.
    map: usize,
    section: SectionId,
    /// Where it begins there, in bytes.
    offset: u64,
}

impl File {
    /// The sections with all but the addresses, with a symbol for each struct.
    pub(super) fn add_structs(
        &mut self,
        object: &Object,
        btf: &Btf,
    ) -> Result<Vec<PlacedStruct>, WriteError> {
        let mut placed = Vec::new();
        for kind in STRUCT_SECTIONS {
            let name = kind.name;
            let maps = object.maps.iter().enumerate();
            let maps: Vec<(usize, &Map)> = maps.filter(|(_, map)| kind.has(map)).collect();
            if maps.is_empty() {
                continue;
            }
            let offsets = offsets(btf, name);
            let mut bytes = Vec::new();
            for ((_, map), offset) in maps.iter().zip(&offsets) {
                bytes.resize(*offset as usize, 0);
                bytes.extend(value(name, map)?);
            }
            let section = self.add_section(name, SectionKind::Data, &bytes);
            for ((index, map), offset) in maps.into_iter().zip(offsets) {
                let place = offset..offset + u64::from(map.value_size);
                let id = symbol(&map.name, section, place, Seen::ByAll);
                let id = self.elf.add_symbol(id);
                if let Some(entry) = self.maps.get_mut(index) {
                    *entry = Some(id);
                }
                placed.push(PlacedStruct {
                    map: index,
                    section,
                    offset,
                });
            }
        }
        Ok(placed)
    }

    /// The addresses of the programs that members are.
    pub(super) fn fill_structs(
        &mut self,
        object: &Object,
        structs: &[PlacedStruct],
    ) -> Result<(), WriteError> {
        for placed in structs {
            let Some(map) = object.maps.get(placed.map) else {
                continue;
            };
            for (member, value) in &map.values {
                let MapValue::Program(name) = value else {
                    continue;
                };
                let program = self.program(map, name)?;
                let place = placed.offset + u64::from(*member);
                self.relocate(placed.section, place, R_BPF_64_ABS64, program)?;
            }
        }
        Ok(())
    }
}

/// Where the variables of a section are, in bytes.
fn offsets(btf: &Btf, section: &str) -> Vec<u64> {
    let is_section = |kind: &Kind| matches!(kind, Kind::DataSec { .. });
    let id = btf.find(section, is_section);
    match id.and_then(|id| btf.get(id)).map(|ty| &ty.kind) {
        Some(Kind::DataSec { vars, .. }) => vars.iter().map(|v| u64::from(v.offset)).collect(),
        _ => Vec::new(),
    }
}

/// The bytes of a struct, with zeros for its functions.
fn value(section: &str, map: &Map) -> Result<Vec<u8>, WriteError> {
    let wrong = |why: &str| WriteError::Data {
        section: section.to_owned(),
        why: format!("map '{}' {why}", map.name),
    };
    if map.value_type.is_none() {
        return Err(wrong("has no type that the kernel could know it by"));
    }
    if map.value_size == 0 {
        return Err(wrong("is an empty struct"));
    }
    if map.value_size > MAX_STRUCT {
        return Err(wrong("is larger than structs of functions are (64 KiB)"));
    }
    let mut bytes = vec![0; map.value_size as usize];
    for (byte, value) in &map.values {
        let begin = *byte as usize;
        let (len, from) = match value {
            MapValue::Bytes(from) => (from.len(), from.as_slice()),
            MapValue::Program(_) => (8, [0; 8].as_slice()),
            MapValue::Map(_) => return Err(wrong("is a struct, and cannot hold a map")),
        };
        let place = begin
            .checked_add(len)
            .and_then(|end| bytes.get_mut(begin..end));
        let place = place.ok_or_else(|| wrong("holds more than its struct has room for"))?;
        place.copy_from_slice(from);
    }
    Ok(bytes)
}
