//! Writing: an object as an ELF64 BPF relocatable, the way compilers lay it out and libbpf
//! reads it: a section for each kind of program, `license`, `.maps`, `.BTF`, `.BTF.ext`.

use super::elf_numbers::R_BPF_64_64;
use super::{Map, Object};
use crate::btf::build::{MAPS_SECTION, complete, map_var_size};
use crate::btf::ext::{Ext, FuncInfo, LineInfo, Records, SectionRecords};
use crate::insn::{Insn, encode_all};
use crate::isa::{Imm64, Sem};
use crate::program::{Program, Reference};
use object::write::{Object as Elf, Relocation, SectionId, Symbol, SymbolId, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationFlags, SectionKind, SymbolFlags, SymbolKind,
    SymbolScope,
};

/// Why an object cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A program refers to a map that the object does not have.
    #[error("program '{program}' refers to map {index}, and there are {count}")]
    NoSuchMap {
        /// The program.
        program: String,
        /// The index that it refers to.
        index: usize,
        /// How many maps there are.
        count: usize,
    },
    /// A program refers to what the kernel defines.
    #[error("program '{program}' refers to an extern, which is not written yet")]
    Extern {
        /// The program.
        program: String,
    },
    /// A map that is more than its definition.
    #[error("map '{map}' has contents, which are not written yet")]
    Map {
        /// The map.
        map: String,
    },
    /// ELF cannot hold it.
    #[error("the ELF file cannot be made: {0}")]
    Elf(#[from] object::write::Error),
}

/// The bytes of an ELF file that holds the object. Functions and maps that the object's BTF
/// does not describe are described.
///
/// # Errors
/// If a reference leads nowhere, or ELF cannot hold what there is.
pub fn write(object: &Object) -> Result<Vec<u8>, WriteError> {
    let plain = |map: &Map| map.data.is_none() && map.inner.is_none() && map.values.is_empty();
    if let Some(map) = object.maps.iter().find(|map| !plain(map)) {
        return Err(WriteError::Map {
            map: map.name.clone(),
        });
    }
    let mut object = complete(object);
    let mut btf = object.btf.take().unwrap_or_default();
    let mut elf = Elf::new(BinaryFormat::Elf, Architecture::Bpf, Endianness::Little);
    let maps = write_maps(&mut elf, &object.maps);
    let mut ext = Ext::default();
    let mut sections: Vec<(&str, SectionId)> = Vec::new();
    for program in &object.programs {
        let known = sections.iter().find(|(name, _)| *name == program.section);
        let section = known.map(|(_, id)| *id).unwrap_or_else(|| {
            let name = program.section.clone().into_bytes();
            let id = elf.add_section(Vec::new(), name, SectionKind::Text);
            sections.push((&program.section, id));
            id
        });
        let base = write_program(&mut elf, section, program, &maps)?;
        let records = Records::of(program, &mut btf);
        let name = btf.intern(&program.section);
        let funcs = records.funcs.into_iter().map(|record| FuncInfo {
            insn_off: base + record.insn_off * 8,
            ..record
        });
        append(&mut ext.funcs, name, funcs);
        let lines = records.lines.into_iter().map(|record| LineInfo {
            insn_off: base + record.insn_off * 8,
            ..record
        });
        append(&mut ext.lines, name, lines);
    }
    let mut license = object.license.into_bytes();
    license.push(0);
    add_data(&mut elf, "license", SectionKind::Data, &license);
    add_data(&mut elf, ".BTF", SectionKind::Other, &btf.to_bytes());
    add_data(&mut elf, ".BTF.ext", SectionKind::Other, &ext.to_bytes());
    Ok(elf.write()?)
}

/// Adds records to those of their section.
fn append<T>(
    sections: &mut Vec<SectionRecords<T>>,
    section: crate::btf::StrId,
    records: impl Iterator<Item = T>,
) {
    match sections.iter_mut().find(|known| known.section == section) {
        Some(known) => known.records.extend(records),
        None => {
            let records: Vec<T> = records.collect();
            if !records.is_empty() {
                sections.push(SectionRecords { section, records });
            }
        }
    }
}

fn add_data(elf: &mut Elf<'_>, name: &str, kind: SectionKind, data: &[u8]) -> SectionId {
    let section = elf.add_section(Vec::new(), name.as_bytes().to_vec(), kind);
    elf.append_section_data(section, data, 8);
    section
}

/// A section with a zeroed variable for each map; their symbols.
fn write_maps(elf: &mut Elf<'_>, maps: &[Map]) -> Vec<SymbolId> {
    if maps.is_empty() {
        return Vec::new();
    }
    let section = add_data(elf, MAPS_SECTION, SectionKind::Data, &[]);
    let symbol = |map: &Map| {
        let zeros = vec![0; map_var_size(map) as usize];
        let value = elf.append_section_data(section, &zeros, 8);
        elf.add_symbol(Symbol {
            name: map.name.clone().into_bytes(),
            value,
            size: zeros.len() as u64,
            kind: SymbolKind::Data,
            ..global(section)
        })
    };
    maps.iter().map(symbol).collect()
}

/// A symbol that other files see.
fn global(section: SectionId) -> Symbol {
    Symbol {
        name: Vec::new(),
        value: 0,
        size: 0,
        kind: SymbolKind::Text,
        scope: SymbolScope::Dynamic,
        weak: false,
        section: SymbolSection::Section(section),
        flags: SymbolFlags::None,
    }
}

/// The instructions as compilers leave them to the loader: what a relocation fills in is a
/// plain number, zero.
fn unbound(program: &Program) -> Vec<Insn> {
    let plain = Sem::LoadImm64(Imm64::Value).row();
    let unbind = |(slot, insn): (usize, &Insn)| match (program.reference(slot), plain) {
        (Some(Reference::Map(_)), Some(row)) => Insn::new(row, insn.fields()),
        _ => *insn,
    };
    program.slots().map(unbind).collect()
}

/// Appends the program to the section, with its symbol and relocations; where it begins,
/// in bytes.
fn write_program(
    elf: &mut Elf<'_>,
    section: SectionId,
    program: &Program,
    maps: &[SymbolId],
) -> Result<u32, WriteError> {
    let code = encode_all(&unbound(program));
    let base = elf.append_section_data(section, &code, 8);
    elf.add_symbol(Symbol {
        name: program.name.clone().into_bytes(),
        value: base,
        size: code.len() as u64,
        ..global(section)
    });
    for (slot, reference) in &program.references {
        let (Reference::Map(index) | Reference::MapValue { map: index, .. }) = *reference else {
            return Err(WriteError::Extern {
                program: program.name.clone(),
            });
        };
        let symbol = *maps.get(index).ok_or_else(|| WriteError::NoSuchMap {
            program: program.name.clone(),
            index,
            count: maps.len(),
        })?;
        let relocation = Relocation {
            offset: base + *slot as u64 * 8,
            symbol,
            addend: 0,
            flags: RelocationFlags::Elf {
                r_type: object::elf::RelocationType(R_BPF_64_64),
            },
        };
        elf.add_relocation(section, relocation)?;
    }
    Ok(base as u32)
}
