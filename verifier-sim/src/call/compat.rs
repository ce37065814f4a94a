//! Which helpers work on which types of maps: one table, of types that ask for single helpers, and
//! what follows from it for helpers that ask for single types.
//!
//! Observed on Linux 6.18, every helper that takes a map with every type of map; see also
//! bpf-helpers(7).
//!
//! Read before: `invoke.rs`. Read next: `global.rs`.

use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::memory::map_value::{READ_ONLY_MAP, flags_of};
use ebpf_asm::helper::{Helper, MapUse, Proto};
use ebpf_asm::map_flags::BPF_F_RDONLY_PROG;
use ebpf_asm::map_type::MapType;
use ebpf_asm::object::Map;
use ebpf_asm::prog_type::{AttachType, ProgType};

/// The helpers that work on maps of a type that asks for single ones. Each type stands here or in
/// [`UNRESTRICTED`].
const HELPERS_OF: &[(MapType, &[&str])] = &[
    (MapType::ProgArray, &["tail_call"]),
    (MapType::PerfEventArray, PERF_EVENTS),
    (MapType::Ringbuf, RINGBUF),
    (MapType::UserRingbuf, &["user_ringbuf_drain"]),
    (MapType::StackTrace, &["get_stackid"]),
    (
        MapType::CgroupArray,
        &["skb_under_cgroup", "current_task_under_cgroup"],
    ),
    (MapType::CgroupStorage, &["get_local_storage"]),
    (MapType::PercpuCgroupStorage, &["get_local_storage"]),
    (MapType::Devmap, &["redirect_map", "map_lookup_elem"]),
    (MapType::DevmapHash, &["redirect_map", "map_lookup_elem"]),
    (MapType::Cpumap, &["redirect_map"]),
    (MapType::Xskmap, &["redirect_map", "map_lookup_elem"]),
    (MapType::ArrayOfMaps, &["map_lookup_elem"]),
    (MapType::HashOfMaps, &["map_lookup_elem"]),
    (MapType::ReuseportSockarray, &["sk_select_reuseport"]),
    (MapType::Sockmap, SOCKMAP),
    (MapType::Sockhash, SOCKHASH),
    (
        MapType::Queue,
        &["map_peek_elem", "map_pop_elem", "map_push_elem"],
    ),
    (
        MapType::Stack,
        &["map_peek_elem", "map_pop_elem", "map_push_elem"],
    ),
    (MapType::BloomFilter, &["map_peek_elem", "map_push_elem"]),
    (
        MapType::SkStorage,
        &["sk_storage_get", "sk_storage_delete", "kptr_xchg"],
    ),
    (
        MapType::InodeStorage,
        &["inode_storage_get", "inode_storage_delete", "kptr_xchg"],
    ),
    (
        MapType::TaskStorage,
        &["task_storage_get", "task_storage_delete", "kptr_xchg"],
    ),
    (
        MapType::CgrpStorage,
        &["cgrp_storage_get", "cgrp_storage_delete", "kptr_xchg"],
    ),
];

/// The types on whose maps all helpers work that do not ask for maps of others.
const UNRESTRICTED: &[MapType] = &[
    MapType::Hash,
    MapType::Array,
    MapType::PercpuHash,
    MapType::PercpuArray,
    MapType::LruHash,
    MapType::LruPercpuHash,
    MapType::LpmTrie,
    MapType::StructOps,
    MapType::Arena,
];

const PERF_EVENTS: &[&str] = &[
    "perf_event_read",
    "perf_event_output",
    "skb_output",
    "perf_event_read_value",
    "xdp_output",
];

const RINGBUF: &[&str] = &[
    "ringbuf_output",
    "ringbuf_reserve",
    "ringbuf_query",
    "ringbuf_reserve_dynptr",
    "ringbuf_submit_dynptr",
    "ringbuf_discard_dynptr",
];

const SOCKMAP: &[&str] = &[
    "sk_redirect_map",
    "sock_map_update",
    "msg_redirect_map",
    "sk_select_reuseport",
    "map_lookup_elem",
    "map_update_elem",
    "map_delete_elem",
];

const SOCKHASH: &[&str] = &[
    "sk_redirect_hash",
    "sock_hash_update",
    "msg_redirect_hash",
    "sk_select_reuseport",
    "map_lookup_elem",
    "map_update_elem",
    "map_delete_elem",
];

/// The helpers among these that work on maps of other types as well.
const OF_MANY: [&str; 4] = [
    "map_lookup_elem",
    "map_update_elem",
    "map_delete_elem",
    "kptr_xchg",
];

/// The types whose elements `map_lookup_percpu_elem` finds, on which other helpers work as well.
const PERCPU: &[MapType] = &[
    MapType::PercpuHash,
    MapType::PercpuArray,
    MapType::LruPercpuHash,
];

/// The helpers that work on maps of a type, if it asks for single ones.
fn helpers_of(map_type: MapType) -> Option<&'static [&'static str]> {
    let mut rows = HELPERS_OF.iter();
    rows.find(|row| row.0 == map_type).map(|row| row.1)
}

/// The types of maps that a helper works on; none if on all that do not ask for others.
fn maps_of(helper: &str) -> Vec<MapType> {
    if helper == "map_lookup_percpu_elem" {
        return PERCPU.to_vec();
    }
    if OF_MANY.contains(&helper) {
        return Vec::new();
    }
    let rows = HELPERS_OF.iter().filter(|row| row.1.contains(&helper));
    rows.map(|row| row.0).collect()
}

/// Whether a helper works on maps of a type; none does on those of a type in neither table.
fn works_on(helper: &str, map_type: MapType) -> bool {
    match helpers_of(map_type) {
        Some(helpers) => helpers.contains(&helper),
        None if !UNRESTRICTED.contains(&map_type) => false,
        None if OF_MANY.contains(&helper) => true,
        None => {
            let types = maps_of(helper);
            types.is_empty() || types.contains(&map_type)
        }
    }
}

/// The types whose elements a helper goes through.
const ITERABLE: &[MapType] = &[
    MapType::Hash,
    MapType::Array,
    MapType::PercpuHash,
    MapType::PercpuArray,
    MapType::LruHash,
    MapType::LruPercpuHash,
];

/// That a program of the type may do with the map what the helper does.
pub(crate) fn check_map(
    helper: &Helper,
    proto: &Proto,
    map: &Map,
    prog_type: ProgType,
    attach_type: AttachType,
) -> Checked {
    check_map_use(helper, proto.map, map)?;
    let map_type = map.map_type;
    let not_into = || {
        let (number, name, id) = (map_type.number(), helper.name, helper.id);
        format!("cannot pass map_type {number} into func bpf_{name}#{id}")
    };
    let explained = |message| {
        Rejection::new(Code::MapKind, message)
            .label(format!("'{}' is a map of type {map_type}", map.name))
    };
    if helper.name == "tail_call" && map_type != MapType::ProgArray {
        return Err(
            explained("expected prog array map for tail call".to_owned())
                .help("let it be a map of type prog_array (BPF_MAP_TYPE_PROG_ARRAY)"),
        );
    }
    if is_closed_sockmap(helper.name, map_type, prog_type, attach_type) {
        let refused = explained("cannot update sockmap in this context".to_owned());
        return Err(refused.adds(not_into()).help(
            "let user space put the sockets into the map, or bpf_sock_map_update of a sock_ops \
             program",
        ));
    }
    if helper.name == "for_each_map_elem" && !ITERABLE.contains(&map_type) {
        let refused = explained("callback function not allowed for map".to_owned());
        return Err(refused.help(format!("bpf_for_each_map_elem takes {}", listed(ITERABLE))));
    }
    match works_on(helper.name, map_type) {
        true => Ok(()),
        false => Err(explained(not_into()).help(other_way(helper.name, map_type))),
    }
}

/// Which maps the helper takes, or else which helpers the map is for.
fn other_way(helper: &str, map_type: MapType) -> String {
    let types = maps_of(helper);
    if !types.is_empty() {
        return format!("bpf_{helper} takes {}", listed(&types));
    }
    match helpers_of(map_type) {
        Some(names) => {
            let names: Vec<String> = names.iter().map(|name| format!("bpf_{name}")).collect();
            format!("a map of type {map_type} is for {}", either(&names))
        }
        None => format!("bpf_{helper} takes no maps of type {map_type}"),
    }
}

/// `maps of type queue or stack`.
fn listed(types: &[MapType]) -> String {
    let names: Vec<&str> = types.iter().map(|map_type| map_type.name()).collect();
    format!("maps of type {}", either(&names))
}

/// `a, b or c`.
fn either<S: AsRef<str>>(names: &[S]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    match names.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{} or {last}", before.join(", ")),
        _ => names.concat(),
    }
}

/// Whether the map holds sockets and the program is none of those that may change which.
fn is_closed_sockmap(
    helper: &str,
    map_type: MapType,
    prog_type: ProgType,
    attach_type: AttachType,
) -> bool {
    let changes = matches!(helper, "map_update_elem" | "map_delete_elem");
    let open = match prog_type {
        ProgType::SocketFilter
        | ProgType::SchedCls
        | ProgType::SchedAct
        | ProgType::Xdp
        | ProgType::SkReuseport
        | ProgType::FlowDissector
        | ProgType::SkLookup => true,
        ProgType::SockOps => helper == "map_delete_elem",
        ProgType::Tracing => attach_type == AttachType::TraceIter,
        _ => false,
    };
    changes && !open && matches!(map_type, MapType::Sockmap | MapType::Sockhash)
}

/// That the map's flags allow programs what the helper does.
fn check_map_use(helper: &Helper, used: MapUse, map: &Map) -> Checked {
    if used == MapUse::Reads || flags_of(map) & BPF_F_RDONLY_PROG == 0 {
        return Ok(());
    }
    Err(Rejection::new(Code::ReadOnly, "write into map forbidden")
        .label(format!(
            "bpf_{} writes to the map '{}', which programs may only read",
            helper.name, map.name
        ))
        .help(READ_ONLY_MAP))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_in_one_of_the_tables() {
        for map_type in MapType::ALL {
            let rows = HELPERS_OF.iter().filter(|row| row.0 == *map_type).count();
            let listed = UNRESTRICTED.iter().filter(|of| *of == map_type).count();
            assert_eq!(rows + listed, 1, "maps of type {map_type}");
        }
    }
}
