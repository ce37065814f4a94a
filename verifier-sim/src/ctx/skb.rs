//! `struct __sk_buff`: a packet as the kernel has it. One table, and a column for each family of
//! program types that receive it.
//!
//! Described in `include/uapi/linux/bpf.h` at the struct, and in the kernel's
//! `Documentation/bpf/prog_flow_dissector.rst`; how the table came to be, in `ctx/mod.rs`.
//!
//! Read before: `ctx/xdp.rs`. Read next: `ctx/socket.rs`.

use super::{
    ALL, ANY_SIZE, BYTE, Column, Context, DOUBLE, Field, Loader, PACKET, PACKET_END, PACKET_META,
    PacketUse, SOCK_COMMON_OR_NULL, UP_TO_WORD, Value, WORD, field,
};
use crate::value::reg::Kind;
use ebpf_asm::prog_type::ProgType;

/// Socket filters.
const FILTER: Column = 1;
/// Classifiers and actions of traffic control.
const TC: Column = 2;
const CGROUP: Column = 4;
/// Light-weight tunnels.
const LWT: Column = 8;
/// Parsers and verdicts of socket maps.
const SK_SKB: Column = 16;
/// The flow dissector, which sees hardly more than the packet.
const FLOW: Column = 32;

/// All but the flow dissector.
const SKB: Column = ALL & !FLOW;
/// Those that see the packet's memory.
const DIRECT: Column = TC | CGROUP | LWT | SK_SKB | FLOW;
/// Those that know whose packet it is.
const ADDRESSES: Column = CGROUP | SK_SKB;

const FLOW_KEYS: Value = Value::Pointer(Kind::FlowKeys);

#[rustfmt::skip]
static FIELDS: [Field; 34] = [
    field("len", 0, 4).read(UP_TO_WORD, SKB),
    field("pkt_type", 4, 4).read(UP_TO_WORD, SKB),
    field("mark", 8, 4).read(UP_TO_WORD, SKB & !SK_SKB).write(WORD, TC | CGROUP | LWT),
    field("queue_mapping", 12, 4).read(UP_TO_WORD, SKB).write(WORD, TC),
    field("protocol", 16, 4).read(UP_TO_WORD, SKB),
    field("vlan_present", 20, 4).read(UP_TO_WORD, SKB),
    field("vlan_tci", 24, 4).read(UP_TO_WORD, SKB),
    field("vlan_proto", 28, 4).read(UP_TO_WORD, SKB),
    field("priority", 32, 4).read(UP_TO_WORD, SKB).write(WORD, TC | CGROUP | LWT | SK_SKB),
    field("ingress_ifindex", 36, 4).read(UP_TO_WORD, SKB),
    field("ifindex", 40, 4).read(UP_TO_WORD, SKB),
    field("tc_index", 44, 4).read(UP_TO_WORD, SKB).write(WORD, TC | SK_SKB),
    field("cb", 48, 20).read(ANY_SIZE, SKB).write(ANY_SIZE, SKB & !SK_SKB),
    field("hash", 68, 4).read(UP_TO_WORD, SKB),
    field("tc_classid", 72, 4).read(UP_TO_WORD, TC).write(WORD, TC),
    field("data", 76, 4).read(WORD, DIRECT).value(PACKET).since((4, 7)).loader(Loader::Bpf),
    field("data_end", 80, 4).read(WORD, DIRECT).value(PACKET_END).since((4, 7)).loader(Loader::Bpf),
    field("napi_id", 84, 4).read(UP_TO_WORD, SKB).since((4, 12)),
    field("family", 88, 4).read(UP_TO_WORD, ADDRESSES).since((4, 14)),
    field("remote_ip4", 92, 4).read(WORD, ADDRESSES).since((4, 14)),
    field("local_ip4", 96, 4).read(WORD, ADDRESSES).since((4, 14)),
    field("remote_ip6", 100, 16).read(WORD, ADDRESSES).since((4, 14)),
    field("local_ip6", 116, 16).read(WORD, ADDRESSES).since((4, 14)),
    field("remote_port", 132, 4).read(UP_TO_WORD, ADDRESSES).since((4, 14)),
    field("local_port", 136, 4).read(UP_TO_WORD, ADDRESSES).since((4, 14)),
    field("data_meta", 140, 4).read(WORD, TC).value(PACKET_META).since((4, 15)),
    field("flow_keys", 144, 8).read(DOUBLE, FLOW).value(FLOW_KEYS).since((4, 20)),
    field("tstamp", 152, 8).read(DOUBLE, TC | CGROUP).write(DOUBLE, TC | CGROUP).since((5, 0)).loader(Loader::BpfToWrite),
    field("wire_len", 160, 4).read(UP_TO_WORD, TC).since((5, 0)),
    field("gso_segs", 164, 4).read(UP_TO_WORD, SKB).since((5, 1)),
    field("sk", 168, 8).read(DOUBLE, SKB).value(SOCK_COMMON_OR_NULL).since((5, 1)),
    field("gso_size", 176, 4).read(UP_TO_WORD, SKB).since((5, 7)),
    field("tstamp_type", 180, 1).read(BYTE, TC).since((5, 18)),
    field("hwtstamp", 184, 8).read(DOUBLE, TC | CGROUP).since((5, 16)),
];

const fn sk_buff(column: Column) -> Context {
    Context::new("__sk_buff", &FIELDS, column)
}

static SOCKET_FILTER: Context = sk_buff(FILTER);
static SCHED: Context = sk_buff(TC).packet(PacketUse::Write);
static CGROUP_SKB: Context = sk_buff(CGROUP);
static LWT_XMIT: Context = sk_buff(LWT).packet(PacketUse::Write);
static LWT_OTHER: Context = sk_buff(LWT);
static SOCKET_MAP: Context = sk_buff(SK_SKB).packet(PacketUse::Write);
static FLOW_DISSECTOR: Context = sk_buff(FLOW);

/// The context of a type that receives a `__sk_buff`.
pub(super) fn context(prog_type: ProgType) -> &'static Context {
    match prog_type {
        ProgType::SchedCls | ProgType::SchedAct => &SCHED,
        ProgType::CgroupSkb => &CGROUP_SKB,
        ProgType::LwtXmit => &LWT_XMIT,
        ProgType::LwtIn | ProgType::LwtOut | ProgType::LwtSeg6local => &LWT_OTHER,
        ProgType::SkSkb => &SOCKET_MAP,
        ProgType::FlowDissector => &FLOW_DISSECTOR,
        _ => &SOCKET_FILTER,
    }
}
