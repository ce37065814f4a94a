//! `.BTF` and `.BTF.ext`, with what their relocations say: compilers leave the offsets of
//! variables, and the sizes of the sections that they are in, to whoever links.

use super::ReadError;
use super::elf::{File, Home, Role, Symbol, SymbolKind};
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
/// symbol to a number of 32 bits. Most add nothing: they are against the beginning of a section.
fn relocated<'a>(file: &File<'a>, name: &str) -> Result<Option<Cow<'a, [u8]>>, ReadError> {
    let Some((_, section)) = file.section(name) else {
        return Ok(None);
    };
    let mut bytes = Cow::Borrowed(section.contents);
    for relocation in section.relocations() {
        let refuse = |why: &str| file.refuse(name, &relocation, why);
        // Before LLVM 13 they had the type that calls have, or none.
        if !matches!(
            relocation.r_type,
            R_BPF_64_NODYLD32 | R_BPF_64_ABS32 | R_BPF_64_32 | R_BPF_NONE
        ) {
            return Err(refuse("types have only relocations of 32 bits"));
        }
        let value = file.symbol_value(&relocation);
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
    }
    Ok(Some(bytes))
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
    let mut anywhere: HashSet<&str> = HashSet::new();
    let is_code = |home: usize| {
        let section = file.sections.get(home);
        section.is_some_and(|section| section.role == Role::Code)
    };
    for symbol in file.symbols.iter().rev() {
        let Home::Section(home) = symbol.home else {
            continue;
        };
        if names_a_variable(symbol) && !is_code(home) {
            named.insert((home, symbol.name), symbol.value);
            anywhere.insert(symbol.name);
        }
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
        if let Some(ty) = btf.get_mut(id) {
            ty.kind = Kind::DataSec {
                size: section.size as u32,
                vars: placed,
            };
        }
    }
}

/// Whether a symbol is that of a variable, or may be.
pub(super) fn names_a_variable(symbol: &Symbol<'_>) -> bool {
    matches!(symbol.kind, SymbolKind::Object | SymbolKind::Unknown) && !symbol.name.is_empty()
}
