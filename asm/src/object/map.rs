//! A map of an object: its definition, and what is in it when it is created.

use super::{Address, Strength};
use crate::btf::TypeId;
use crate::map_flags::{BPF_F_MMAPABLE, BPF_F_RDONLY_PROG};
use crate::map_type::MapType;
use std::fmt;

/// The definition of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Map {
    /// The name; of a section of global data the section's: `.rodata`, `.bss`.
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
    /// What only some types have: the hash functions of a bloom filter, the address of an
    /// arena.
    pub map_extra: u64,
    /// The memory node that the map is put on, with `BPF_F_NUMA_NODE` in `map_flags`.
    pub numa_node: u32,
    /// Whether loaders share the map by its name.
    pub pinning: Pinning,
    /// Whether loaders create the map unasked. Only structs of functions can say otherwise.
    pub autocreate: Autocreate,
    /// What every map in this map of maps is like; its name means nothing.
    pub inner: Option<Box<Map>>,
    /// What stands in the map from the start, by ascending index; of a map of type
    /// `struct_ops` by ascending byte of its one value.
    pub values: Vec<(u32, MapValue)>,
    /// Global variables, if the map is a section of them: then it is an array of one value. Of an
    /// arena those that it begins with.
    pub data: Option<Data>,
    /// The key's type in the object's BTF.
    pub key_type: Option<TypeId>,
    /// The value's type in the object's BTF.
    pub value_type: Option<TypeId>,
}

/// Whether loaders pin a map (`pinning` of a definition in C).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pinning {
    /// The map belongs to who loads it.
    #[default]
    None,
    /// The map is pinned under its name, and taken from there if it is there
    /// (`LIBBPF_PIN_BY_NAME`).
    ByName,
}

/// Whether loaders that create all maps of an object create this one (libbpf's
/// `bpf_map__set_autocreate`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Autocreate {
    /// With the others.
    #[default]
    Yes,
    /// Only if somebody asks for it: a struct in a section whose name begins with a `?`.
    OnRequest,
}

/// What a map of programs, of maps or of one struct of the kernel's holds from the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MapValue {
    /// The map at this index of the object's maps.
    Map(usize),
    /// The program of this name; in a struct of the kernel's the function that a member is.
    Program(String),
    /// Bytes of a struct of the kernel's, of which all others are zero.
    Bytes(Vec<u8>),
}

/// The global variables of one section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Data {
    /// Who may change them, and what they begin with.
    pub kind: DataKind,
    /// What they begin with, [`Map::value_size`] bytes; in an arena as many as there are.
    pub bytes: Vec<u8>,
    /// The variables that have names, by ascending offset.
    pub variables: Vec<Variable>,
    /// What the bytes at some places should be the addresses of, by ascending offset.
    pub addresses: Vec<Address>,
}

/// The kinds of sections of global variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DataKind {
    /// `.data`: programs and user space change them.
    Data,
    /// `.rodata`: constant from loading on, and known to the verifier.
    Rodata,
    /// `.bss`: as `.data`, and all zero at first.
    Bss,
    /// `.kconfig`: constants that the loader takes from the kernel's configuration.
    Kconfig,
    /// [`ARENA_SECTION`]: they lie at the beginning of an arena (`__arena` in C), and who
    /// knows its address changes them.
    Arena,
}

/// A global variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// The name.
    pub name: String,
    /// Where it begins in its section, in bytes.
    pub offset: u32,
    /// Its size in bytes.
    pub size: u32,
    /// Of an option of the kernel's configuration: whether it may be missing. All others are
    /// [`Strength::Strong`].
    pub strength: Strength,
    /// The variable, a VAR of the object's BTF.
    pub type_id: Option<TypeId>,
}

/// The section of the variables in the object's arena: compilers name it by its address space.
pub const ARENA_SECTION: &str = ".addr_space.1";
/// The bytes of a page, which arenas are counted in.
const PAGE_SIZE: u64 = 4096;

impl Map {
    /// A map of this name and type; every number is 0, and there is nothing in it.
    pub fn new(name: impl Into<String>, map_type: MapType) -> Map {
        Map {
            name: name.into(),
            map_type,
            key_size: 0,
            value_size: 0,
            max_entries: 0,
            map_flags: 0,
            map_extra: 0,
            numa_node: 0,
            pinning: Pinning::None,
            autocreate: Autocreate::Yes,
            inner: None,
            values: Vec::new(),
            data: None,
            key_type: None,
            value_type: None,
        }
    }

    /// The map that holds the global variables of the section `name`, as loaders make it:
    /// an array whose one value is the section. Of variables in an arena an arena of this name,
    /// with room for them.
    pub fn of_data(name: impl Into<String>, data: Data) -> Map {
        let flags = match data.kind {
            DataKind::Arena => {
                let pages = (data.bytes.len() as u64).div_ceil(PAGE_SIZE);
                return Map {
                    max_entries: u32::try_from(pages).unwrap_or(u32::MAX),
                    map_flags: BPF_F_MMAPABLE,
                    data: Some(data),
                    ..Map::new(name, MapType::Arena)
                };
            }
            DataKind::Data | DataKind::Bss => BPF_F_MMAPABLE,
            DataKind::Rodata | DataKind::Kconfig => BPF_F_MMAPABLE | BPF_F_RDONLY_PROG,
        };
        Map {
            key_size: 4,
            value_size: u32::try_from(data.bytes.len()).unwrap_or(u32::MAX),
            max_entries: 1,
            map_flags: flags,
            data: Some(data),
            ..Map::new(name, MapType::Array)
        }
    }

    /// The map that a struct of functions for the kernel is (section `.struct_ops`, or with
    /// [`BPF_F_LINK`](crate::map_flags::BPF_F_LINK) in `map_flags` `.struct_ops.link`): its one value are the `size` bytes of
    /// the struct, a type of the object's BTF.
    pub fn of_struct(name: impl Into<String>, ty: Option<TypeId>, size: u32) -> Map {
        Map {
            key_size: 4,
            value_size: size,
            max_entries: 1,
            value_type: ty,
            ..Map::new(name, MapType::StructOps)
        }
    }

    /// Whether it is one that section `.maps` defines: neither a section of global variables
    /// nor a struct of functions.
    pub(crate) fn is_defined(&self) -> bool {
        let data = self.data.as_ref();
        let is_section = data.is_some_and(|data| data.kind != DataKind::Arena);
        !is_section && self.map_type != MapType::StructOps
    }

    /// The section that its global variables are in.
    pub(crate) fn data_section(&self) -> Option<&str> {
        self.data.as_ref().map(|data| match data.kind {
            DataKind::Arena => ARENA_SECTION,
            _ => self.name.as_str(),
        })
    }

    /// The bytes that an arena has room for.
    pub(crate) fn arena_size(&self) -> u64 {
        u64::from(self.max_entries) * PAGE_SIZE
    }

    /// `max_entries` as loaders ask for them where pages have `page` bytes: the kernel takes rings
    /// of a power of two of whole pages, and libbpf rounds others up since its version 1.
    pub fn created_entries(&self, page: u32) -> u32 {
        match self.max_entries {
            bytes if self.map_type.is_ring() && bytes != 0 => {
                bytes.max(page).checked_next_power_of_two().unwrap_or(bytes)
            }
            entries => entries,
        }
    }

    /// The map's contents if they are constant for every program that is loaded with it.
    pub fn constant(&self) -> Option<&[u8]> {
        let data = self.data.as_ref()?;
        matches!(data.kind, DataKind::Rodata | DataKind::Kconfig).then_some(&*data.bytes)
    }
}

/// Why a variable could not be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// There is none of this name.
    #[error("no global variable is named '{name}'; there are: {}", listed(.have))]
    NoSuchVariable {
        /// The name that was asked for.
        name: String,
        /// The names that there are.
        have: Vec<String>,
    },
    /// The value is of another size.
    #[error("the variable '{name}' has {size} bytes, and the value {given}")]
    Size {
        /// The variable.
        name: String,
        /// Its size in bytes.
        size: u32,
        /// The size of the value in bytes.
        given: usize,
    },
}

fn listed(names: &[String]) -> impl fmt::Display {
    match names {
        [] => "none".to_owned(),
        names => names.join(", "),
    }
}

impl Data {
    /// Gives a variable the value that it shall begin with.
    ///
    /// # Errors
    /// If there is no such variable, or `value` has another size than it.
    pub fn set(&mut self, name: &str, value: &[u8]) -> Result<(), SetError> {
        let Some(variable) = self.variables.iter().find(|variable| variable.name == name) else {
            return Err(SetError::NoSuchVariable {
                name: name.to_owned(),
                have: self.variables.iter().map(|v| v.name.clone()).collect(),
            });
        };
        let begin = variable.offset as usize;
        let place = begin
            .checked_add(variable.size as usize)
            .and_then(|end| self.bytes.get_mut(begin..end));
        match place {
            Some(place) if place.len() == value.len() => {
                place.copy_from_slice(value);
                Ok(())
            }
            _ => Err(SetError::Size {
                name: name.to_owned(),
                size: variable.size,
                given: value.len(),
            }),
        }
    }
}
