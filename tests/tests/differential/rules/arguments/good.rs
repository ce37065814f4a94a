//! What suits each word of a prototype, so that only one argument of a probe is strange.

use super::scene::Known;
use super::value::{Null, Origin, Value};
use ebpf_asm::helper::{Arg, Helper};
use ebpf_asm::map_type::MapType;
use ebpf_asm::prog_type::ProgType;

/// A map that the helper works on.
pub(super) fn map_of(helper: &Helper) -> MapType {
    match helper.name {
        "tail_call" => MapType::ProgArray,
        "perf_event_read"
        | "perf_event_output"
        | "perf_event_read_value"
        | "skb_output"
        | "xdp_output" => MapType::PerfEventArray,
        "ringbuf_output" | "ringbuf_reserve" | "ringbuf_query" | "ringbuf_reserve_dynptr" => {
            MapType::Ringbuf
        }
        "user_ringbuf_drain" => MapType::UserRingbuf,
        "get_stackid" => MapType::StackTrace,
        "skb_under_cgroup" | "current_task_under_cgroup" => MapType::CgroupArray,
        "redirect_map" => MapType::DevmapHash,
        "sk_redirect_map" | "msg_redirect_map" | "sock_map_update" => MapType::Sockmap,
        "sk_redirect_hash" | "msg_redirect_hash" | "sock_hash_update" => MapType::Sockhash,
        "get_local_storage" => MapType::CgroupStorage,
        "sk_select_reuseport" => MapType::ReuseportSockarray,
        "map_push_elem" | "map_pop_elem" | "map_peek_elem" => MapType::Queue,
        "map_lookup_percpu_elem" => MapType::PercpuHash,
        "sk_storage_get" | "sk_storage_delete" => MapType::SkStorage,
        "inode_storage_get" | "inode_storage_delete" => MapType::InodeStorage,
        "task_storage_get" | "task_storage_delete" => MapType::TaskStorage,
        "cgrp_storage_get" | "cgrp_storage_delete" => MapType::CgrpStorage,
        _ => MapType::Hash,
    }
}

/// What suits the word, if programs of the type can have it.
pub(super) fn good(helper: &Helper, arg: Arg, prog_type: ProgType) -> Option<Value> {
    let value = match arg {
        // What a dynptr stands for is in a map.
        Arg::UninitMem if helper.name == "dynptr_from_mem" => {
            Value::plain(Origin::Looked(Known::Of(MapType::Hash), Null::Checked))
        }
        Arg::Ctx | Arg::CtxOrNull => Value::plain(Origin::Ctx),
        Arg::Map => Value::plain(Origin::Map(Known::Of(map_of(helper)))),
        Arg::MapKey
        | Arg::MapValue
        | Arg::MapValueOrNull
        | Arg::UninitMapValue
        | Arg::Mem
        | Arg::MemOrNull
        | Arg::MemInOut
        | Arg::UninitMem
        | Arg::UninitMemOrNull
        | Arg::Fixed(_)
        | Arg::InOutFixed(_)
        | Arg::UninitFixed(_) => Value::moved(Origin::Frame, -64),
        Arg::Size | Arg::SizeOrZero | Arg::ConstAllocSize => Value::plain(Origin::Number(16)),
        Arg::Anything
        | Arg::FullSockOrNull
        | Arg::StructOrNull(_)
        | Arg::CallbackCtx
        | Arg::Kptr => Value::plain(Origin::Number(0)),
        Arg::UninitDynptr(_) => Value::moved(Origin::Frame, -104),
        Arg::ConstStr => Value::plain(Origin::Address(Known::Text)),
        Arg::RingbufRecord => Value::plain(Origin::Record(Null::Checked)),
        Arg::Sock | Arg::BtfSock | Arg::BtfSockOrNull => {
            Value::plain(Origin::SockCommon(Null::Checked))
        }
        Arg::ReleasedSock => Value::plain(Origin::OwnSock(Null::Checked)),
        Arg::Struct(_)
        | Arg::PerCpu
        | Arg::Callback
        | Arg::Dynptr
        | Arg::ReleasedDynptr(_)
        | Arg::SpinLock
        | Arg::Timer
        | Arg::KptrPlace => return None,
    };
    value.is_known(prog_type).then_some(value)
}

/// Whether the helper takes back what is in the argument.
pub(super) fn is_taken_back(arg: Arg) -> bool {
    matches!(arg, Arg::RingbufRecord | Arg::ReleasedSock)
}
