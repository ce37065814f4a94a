//! Maps: `BPF_MAP_CREATE` and the commands on elements.
//!
//! <https://docs.kernel.org/bpf/maps.html>. The kernel takes the sizes of keys
//! and values from the map, not from the caller, so a [`Map`] knows them and
//! checks every buffer.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use bytemuck::Zeroable;
use nix::errno::Errno;

use super::attr::{MapCreateAttr, MapElemAttr, MapFdAttr};
use super::command::{Command, address, address_mut, bpf, bpf_fd};
use super::info::map_info;
use super::name;
use crate::{Error, Result, cpu, memlock};

/// The `enum bpf_map_type` values whose element has a value for each possible
/// CPU: PERCPU_HASH, PERCPU_ARRAY, LRU_PERCPU_HASH, PERCPU_CGROUP_STORAGE.
const PER_CPU_TYPES: [u32; 4] = [5, 6, 10, 21];

/// Per-CPU values lie at multiples of this many bytes.
const PER_CPU_ALIGN: usize = 8;

/// What [`map_create`] asks for. Numbers are the UAPI's.
#[derive(Debug, Clone, Copy, Default)]
pub struct MapCreate<'a> {
    /// `enum bpf_map_type`.
    pub map_type: u32,
    /// Bytes of a key.
    pub key_size: u32,
    /// Bytes of a value (of one CPU's).
    pub value_size: u32,
    /// Elements the map has room for.
    pub max_entries: u32,
    /// `BPF_F_*` flags.
    pub map_flags: u32,
    /// What only some types have: the hash functions of a bloom filter, an arena's address.
    pub map_extra: u64,
    /// The memory node, with `BPF_F_NUMA_NODE` in `map_flags`.
    pub numa_node: u32,
    /// A map as those that a map of maps will hold; the kernel keeps what it is like.
    pub inner_map: Option<BorrowedFd<'a>>,
    /// The map's name, cut to 15 characters for the kernel.
    pub name: &'a str,
    /// The interface whose network card holds the map; else 0.
    pub map_ifindex: u32,
    /// The BTF that describes key and value.
    pub btf: Option<MapBtf<'a>>,
    /// Of a struct of functions for the kernel the type of its value in the kernel's own BTF;
    /// else 0.
    pub btf_vmlinux_value_type_id: u32,
}

/// BTF types of a map's key and value.
#[derive(Debug, Clone, Copy)]
pub struct MapBtf<'a> {
    /// The loaded BTF.
    pub fd: BorrowedFd<'a>,
    /// Type id of the key; 0 for none.
    pub key_type_id: u32,
    /// Type id of the value.
    pub value_type_id: u32,
}

/// What an update does with an element that exists already, or does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UpdateMode {
    /// `BPF_ANY`: create or replace.
    #[default]
    Any,
    /// `BPF_NOEXIST`: create only; `EEXIST` otherwise.
    NoExist,
    /// `BPF_EXIST`: replace only; `ENOENT` otherwise.
    Exist,
}

/// An open map, with the sizes that its buffers must have.
#[derive(Debug)]
pub struct Map {
    fd: OwnedFd,
    map_type: u32,
    key_size: usize,
    value_size: usize,
    buffer_size: usize,
}

/// Creates a map.
///
/// # Errors
/// `EINVAL` for sizes or flags that the type does not take, `EPERM` without
/// CAP_BPF, `ENOMEM` or `E2BIG` when it is too large.
pub fn map_create(create: &MapCreate<'_>) -> Result<Map> {
    let mut attr = MapCreateAttr {
        map_type: create.map_type,
        key_size: create.key_size,
        value_size: create.value_size,
        max_entries: create.max_entries,
        map_flags: create.map_flags,
        map_name: name::encode(create.name),
        map_ifindex: create.map_ifindex,
        map_extra: create.map_extra,
        numa_node: create.numa_node,
        btf_vmlinux_value_type_id: create.btf_vmlinux_value_type_id,
        inner_map_fd: create.inner_map.map_or(0, |map| map.as_raw_fd() as u32),
        ..MapCreateAttr::zeroed()
    };
    if let Some(btf) = create.btf {
        attr.btf_fd = btf.fd.as_raw_fd() as u32;
        attr.btf_key_type_id = btf.key_type_id;
        attr.btf_value_type_id = btf.value_type_id;
    }
    let fd = memlock::retry_with_more(|| {
        // SAFETY: no addresses in `attr`; the command returns a new descriptor.
        unsafe { bpf_fd(Command::MapCreate, &mut attr) }
    })
    .map_err(|errno| Error::call(Command::MapCreate.name(), create.name, errno))?;
    Map::new(fd, create.map_type, create.key_size, create.value_size)
}

impl Map {
    /// Takes a descriptor that came from a pin or an id, and asks the kernel for its sizes.
    ///
    /// # Errors
    /// When it is not a map's descriptor.
    pub fn from_fd(fd: OwnedFd) -> Result<Map> {
        let info = map_info(fd.as_fd())?;
        Map::new(fd, info.map_type, info.key_size, info.value_size)
    }

    /// `map_type`, `key_size` and `value_size` are what the kernel has for `fd`.
    fn new(fd: OwnedFd, map_type: u32, key_size: u32, value_size: u32) -> Result<Map> {
        let value_size = value_size as usize;
        let buffer_size = if PER_CPU_TYPES.contains(&map_type) {
            value_size.next_multiple_of(PER_CPU_ALIGN) * cpu::possible()?
        } else {
            value_size
        };
        Ok(Map {
            fd,
            map_type,
            key_size: key_size as usize,
            value_size,
            buffer_size,
        })
    }

    /// `enum bpf_map_type`.
    #[must_use]
    pub fn map_type(&self) -> u32 {
        self.map_type
    }

    /// Bytes of a key.
    #[must_use]
    pub fn key_size(&self) -> usize {
        self.key_size
    }

    /// Bytes of a value, of one CPU's in a per-CPU map.
    #[must_use]
    pub fn value_size(&self) -> usize {
        self.value_size
    }

    /// Bytes that a lookup fills and an update reads: [`Map::value_size`], or
    /// in a per-CPU map that rounded up to 8, times the possible CPUs.
    #[must_use]
    pub fn buffer_size(&self) -> usize {
        self.buffer_size
    }

    /// Bytes from one CPU's value to the next in a buffer; `None` for a map
    /// whose elements have one value.
    #[must_use]
    pub fn per_cpu_stride(&self) -> Option<usize> {
        PER_CPU_TYPES
            .contains(&self.map_type)
            .then(|| self.value_size.next_multiple_of(PER_CPU_ALIGN))
    }

    /// Copies the value of `key` to `value`: `BPF_MAP_LOOKUP_ELEM`.
    ///
    /// # Errors
    /// `ENOENT` when the key is not there; [`Error::Argument`] for buffers of
    /// other sizes than [`Map::key_size`] and [`Map::buffer_size`].
    pub fn lookup_elem(&self, key: &[u8], value: &mut [u8]) -> Result<()> {
        self.check("key", key.len(), self.key_size)?;
        self.check("value", value.len(), self.buffer_size)?;
        let mut attr = MapElemAttr {
            key: address(key),
            value: address_mut(value),
            ..self.element()
        };
        // SAFETY: the kernel reads `key_size` bytes of `key` and writes
        // `buffer_size` bytes of `value`; both lengths were just checked
        // against what the kernel has for this map.
        unsafe { self.command(Command::MapLookupElem, &mut attr) }
    }

    /// Sets the value of `key`: `BPF_MAP_UPDATE_ELEM`.
    ///
    /// # Errors
    /// `EEXIST` or `ENOENT` as `mode` says, `E2BIG` when the map is full or an
    /// index too large; [`Error::Argument`] for buffers of other sizes than
    /// [`Map::key_size`] and [`Map::buffer_size`].
    pub fn update_elem(&self, key: &[u8], value: &[u8], mode: UpdateMode) -> Result<()> {
        self.check("key", key.len(), self.key_size)?;
        self.check("value", value.len(), self.buffer_size)?;
        let mut attr = MapElemAttr {
            key: address(key),
            value: address(value),
            flags: mode.flags(),
            ..self.element()
        };
        // SAFETY: the kernel reads `key_size` bytes of `key` and `buffer_size`
        // bytes of `value`; both lengths were just checked.
        unsafe { self.command(Command::MapUpdateElem, &mut attr) }
    }

    /// Removes `key`: `BPF_MAP_DELETE_ELEM`.
    ///
    /// # Errors
    /// `ENOENT` when it is not there, `EINVAL` for arrays, whose elements always exist.
    pub fn delete_elem(&self, key: &[u8]) -> Result<()> {
        self.check("key", key.len(), self.key_size)?;
        let mut attr = MapElemAttr {
            key: address(key),
            ..self.element()
        };
        // SAFETY: the kernel reads `key_size` bytes of `key`, which was just checked.
        unsafe { self.command(Command::MapDeleteElem, &mut attr) }
    }

    /// Copies the key after `key` (the first, for `None`) to `next_key`:
    /// `BPF_MAP_GET_NEXT_KEY`. `false` when there is none.
    ///
    /// # Errors
    /// [`Error::Argument`] for buffers of another size than [`Map::key_size`].
    pub fn get_next_key(&self, key: Option<&[u8]>, next_key: &mut [u8]) -> Result<bool> {
        if let Some(key) = key {
            self.check("key", key.len(), self.key_size)?;
        }
        self.check("next_key", next_key.len(), self.key_size)?;
        let mut attr = MapElemAttr {
            key: key.map_or(0, address),
            value: address_mut(next_key),
            ..self.element()
        };
        // SAFETY: the kernel reads `key_size` bytes of `key` unless it is 0, and
        // writes as many of `next_key`; both lengths were just checked.
        match unsafe { self.command(Command::MapGetNextKey, &mut attr) } {
            Ok(()) => Ok(true),
            Err(error) if error.is(Errno::ENOENT) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// All keys, in the map's own order.
    ///
    /// While others delete, a walk over a hash may start anew, so that keys can come twice.
    #[must_use]
    pub fn keys(&self) -> MapKeys<'_> {
        MapKeys {
            map: self,
            last: None,
            done: false,
        }
    }

    /// Forbids further updates from user space: `BPF_MAP_FREEZE`.
    ///
    /// # Errors
    /// `EBUSY` when it is frozen or mapped writable already.
    pub fn freeze(&self) -> Result<()> {
        let mut attr = MapFdAttr {
            map_fd: self.fd.as_raw_fd() as u32,
        };
        // SAFETY: no addresses in `attr`.
        unsafe { bpf(Command::MapFreeze, &mut attr) }
            .map(drop)
            .map_err(|errno| Error::call(Command::MapFreeze.name(), self.describe(), errno))
    }

    fn element(&self) -> MapElemAttr {
        MapElemAttr {
            map_fd: self.fd.as_raw_fd() as u32,
            ..MapElemAttr::zeroed()
        }
    }

    /// # Safety
    /// `attr` must hold addresses of buffers as `command` needs for this map.
    unsafe fn command(&self, command: Command, attr: &mut MapElemAttr) -> Result<()> {
        // SAFETY: the caller vouches for the addresses in `attr`.
        unsafe { bpf(command, attr) }
            .map(drop)
            .map_err(|errno| Error::call(command.name(), self.describe(), errno))
    }

    fn check(&self, what: &str, len: usize, expected: usize) -> Result<()> {
        if len == expected {
            return Ok(());
        }
        Err(Error::argument(format!(
            "{what} of {len} bytes for {}, which takes {expected}",
            self.describe()
        )))
    }

    /// The map's name and id, for messages.
    fn describe(&self) -> String {
        map_info(self.fd.as_fd()).map_or_else(
            |_| "map".to_owned(),
            |info| format!("map '{}' (id {})", info.name, info.id),
        )
    }
}

impl AsFd for Map {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl UpdateMode {
    fn flags(self) -> u64 {
        match self {
            UpdateMode::Any => 0,
            UpdateMode::NoExist => 1,
            UpdateMode::Exist => 2,
        }
    }
}

/// The keys of a map; ends after the first error. See [`Map::keys`].
#[derive(Debug)]
pub struct MapKeys<'map> {
    map: &'map Map,
    last: Option<Vec<u8>>,
    done: bool,
}

impl Iterator for MapKeys<'_> {
    type Item = Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let mut next = vec![0; self.map.key_size];
        match self.map.get_next_key(self.last.as_deref(), &mut next) {
            Ok(true) => {
                self.last = Some(next.clone());
                Some(Ok(next))
            }
            Ok(false) => {
                self.done = true;
                None
            }
            Err(error) => {
                self.done = true;
                Some(Err(error))
            }
        }
    }
}
