//! Global variables: the sections `.data`, `.rodata` and `.bss`, and those whose names begin
//! with one of these and a dot; and the section of an arena's variables. Several of one name are
//! put together, as linkers do.

use super::ReadError;
use super::elf::{File, Role, Section};
use super::types::names_a_variable;
use crate::btf::{Btf, Kind, TypeId};
use crate::map_type::MapType;
use crate::object::{ARENA_SECTION, Data, DataKind, Map, Strength, Variable};
use crate::program::Reference;
use std::collections::HashSet;

/// The most bytes that sections of zeros may have together; a small file may ask for any
/// number.
const MAX_ZEROS: u64 = 64 << 20;

/// A map of the object with its place in the file.
pub(super) struct FoundMap {
    /// The index of the section that defines it, if one does.
    pub(super) section: Option<usize>,
    /// Where it is there, in bytes.
    pub(super) offset: u64,
    /// The first of the sections of its variables; the options are in none.
    pub(super) variables: Option<usize>,
    pub(super) map: Map,
}

/// Where the maps of the object are in the file.
#[derive(Default)]
pub(super) struct Places {
    /// The maps that sections define: section, offset there, and map, ascending.
    maps: Vec<(usize, u64, usize)>,
    /// The sections of global variables, ascending.
    data: Vec<PlacedData>,
}

/// A section of global variables.
struct PlacedData {
    section: usize,
    /// The map that has them.
    map: usize,
    /// Where they are in its data, in bytes.
    begin: u64,
    /// The bytes of the section.
    size: u64,
}

impl Places {
    pub(super) fn of(file: &File<'_>, maps: &[FoundMap]) -> Places {
        let mut places = Places::default();
        for (map, found) in maps.iter().enumerate() {
            let place = found.section.map(|section| (section, found.offset, map));
            places.maps.extend(place);
            let sections = found.variables.into_iter().flat_map(|of| file.joined(of));
            places.data.extend(sections.map(|(section, of)| PlacedData {
                section,
                map,
                begin: of.joined.begin,
                size: of.size,
            }));
        }
        places.maps.sort_unstable();
        places.data.sort_unstable_by_key(|data| data.section);
        places
    }

    /// What one refers to by the address of byte `at` of a section: a map, or a byte of a
    /// global variable. The address of the end is one that loops compare with.
    pub(super) fn at(&self, section: usize, at: u64) -> Option<Reference> {
        if let Some(data) = self.variables(section) {
            let offset = data.begin.checked_add(at).filter(|_| at <= data.size)?;
            return Some(Reference::MapValue {
                map: data.map,
                offset: u32::try_from(offset).ok()?,
            });
        }
        let place = |(section, offset, _): &(usize, u64, usize)| (*section, *offset);
        let found = self.maps.binary_search_by_key(&(section, at), place).ok()?;
        let (_, _, map) = self.maps.get(found)?;
        Some(Reference::Map(*map))
    }

    /// Whether maps are defined in a section.
    pub(super) fn holds_maps(&self, section: usize) -> bool {
        let found = self.maps.binary_search_by_key(&section, |(of, ..)| *of);
        found.is_ok()
    }

    fn variables(&self, section: usize) -> Option<&PlacedData> {
        let found = self
            .data
            .binary_search_by_key(&section, |data| data.section);
        self.data.get(found.ok()?)
    }
}

/// The kind of a section of global variables by its name.
pub(in crate::object) fn kind(name: &str) -> Option<DataKind> {
    let is = |of: &str| {
        let rest = name.strip_prefix(of);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    [
        (".data", DataKind::Data),
        (".rodata", DataKind::Rodata),
        (".bss", DataKind::Bss),
    ]
    .into_iter()
    .find_map(|(of, kind)| is(of).then_some(kind))
}

/// Whether a section is one of global variables.
pub(super) fn holds_variables(section: &Section<'_>) -> bool {
    let is_data = matches!(section.role, Role::Data | Role::Zeros);
    is_data && section.size > 0 && (section.name == ARENA_SECTION || kind(section.name).is_some())
}

/// Adds the sections of global variables to the other maps, an arena's to the arena.
pub(super) fn add(
    file: &File<'_>,
    btf: Option<&Btf>,
    maps: &mut Vec<FoundMap>,
) -> Result<(), ReadError> {
    let mut zeros = 0u64;
    let sections = file.sections.iter().enumerate();
    let firsts = sections.filter(|(index, section)| section.joined.first == *index);
    for (index, section) in firsts.filter(|(_, section)| holds_variables(section)) {
        let bytes = bytes(file, index, &mut zeros)?;
        let types = btf.and_then(|btf| Some((btf, data_section(btf, section.name)?)));
        let data = Data {
            kind: kind(section.name).unwrap_or(DataKind::Arena),
            variables: variables(file, index, bytes.len(), types),
            bytes,
            addresses: Vec::new(),
        };
        if data.kind == DataKind::Arena {
            put_into_arena(data, index, maps)?;
            continue;
        }
        let mut map = Map::of_data(section.name, data);
        map.value_type = types.map(|(_, id)| id);
        maps.push(FoundMap {
            section: None,
            offset: 0,
            variables: Some(index),
            map,
        });
    }
    Ok(())
}

/// Gives the one arena of the object the variables of the section of this index.
fn put_into_arena(data: Data, index: usize, maps: &mut [FoundMap]) -> Result<(), ReadError> {
    let refuse = |why: String| ReadError::Section {
        section: ARENA_SECTION.to_owned(),
        offset: 0,
        why,
    };
    let is_arena = |found: &&mut FoundMap| found.map.map_type == MapType::Arena;
    let mut arenas = maps.iter_mut().filter(is_arena);
    let (Some(arena), None) = (arenas.next(), arenas.next()) else {
        let why = "its variables are in an arena, and the object does not have just one";
        return Err(refuse(why.into()));
    };
    let (len, room) = (data.bytes.len() as u64, arena.map.arena_size());
    if len > room {
        let name = &arena.map.name;
        let why = format!("it has {len} bytes, and the arena '{name}' {room}");
        return Err(refuse(why));
    }
    arena.map.data = Some(data);
    arena.variables = Some(index);
    Ok(())
}

/// The bytes of all sections that are put together with this first one; `zeros` counts those
/// that the file does not have.
fn bytes(file: &File<'_>, first: usize, zeros: &mut u64) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    for (_, section) in file.joined(first) {
        *zeros = match section.role {
            Role::Zeros => zeros.saturating_add(section.size),
            _ => *zeros,
        };
        if *zeros > MAX_ZEROS {
            return Err(ReadError::Section {
                section: section.name.to_owned(),
                offset: 0,
                why: format!("{zeros} bytes of zeros, and {MAX_ZEROS} in all sections are taken"),
            });
        }
        let begin = section.joined.begin as usize;
        bytes.resize(begin, 0);
        bytes.extend_from_slice(section.contents);
        bytes.resize(begin + section.size as usize, 0);
    }
    Ok(bytes)
}

/// The section of this name in BTF.
pub(super) fn data_section(btf: &Btf, name: &str) -> Option<TypeId> {
    btf.find(name, |kind| matches!(kind, Kind::DataSec { .. }))
}

/// The variables of sections that are put together with this first one, of `len` bytes in all:
/// those that BTF lists, and those that only have symbols.
fn variables(
    file: &File<'_>,
    first: usize,
    len: usize,
    types: Option<(&Btf, TypeId)>,
) -> Vec<Variable> {
    let mut variables = Vec::new();
    let listed = types.and_then(|(btf, id)| Some((btf, btf.get(id)?)));
    if let Some((btf, Kind::DataSec { vars, .. })) = listed.map(|(btf, ty)| (btf, &ty.kind)) {
        variables.extend(vars.iter().map(|var| Variable {
            name: btf.name(var.var).to_owned(),
            offset: var.offset,
            size: var.size,
            strength: Strength::Strong,
            type_id: Some(var.var),
        }));
    }
    let typed: HashSet<u32> = variables.iter().map(|known| known.offset).collect();
    let symbols = file
        .symbols
        .iter()
        .filter(|symbol| names_a_variable(symbol) && symbol.size > 0);
    variables.extend(symbols.filter_map(|symbol| {
        let (home, offset) = file.variable_place(symbol)?;
        let offset = u32::try_from(offset).ok().filter(|_| home == first)?;
        let size = u32::try_from(symbol.size).ok()?;
        (!typed.contains(&offset)).then(|| Variable {
            name: symbol.name.to_owned(),
            offset,
            size,
            strength: Strength::Strong,
            type_id: None,
        })
    }));
    let end = |variable: &Variable| u64::from(variable.offset) + u64::from(variable.size);
    variables.retain(|variable| end(variable) <= len as u64);
    variables.sort_by(|a, b| (a.offset, &a.name).cmp(&(b.offset, &b.name)));
    variables
}
