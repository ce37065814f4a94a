//! What a file takes from the kernel: symbols that it does not define.
//!
//! BTF says which of them are options of the kernel's configuration (section `.kconfig`) and
//! which types the others have (section `.ksyms`); both sections are in BTF alone.

use super::ReadError;
use super::data::{FoundMap, data_section};
use super::elf::{Binding, File, Home, Role, Section, Symbol, SymbolKind};
use crate::btf::build::{KCONFIG_SECTION, KSYMS_SECTION};
use crate::btf::{Btf, Kind, SecVar, TypeId};
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
    /// In the order of the symbols, one for each name.
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
                    section: None,
                    offset: 0,
                    variables: None,
                    map,
                });
            }
            types = kernel_types(btf);
        }
        let called = LazyCell::new(|| called(file));
        let mut by_name: HashMap<&str, usize> = HashMap::new();
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
            let of_kernel = Extern {
                name: symbol.name.to_owned(),
                kind,
                strength: strength(symbol),
                type_id: ty.map(|(id, _)| *id),
            };
            let index = *by_name.entry(symbol.name).or_insert(externs.all.len());
            let place = Outside::Extern(index);
            externs.by_symbol.insert(symbol.index, place);
            match externs.all.get_mut(index) {
                Some(known) => join(known, &of_kernel),
                None => externs.all.push(of_kernel),
            }
        }
        Ok(externs)
    }

    /// What the symbol of this index is.
    pub(super) fn of_symbol(&self, symbol: usize) -> Option<Outside> {
        self.by_symbol.get(&symbol).copied()
    }
}

/// Takes what another symbol says of the same name: linkers find both the same definition, and
/// want one if either does.
fn join(known: &mut Extern, other: &Extern) {
    if other.kind == ExternKind::Function {
        known.kind = ExternKind::Function;
    }
    if other.strength == Strength::Strong {
        known.strength = Strength::Strong;
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
/// makes of them, all zero.
fn options_of(btf: &mut Btf, weak: &HashSet<&str>) -> Result<Option<Map>, ReadError> {
    let Some(id) = data_section(btf, KCONFIG_SECTION) else {
        return Ok(None);
    };
    let Some(Kind::DataSec { vars, .. }) = btf.get(id).map(|ty| &ty.kind) else {
        return Ok(None);
    };
    let mut options = Vec::with_capacity(vars.len());
    for var in vars {
        let name = btf.name(var.var);
        let option = KernelOption::of(btf, var.var);
        options.push(option.map_err(|why| refused(name, why))?);
    }
    let size = place(&mut options).map_err(|(name, why)| refused(&name, why))?;
    let vars = options.iter().map(|option| SecVar {
        var: option.var,
        offset: option.offset,
        size: option.size,
    });
    let vars = vars.collect();
    if let Some(ty) = btf.get_mut(id) {
        ty.kind = Kind::DataSec { size, vars };
    }
    let variables = options.into_iter().map(|option| Variable {
        strength: match weak.contains(option.name.as_str()) {
            true => Strength::Weak,
            false => Strength::Strong,
        },
        name: option.name,
        offset: option.offset,
        size: option.size,
        type_id: Some(option.var),
    });
    let data = Data {
        kind: DataKind::Kconfig,
        bytes: vec![0; size as usize],
        variables: variables.collect(),
        addresses: Vec::new(),
    };
    let mut map = Map::of_data(KCONFIG_SECTION, data);
    map.value_type = Some(id);
    Ok(Some(map))
}

fn refused(option: &str, why: &str) -> ReadError {
    ReadError::Section {
        section: KCONFIG_SECTION.to_owned(),
        offset: 0,
        why: format!("option '{option}' {why}"),
    }
}

/// An option that is being placed; numbers are in bytes.
struct KernelOption {
    name: String,
    /// The VAR.
    var: TypeId,
    align: u32,
    size: u32,
    offset: u32,
}

impl KernelOption {
    fn of(btf: &Btf, var: TypeId) -> Result<KernelOption, &'static str> {
        let Some(Kind::Var { ty, .. }) = btf.get(var).map(|ty| &ty.kind) else {
            return Err("is no variable");
        };
        if btf.name(var).is_empty() {
            return Err("has no name");
        }
        let size = btf.size_of(var).ok_or("has a type without a size")?;
        let align = match btf.get(btf.resolve(*ty)).map(|ty| &ty.kind) {
            Some(Kind::Array { element, .. }) => btf.size_of(*element).unwrap_or(1),
            _ => size,
        };
        Ok(KernelOption {
            name: btf.name(var).to_owned(),
            var,
            align: align.clamp(1, 8),
            size,
            offset: 0,
        })
    }
}

/// Places options as libbpf does, so that either finds them at the same bytes: those that
/// want the largest multiples first, of these the smaller ones, and then by name. Returns the
/// bytes that they take; an option that is too large with the reason.
fn place(options: &mut [KernelOption]) -> Result<u32, (String, &'static str)> {
    options.sort_by(|a, b| (b.align, a.size, &a.name).cmp(&(a.align, b.size, &b.name)));
    let mut end = 0u32;
    for option in options {
        let offset = end.checked_next_multiple_of(option.align);
        let fits = offset.filter(|offset| offset.saturating_add(option.size) <= MAX_OPTIONS);
        option.offset = fits.ok_or_else(|| {
            let why = "is too large: options have at most 64 KiB";
            (option.name.clone(), why)
        })?;
        end = option.offset + option.size;
    }
    Ok(end)
}
