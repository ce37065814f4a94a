//! Sizes of maps that an object leaves to what loads it: tools in C often give a map its entries
//! with `bpf_map__set_max_entries` between opening and loading, when they know how many CPUs or
//! flows there are. Until then they are 0, which no kernel creates.

use std::borrow::Cow;

use ebpf_asm::map_type::MapType;
use ebpf_asm::object::{Map, Object};
use ebpf_cli::report;

/// The object with the least size for each one that is left open, and the names of the maps.
pub(crate) fn settled(object: Cow<'_, Object>) -> (Cow<'_, Object>, Vec<String>) {
    if !object.maps.iter().any(is_open) {
        return (object, Vec::new());
    }
    let mut object = object.into_owned();
    let open = object.maps.iter_mut().filter(|map| is_open(map));
    let names = open.map(|map| {
        (map.max_entries, map.value_size) = least(map);
        map.name.clone()
    });
    let names = names.collect();
    (Cow::Owned(object), names)
}

/// Says of these maps that a size was taken for them.
pub(crate) fn note(maps: &[String]) {
    if !maps.is_empty() {
        report::note(format_args!(
            "checked with the least size that can be created: {}\n\
             help: the object leaves it 0, so what loads it must set it",
            maps.join(", ")
        ));
    }
}

fn is_open(map: &Map) -> bool {
    least(map) != (map.max_entries, map.value_size)
}

/// The most entries and the size of a value, and where an object says 0 the least that a kernel
/// creates such a map with.
fn least(map: &Map) -> (u32, u32) {
    let entries = match map.map_type {
        // Entries belong to sockets, inodes, threads or groups, and there is one structure.
        MapType::SkStorage
        | MapType::InodeStorage
        | MapType::TaskStorage
        | MapType::CgrpStorage
        | MapType::CgroupStorage
        | MapType::PercpuCgroupStorage
        | MapType::StructOps => 0,
        // Loaders give it one for each CPU.
        MapType::PerfEventArray => 0,
        // Their entries are bytes, in whole pages.
        MapType::Ringbuf | MapType::UserRingbuf => 4096,
        _ => 1,
    };
    let value = match map.map_type {
        // Addresses, of 8 bytes each.
        MapType::StackTrace => 8,
        _ => 0,
    };
    let or = |size: u32, least: u32| if size == 0 { least } else { size };
    (or(map.max_entries, entries), or(map.value_size, value))
}
