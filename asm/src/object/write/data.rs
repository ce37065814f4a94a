//! Sections of global variables, and the symbols of what the kernel defines.

use super::{File, Seen, Variables, WriteError, symbol};
use crate::btf::{Btf, Kind, Linkage, TypeId};
use crate::map_type::MapType;
use crate::object::read::data_kind;
use crate::object::{Data, DataKind, Map, Object, Strength, Variable};
use object::write::{Symbol, SymbolId, SymbolSection};
use object::{SectionKind, SymbolFlags, SymbolKind, SymbolScope};
use std::collections::HashSet;

impl File {
    /// A symbol without a section for each extern and each option.
    pub(super) fn add_externs(&mut self, object: &Object) -> Result<(), WriteError> {
        for of_kernel in &object.externs {
            let symbol = self.add_undefined(&of_kernel.name, of_kernel.strength)?;
            self.externs.push(symbol);
        }
        let data = object.maps.iter().filter_map(|map| map.data.as_ref());
        for data in data.filter(|data| data.kind == DataKind::Kconfig) {
            for option in &data.variables {
                let symbol = self.add_undefined(&option.name, option.strength)?;
                let end = option.offset.saturating_add(option.size);
                self.options.push((option.offset..end, symbol));
            }
        }
        Ok(())
    }

    fn add_undefined(&mut self, name: &str, strength: Strength) -> Result<SymbolId, WriteError> {
        if name.is_empty() {
            return Err(WriteError::Nameless);
        }
        Ok(self.elf.add_symbol(Symbol {
            name: name.as_bytes().to_vec(),
            value: 0,
            size: 0,
            kind: SymbolKind::Unknown,
            scope: SymbolScope::Unknown,
            weak: strength == Strength::Weak,
            section: SymbolSection::Undefined,
            flags: SymbolFlags::None,
        }))
    }

    /// The sections of variables that are in the file.
    pub(super) fn add_data(&mut self, object: &Object, btf: &Btf) -> Result<(), WriteError> {
        self.maps = vec![None; object.maps.len()];
        let mut names = HashSet::new();
        for (index, map) in object.maps.iter().enumerate() {
            let Some(data) = map.data.as_ref() else {
                continue;
            };
            check(map, data)?;
            let section_name = map.data_section().unwrap_or_default();
            if !names.insert(section_name) {
                return Err(wrong(map, "there is another section of this name".into()));
            }
            if data.kind == DataKind::Kconfig {
                continue;
            }
            let name = section_name.as_bytes().to_vec();
            let (kind, zeros) = match data.kind {
                DataKind::Rodata => (SectionKind::ReadOnlyData, false),
                DataKind::Bss => (SectionKind::UninitializedData, true),
                DataKind::Data | DataKind::Kconfig | DataKind::Arena => (SectionKind::Data, false),
            };
            let section = self.elf.add_section(Vec::new(), name, kind);
            if zeros {
                let len = data.bytes.len() as u64;
                self.elf.append_section_bss(section, len, 8);
            } else {
                self.elf.append_section_data(section, &data.bytes, 8);
            }
            for variable in &data.variables {
                let begin = u64::from(variable.offset);
                let place = begin..begin.saturating_add(u64::from(variable.size));
                if let Some(seen) = seen(btf, variable) {
                    let symbol = symbol(&variable.name, section, place, seen);
                    self.elf.add_symbol(symbol);
                }
            }
            let symbol = self.elf.section_symbol(section);
            self.data.push(Variables {
                map: index,
                section,
                symbol,
            });
        }
        Ok(())
    }
}

fn wrong(map: &Map, why: String) -> WriteError {
    WriteError::Data {
        section: map.name.clone(),
        why,
    }
}

/// Checks that reading would find the section to be what it is.
fn check(map: &Map, data: &Data) -> Result<(), WriteError> {
    let wrong = |why| wrong(map, why);
    let found = match map.name.as_str() {
        _ if map.map_type == MapType::Arena => Some(DataKind::Arena),
        crate::btf::build::KCONFIG_SECTION => Some(DataKind::Kconfig),
        name => data_kind(name),
    };
    if found != Some(data.kind) {
        let wanted = match data.kind {
            DataKind::Data => "'.data' or '.data.*'",
            DataKind::Rodata => "'.rodata' or '.rodata.*'",
            DataKind::Bss => "'.bss' or '.bss.*'",
            DataKind::Kconfig => "'.kconfig'",
            DataKind::Arena => return Err(wrong("they are in an arena, and it is none".into())),
        };
        return Err(wrong(format!("a section of their kind is called {wanted}")));
    }
    if data.bytes.is_empty() {
        return Err(wrong("there is no byte of them".into()));
    }
    if data.kind == DataKind::Arena && data.bytes.len() as u64 > map.arena_size() {
        return Err(wrong("the arena has fewer pages than they need".into()));
    }
    if data.kind == DataKind::Bss && data.bytes.iter().any(|byte| *byte != 0) {
        return Err(wrong(
            "they begin as zeros, and one is set to something else".into(),
        ));
    }
    Ok(())
}

/// Who sees a variable: static ones, of which a file may have several of one name, stand in
/// BTF alone.
fn seen(btf: &Btf, variable: &Variable) -> Option<Seen> {
    let linkage = |id: TypeId| match btf.get(id)?.kind {
        Kind::Var { linkage, .. } => Some(linkage),
        _ => None,
    };
    match variable.type_id.and_then(linkage) {
        Some(Linkage::Static) => None,
        _ => Some(Seen::ByAll),
    }
}
