//! Making the kernel's maps of an object's: created, or taken from where they are pinned,
//! and filled with what they hold from the start.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::Path;

use ebpf_asm::map_type::MapType;
use ebpf_asm::object;
use ebpf_syscalls::bpf::{self, MapBtf, MapCreate, UpdateMode};
use ebpf_syscalls::caps::Capability;
use ebpf_syscalls::{Errno, Error as SyscallError, cpu, page};

use crate::error::{Error, Result, missing};
use crate::load::Note;
use crate::map::Map;
use crate::structs::KernelValue;
use crate::types::Types;

/// What creating maps and loading networking programs needs.
pub(crate) const NEEDS: &[Capability] = &[Capability::Bpf, Capability::NetAdmin];

/// What a map is created with beside its definition.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surroundings<'s> {
    /// The number of the network card that holds the map; 0 for none.
    pub(crate) ifindex: u32,
    pub(crate) types: &'s Types,
}

/// Creates a map with its global variables, with the types of its keys and values if the
/// kernel takes them.
pub(crate) fn create(
    definition: &object::Map,
    surroundings: Surroundings<'_>,
) -> Result<(bpf::Map, Option<Note>)> {
    // What the kernel wants to know the inner maps by; it keeps no hold on this one.
    let model = match &definition.inner {
        Some(inner) => Some(create(inner, surroundings)?.0),
        None => None,
    };
    let (map, note) = empty(definition, model.as_ref().map(AsFd::as_fd), surroundings)?;
    match (&definition.data, definition.map_type) {
        (_, MapType::Arena) => fill_arena(definition, &map)?,
        (Some(data), _) => fill(definition, data, &map)?,
        (None, _) => {}
    }
    Ok((map, note))
}

fn empty(
    definition: &object::Map,
    inner_map: Option<BorrowedFd<'_>>,
    surroundings: Surroundings<'_>,
) -> Result<(bpf::Map, Option<Note>)> {
    let plain = MapCreate {
        map_type: definition.map_type.number(),
        key_size: definition.key_size,
        value_size: definition.value_size,
        max_entries: entries(definition)?,
        map_flags: definition.map_flags,
        map_extra: definition.map_extra,
        numa_node: definition.numa_node,
        name: &definition.name,
        map_ifindex: surroundings.ifindex,
        inner_map,
        btf: None,
        btf_vmlinux_value_type_id: 0,
    };
    let mut note = None;
    if let (Some(fd), Some(value_type)) = (surroundings.types.fd(), definition.value_type) {
        let typed = MapCreate {
            btf: Some(MapBtf {
                fd,
                key_type_id: definition.key_type.map_or(0, |id| id.0),
                value_type_id: value_type.0,
            }),
            ..plain
        };
        if let Ok(map) = bpf::map_create(&typed) {
            return Ok((map, None));
        }
        note = Some(Note::WithoutMapTypes {
            map: definition.name.clone(),
        });
    }
    match bpf::map_create(&plain) {
        Ok(map) => Ok((map, note)),
        Err(source) => Err(refused(definition, source)),
    }
}

/// Creates the map of a struct of functions, which is empty until the struct is put into force.
pub(crate) fn create_struct(
    definition: &object::Map,
    value: KernelValue,
    types: &Types,
) -> Result<bpf::Map> {
    let fd = types.fd().ok_or_else(|| Error::BadObject {
        what: format!(
            "map '{}' is a struct of functions, for which the kernel wants the object's types, \
             and it refuses those",
            definition.name
        ),
    })?;
    let create = MapCreate {
        map_type: definition.map_type.number(),
        key_size: definition.key_size,
        value_size: value.size,
        max_entries: definition.max_entries,
        map_flags: definition.map_flags,
        name: &definition.name,
        // The kernel wants the object's BTF beside, of which it looks at no type.
        btf: Some(MapBtf {
            fd,
            key_type_id: 0,
            value_type_id: 0,
        }),
        btf_vmlinux_value_type_id: value.type_id,
        ..MapCreate::default()
    };
    bpf::map_create(&create).map_err(|source| refused(definition, source))
}

/// The most entries: a perf event array that does not say has one for each CPU that there may
/// be, and rings have whole pages.
fn entries(definition: &object::Map) -> Result<u32> {
    let refused = |source| refused(definition, source);
    match (definition.map_type, definition.max_entries) {
        (MapType::PerfEventArray, 0) => {
            let cpus = cpu::possible().map_err(refused)?;
            Ok(u32::try_from(cpus).unwrap_or(u32::MAX))
        }
        (map_type, _) if map_type.is_ring() => {
            let page = page::size().map_err(refused)?;
            Ok(definition.created_entries(u32::try_from(page).unwrap_or(u32::MAX)))
        }
        (_, entries) => Ok(entries),
    }
}

/// Gives global variables the values that they begin with; constants stay so from here on,
/// and the verifier knows them.
fn fill(definition: &object::Map, data: &object::Data, map: &bpf::Map) -> Result<()> {
    let refused = |source| refused(definition, source);
    if data.bytes.iter().any(|&byte| byte != 0) {
        map.update_elem(&0u32.to_ne_bytes(), &data.bytes, UpdateMode::Any)
            .map_err(refused)?;
    }
    if definition.constant().is_some() {
        map.freeze().map_err(refused)?;
    }
    Ok(())
}

/// Gives an arena its variables, and an address in user space if it was created with none:
/// the kernel loads no program without.
fn fill_arena(definition: &object::Map, map: &bpf::Map) -> Result<()> {
    let bytes = definition.data.as_ref().map(|data| data.bytes.as_slice());
    if bytes.is_none() && definition.map_extra != 0 {
        return Ok(());
    }
    let (pages, address) = (definition.max_entries, definition.map_extra);
    bpf::arena_write(map, pages, address, bytes.unwrap_or_default())
        .map_err(|source| refused(definition, source))
}

/// Puts a map or program at an index of a map.
pub(crate) fn put(
    definition: &object::Map,
    map: &Map,
    index: u32,
    value: BorrowedFd<'_>,
) -> Result<()> {
    let value = value.as_raw_fd() as u32;
    map.as_kernel_map()
        .update_elem(&index.to_ne_bytes(), &value.to_ne_bytes(), UpdateMode::Any)
        .map_err(|source| refused(definition, source))
}

/// Opens the map that is pinned at `path`, if one is, and checks that it is as the object
/// wants it.
pub(crate) fn pinned(definition: &object::Map, path: &Path) -> Result<Option<bpf::Map>> {
    let fd = match bpf::obj_get(path) {
        Ok(fd) => fd,
        Err(source) if source.is(Errno::ENOENT) => return Ok(None),
        Err(source) => return Err(refused(definition, source)),
    };
    let other = |what: String| Error::MapPinTaken {
        map: definition.name.clone(),
        path: path.to_owned(),
        what,
    };
    let info = bpf::map_info(fd.as_fd()).map_err(|_| other("no map".to_owned()))?;
    let have = [
        info.map_type,
        info.key_size,
        info.value_size,
        info.max_entries,
    ];
    let want = [
        definition.map_type.number(),
        definition.key_size,
        definition.value_size,
        entries(definition)?,
    ];
    if have != want {
        let [map_type, key, value, entries] = have;
        return Err(other(format!(
            "a map of type {map_type} with keys of {key} bytes, values of {value} and {entries} \
             entries"
        )));
    }
    bpf::Map::from_fd(fd)
        .map(Some)
        .map_err(|source| refused(definition, source))
}

pub(crate) fn refused(definition: &object::Map, source: SyscallError) -> Error {
    if source.is(Errno::EPERM) {
        return Error::Permission {
            action: "create a map",
            missing: missing(NEEDS),
            source,
        };
    }
    Error::MapRefused {
        map: definition.name.clone(),
        source,
    }
}
