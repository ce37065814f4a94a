//! Maps: what programs and tests keep values in, with the kernel's rules and errors.
//!
//! One file per way of storing: [`array`], [`hash`] (least-recently-used and redirect
//! targets too) and [`ring`]. Values are named by a number that stays theirs, so that a
//! pointer to one stays good while the map changes.
//!
//! Sources: bpf(2), bpf-helpers(7), the kernel's `Documentation/bpf/map_*.rst`.
//! Read before: `../errno.rs`. Read next: `array.rs`.

mod array;
mod hash;
mod ring;
mod view;

pub use view::{MapView, MapViewMut};

use super::address;
use super::errno::Errno;
use array::Array;
use ebpf_asm::map_flags::{BPF_F_RDONLY_PROG, BPF_F_WRONLY_PROG};
use ebpf_asm::map_type::MapType;
use ebpf_asm::object;
use hash::{Hash, WhenFull};
pub(crate) use ring::{Done, Ring, Wakeup};
use std::collections::BTreeMap;

/// The most bytes that the values of one map may take: 1 GiB.
const MAX_BYTES: u64 = 1 << 30;

/// What an update does with a key that exists, or does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UpdateMode {
    /// `BPF_ANY`: makes or replaces.
    #[default]
    Any,
    /// `BPF_NOEXIST`: makes, and fails with `EEXIST` if the key exists.
    NoExist,
    /// `BPF_EXIST`: replaces, and fails with `ENOENT` if the key does not exist.
    Exist,
}

impl UpdateMode {
    /// The mode that a helper's `flags` argument means.
    pub(crate) fn from_flags(flags: u64) -> Result<UpdateMode, Errno> {
        match flags {
            0 => Ok(UpdateMode::Any),
            1 => Ok(UpdateMode::NoExist),
            2 => Ok(UpdateMode::Exist),
            _ => Err(Errno::Invalid),
        }
    }
}

/// A map that the machine cannot make.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// More bytes than this model gives a map.
    #[error("map '{name}' wants {bytes} bytes, and maps here have at most {MAX_BYTES}")]
    TooLarge {
        /// The map's name.
        name: String,
        /// What its values and their gaps would take.
        bytes: u64,
    },
    /// Sizes that the kernel refuses for the map's type.
    #[error("map '{name}': {map_type} maps do not allow {what}")]
    Definition {
        /// The map's name.
        name: String,
        /// Its type.
        map_type: MapType,
        /// What is wrong.
        what: String,
    },
    /// More maps than addresses can tell apart.
    #[error("{0} maps are too many")]
    TooMany(usize),
}

/// How a map stores its values.
#[derive(Debug, Clone)]
enum Storage {
    Array(Array),
    Hash(Hash),
    /// Targets for `redirect_map`: a hash whose keys may be bounded like an array's.
    Targets(Hash),
    Ring(Ring),
    /// The machine's programs by index, for `tail_call`.
    Programs(BTreeMap<u32, usize>),
    /// The machine's maps by key.
    Maps(BTreeMap<Vec<u8>, usize>),
    NotModelled,
}

/// One map.
#[derive(Debug, Clone)]
pub(crate) struct Map {
    definition: object::Map,
    storage: Storage,
}

impl Map {
    /// The map that `definition` asks for, empty, with `cpus` values where each CPU has its
    /// own. A type that is not modelled is an error only when it is used.
    pub(crate) fn new(definition: &object::Map, cpus: usize) -> Result<Map, MapError> {
        check_space(definition, cpus)?;
        Ok(Map {
            definition: definition.clone(),
            storage: storage(definition, cpus)?,
        })
    }

    pub(crate) fn definition(&self) -> &object::Map {
        &self.definition
    }

    /// How many bytes an address must have room for: those of a value, or of a whole ring.
    pub(crate) fn extent(&self) -> u64 {
        match self.definition.map_type {
            MapType::Ringbuf => u64::from(self.definition.max_entries),
            _ => u64::from(self.definition.value_size),
        }
    }

    /// Why programs may not use the map's values by pointer, if so.
    pub(crate) fn write_rule(&self) -> Option<&'static str> {
        let read_only = self.definition.map_flags & BPF_F_RDONLY_PROG != 0;
        read_only.then_some("the map was made with BPF_F_RDONLY_PROG")
    }

    /// Why programs may not read the map's values, if so.
    pub(crate) fn read_rule(&self) -> Option<&'static str> {
        let write_only = self.definition.map_flags & BPF_F_WRONLY_PROG != 0;
        write_only.then_some("the map was made with BPF_F_WRONLY_PROG")
    }

    /// Whether helpers of programs can look up, update and delete.
    pub(crate) fn has_elements(&self) -> bool {
        matches!(self.storage, Storage::Array(_) | Storage::Hash(_))
    }

    /// The ring buffer, if the map is one.
    pub(crate) fn ring_ref(&self) -> Option<&Ring> {
        match &self.storage {
            Storage::Ring(ring) => Some(ring),
            _ => None,
        }
    }

    /// The ring buffer, if the map is one, to be changed.
    pub(crate) fn ring(&mut self) -> Option<&mut Ring> {
        match &mut self.storage {
            Storage::Ring(ring) => Some(ring),
            _ => None,
        }
    }

    /// The programs, if the map is a `prog_array`.
    pub(crate) fn programs(&self) -> Option<&BTreeMap<u32, usize>> {
        match &self.storage {
            Storage::Programs(programs) => Some(programs),
            _ => None,
        }
    }

    /// Sets the program at an index.
    pub(crate) fn set_program(&mut self, index: u32, program: usize) -> Result<(), Errno> {
        match &mut self.storage {
            Storage::Programs(_) if index >= self.definition.max_entries => Err(Errno::TooBig),
            Storage::Programs(programs) => {
                programs.insert(index, program);
                Ok(())
            }
            _ => Err(Errno::Invalid),
        }
    }

    /// The map for `key`, if this is a map of maps.
    pub(crate) fn inner(&self, key: &[u8]) -> Option<Option<usize>> {
        match &self.storage {
            Storage::Maps(maps) => Some(maps.get(key).copied()),
            _ => None,
        }
    }

    /// Sets the map for `key`.
    pub(crate) fn set_inner(&mut self, key: &[u8], map: usize) -> Result<(), Errno> {
        let room = self.definition.max_entries;
        let is_array = self.definition.map_type == MapType::ArrayOfMaps;
        let Storage::Maps(maps) = &mut self.storage else {
            return Err(Errno::Invalid);
        };
        if key.len() != self.definition.key_size as usize {
            return Err(Errno::Invalid);
        }
        let full = match is_array {
            true => index(key).is_none_or(|index| index >= room),
            false => !maps.contains_key(key) && maps.len() >= room as usize,
        };
        if full {
            return Err(Errno::TooBig);
        }
        maps.insert(key.to_vec(), map);
        Ok(())
    }

    /// What `redirect_map` finds; `Err` if the map has no targets at all.
    pub(crate) fn target(&self, key: u32) -> Result<Option<&[u8]>, NotTargets> {
        let Storage::Targets(hash) = &self.storage else {
            return Err(NotTargets);
        };
        let value = hash.find(&key.to_ne_bytes());
        Ok(value.and_then(|value| hash.value(value)))
    }

    /// The number of the value for `key` on `cpu`.
    pub(crate) fn lookup(&mut self, key: &[u8], cpu: usize) -> Option<u64> {
        match &mut self.storage {
            Storage::Array(array) => array.lookup(key, cpu),
            Storage::Hash(hash) | Storage::Targets(hash) => hash.lookup(key, cpu),
            _ => None,
        }
    }

    /// As [`lookup`](Map::lookup), but does not count as a use of the entry.
    pub(crate) fn peek(&self, key: &[u8], cpu: usize) -> Option<u64> {
        match &self.storage {
            Storage::Array(array) => array.lookup(key, cpu),
            Storage::Hash(hash) | Storage::Targets(hash) => hash.peek(key, cpu),
            _ => None,
        }
    }

    /// Sets the value for `key` on `cpu`, by a helper's or a test's wish.
    pub(crate) fn update(
        &mut self,
        key: &[u8],
        value: &[u8],
        mode: UpdateMode,
        cpu: usize,
    ) -> Result<(), Errno> {
        let sizes = (self.definition.key_size, self.definition.value_size);
        if (key.len(), value.len()) != (sizes.0 as usize, sizes.1 as usize) {
            return Err(Errno::Invalid);
        }
        match &mut self.storage {
            Storage::Array(array) => array.update(key, value, mode, cpu),
            Storage::Hash(hash) => hash.update(key, value, mode, cpu),
            Storage::Targets(hash) => {
                let bounded = self.definition.map_type != MapType::DevmapHash;
                if bounded && index(key).is_none_or(|i| i >= self.definition.max_entries) {
                    return Err(Errno::TooBig);
                }
                hash.update(key, value, mode, cpu)
            }
            _ => Err(Errno::Invalid),
        }
    }

    /// Removes `key`.
    pub(crate) fn delete(&mut self, key: &[u8]) -> Result<(), Errno> {
        match &mut self.storage {
            Storage::Hash(hash) | Storage::Targets(hash) => hash.delete(key),
            _ => Err(Errno::Invalid),
        }
    }

    /// All keys: indexes ascending, others in the order of their bytes.
    pub(crate) fn keys(&self) -> Vec<Vec<u8>> {
        match &self.storage {
            Storage::Array(_) => (0..self.definition.max_entries)
                .map(|index| index.to_ne_bytes().to_vec())
                .collect(),
            Storage::Hash(hash) | Storage::Targets(hash) => hash.keys(),
            _ => Vec::new(),
        }
    }

    /// The bytes of a value, by its number.
    pub(crate) fn value(&self, value: u64) -> Option<&[u8]> {
        match &self.storage {
            Storage::Array(array) => array.value(value),
            Storage::Hash(hash) => hash.value(value),
            _ => None,
        }
    }

    /// The bytes of a value, by its number, to be written.
    pub(crate) fn value_mut(&mut self, value: u64) -> Option<&mut [u8]> {
        match &mut self.storage {
            Storage::Array(array) => array.value_mut(value),
            Storage::Hash(hash) => hash.value_mut(value),
            _ => None,
        }
    }
}

/// The map has no targets for `redirect_map`.
#[derive(Debug)]
pub(crate) struct NotTargets;

/// The number in an array's key.
fn index(key: &[u8]) -> Option<u32> {
    key.try_into().ok().map(u32::from_ne_bytes)
}

/// That the map's values fit in memory and its addresses in their range.
fn check_space(definition: &object::Map, cpus: usize) -> Result<(), MapError> {
    let copies = match definition.map_type.is_per_cpu() {
        true => cpus as u64,
        false => 1,
    };
    let (entries, size) = match definition.map_type {
        MapType::Ringbuf => (1, u64::from(definition.max_entries)),
        // One more than the map holds: a replaced value lives on for who points at it.
        _ => (
            u64::from(definition.max_entries) + 1,
            u64::from(definition.value_size),
        ),
    };
    let values = entries.saturating_mul(copies);
    let bytes = values.saturating_mul(size);
    let space = values.saturating_mul(address::stride(size));
    if bytes > MAX_BYTES || space > address::MAX_VALUE_SPACE {
        return Err(MapError::TooLarge {
            name: definition.name.clone(),
            bytes: bytes.max(space),
        });
    }
    Ok(())
}

fn storage(definition: &object::Map, cpus: usize) -> Result<Storage, MapError> {
    let refuse = |what: String| MapError::Definition {
        name: definition.name.clone(),
        map_type: definition.map_type,
        what,
    };
    let is_ring = definition.map_type == MapType::Ringbuf;
    if definition.max_entries == 0 {
        return Err(refuse("max_entries = 0".into()));
    }
    if is_ring && (definition.key_size, definition.value_size) != (0, 0) {
        return Err(refuse("sizes of keys and values".into()));
    }
    let indexed = matches!(
        definition.map_type,
        MapType::Array
            | MapType::PercpuArray
            | MapType::Devmap
            | MapType::DevmapHash
            | MapType::Cpumap
            | MapType::Xskmap
    );
    if indexed && definition.key_size != 4 {
        return Err(refuse(format!("key_size = {}", definition.key_size)));
    }
    let copies = match definition.map_type.is_per_cpu() {
        true => cpus,
        false => 1,
    };
    Ok(match definition.map_type {
        MapType::Array | MapType::PercpuArray => Storage::Array(Array::new(definition, copies)),
        MapType::Hash | MapType::PercpuHash => {
            Storage::Hash(Hash::new(definition, copies, WhenFull::Refuse))
        }
        MapType::LruHash | MapType::LruPercpuHash => {
            Storage::Hash(Hash::new(definition, copies, WhenFull::Evict))
        }
        MapType::Devmap | MapType::DevmapHash | MapType::Cpumap | MapType::Xskmap => {
            Storage::Targets(Hash::new(definition, 1, WhenFull::Refuse))
        }
        MapType::ProgArray => Storage::Programs(BTreeMap::new()),
        MapType::ArrayOfMaps | MapType::HashOfMaps => Storage::Maps(BTreeMap::new()),
        MapType::Ringbuf => Storage::Ring(Ring::new(definition).map_err(refuse)?),
        _ => Storage::NotModelled,
    })
}

/// A definition with these numbers, for tests.
#[cfg(test)]
pub(crate) fn definition(map_type: MapType, key: u32, value: u32, entries: u32) -> object::Map {
    object::Map {
        key_size: key,
        value_size: value,
        max_entries: entries,
        ..object::Map::new("m", map_type)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_definitions_are_refused() {
        let refused = |d| Map::new(&d, 2).is_err();
        assert!(refused(definition(MapType::Array, 4, 8, 0)));
        assert!(refused(definition(MapType::Array, 8, 8, 1)));
        assert!(refused(definition(MapType::Array, 4, u32::MAX, u32::MAX)));
        assert!(refused(definition(MapType::Hash, 4, 1, u32::MAX)));
        assert!(refused(definition(MapType::Ringbuf, 0, 0, 5000)));
        assert!(refused(definition(MapType::Ringbuf, 4, 0, 4096)));
        assert!(Map::new(&definition(MapType::StackTrace, 4, 8, 1), 2).is_ok());
    }

    #[test]
    fn targets_are_set_by_tests_and_found_by_redirects() {
        let mut map = Map::new(&definition(MapType::Devmap, 4, 4, 2), 1).unwrap();
        let set = |map: &mut Map, key: u32| {
            map.update(&key.to_ne_bytes(), &[9, 0, 0, 0], UpdateMode::Any, 0)
        };
        assert_eq!(set(&mut map, 1), Ok(()));
        assert_eq!(set(&mut map, 2), Err(Errno::TooBig));
        assert_eq!(map.target(1).unwrap(), Some(&[9, 0, 0, 0][..]));
        assert_eq!(map.target(0).unwrap(), None);
        assert!(!map.has_elements());
        let array = Map::new(&definition(MapType::Array, 4, 4, 2), 1).unwrap();
        assert!(array.target(0).is_err());
    }
}
