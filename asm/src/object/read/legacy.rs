//! Map definitions from before BTF (section `maps`): a struct of numbers for each symbol.
//!
//! Two structs were in use, told apart by their size: `struct bpf_map_def` of the kernel's
//! samples and libbpf before 1.0 (5 numbers, and whatever zeros stand behind them), and
//! `struct bpf_elf_map` of iproute2's `bpf_elf.h` (9 numbers).
//!
//! iproute2 also ties programs to maps: one in section `7/1` stands from the start at index 1 of
//! the map of programs whose id is 7, and has the type of the object's other programs.

use super::ReadError;
use super::code::Functions;
use super::data::FoundMap;
use super::elf::{File, Section, Symbol};
use super::types::names_a_variable;
use crate::map_type::MapType;
use crate::object::{Map, MapValue, Pinning};
use crate::prog_type::ProgType;
use crate::program::Program;
use std::collections::HashMap;

/// The numbers of `struct bpf_map_def`: type, key_size, value_size, max_entries, map_flags.
const MAP_DEF: usize = 5;
/// The numbers of `struct bpf_elf_map`: these, and id, pinning, inner_id, inner_idx.
const ELF_MAP: usize = 9;

/// Says of a map that it is a model only, and in no map.
const NOWHERE: u32 = u32::MAX;
/// The most that all maps of maps may hold together: each of thousands may hold thousands.
const MAX_VALUES: usize = 1 << 16;

/// A definition, and how iproute2 ties it to others.
struct Definition {
    found: FoundMap,
    /// The number by which others name it; 0 for none.
    id: u32,
    /// The number of the map that is like those in this one; 0 for none.
    inner_id: u32,
    /// Where it stands in the map that holds it; [`NOWHERE`] if nowhere.
    inner_idx: u32,
}

/// The maps of the sections `maps` and `maps/...`; `before` others stand before them in the
/// object.
pub(super) fn read(
    file: &File<'_>,
    functions: &Functions,
    before: usize,
) -> Result<Vec<FoundMap>, ReadError> {
    let mut definitions = Vec::new();
    for (index, section) in file.sections.iter().enumerate() {
        let is_maps = section.name == "maps" || section.name.starts_with("maps/");
        if !is_maps || section.contents.is_empty() {
            continue;
        }
        read_section(file, index, section, &mut definitions)?;
    }
    tie_maps(&mut definitions, before)?;
    tie_programs(file, functions, &mut definitions);
    let maps = definitions.into_iter();
    Ok(maps.map(|definition| definition.found).collect())
}

fn read_section(
    file: &File<'_>,
    index: usize,
    section: &Section<'_>,
    definitions: &mut Vec<Definition>,
) -> Result<(), ReadError> {
    let here = |symbol: &&Symbol<'_>| symbol.is_in(index) && names_a_variable(symbol);
    let mut symbols: Vec<&Symbol<'_>> = file.symbols.iter().filter(here).collect();
    symbols.sort_by_key(|symbol| symbol.value);
    symbols.dedup_by_key(|symbol| symbol.value);
    let len = section.contents.len();
    let Some(size) = len.checked_div(symbols.len()) else {
        return Err(ReadError::Section {
            section: section.name.to_owned(),
            offset: 0,
            why: "it holds map definitions, and no symbol names one".into(),
        });
    };
    if size * symbols.len() != len || size < MAP_DEF * 4 {
        return Err(ReadError::Section {
            section: section.name.to_owned(),
            offset: 0,
            why: format!(
                "{len} bytes for {} maps, and each definition has the same size, at least {}",
                symbols.len(),
                MAP_DEF * 4
            ),
        });
    }
    for symbol in symbols {
        definitions.push(definition(index, section, symbol, size)?);
    }
    Ok(())
}

fn definition(
    index: usize,
    section: &Section<'_>,
    symbol: &Symbol<'_>,
    size: usize,
) -> Result<Definition, ReadError> {
    let refuse = |why: String| ReadError::Map {
        map: symbol.name.to_owned(),
        why,
    };
    let begin = usize::try_from(symbol.value).unwrap_or(usize::MAX);
    let bytes = begin
        .checked_add(size)
        .and_then(|end| section.contents.get(begin..end))
        .ok_or_else(|| refuse(format!("its definition is outside of '{}'", section.name)))?;
    let (numbers, rest) = bytes.as_chunks::<4>();
    let known = if size == ELF_MAP * 4 {
        ELF_MAP
    } else {
        MAP_DEF
    };
    let number = |at: usize| {
        numbers
            .get(at)
            .map_or(0, |bytes| u32::from_le_bytes(*bytes))
    };
    let behind = numbers.iter().skip(known).flatten().chain(rest);
    if behind.into_iter().any(|byte| *byte != 0) {
        let why = format!("its definition has more than {known} numbers that are not 0");
        return Err(refuse(why));
    }
    let map_type = MapType::from_number(number(0))
        .ok_or_else(|| refuse(format!("map type {} is not known", number(0))))?;
    let extended = |at: usize| if known == ELF_MAP { number(at) } else { 0 };
    let map = Map {
        key_size: number(1),
        value_size: number(2),
        max_entries: number(3),
        map_flags: number(4),
        // 1 pins for the object's own folder, 2 for all.
        pinning: match extended(6) {
            0 => Pinning::None,
            _ => Pinning::ByName,
        },
        ..Map::new(symbol.name, map_type)
    };
    Ok(Definition {
        found: FoundMap {
            section: Some(index),
            offset: symbol.value,
            variables: None,
            map,
        },
        id: extended(5),
        inner_id: extended(7),
        inner_idx: extended(8),
    })
}

/// Gives maps of maps what they hold: the first map with the id that they name is the model
/// of all, and each map with that id stands at its own index, if it has one. `before` maps
/// stand before these in the object.
fn tie_maps(definitions: &mut [Definition], before: usize) -> Result<(), ReadError> {
    let mut models: HashMap<u32, Map> = HashMap::new();
    let mut held: HashMap<u32, Vec<(u32, MapValue)>> = HashMap::new();
    for (index, inner) in definitions.iter().enumerate() {
        if inner.id == 0 || inner.inner_id != 0 {
            continue;
        }
        let model = || Map {
            name: String::new(),
            pinning: Pinning::None,
            ..inner.found.map.clone()
        };
        models.entry(inner.id).or_insert_with(model);
        let values = held.entry(inner.id).or_default();
        if inner.inner_idx != NOWHERE {
            values.push((inner.inner_idx, MapValue::Map(before + index)));
        }
    }
    let mut left = MAX_VALUES;
    for outer in definitions.iter_mut().filter(|outer| outer.inner_id != 0) {
        let map = &mut outer.found.map;
        if !map.map_type.holds_maps() {
            return Err(ReadError::Map {
                map: map.name.clone(),
                why: format!("a map of type {} holds no maps", map.map_type),
            });
        }
        map.inner = models.get(&outer.inner_id).cloned().map(Box::new);
        let values = held.get(&outer.inner_id).map_or(&[][..], Vec::as_slice);
        left = left.checked_sub(values.len()).ok_or_else(|| {
            let what = format!("maps of maps that hold more than {MAX_VALUES} in all");
            ReadError::Unsupported(what)
        })?;
        map.values = values.to_vec();
        map.values.sort_by_key(|(key, _)| *key);
    }
    Ok(())
}

/// Gives maps of programs those whose sections name them.
fn tie_programs(file: &File<'_>, functions: &Functions, definitions: &mut [Definition]) {
    let mut by_id: HashMap<u32, usize> = HashMap::new();
    for (index, of) in definitions.iter().enumerate() {
        if of.found.map.map_type == MapType::ProgArray {
            by_id.entry(of.id).or_insert(index);
        }
    }
    for entry in &functions.entries {
        let code = functions.all.get(entry.code);
        let section = code.and_then(|code| file.sections.get(code.section));
        let named = section.and_then(|section| tail_section(section.name));
        let Some((id, key)) = named else { continue };
        let of = by_id.get(&id).and_then(|index| definitions.get_mut(*index));
        if let Some(of) = of {
            let program = MapValue::Program(entry.name.to_owned());
            of.found.map.values.push((key, program));
        }
    }
    for index in by_id.into_values() {
        if let Some(of) = definitions.get_mut(index) {
            of.found.map.values.sort_by_key(|(key, _)| *key);
        }
    }
}

/// The id of the map of programs, and the index in it, that a section is named by.
fn tail_section(name: &str) -> Option<(u32, u32)> {
    let (id, key) = name.split_once('/')?;
    let number = |digits: &str| {
        let only_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|_| only_digits)
    };
    let id = number(id).filter(|id| *id != 0)?;
    Some((id, number(key)?))
}

/// Gives the programs that stand in a map by their sections the type of the first that has
/// one: a program can only go on to those of its own type.
pub(super) fn settle_types(programs: &mut [Program]) {
    let typed = programs.iter().find(|p| p.prog_type != ProgType::Unspec);
    let Some((prog_type, attach_type)) = typed.map(|p| (p.prog_type, p.expected_attach_type))
    else {
        return;
    };
    let tails = programs.iter_mut();
    for tail in tails.filter(|program| tail_section(&program.section).is_some()) {
        tail.prog_type = prog_type;
        tail.expected_attach_type = attach_type;
    }
}
