//! Sizes of maps that an object leaves to what loads it: tools in C often give a map its entries
//! with `bpf_map__set_max_entries` between opening and loading, when they know how many CPUs or
//! flows there are. Until then they are 0, which no kernel creates. Rings are rounded up to pages.

use std::borrow::Cow;

use ebpf_asm::object::{Map, Object};
use ebpf_cli::report;
use ebpf_verifier_sim::least_sizes;

/// The bytes of a page, on most machines.
const PAGE_SIZE: u32 = 4096;

/// The object with the least size for each one that is left open, and the names of the maps.
pub(crate) fn settled(object: Cow<'_, Object>) -> (Cow<'_, Object>, Vec<String>) {
    if object.maps.iter().all(is_settled) {
        return (object, Vec::new());
    }
    let mut object = object.into_owned();
    let mut open = Vec::new();
    for map in object.maps.iter_mut().filter(|map| !is_settled(map)) {
        settle(map, &mut open);
    }
    (Cow::Owned(object), open)
}

/// Whether a map has its sizes, and the maps in it have theirs.
fn is_settled(map: &Map) -> bool {
    let inner = map.inner.as_deref();
    sizes(map) == (map.max_entries, map.value_size) && inner.is_none_or(is_settled)
}

/// Gives a map its sizes, and notes its name if one was left open.
fn settle(map: &mut Map, open: &mut Vec<String>) {
    let sizes = sizes(map);
    let rounded = map.max_entries != 0 && map.map_type.is_ring();
    if sizes != (map.max_entries, map.value_size) && !rounded {
        open.push(map.name.clone());
    }
    (map.max_entries, map.value_size) = sizes;
    if let Some(inner) = &mut map.inner {
        // The map in a map has no name of its own.
        let mut inside = Vec::new();
        settle(inner, &mut inside);
        if !inside.is_empty() && open.last() != Some(&map.name) {
            open.push(map.name.clone());
        }
    }
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

/// The most entries and the size of a value: where an object says 0, the least that a kernel
/// creates such a map with.
fn sizes(map: &Map) -> (u32, u32) {
    let (entries, value) = least_sizes(map);
    let or = |size: u32, least: u32| if size == 0 { least } else { size };
    let entries = or(map.created_entries(PAGE_SIZE), entries);
    (entries, or(map.value_size, value))
}
