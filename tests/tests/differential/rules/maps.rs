//! The maps that probes refer to, as the kernel has them: each is made once.
//!
//! Maps that hold programs belong to the type of the first program that refers to them, so
//! that each type has its own.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use ebpf_asm::btf::TypeId;
use ebpf_asm::map_type::MapType;
use ebpf_asm::object::{Map, Object};
use ebpf_asm::prog_type::ProgType;
use ebpf_syscalls::bpf::{self, MapBtf, MapCreate, UpdateMode, btf_load, map_create};
use ebpf_tests::{Failed, Outcome};

/// Maps of the kernel.
#[derive(Debug, Default)]
pub(crate) struct Maps {
    made: Vec<(Map, Option<ProgType>, bpf::Map)>,
    /// The types of all probes, which must be the same.
    btf: Option<OwnedFd>,
}

impl Maps {
    /// The descriptors of an object's maps.
    pub(crate) fn of(&mut self, object: &Object) -> Outcome<Vec<RawFd>> {
        let prog_type = object.programs.first().map(|program| program.prog_type);
        if let (Some(btf), None) = (&object.btf, &self.btf) {
            self.btf = Some(btf_load(&btf.to_bytes())?);
        }
        let maps = object.maps.iter();
        maps.map(|map| self.descriptor(map, prog_type.filter(|_| holds_programs(map))))
            .collect()
    }

    /// The types of an object, if it has any: the maps are asked for before.
    pub(crate) fn btf(&self, object: &Object) -> Option<BorrowedFd<'_>> {
        let types = object.btf.as_ref().and(self.btf.as_ref());
        types.map(AsFd::as_fd)
    }

    fn descriptor(&mut self, map: &Map, prog_type: Option<ProgType>) -> Outcome<RawFd> {
        let known = self
            .made
            .iter()
            .find(|(made, owner, _)| made == map && *owner == prog_type);
        if let Some((_, _, made)) = known {
            return Ok(made.as_fd().as_raw_fd());
        }
        let made = self
            .make(map)
            .map_err(|error| Failed::from(format!("'{}': {error}", map.name)))?;
        let descriptor = made.as_fd().as_raw_fd();
        self.made.push((map.clone(), prog_type, made));
        Ok(descriptor)
    }

    fn make(&self, map: &Map) -> Result<bpf::Map, ebpf_syscalls::Error> {
        let inner = match &map.inner {
            Some(inner) => Some(self.make(inner)?),
            None => None,
        };
        let id = |ty: Option<TypeId>| ty.map_or(0, |ty| ty.0);
        let typed = self.btf.as_ref().filter(|_| map.value_type.is_some());
        let made = map_create(&MapCreate {
            inner_map: inner.as_ref().map(AsFd::as_fd),
            btf: typed.map(|btf| MapBtf {
                fd: btf.as_fd(),
                key_type_id: id(map.key_type),
                value_type_id: id(map.value_type),
            }),
            ..untyped(map)
        })?;
        if let Some(data) = &map.data {
            made.update_elem(&[0; 4], &data.bytes, UpdateMode::Any)?;
            made.freeze()?;
        }
        Ok(made)
    }
}

/// What the kernel is asked for, but for types and the maps in it.
pub(super) fn untyped(map: &Map) -> MapCreate<'_> {
    MapCreate {
        map_type: map.map_type.number(),
        key_size: map.key_size,
        value_size: map.value_size,
        max_entries: map.max_entries,
        map_flags: map.map_flags,
        map_extra: map.map_extra,
        name: &map.name,
        ..MapCreate::default()
    }
}

fn holds_programs(map: &Map) -> bool {
    matches!(
        map.map_type,
        MapType::ProgArray | MapType::Devmap | MapType::DevmapHash | MapType::Cpumap
    )
}
