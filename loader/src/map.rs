//! A map: its elements as bytes, a value for each CPU where it has those.

use std::os::fd::{AsFd, BorrowedFd};

use ebpf_syscalls::Errno;
use ebpf_syscalls::bpf::{self, MapInfo, UpdateMode};
use ebpf_syscalls::caps::Capability;

use crate::error::{Error, Result};

/// An open map of the kernel.
#[derive(Debug)]
pub struct Map {
    name: String,
    map: bpf::Map,
}

/// The values of one element of a per-CPU map, in the order of the CPUs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PerCpuValues {
    bytes: Vec<u8>,
    /// Bytes from one value to the next.
    stride: usize,
    value_size: usize,
}

impl Map {
    pub(crate) fn new(name: String, map: bpf::Map) -> Self {
        Map { name, map }
    }

    pub(crate) fn as_kernel_map(&self) -> &bpf::Map {
        &self.map
    }

    /// Opens the map with this id.
    ///
    /// # Errors
    /// When there is none, or without CAP_SYS_ADMIN.
    pub fn open(id: u32) -> Result<Self> {
        let opened = bpf::map_get_fd_by_id(id).and_then(bpf::Map::from_fd);
        let map = opened.map_err(|source| {
            Error::kernel(
                "cannot open the map",
                "open a map by id",
                &[Capability::SysAdmin],
                source,
            )
        })?;
        let name = map_info(&map)?.name;
        Ok(Map { name, map })
    }

    /// The name: all of it for a map made from an object, else the kernel's first 15 characters.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the kernel says of it.
    ///
    /// # Errors
    /// Only where proc(5) is not mounted.
    pub fn info(&self) -> Result<MapInfo> {
        map_info(&self.map)
    }

    /// Whether an element has a value for each CPU.
    #[must_use]
    pub fn is_per_cpu(&self) -> bool {
        self.map.per_cpu_stride().is_some()
    }

    /// The value of `key`; `None` when it is not there.
    ///
    /// In a per-CPU map the values of all CPUs lie behind each other, each
    /// padded to 8 bytes: see [`Map::lookup_per_cpu`].
    ///
    /// # Errors
    /// When the key has another size than the map's.
    pub fn lookup(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let mut value = vec![0; self.map.buffer_size()];
        match self.map.lookup_elem(key, &mut value) {
            Ok(()) => Ok(Some(value)),
            Err(error) if error.is(Errno::ENOENT) => Ok(None),
            Err(error) => Err(access("cannot read the map", error)),
        }
    }

    /// The values of `key`, one for each possible CPU; `None` when it is not there.
    ///
    /// A map with one value for all CPUs gives that one.
    ///
    /// # Errors
    /// When the key has another size than the map's.
    pub fn lookup_per_cpu(&self, key: &[u8]) -> Result<Option<PerCpuValues>> {
        let value_size = self.map.value_size();
        Ok(self.lookup(key)?.map(|bytes| PerCpuValues {
            bytes,
            stride: self.map.per_cpu_stride().unwrap_or(value_size),
            value_size,
        }))
    }

    /// Sets the value of `key`; in a per-CPU map, of all CPUs, laid out as by [`Map::lookup`].
    ///
    /// # Errors
    /// When key or value have other sizes than the map's, when the map is full,
    /// or as `mode` says.
    pub fn update(&self, key: &[u8], value: &[u8], mode: UpdateMode) -> Result<()> {
        self.map
            .update_elem(key, value, mode)
            .map_err(|error| access("cannot write the map", error))
    }

    /// Removes `key`; `false` when it was not there.
    ///
    /// # Errors
    /// For arrays, whose elements always exist.
    pub fn delete(&self, key: &[u8]) -> Result<bool> {
        match self.map.delete_elem(key) {
            Ok(()) => Ok(true),
            Err(error) if error.is(Errno::ENOENT) => Ok(false),
            Err(error) => Err(access("cannot delete from the map", error)),
        }
    }

    /// All keys, in the map's own order.
    pub fn keys(&self) -> impl Iterator<Item = Result<Vec<u8>>> + '_ {
        self.map
            .keys()
            .map(|key| key.map_err(|error| access("cannot read the map", error)))
    }

    /// All elements. One that is deleted between being listed and being read is left out.
    pub fn elements(&self) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>)>> + '_ {
        self.keys().filter_map(|key| {
            let element = key.and_then(|key| Ok(self.lookup(&key)?.map(|value| (key, value))));
            element.transpose()
        })
    }
}

impl AsFd for Map {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.map.as_fd()
    }
}

impl PerCpuValues {
    /// The values, in the order of the CPUs.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        // A stride of 0 is that of values without bytes.
        self.bytes
            .chunks(self.stride.max(1))
            .map(|chunk| chunk.get(..self.value_size).unwrap_or(chunk))
    }
}

fn map_info(map: &bpf::Map) -> Result<MapInfo> {
    bpf::map_info(map.as_fd()).map_err(|source| Error::Kernel {
        action: "cannot ask for the map",
        source,
    })
}

fn access(action: &'static str, source: ebpf_syscalls::Error) -> Error {
    Error::kernel(action, "use the map", &[], source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_cut_out_of_their_padding() {
        let values = PerCpuValues {
            bytes: (0..16).collect(),
            stride: 8,
            value_size: 5,
        };
        let all: Vec<_> = values.iter().collect();
        assert_eq!(all, [[0, 1, 2, 3, 4], [8, 9, 10, 11, 12]]);
    }
}
