//! The object: programs, maps, BTF and license. THE model, which every stage after the
//! lowering reads and every stage before it makes.
//!
//! [`write()`] makes an ELF64 BPF relocatable of it, [`read()`] makes it of one, ours or a
//! compiler's.
//!
//! Read before: `program.rs`, `btf/`. Read next: `map.rs`, `struct_section.rs`, `address.rs`, `external.rs`,
//! `part.rs`, `core.rs`, `read/mod.rs`, `write/mod.rs`.

mod address;
mod core;
mod elf_numbers;
mod external;
mod map;
mod part;
mod read;
mod struct_section;
mod write;

pub use address::{Address, Addressed};
pub use core::{CoreAnswer, Fate, RelocateError};
pub use external::{Extern, ExternKind, Strength};
pub use map::{
    ARENA_SECTION, Autocreate, Data, DataKind, Map, MapValue, Pinning, SetError, Variable,
};
pub use part::Needed;
pub(crate) use read::maps_as_defined;
pub use read::{ReadError, read};
pub(crate) use struct_section::STRUCT_SECTIONS;
pub use write::{Referred, WriteError, write};

use crate::btf::Btf;
use crate::program::Program;

/// All that one ELF object holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Object {
    /// The license, e.g. `GPL`; the kernel lets only some of them call some helpers.
    pub license: String,
    /// `LINUX_VERSION_CODE` of the one kernel that the object is for (section `version`):
    /// kernels before 5.0 want it of kprobe programs, newer ones ignore it.
    pub version: Option<u32>,
    /// The programs, in the order of the file.
    pub programs: Vec<Program>,
    /// The maps, sections of global variables among them; programs refer to them by index.
    pub maps: Vec<Map>,
    /// What the kernel defines; programs refer to it by index.
    pub externs: Vec<Extern>,
    /// The types; `None` for an object without.
    pub btf: Option<Btf>,
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

    /// Gives a global variable of any section the value that it shall begin with.
    ///
    /// # Errors
    /// If there is no such variable, or `value` has another size than it.
    pub fn set_variable(&mut self, name: &str, value: &[u8]) -> Result<(), SetError> {
        let sections = || self.maps.iter().filter_map(|map| map.data.as_ref());
        let names = || sections().flat_map(|data| &data.variables).map(|v| &v.name);
        if !names().any(|known| known == name) {
            return Err(SetError::NoSuchVariable {
                name: name.to_owned(),
                have: names().cloned().collect(),
            });
        }
        let has = |data: &&mut Data| data.variables.iter().any(|known| known.name == name);
        let mut sections = self.maps.iter_mut().filter_map(|map| map.data.as_mut());
        match sections.find(has) {
            Some(data) => data.set(name, value),
            None => Ok(()),
        }
    }
}
