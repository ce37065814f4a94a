//! Global variables: the sections `.data`, `.rodata` and `.bss`, and those whose names begin
//! with one of these and a dot.

use super::ReadError;
use super::elf::{File, Role, Section};
use super::types::names_a_variable;
use crate::btf::{Btf, Kind, TypeId};
use crate::object::{Data, DataKind, Map, Strength, Variable};
use crate::program::Reference;
use std::collections::HashSet;

/// The most bytes that sections of zeros may have together; a small file may ask for any
/// number.
const MAX_ZEROS: u64 = 64 << 20;

/// A map of the object with its place in the file.
pub(super) struct FoundMap {
    /// The index of its section; `None` of the options, which are in no section.
    pub(super) section: Option<usize>,
    /// Where it is there, in bytes.
    pub(super) offset: u64,
    pub(super) map: Map,
}

/// Where the maps of the object are in the file.
#[derive(Default)]
pub(super) struct Places {
    /// The maps that sections define: section, offset there, and map, ascending.
    maps: Vec<(usize, u64, usize)>,
    /// The map that each section of global variables is, and the section's size, ascending by
    /// section.
    data: Vec<(usize, usize, u64)>,
}

impl Places {
    pub(super) fn of(maps: &[FoundMap]) -> Places {
        let mut places = Places::default();
        for (index, found) in maps.iter().enumerate() {
            let Some(section) = found.section else {
                continue;
            };
            match &found.map.data {
                Some(data) => {
                    let size = data.bytes.len() as u64;
                    places.data.push((section, index, size));
                }
                None => places.maps.push((section, found.offset, index)),
            }
        }
        places.maps.sort_unstable();
        places.data.sort_unstable();
        places
    }

    /// What one refers to by the address of byte `at` of a section: a map, or a byte of a
    /// global variable. The address of the end is one that loops compare with.
    pub(super) fn at(&self, section: usize, at: u64) -> Option<Reference> {
        if let Some((map, size)) = self.variables(section) {
            let offset = u32::try_from(at).ok().filter(|_| at <= size)?;
            return Some(Reference::MapValue { map, offset });
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

    /// The map that a section of global variables is, and its size.
    fn variables(&self, section: usize) -> Option<(usize, u64)> {
        let found = self.data.binary_search_by_key(&section, |(of, ..)| *of);
        let (_, map, size) = self.data.get(found.ok()?)?;
        Some((*map, *size))
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

/// The section of the variables that lie in the object's arena (address space 1 in C).
const ARENA_SECTION: &str = ".addr_space.1";

/// Refuses variables in an arena: read without them, the arena would begin as zeros.
fn refuse_arena_variables(file: &File<'_>) -> Result<(), ReadError> {
    let Some((_, section)) = file.section(ARENA_SECTION).filter(|(_, s)| s.size > 0) else {
        return Ok(());
    };
    Err(ReadError::Unsupported(format!(
        "global variables in an arena: section '{ARENA_SECTION}' has {} bytes of them",
        section.size
    )))
}

/// The sections of global variables as maps.
pub(super) fn sections(file: &File<'_>, btf: Option<&Btf>) -> Result<Vec<FoundMap>, ReadError> {
    refuse_arena_variables(file)?;
    let mut zeros = 0u64;
    let mut found = Vec::new();
    let mut names = HashSet::new();
    for (index, section) in file.sections.iter().enumerate() {
        let Some(kind) = kind(section.name).filter(|_| section.size > 0) else {
            continue;
        };
        let bytes = match section.role {
            Role::Data => section.contents.to_vec(),
            Role::Zeros => {
                zeros = zeros.saturating_add(section.size);
                if zeros > MAX_ZEROS {
                    return Err(ReadError::Section {
                        section: section.name.to_owned(),
                        offset: 0,
                        why: format!(
                            "{zeros} bytes of zeros, and {MAX_ZEROS} in all sections are taken"
                        ),
                    });
                }
                vec![0; section.size as usize]
            }
            Role::Code | Role::Other => continue,
        };
        if !names.insert(section.name) {
            return Err(ReadError::Unsupported(format!(
                "two sections of variables of one name, '{}': BTF tells them by their names",
                section.name
            )));
        }
        let types = btf.and_then(|btf| Some((btf, data_section(btf, section.name)?)));
        let data = Data {
            kind,
            bytes,
            variables: variables(file, index, section, types),
            addresses: Vec::new(),
        };
        let mut map = Map::of_data(section.name, data);
        map.value_type = types.map(|(_, id)| id);
        found.push(FoundMap {
            section: Some(index),
            offset: 0,
            map,
        });
    }
    Ok(found)
}

/// The section of this name in BTF.
pub(super) fn data_section(btf: &Btf, name: &str) -> Option<TypeId> {
    btf.find(name, |kind| matches!(kind, Kind::DataSec { .. }))
}

/// The variables of a section: those that BTF lists, and those that only have symbols.
fn variables(
    file: &File<'_>,
    index: usize,
    section: &Section<'_>,
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
        .filter(|symbol| symbol.is_in(index) && names_a_variable(symbol) && symbol.size > 0);
    variables.extend(symbols.filter_map(|symbol| {
        let offset = u32::try_from(symbol.value).ok()?;
        let size = u32::try_from(symbol.size).ok()?;
        (!typed.contains(&offset)).then(|| Variable {
            name: symbol.name.to_owned(),
            offset,
            size,
            strength: Strength::Strong,
            type_id: None,
        })
    }));
    variables
        .retain(|variable| u64::from(variable.offset) + u64::from(variable.size) <= section.size);
    variables.sort_by(|a, b| (a.offset, &a.name).cmp(&(b.offset, &b.name)));
    variables
}
