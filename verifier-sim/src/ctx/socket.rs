//! Contexts of programs that work for sockets: `struct sk_msg_md`, `struct sk_reuseport_md`,
//! `struct bpf_sk_lookup`.
//!
//! Described in `include/uapi/linux/bpf.h` at the structs, and in the kernel's
//! `Documentation/bpf/prog_sk_lookup.rst`; how the tables came to be, in `ctx/mod.rs`.
//!
//! Read before: `ctx/skb.rs`. Read next: `ctx/sock.rs`.

use super::{
    ALL, Context, DOUBLE, Field, PACKET, PACKET_END, PacketUse, SOCK, SOCK_COMMON_OR_NULL,
    SOCK_OR_NULL, UP_TO_WORD, WORD, field,
};

#[rustfmt::skip]
static SK_MSG_FIELDS: [Field; 11] = [
    field("data", 0, 8).read(DOUBLE, ALL).value(PACKET),
    field("data_end", 8, 8).read(DOUBLE, ALL).value(PACKET_END),
    field("family", 16, 4).read(WORD, ALL).since((4, 18)),
    field("remote_ip4", 20, 4).read(WORD, ALL).since((4, 18)),
    field("local_ip4", 24, 4).read(WORD, ALL).since((4, 18)),
    field("remote_ip6", 28, 16).read(WORD, ALL).since((4, 18)),
    field("local_ip6", 44, 16).read(WORD, ALL).since((4, 18)),
    field("remote_port", 60, 4).read(WORD, ALL).since((4, 18)),
    field("local_port", 64, 4).read(WORD, ALL).since((4, 18)),
    field("size", 68, 4).read(WORD, ALL).since((5, 0)),
    field("sk", 72, 8).read(DOUBLE, ALL).value(SOCK).since((5, 8)),
];

#[rustfmt::skip]
static SK_REUSEPORT_FIELDS: [Field; 9] = [
    field("data", 0, 8).read(DOUBLE, ALL).value(PACKET),
    field("data_end", 8, 8).read(DOUBLE, ALL).value(PACKET_END),
    field("len", 16, 4).read(UP_TO_WORD, ALL),
    field("eth_protocol", 20, 4).read(2 | 4, ALL),
    field("ip_protocol", 24, 4).read(UP_TO_WORD, ALL),
    field("bind_inany", 28, 4).read(UP_TO_WORD, ALL),
    field("hash", 32, 4).read(WORD, ALL),
    field("sk", 40, 8).read(DOUBLE, ALL).value(SOCK).since((5, 14)),
    field("migrating_sk", 48, 8).read(DOUBLE, ALL).value(SOCK_COMMON_OR_NULL).since((5, 14)),
];

#[rustfmt::skip]
static SK_LOOKUP_FIELDS: [Field; 10] = [
    field("sk", 0, 8).read(DOUBLE, ALL).value(SOCK_OR_NULL),
    field("family", 8, 4).read(UP_TO_WORD, ALL),
    field("protocol", 12, 4).read(UP_TO_WORD, ALL),
    field("remote_ip4", 16, 4).read(UP_TO_WORD, ALL),
    field("remote_ip6", 20, 16).read(UP_TO_WORD, ALL),
    field("remote_port", 36, 4).read(UP_TO_WORD, ALL),
    field("local_ip4", 40, 4).read(UP_TO_WORD, ALL),
    field("local_ip6", 44, 16).read(UP_TO_WORD, ALL),
    field("local_port", 60, 4).read(UP_TO_WORD, ALL),
    field("ingress_ifindex", 64, 4).read(UP_TO_WORD, ALL).since((5, 17)),
];

pub(super) static SK_MSG: Context =
    Context::new("sk_msg_md", &SK_MSG_FIELDS, ALL).packet(PacketUse::Write);
pub(super) static SK_REUSEPORT: Context =
    Context::new("sk_reuseport_md", &SK_REUSEPORT_FIELDS, ALL);
pub(super) static SK_LOOKUP: Context = Context::new("bpf_sk_lookup", &SK_LOOKUP_FIELDS, ALL);
