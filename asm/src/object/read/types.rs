//! `.BTF` and `.BTF.ext`, with what their relocations say: compilers leave the offsets of
//! variables, and the sizes of the sections that they are in, to whoever links.

use super::ReadError;
use super::elf::{File, Home, Role, Symbol, SymbolKind};
use crate::btf::ext::Ext;
use crate::btf::{Btf, BtfError, Kind, SecVar, TypeId};
use crate::object::elf_numbers::{R_BPF_64_32, R_BPF_64_ABS32, R_BPF_64_NODYLD32};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

const BTF: &str = ".BTF";
const BTF_EXT: &str = ".BTF.ext";

/// The types of a file, and the records about its code.
pub(super) fn read(file: &File<'_>) -> Result<(Option<Btf>, Ext), ReadError> {
    let error = |section| move |error: BtfError| ReadError::Btf { section, error };
    let btf = match relocated(file, BTF)? {
        Some(bytes) => {
            let mut btf = Btf::from_bytes(&bytes).map_err(error(BTF))?;
            place_variables(file, &mut btf);
            Some(btf)
        }
        None => None,
    };
    let ext = match relocated(file, BTF_EXT)? {
        Some(bytes) => Ext::from_bytes(&bytes).map_err(error(BTF_EXT))?,
        None => Ext::default(),
    };
    Ok((btf, ext))
}

/// The bytes of a section with its relocations carried out: each adds the place of its
/// symbol to a number of 32 bits.
fn relocated<'a>(file: &File<'a>, name: &str) -> Result<Option<Cow<'a, [u8]>>, ReadError> {
    let Some((_, section)) = file.section(name) else {
        return Ok(None);
    };
    if section.relocations.is_empty() {
        return Ok(Some(Cow::Borrowed(section.contents)));
    }
    let mut bytes = section.contents.to_vec();
    for relocation in &section.relocations {
        let refuse = |why: &str| file.refuse(name, relocation, why);
        // Before LLVM 13 data had the type that calls have.
        if !matches!(
            relocation.r_type,
            R_BPF_64_NODYLD32 | R_BPF_64_ABS32 | R_BPF_64_32
        ) {
            return Err(refuse("types have only relocations of 32 bits"));
        }
        let symbol = file.symbol(relocation);
        let symbol = symbol.ok_or_else(|| refuse("there is no such symbol"))?;
        let place = usize::try_from(relocation.offset).ok();
        let place = place.and_then(|at| bytes.get_mut(at..)?.first_chunk_mut::<4>());
        let place = place.ok_or_else(|| refuse("the section ends before"))?;
        let addend = match relocation.addend {
            Some(addend) => addend as u32,
            None => u32::from_le_bytes(*place),
        };
        *place = addend.wrapping_add(symbol.value as u32).to_le_bytes();
    }
    Ok(Some(Cow::Owned(bytes)))
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
    // The labels of jumps are symbols too, and are most of them.
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
