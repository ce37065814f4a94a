//! The object: programs, maps, BTF and license. THE model, which every stage after the
//! lowering reads and every stage before it makes.
//!
//! [`write()`] makes an ELF64 BPF relocatable of it, [`read()`] makes it of one, ours or a
//! compiler's.
//!
//! Read before: `program.rs`, `btf/`. Read next: `write.rs`, `read.rs`, `maps.rs`.

mod maps;
mod read;
mod write;

pub use read::{ReadError, read};
pub use write::{WriteError, write};

use crate::btf::{Btf, TypeId};
use crate::map_type::MapType;
use crate::program::Program;

/// All that one ELF object holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// The license, e.g. `GPL`; the kernel lets only some of them call some helpers.
    pub license: String,
    /// The programs, in the order of the file.
    pub programs: Vec<Program>,
    /// The maps; programs refer to them by index.
    pub maps: Vec<Map>,
    /// The types; `None` for an object without.
    pub btf: Option<Btf>,
}

/// The definition of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Map {
    /// The name.
    pub name: String,
    /// How values are stored.
    pub map_type: MapType,
    /// The size of a key in bytes.
    pub key_size: u32,
    /// The size of a value in bytes.
    pub value_size: u32,
    /// The most entries; for ring buffers the size in bytes.
    pub max_entries: u32,
    /// `BPF_F_*` flags for the map's creation.
    pub map_flags: u32,
    /// The key's type in the object's BTF.
    pub key_type: Option<TypeId>,
    /// The value's type in the object's BTF.
    pub value_type: Option<TypeId>,
}

impl Object {
    /// The program of this name.
    pub fn program(&self, name: &str) -> Option<&Program> {
        self.programs.iter().find(|program| program.name == name)
    }

    /// The map of this name.
    pub fn map(&self, name: &str) -> Option<&Map> {
        self.maps.iter().find(|map| map.name == name)
    }

    /// The names of the maps, by index.
    pub fn map_names(&self) -> Vec<&str> {
        self.maps.iter().map(|map| map.name.as_str()).collect()
    }
}
