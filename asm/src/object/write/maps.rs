//! Map definitions: section `.maps`, laid out as BTF says, with the addresses of what the
//! maps hold from the start.

use super::{File, Seen, WriteError, symbol};
use crate::btf::build::MAPS_SECTION;
use crate::btf::{Btf, Kind, SecVar};
use crate::map_type::MapType;
use crate::object::elf_numbers::R_BPF_64_ABS64;
use crate::object::read::values_offset;
use crate::object::{Map, MapValue, Object};
use object::SectionKind;
use object::write::SectionId;
use std::collections::HashSet;

/// The most bytes of the section, where each index up to the last that a map holds something at
/// takes 8: a small file may name any index.
const MAX_SECTION: u32 = 64 << 20;

/// The section of the definitions.
pub(super) struct Defined {
    section: SectionId,
    /// Where each map without variables is, by its order among them.
    offsets: Vec<u64>,
}

impl File {
    /// The section, all zero, with a symbol for each map.
    pub(super) fn add_maps(
        &mut self,
        object: &Object,
        btf: &Btf,
    ) -> Result<Option<Defined>, WriteError> {
        let Some((size, vars)) = layout(btf) else {
            return Ok(None);
        };
        if size > MAX_SECTION {
            return Err(too_far(object));
        }
        let zeros = vec![0; size as usize];
        let section = self.add_section(MAPS_SECTION, SectionKind::Data, &zeros);
        let mut offsets = Vec::new();
        let maps = object.maps.iter().enumerate();
        let defined = maps.filter(|(_, map)| map.is_defined());
        for ((index, map), var) in defined.zip(vars) {
            let begin = u64::from(var.offset);
            let place = begin..begin + u64::from(var.size);
            let id = self
                .elf
                .add_symbol(symbol(&map.name, section, place, Seen::ByAll));
            if let Some(entry) = self.maps.get_mut(index) {
                *entry = Some(id);
            }
            offsets.push(begin);
        }
        Ok(Some(Defined { section, offsets }))
    }

    /// The relocations for what maps hold from the start.
    pub(super) fn fill_maps(
        &mut self,
        object: &Object,
        btf: &Btf,
        defined: Option<Defined>,
    ) -> Result<(), WriteError> {
        let Some(defined) = defined else {
            return Ok(());
        };
        let maps = object.maps.iter().filter(|map| map.is_defined());
        for (map, offset) in maps.zip(&defined.offsets) {
            let values = values_offset(btf, &map.name).unwrap_or(0);
            for (index, value) in &map.values {
                let missing = |what: String| WriteError::NoSuchValue {
                    map: map.name.clone(),
                    what,
                };
                let symbol = match value {
                    MapValue::Map(held) => {
                        let symbol = self.maps.get(*held).copied().flatten();
                        symbol.ok_or_else(|| missing(format!("map {held}")))?
                    }
                    MapValue::Program(name) => self.program(map, name)?,
                    // `check` refuses them.
                    MapValue::Bytes(_) => continue,
                };
                let place = offset + values + u64::from(*index) * 8;
                self.relocate(defined.section, place, R_BPF_64_ABS64, symbol)?;
            }
        }
        Ok(())
    }
}

/// Checks that reading would find the definitions to be what they are.
pub(super) fn check(maps: &[Map]) -> Result<(), WriteError> {
    let mut names = HashSet::new();
    for map in maps.iter().filter(|map| map.is_defined()) {
        let wrong = |why: &str| {
            Err(WriteError::Map {
                map: map.name.clone(),
                why: why.to_owned(),
            })
        };
        if !names.insert(&map.name) {
            return wrong("another map has its name");
        }
        if map.inner.is_some() && !map.map_type.holds_maps() {
            return wrong("it says what maps in it are like, and its type holds none");
        }
        let mut inner = map.inner.iter();
        if inner.any(|inner| inner.inner.is_some() || !inner.values.is_empty()) {
            return wrong("a map in a map of maps holds no maps itself");
        }
        for (_, value) in &map.values {
            match (value, map.map_type) {
                (MapValue::Program(_), MapType::ProgArray) => {}
                (MapValue::Map(_), _) if map.inner.is_some() => {}
                (MapValue::Map(_), of) if of.holds_maps() => {
                    return wrong("it holds a map, and does not say what maps in it are like");
                }
                _ => return wrong("its type holds no such thing from the start"),
            }
        }
    }
    Ok(())
}

/// What to say of the greatest index.
fn too_far(object: &Object) -> WriteError {
    let maps = object.maps.iter().filter(|map| map.is_defined());
    let indexes = maps.flat_map(|map| map.values.iter().map(|(index, _)| (*index, &map.name)));
    let (index, map) = indexes.max().map_or((0, ""), |(index, map)| (index, map));
    WriteError::TooFar {
        map: map.to_owned(),
        index,
    }
}

/// The size of the section in bytes, and where the variables are.
fn layout(btf: &Btf) -> Option<(u32, Vec<SecVar>)> {
    let id = btf.find(MAPS_SECTION, |kind| matches!(kind, Kind::DataSec { .. }))?;
    match &btf.get(id)?.kind {
        Kind::DataSec { size, vars } if !vars.is_empty() => Some((*size, vars.clone())),
        _ => None,
    }
}
