//! `struct bpf_sock`: as the context of programs that see a socket being made, bound or
//! released, and behind the pointers to sockets that other programs meet; and the structs
//! of other such pointers.
//!
//! Described in `include/uapi/linux/bpf.h` at the structs, and in bpf-helpers(7), `bpf_sk_fullsock`
//! and `bpf_tcp_sock`; how the tables came to be, in `ctx/mod.rs`.
//!
//! Read before: `ctx/socket.rs`. Read next: `ctx/sock_addr.rs`.

use super::{ALL, Column, Context, DOUBLE, Field, UP_TO_WORD, WORD, field};
use crate::value::reg::SockType;
use ebpf_asm::prog_type::AttachType;

/// When a socket is made or released.
const CREATE: Column = 1;
/// When it has been bound to an IPv4 address.
const POST_BIND4: Column = 2;
/// When it has been bound to an IPv6 address.
const POST_BIND6: Column = 4;
/// A pointer to a full socket.
const FULL: Column = 8;
/// A pointer to what all kinds of sockets have.
const COMMON: Column = 16;

const POST_BIND: Column = POST_BIND4 | POST_BIND6;
const POINTER: Column = FULL | COMMON;
const WHOLE: Column = ALL & !COMMON;

#[rustfmt::skip]
static BPF_SOCK: [Field; 14] = [
    field("bound_dev_if", 0, 4).read(WORD, CREATE | POINTER).write(WORD, CREATE),
    field("family", 4, 4).read_at_start(UP_TO_WORD, ALL),
    field("type", 8, 4).read_at_start(UP_TO_WORD, WHOLE),
    field("protocol", 12, 4).read_at_start(UP_TO_WORD, WHOLE),
    field("mark", 16, 4).read(WORD, CREATE | FULL).write(WORD, CREATE).since((4, 14)),
    field("priority", 20, 4).read(WORD, CREATE | FULL).write(WORD, CREATE).since((4, 14)),
    field("src_ip4", 24, 4).read(UP_TO_WORD, POST_BIND4 | POINTER).since((4, 17)),
    field("src_ip6", 28, 16).read(UP_TO_WORD, POST_BIND6 | POINTER).since((4, 17)),
    field("src_port", 44, 4).read_at_start(UP_TO_WORD, POST_BIND | POINTER).since((4, 17)),
    // Two bytes and padding, which a whole word may read as well.
    field("dst_port", 48, 4).read_within(2, UP_TO_WORD, ALL).since((5, 1)),
    field("dst_ip4", 52, 4).read(UP_TO_WORD, ALL).since((5, 1)),
    field("dst_ip6", 56, 16).read(UP_TO_WORD, ALL).since((5, 1)),
    field("state", 72, 4).read_at_start(UP_TO_WORD, ALL).since((5, 1)),
    field("rx_queue_mapping", 76, 4).read_at_start(UP_TO_WORD, ALL).since((5, 11)),
];

#[rustfmt::skip]
static BPF_TCP_SOCK: [Field; 26] = [
    field("snd_cwnd", 0, 4).read(WORD, ALL),
    field("srtt_us", 4, 4).read(WORD, ALL),
    field("rtt_min", 8, 4).read(WORD, ALL),
    field("snd_ssthresh", 12, 4).read(WORD, ALL),
    field("rcv_nxt", 16, 4).read(WORD, ALL),
    field("snd_nxt", 20, 4).read(WORD, ALL),
    field("snd_una", 24, 4).read(WORD, ALL),
    field("mss_cache", 28, 4).read(WORD, ALL),
    field("ecn_flags", 32, 4).read(WORD, ALL),
    field("rate_delivered", 36, 4).read(WORD, ALL),
    field("rate_interval_us", 40, 4).read(WORD, ALL),
    field("packets_out", 44, 4).read(WORD, ALL),
    field("retrans_out", 48, 4).read(WORD, ALL),
    field("total_retrans", 52, 4).read(WORD, ALL),
    field("segs_in", 56, 4).read(WORD, ALL),
    field("data_segs_in", 60, 4).read(WORD, ALL),
    field("segs_out", 64, 4).read(WORD, ALL),
    field("data_segs_out", 68, 4).read(WORD, ALL),
    field("lost_out", 72, 4).read(WORD, ALL),
    field("sacked_out", 76, 4).read(WORD, ALL),
    field("bytes_received", 80, 8).read(DOUBLE, ALL),
    field("bytes_acked", 88, 8).read(DOUBLE, ALL),
    field("dsack_dups", 96, 4).read(WORD, ALL).since((5, 3)),
    field("delivered", 100, 4).read(WORD, ALL).since((5, 3)),
    field("delivered_ce", 104, 4).read(WORD, ALL).since((5, 3)),
    field("icsk_retransmits", 108, 4).read(WORD, ALL).since((5, 3)),
];

static BPF_XDP_SOCK: [Field; 1] = [field("queue_id", 0, 4).read(WORD, ALL)];

static SOCK_CREATE: Context = Context::new("bpf_sock", &BPF_SOCK, CREATE);
static SOCK_POST_BIND4: Context = Context::new("bpf_sock", &BPF_SOCK, POST_BIND4);
static SOCK_POST_BIND6: Context = Context::new("bpf_sock", &BPF_SOCK, POST_BIND6);
static SOCK: Context = Context::new("bpf_sock", &BPF_SOCK, FULL);
static SOCK_COMMON: Context = Context::new("bpf_sock", &BPF_SOCK, COMMON);
static TCP_SOCK: Context = Context::new("bpf_tcp_sock", &BPF_TCP_SOCK, ALL);
static XDP_SOCK: Context = Context::new("bpf_xdp_sock", &BPF_XDP_SOCK, ALL);

pub(super) fn context(attach_type: AttachType) -> &'static Context {
    match attach_type {
        AttachType::CgroupInet4PostBind => &SOCK_POST_BIND4,
        AttachType::CgroupInet6PostBind => &SOCK_POST_BIND6,
        _ => &SOCK_CREATE,
    }
}

/// What can be read through a pointer to a socket.
pub(crate) fn behind(sock: SockType) -> &'static Context {
    match sock {
        SockType::Sock => &SOCK,
        SockType::Common => &SOCK_COMMON,
        SockType::Tcp => &TCP_SOCK,
        SockType::Xdp => &XDP_SOCK,
    }
}
