//! Which helpers work on which types of maps: two tables, of which both must agree.
//!
//! Observed on Linux 6.18, every helper that takes a map with every type of map; see also
//! bpf-helpers(7).
//!
//! Read before: `invoke.rs`. Read next: `returns.rs`.

use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::memory::map_value::{READ_ONLY_MAP, flags_of};
use ebpf_asm::helper::{Helper, MapUse, Proto};
use ebpf_asm::map_flags::BPF_F_RDONLY_PROG;
use ebpf_asm::map_type::MapType;
use ebpf_asm::object::Map;
use ebpf_asm::prog_type::{AttachType, ProgType};

/// The helpers that work on maps of a type; `None` if all do that do not ask for another.
fn helpers_of(map_type: MapType) -> Option<&'static [&'static str]> {
    Some(match map_type {
        MapType::ProgArray => &["tail_call"],
        MapType::PerfEventArray => &[
            "perf_event_read",
            "perf_event_output",
            "skb_output",
            "perf_event_read_value",
            "xdp_output",
        ],
        MapType::Ringbuf => &[
            "ringbuf_output",
            "ringbuf_reserve",
            "ringbuf_query",
            "ringbuf_reserve_dynptr",
            "ringbuf_submit_dynptr",
            "ringbuf_discard_dynptr",
        ],
        MapType::UserRingbuf => &["user_ringbuf_drain"],
        MapType::StackTrace => &["get_stackid"],
        MapType::CgroupArray => &["skb_under_cgroup", "current_task_under_cgroup"],
        MapType::CgroupStorage | MapType::PercpuCgroupStorage => &["get_local_storage"],
        MapType::Devmap | MapType::DevmapHash | MapType::Xskmap => {
            &["redirect_map", "map_lookup_elem"]
        }
        MapType::Cpumap => &["redirect_map"],
        MapType::ArrayOfMaps | MapType::HashOfMaps => &["map_lookup_elem"],
        MapType::Sockmap => &[
            "sk_redirect_map",
            "sock_map_update",
            "msg_redirect_map",
            "sk_select_reuseport",
            "map_lookup_elem",
            "map_update_elem",
            "map_delete_elem",
        ],
        MapType::Sockhash => &[
            "sk_redirect_hash",
            "sock_hash_update",
            "msg_redirect_hash",
            "sk_select_reuseport",
            "map_lookup_elem",
            "map_update_elem",
            "map_delete_elem",
        ],
        MapType::ReuseportSockarray => &["sk_select_reuseport"],
        MapType::Queue | MapType::Stack => &["map_peek_elem", "map_pop_elem", "map_push_elem"],
        MapType::BloomFilter => &["map_peek_elem", "map_push_elem"],
        MapType::SkStorage => &["sk_storage_get", "sk_storage_delete", "kptr_xchg"],
        MapType::InodeStorage => &["inode_storage_get", "inode_storage_delete", "kptr_xchg"],
        MapType::TaskStorage => &["task_storage_get", "task_storage_delete", "kptr_xchg"],
        MapType::CgrpStorage => &["cgrp_storage_get", "cgrp_storage_delete", "kptr_xchg"],
        MapType::Hash
        | MapType::Array
        | MapType::PercpuHash
        | MapType::PercpuArray
        | MapType::LruHash
        | MapType::LruPercpuHash
        | MapType::LpmTrie
        | MapType::StructOps
        | MapType::Arena => return None,
    })
}

/// The types of maps that a helper works on; `None` if on all that do not ask for others.
fn maps_of(helper: &str) -> Option<&'static [MapType]> {
    Some(match helper {
        "tail_call" => &[MapType::ProgArray],
        "perf_event_read"
        | "perf_event_output"
        | "perf_event_read_value"
        | "skb_output"
        | "xdp_output" => &[MapType::PerfEventArray],
        "ringbuf_output"
        | "ringbuf_reserve"
        | "ringbuf_query"
        | "ringbuf_reserve_dynptr"
        | "ringbuf_submit_dynptr"
        | "ringbuf_discard_dynptr" => &[MapType::Ringbuf],
        "user_ringbuf_drain" => &[MapType::UserRingbuf],
        "get_stackid" => &[MapType::StackTrace],
        "skb_under_cgroup" | "current_task_under_cgroup" => &[MapType::CgroupArray],
        "redirect_map" => &[
            MapType::Devmap,
            MapType::DevmapHash,
            MapType::Cpumap,
            MapType::Xskmap,
        ],
        "sk_redirect_map" | "msg_redirect_map" | "sock_map_update" => &[MapType::Sockmap],
        "sk_redirect_hash" | "msg_redirect_hash" | "sock_hash_update" => &[MapType::Sockhash],
        "get_local_storage" => &[MapType::CgroupStorage, MapType::PercpuCgroupStorage],
        "sk_select_reuseport" => &[
            MapType::ReuseportSockarray,
            MapType::Sockmap,
            MapType::Sockhash,
        ],
        "map_pop_elem" => &[MapType::Queue, MapType::Stack],
        "map_peek_elem" | "map_push_elem" => {
            &[MapType::Queue, MapType::Stack, MapType::BloomFilter]
        }
        "map_lookup_percpu_elem" => &[
            MapType::PercpuHash,
            MapType::PercpuArray,
            MapType::LruPercpuHash,
        ],
        "sk_storage_get" | "sk_storage_delete" => &[MapType::SkStorage],
        "inode_storage_get" | "inode_storage_delete" => &[MapType::InodeStorage],
        "task_storage_get" | "task_storage_delete" => &[MapType::TaskStorage],
        "cgrp_storage_get" | "cgrp_storage_delete" => &[MapType::CgrpStorage],
        _ => return None,
    })
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
    let helpers = helpers_of(map_type).is_none_or(|names| names.contains(&helper.name));
    let maps = maps_of(helper.name).is_none_or(|types| types.contains(&map_type));
    if helpers && maps {
        return Ok(());
    }
    Err(explained(not_into()).help(other_way(helper.name, map_type)))
}

/// Which maps the helper takes, or else which helpers the map is for.
fn other_way(helper: &str, map_type: MapType) -> String {
    match (maps_of(helper), helpers_of(map_type)) {
        (Some(types), _) => format!("bpf_{helper} takes {}", listed(types)),
        (None, Some(names)) => {
            let names: Vec<String> = names.iter().map(|name| format!("bpf_{name}")).collect();
            format!("a map of type {map_type} is for {}", either(&names))
        }
        (None, None) => format!("bpf_{helper} takes no maps of type {map_type}"),
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
