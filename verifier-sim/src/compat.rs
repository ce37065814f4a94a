//! Which helpers work on which types of maps: one table.
//!
//! Observed on Linux 6.18; see also bpf-helpers(7).
//!
//! Read before: `call.rs`.

use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::machine::not_modelled;
use ebpf_asm::helper::Helper;
use ebpf_asm::map_type::MapType;
use ebpf_asm::object::Map;

/// Types of maps and the helpers that work on nothing else, or that nothing else works with.
struct Family {
    maps: &'static [MapType],
    helpers: &'static [&'static str],
}

const FAMILIES: &[Family] = &[
    Family {
        maps: &[MapType::ProgArray],
        helpers: &["tail_call"],
    },
    Family {
        maps: &[MapType::PerfEventArray],
        helpers: &[
            "perf_event_output",
            "perf_event_read",
            "perf_event_read_value",
        ],
    },
    Family {
        maps: &[MapType::Ringbuf],
        helpers: &["ringbuf_output", "ringbuf_reserve", "ringbuf_query"],
    },
    Family {
        maps: &[
            MapType::Devmap,
            MapType::DevmapHash,
            MapType::Cpumap,
            MapType::Xskmap,
        ],
        helpers: &["redirect_map"],
    },
    Family {
        maps: &[MapType::Queue, MapType::Stack],
        helpers: &["map_push_elem", "map_pop_elem", "map_peek_elem"],
    },
];

/// The types whose values helpers look up, update and delete.
const PLAIN: &[MapType] = &[
    MapType::Hash,
    MapType::Array,
    MapType::PercpuHash,
    MapType::PercpuArray,
    MapType::LruHash,
    MapType::LruPercpuHash,
    MapType::LpmTrie,
];

/// The types with a value for each CPU that a helper can pick.
const PER_CPU: &[MapType] = &[
    MapType::PercpuHash,
    MapType::PercpuArray,
    MapType::LruPercpuHash,
];

/// That the helper works on the map.
pub(crate) fn check_map_type(helper: &Helper, map: &Map) -> Checked {
    let mismatch = || {
        let message = format!(
            "cannot pass map_type {} into func bpf_{}#{}",
            map.map_type.number(),
            helper.name,
            helper.id
        );
        Rejection::new(Code::MapKind, message)
            .label(format!("'{}' is a map of type {}", map.name, map.map_type))
    };
    if helper.name == "map_lookup_percpu_elem" {
        return if PER_CPU.contains(&map.map_type) {
            Ok(())
        } else {
            Err(mismatch())
        };
    }
    if map.inner.is_some() {
        return match helper.name {
            "map_lookup_elem" => Ok(()),
            _ => Err(mismatch()),
        };
    }
    // The sockets of such a map can be looked at.
    if helper.name == "map_lookup_elem" && map.map_type == MapType::Xskmap {
        return Ok(());
    }
    let of_helper = FAMILIES
        .iter()
        .find(|family| family.helpers.contains(&helper.name));
    let of_map = FAMILIES
        .iter()
        .find(|family| family.maps.contains(&map.map_type));
    match (of_helper, of_map) {
        (Some(family), _) if family.maps.contains(&map.map_type) => Ok(()),
        (None, None) if PLAIN.contains(&map.map_type) => Ok(()),
        (None, None) => Err(not_modelled(&format!("maps of type {}", map.map_type))),
        _ => Err(mismatch()),
    }
}
