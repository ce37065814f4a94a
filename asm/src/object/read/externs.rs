//! What a file takes from the kernel: symbols that it does not define.
//!
//! BTF says which of them are options of the kernel's configuration (section `.kconfig`) and
//! which types the others have (section `.ksyms`); both sections are in BTF alone.

use super::ReadError;
use super::data::{FoundMap, data_section};
use super::elf::{Binding, File, Home, Role, Section, Symbol, SymbolKind};
use crate::btf::build::{KCONFIG_SECTION, KSYMS_SECTION};
use crate::btf::{Btf, Kind, TypeId};
use crate::object::elf_numbers::R_BPF_64_32;
use crate::object::{Data, DataKind, Extern, ExternKind, Map, Strength, Variable};
use std::cell::LazyCell;
use std::collections::{HashMap, HashSet};

/// The most bytes that the options may have.
const MAX_OPTIONS: u32 = 64 << 10;

/// What a symbol without a definition is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Outside {
    /// The extern of this index.
    Extern(usize),
    /// A variable in the section of options.
    Kconfig {
        /// The index of the section's map.
        map: usize,
        /// Where it is there, in bytes.
        offset: u32,
    },
}

/// The symbols without a definition.
#[derive(Default)]
pub(super) struct Externs {
    /// In the order of the symbols.
    pub(super) all: Vec<Extern>,
    by_symbol: HashMap<usize, Outside>,
}

impl Externs {
    /// Finds what each symbol is; the options' section is put behind `maps`.
    pub(super) fn read(
        file: &File<'_>,
        btf: Option<&mut Btf>,
        maps: &mut Vec<FoundMap>,
    ) -> Result<Externs, ReadError> {
        let mut types: HashMap<String, (TypeId, ExternKind)> = HashMap::new();
        let mut options: HashMap<String, u32> = HashMap::new();
        let kconfig = maps.len();
        if let Some(btf) = btf {
            if let Some(map) = options_of(btf, &weak(file))? {
                let variables = map.data.iter().flat_map(|data| &data.variables);
                options.extend(variables.map(|v| (v.name.clone(), v.offset)));
                maps.push(FoundMap {
                    section: usize::MAX,
                    offset: 0,
                    map,
                });
            }
            types = kernel_types(btf);
        }
        let called = LazyCell::new(|| called(file));
        let mut externs = Externs::default();
        let undefined = |symbol: &&Symbol<'_>| {
            symbol.index > 0 && symbol.home == Home::Undefined && !symbol.name.is_empty()
        };
        for symbol in file.symbols.iter().filter(undefined) {
            if let Some(offset) = options.get(symbol.name) {
                let place = Outside::Kconfig {
                    map: kconfig,
                    offset: *offset,
                };
                externs.by_symbol.insert(symbol.index, place);
                continue;
            }
            let ty = types.get(symbol.name);
            let is_function = match ty {
                Some((_, kind)) => *kind == ExternKind::Function,
                None => symbol.kind == SymbolKind::Function || called.contains(&symbol.index),
            };
            let kind = match is_function {
                true => ExternKind::Function,
                false => ExternKind::Variable,
            };
            let place = Outside::Extern(externs.all.len());
            externs.by_symbol.insert(symbol.index, place);
            externs.all.push(Extern {
                name: symbol.name.to_owned(),
                kind,
                strength: strength(symbol),
                type_id: ty.map(|(id, _)| *id),
            });
        }
        Ok(externs)
    }

    /// What the symbol of this index is.
    pub(super) fn of_symbol(&self, symbol: usize) -> Option<Outside> {
        self.by_symbol.get(&symbol).copied()
    }
}

fn strength(symbol: &Symbol<'_>) -> Strength {
    match symbol.binding {
        Binding::Weak => Strength::Weak,
        _ => Strength::Strong,
    }
}

/// The names of what may as well be missing.
fn weak<'a>(file: &File<'a>) -> HashSet<&'a str> {
    let symbols = file
        .symbols
        .iter()
        .filter(|symbol| symbol.home == Home::Undefined);
    let weak = symbols.filter(|symbol| strength(symbol) == Strength::Weak);
    weak.map(|symbol| symbol.name).collect()
}

/// The symbols that some code calls.
fn called(file: &File<'_>) -> HashSet<usize> {
    let code = file
        .sections
        .iter()
        .filter(|section| section.role == Role::Code);
    let relocations = code.flat_map(Section::relocations);
    let calls = relocations.filter(|relocation| relocation.r_type == R_BPF_64_32);
    calls.map(|relocation| relocation.symbol).collect()
}

/// The functions and variables of the kernel that BTF lists, by name.
fn kernel_types(btf: &Btf) -> HashMap<String, (TypeId, ExternKind)> {
    let section = data_section(btf, KSYMS_SECTION).and_then(|id| btf.get(id));
    let Some(Kind::DataSec { vars, .. }) = section.map(|ty| &ty.kind) else {
        return HashMap::new();
    };
    let typed = vars.iter().filter_map(|var| {
        let kind = match btf.get(var.var)?.kind {
            Kind::Func { .. } => ExternKind::Function,
            Kind::Var { .. } => ExternKind::Variable,
            _ => return None,
        };
        Some((btf.name(var.var).to_owned(), (var.var, kind)))
    });
    typed.collect()
}

/// The options of the kernel's configuration that BTF lists, as the map that the loader
/// makes of them: one behind the other, each at a multiple of its size, all zero.
fn options_of(btf: &mut Btf, weak: &HashSet<&str>) -> Result<Option<Map>, ReadError> {
    let Some(id) = data_section(btf, KCONFIG_SECTION) else {
        return Ok(None);
    };
    let Some(Kind::DataSec { vars, .. }) = btf.get(id).map(|ty| &ty.kind) else {
        return Ok(None);
    };
    let mut vars = vars.clone();
    let mut variables = Vec::with_capacity(vars.len());
    let mut end = 0u32;
    for var in &mut vars {
        let name = btf.name(var.var).to_owned();
        let (offset, size) = option_place(btf, var.var, end).map_err(|why| ReadError::Section {
            section: KCONFIG_SECTION.to_owned(),
            offset: u64::from(end),
            why: format!("option '{name}' {why}"),
        })?;
        (var.offset, var.size) = (offset, size);
        end = offset.saturating_add(size);
        let strength = match weak.contains(name.as_str()) {
            true => Strength::Weak,
            false => Strength::Strong,
        };
        variables.push(Variable {
            name,
            offset,
            size,
            strength,
            type_id: Some(var.var),
        });
    }
    if let Some(ty) = btf.get_mut(id) {
        ty.kind = Kind::DataSec { size: end, vars };
    }
    let data = Data {
        kind: DataKind::Kconfig,
        bytes: vec![0; end as usize],
        variables,
    };
    let mut map = Map::of_data(KCONFIG_SECTION, data);
    map.value_type = Some(id);
    Ok(Some(map))
}

/// Where an option lies if `end` bytes are taken, and its size, in bytes.
fn option_place(btf: &Btf, var: TypeId, end: u32) -> Result<(u32, u32), &'static str> {
    let Some(Kind::Var { ty, .. }) = btf.get(var).map(|ty| &ty.kind) else {
        return Err("is no variable");
    };
    let size = btf.size_of(*ty).ok_or("has a type without a size")?;
    let align = match btf.get(btf.resolve(*ty)).map(|ty| &ty.kind) {
        Some(Kind::Array { .. }) => 1,
        _ => size.clamp(1, 8),
    };
    let offset = end.checked_next_multiple_of(align);
    let offset = offset.filter(|offset| offset.saturating_add(size) <= MAX_OPTIONS);
    Ok((
        offset.ok_or("is too large: options have at most 64 KiB")?,
        size,
    ))
}
