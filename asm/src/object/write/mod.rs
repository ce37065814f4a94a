//! Writing: an object as an ELF64 BPF relocatable, the way compilers lay it out and libbpf
//! reads it: a section for each kind of program and `.text` for the functions that they call,
//! sections of variables, `.maps`, `license`, `version`, `.BTF`, `.BTF.ext`.
//!
//! What the kernel defines are symbols without a section. Functions that no program reaches
//! are written, and reading leaves them out.
//!
//! Read before: `../read/mod.rs`, `btf/build/`. Read next: `functions.rs`, `code.rs`,
//! `data.rs`, `addresses.rs`, `maps.rs`, `structs.rs`.

mod addresses;
mod code;
mod data;
mod functions;
mod maps;
mod structs;

use super::{Autocreate, Map, Object};
use crate::btf::build::{complete, is_needed};
use crate::btf::{Btf, Kind};
use crate::map_type::MapType;
use crate::program::Program;
use object::write::{Object as Elf, Relocation, SectionId, Symbol, SymbolId, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationFlags, SectionKind, SymbolFlags, SymbolKind,
    SymbolScope,
};
use std::collections::HashMap;
use std::fmt;

/// What programs refer to by an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Referred {
    /// One of [`Object::maps`].
    Map,
    /// One of [`Object::externs`].
    Extern,
}

impl fmt::Display for Referred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Referred::Map => "map",
            Referred::Extern => "extern",
        })
    }
}

/// Why an object cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A program refers to a map or extern that the object does not have.
    #[error("program '{program}' refers to {what} {index}, and there are {count}")]
    NoSuchIndex {
        /// The program.
        program: String,
        /// To which.
        what: Referred,
        /// The index that it refers to.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// A reference into a map that holds no variables, or at none of the options.
    #[error("program '{program}' refers to byte {offset} of map '{map}', where no variable is")]
    NoVariable {
        /// The program.
        program: String,
        /// The map.
        map: String,
        /// The byte.
        offset: u32,
    },
    /// A program that is not what a [`Program`] is: no function begins it, or what it has by
    /// slot does not ascend.
    #[error("program '{program}': {why}")]
    Program {
        /// The program.
        program: String,
        /// What is wrong, and what is wanted.
        why: String,
    },
    /// A map that is created only on request, and no struct of functions.
    #[error("map '{map}' is created only on request, which ELF says of structs of functions alone")]
    OnRequest {
        /// The map.
        map: String,
    },
    /// A map that reading would not find to be what it is.
    #[error("map '{map}': {why}")]
    Map {
        /// The map.
        map: String,
        /// What is wrong, and what is wanted.
        why: String,
    },
    /// What the kernel defines, without the name that it is known by.
    #[error("an extern or option of the kernel has no name")]
    Nameless,
    /// A map holds something that the object does not have.
    #[error("map '{map}' holds {what}, which the object does not have")]
    NoSuchValue {
        /// The map.
        map: String,
        /// A map by its index, or a program by its name.
        what: String,
    },
    /// Maps hold something at indexes that their definitions have no room for.
    #[error(
        "map '{map}' holds something at index {index}: the definitions of all maps have 64 MiB at \
         most, and each index up to the last takes 8 bytes of it"
    )]
    TooFar {
        /// The map.
        map: String,
        /// The index.
        index: u32,
    },
    /// A section of variables that ELF cannot have.
    #[error("global variables '{section}': {why}")]
    Data {
        /// The section.
        section: String,
        /// What is wrong, and what is wanted.
        why: String,
    },
    /// A type with more members than BTF can count.
    #[error("type '{name}' has {count} members, and BTF holds {most} at most", most = Btf::MOST_MEMBERS)]
    Crowded {
        /// The type: a struct, or a section of variables.
        name: String,
        /// How many it has: members, values, parameters or variables.
        count: usize,
    },
    /// ELF cannot hold it.
    #[error("the ELF file cannot be made: {0}")]
    Elf(#[from] object::write::Error),
}

/// The bytes of an ELF file that holds the object. What the object's BTF does not describe
/// is described; an object without BTF that needs none stays without.
///
/// # Errors
/// If a reference leads nowhere, or ELF cannot hold what there is.
pub fn write(object: &Object) -> Result<Vec<u8>, WriteError> {
    object.programs.iter().try_for_each(check)?;
    object.maps.iter().try_for_each(check_creation)?;
    maps::check(&object.maps)?;
    let has_types = is_needed(object);
    let mut object = match has_types {
        true => complete(object),
        false => object.clone(),
    };
    let mut btf = object.btf.take().unwrap_or_default();
    if let Some((id, count)) = btf.crowded() {
        let name = btf.name(id).to_owned();
        return Err(WriteError::Crowded { name, count });
    }
    let mut file = File {
        elf: Elf::new(BinaryFormat::Elf, Architecture::Bpf, Endianness::Little),
        maps: Vec::new(),
        externs: Vec::new(),
        options: Vec::new(),
        programs: Vec::new(),
        functions: HashMap::new(),
        data: Vec::new(),
    };
    file.add_externs(&object)?;
    file.add_data(&object, &btf)?;
    let maps = file.add_maps(&object, &btf)?;
    let structs = file.add_structs(&object, &btf)?;
    let ext = file.add_code(&object, &mut btf)?;
    file.fill_maps(&object, &btf, maps)?;
    file.fill_structs(&object, &structs)?;
    file.fill_addresses(&object)?;
    let mut license = object.license.into_bytes();
    license.push(0);
    file.add_described("license", &license, &btf);
    if let Some(version) = object.version {
        file.add_described("version", &version.to_le_bytes(), &btf);
    }
    if has_types {
        file.add_section(".BTF", SectionKind::Other, &btf.to_bytes());
        file.add_section(".BTF.ext", SectionKind::Other, &ext.to_bytes());
    }
    Ok(file.elf.write()?)
}

fn check_creation(map: &Map) -> Result<(), WriteError> {
    match (map.autocreate, map.map_type) {
        (Autocreate::Yes, _) | (Autocreate::OnRequest, MapType::StructOps) => Ok(()),
        (Autocreate::OnRequest, _) => Err(WriteError::OnRequest {
            map: map.name.clone(),
        }),
    }
}

/// Checks what places in a program are counted from.
fn check(program: &Program) -> Result<(), WriteError> {
    let wrong = |why: String| WriteError::Program {
        program: program.name.clone(),
        why,
    };
    match program.functions.first() {
        Some(first) if first.slot == 0 => {}
        Some(first) => {
            let (name, slot) = (&first.name, first.slot);
            let why = format!("its first function '{name}' begins at slot {slot}, and 0 is wanted");
            return Err(wrong(why));
        }
        None => return Err(wrong("it has no function, and itself is one".into())),
    }
    if program.section.is_empty() {
        return Err(wrong("it is in a section without a name".into()));
    }
    if program.insns.is_empty() {
        return Err(wrong(
            "it has no instruction, and reading would pass it over".into(),
        ));
    }
    let (references, core) = (&program.references, &program.core_relocations);
    let orders = [
        (
            "functions",
            program.functions.is_sorted_by_key(|of| of.slot),
        ),
        ("references", references.is_sorted_by_key(|(slot, _)| *slot)),
        (
            "CO-RE relocations",
            core.is_sorted_by_key(|(slot, _)| *slot),
        ),
        ("lines", program.lines.ascend()),
    ];
    match orders.iter().find(|(_, ascend)| !ascend) {
        Some((what, _)) => Err(wrong(format!("its {what} do not ascend by slot"))),
        None => Ok(()),
    }
}

/// A file that is being made.
struct File {
    elf: Elf<'static>,
    /// The symbol of each map that sections define.
    maps: Vec<Option<SymbolId>>,
    /// The symbols of the externs.
    externs: Vec<SymbolId>,
    /// The symbols of the options: where each begins in its section, and behind its end.
    options: Vec<(std::ops::Range<u32>, SymbolId)>,
    /// The symbols of the programs, by name.
    programs: Vec<(String, SymbolId)>,
    /// The symbols of all functions, by name.
    functions: HashMap<String, SymbolId>,
    /// The sections of global variables; the options are in none.
    data: Vec<Variables>,
}

/// A section of global variables.
#[derive(Debug, Clone, Copy)]
struct Variables {
    /// The index of the map that has them.
    map: usize,
    section: SectionId,
    /// What references to them are relocated against.
    symbol: SymbolId,
}

impl File {
    fn add_section(&mut self, name: &str, kind: SectionKind, data: &[u8]) -> SectionId {
        let name = name.as_bytes().to_vec();
        let section = self.elf.add_section(Vec::new(), name, kind);
        self.elf.append_section_data(section, data, 8);
        section
    }

    /// A section with symbols for the variables that BTF lists in it: libbpf refuses types of
    /// variables that it finds no symbol for.
    fn add_described(&mut self, name: &str, data: &[u8], btf: &Btf) {
        let section = self.add_section(name, SectionKind::Data, data);
        let listed = btf.find(name, |kind| matches!(kind, Kind::DataSec { .. }));
        if let Some(Kind::DataSec { vars, .. }) =
            listed.and_then(|id| btf.get(id)).map(|ty| &ty.kind)
        {
            for var in vars {
                let begin = u64::from(var.offset);
                let place = begin..begin + u64::from(var.size);
                let symbol = symbol(btf.name(var.var), section, place, Seen::ByAll);
                self.elf.add_symbol(symbol);
            }
        }
    }

    /// The symbol of a program that a map holds.
    fn program(&self, map: &Map, name: &str) -> Result<SymbolId, WriteError> {
        let known = self.programs.iter().find(|(known, _)| known == name);
        let symbol = known.map(|(_, symbol)| *symbol);
        symbol.ok_or_else(|| WriteError::NoSuchValue {
            map: map.name.clone(),
            what: format!("program '{name}'"),
        })
    }

    fn relocate(
        &mut self,
        section: SectionId,
        offset: u64,
        r_type: u32,
        symbol: SymbolId,
    ) -> Result<(), WriteError> {
        let relocation = Relocation {
            offset,
            symbol,
            // What is added stands in the bytes themselves.
            addend: 0,
            flags: RelocationFlags::Elf {
                r_type: object::elf::RelocationType(r_type),
            },
        };
        Ok(self.elf.add_relocation(section, relocation)?)
    }
}

/// Who sees a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// The file alone.
    ByFile,
    /// Everybody.
    ByAll,
}

/// A symbol at a place of a section.
fn symbol(name: &str, section: SectionId, place: std::ops::Range<u64>, seen: Seen) -> Symbol {
    Symbol {
        name: name.as_bytes().to_vec(),
        value: place.start,
        size: place.end.saturating_sub(place.start),
        kind: SymbolKind::Data,
        scope: match seen {
            Seen::ByFile => SymbolScope::Compilation,
            Seen::ByAll => SymbolScope::Dynamic,
        },
        weak: false,
        section: SymbolSection::Section(section),
        flags: SymbolFlags::None,
    }
}
