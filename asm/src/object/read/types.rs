//! `.BTF` and `.BTF.ext`, with what their relocations say: compilers leave the offsets of
//! variables, and the sizes of the sections that they are in, to whoever links.

use super::ReadError;
use super::elf::{File, Relocation, Role, Symbol, SymbolKind, Table};
use crate::btf::ext::ExtBytes;
use crate::btf::{Btf, BtfError, Kind, SecVar, TypeId};
use crate::object::elf_numbers::{R_BPF_64_32, R_BPF_64_ABS32, R_BPF_64_NODYLD32, R_BPF_NONE};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

const BTF: &str = ".BTF";
const BTF_EXT: &str = ".BTF.ext";

/// The types of a file.
pub(super) fn read(file: &File<'_>) -> Result<Option<Btf>, ReadError> {
    let Some(bytes) = relocated(file, BTF)? else {
        return Ok(None);
    };
    let btf = Btf::from_bytes(&bytes);
    let mut btf = btf.map_err(|error| wrong(BTF, error))?;
    place_variables(file, &mut btf);
    Ok(Some(btf))
}

/// The bytes of the records about the code of a file, if it has some.
pub(super) fn ext_bytes<'a>(file: &File<'a>) -> Result<Option<Cow<'a, [u8]>>, ReadError> {
    relocated(file, BTF_EXT)
}

/// The records in these bytes.
pub(super) fn ext(bytes: Option<&[u8]>) -> Result<ExtBytes<'_>, ReadError> {
    let ext = bytes.map(ExtBytes::new).transpose();
    Ok(ext
        .map_err(|error| wrong(BTF_EXT, error))?
        .unwrap_or_default())
}

fn wrong(section: &'static str, error: BtfError) -> ReadError {
    ReadError::Btf { section, error }
}

/// The bytes of a section with its relocations carried out: each adds the place of its
/// symbol to a number of 32 bits.
fn relocated<'a>(file: &File<'a>, name: &str) -> Result<Option<Cow<'a, [u8]>>, ReadError> {
    let Some((_, section)) = file.section(name) else {
        return Ok(None);
    };
    let mut bytes = Cow::Borrowed(section.contents);
    let last_place = section.contents.len().checked_sub(4).map(|at| at as u64);
    // There are as many as records of lines, and most add nothing: they are against the beginning
    // of a section, as the one before is in the same words.
    let mut adding_nothing = None;
    for table in section.relocation_tables() {
        match table {
            Table::WithoutAddends(entries) => {
                for entry in *entries {
                    let [offset, info] = entry.map(u64::from_le_bytes);
                    if adding_nothing == Some(info) && Some(offset) <= last_place {
                        continue;
                    }
                    let relocation = Relocation::without_addend(entry);
                    add(file, name, &mut bytes, &relocation)?;
                    let begins = file.symbol_value(&relocation) == Some(0);
                    adding_nothing = begins.then_some(info);
                }
            }
            Table::WithAddends(entries) => {
                for relocation in entries.iter().map(Relocation::with_addend) {
                    add(file, name, &mut bytes, &relocation)?;
                }
            }
        }
    }
    Ok(Some(bytes))
}

/// Carries out a relocation of a section of this name.
fn add(
    file: &File<'_>,
    name: &str,
    bytes: &mut Cow<'_, [u8]>,
    relocation: &Relocation,
) -> Result<(), ReadError> {
    let refuse = |why: &str| file.refuse(name, relocation, why);
    if !is_of_numbers(relocation.r_type) {
        return Err(refuse("types have only relocations of 32 bits"));
    }
    let value = file.symbol_value(relocation);
    let value = value.ok_or_else(|| refuse("there is no such symbol"))?;
    let at = usize::try_from(relocation.offset).unwrap_or(usize::MAX);
    let place = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>());
    let before = place.ok_or_else(|| refuse("the section ends before"))?;
    let before = u32::from_le_bytes(*before);
    let addend = relocation.addend.map_or(before, |addend| addend as u32);
    let after = addend.wrapping_add(value as u32);
    if after != before
        && let Some(place) = bytes.to_mut().get_mut(at..at + 4)
    {
        place.copy_from_slice(&after.to_le_bytes());
    }
    Ok(())
}

/// Whether a type of relocations is for numbers of 32 bits. Before LLVM 13 they had the type that
/// calls have, or none.
fn is_of_numbers(r_type: u32) -> bool {
    matches!(
        r_type,
        R_BPF_64_NODYLD32 | R_BPF_64_ABS32 | R_BPF_64_32 | R_BPF_NONE
    )
}

/// Fills in the sizes of the sections and the offsets of the variables that BTF lists, from
/// the sections and symbols of ELF: linkers may have dropped the relocations.
fn place_variables(file: &File<'_>, btf: &mut Btf) {
    let sections: Vec<TypeId> = btf
        .types()
        .filter(|(_, ty)| matches!(ty.kind, Kind::DataSec { .. }))
        .map(|(id, _)| id)
        .collect();
    if sections.is_empty() {
        return;
    }
    let mut named: HashMap<(usize, &str), u64> = HashMap::new();
    // Static variables of several files that were linked.
    let mut others: HashSet<((usize, &str), u64)> = HashSet::new();
    let mut anywhere: HashSet<&str> = HashSet::new();
    for symbol in file.symbols.iter().rev().filter(|s| names_a_variable(s)) {
        let Some((home, at)) = file.variable_place(symbol) else {
            continue;
        };
        let section = file.sections.get(home);
        if section.is_none_or(|section| section.role == Role::Code) {
            continue;
        }
        let place = (home, symbol.name);
        if let Some(other) = named.insert(place, at) {
            others.insert((place, other));
        }
        anywhere.insert(symbol.name);
    }
    for id in sections {
        let Some((home, section)) = file.section(btf.name(id)) else {
            continue;
        };
        let Some(Kind::DataSec { vars, .. }) = btf.get(id).map(|ty| &ty.kind) else {
            continue;
        };
        let mut placed = Vec::with_capacity(vars.len());
        for var in vars {
            let name = btf.name(var.var);
            match named.get(&(home, name)) {
                Some(_) if others.contains(&((home, name), var.offset.into())) => {
                    placed.push(*var);
                }
                Some(at) => placed.push(SecVar {
                    offset: *at as u32,
                    ..*var
                }),
                // clang lists constants in .rodata that it then puts into .rodata.cst32.
                None if anywhere.contains(name) => {}
                // Variables of functions have symbols of other names.
                None => placed.push(*var),
            }
        }
        placed.sort_by_key(|var| var.offset);
        let last = file.joined(home).last();
        let size = last.map_or(section.size, |(_, last)| last.end());
        if let Some(ty) = btf.get_mut(id) {
            ty.kind = Kind::DataSec {
                size: size as u32,
                vars: placed,
            };
        }
    }
}

/// Whether a symbol is that of a variable, or may be.
pub(super) fn names_a_variable(symbol: &Symbol<'_>) -> bool {
    matches!(symbol.kind, SymbolKind::Object | SymbolKind::Unknown) && !symbol.name.is_empty()
}
