//! `struct bpf_sock_ops`: what happens to a TCP connection.
//!
//! Described in `include/uapi/linux/bpf.h` at the struct and at `BPF_SOCK_OPS_*`; how the table came
//! to be, in `ctx/mod.rs`.
//!
//! Read before: `ctx/sock_addr.rs`. Read next: `ctx/cgroup.rs`.

use super::{
    ALL, Context, DOUBLE, Field, PACKET, PACKET_END, PacketUse, SOCK_OR_NULL, UP_TO_WORD, WORD,
    field,
};

#[rustfmt::skip]
static FIELDS: [Field; 42] = [
    field("op", 0, 4).read(WORD, ALL),
    // The first word of `args`, `reply` and `replylong`, and the others.
    field("reply", 4, 4).read(WORD, ALL).write(WORD, ALL),
    field("args", 8, 12).read(WORD, ALL),
    field("family", 20, 4).read(WORD, ALL),
    field("remote_ip4", 24, 4).read(WORD, ALL),
    field("local_ip4", 28, 4).read(WORD, ALL),
    field("remote_ip6", 32, 16).read(WORD, ALL),
    field("local_ip6", 48, 16).read(WORD, ALL),
    field("remote_port", 64, 4).read(WORD, ALL),
    field("local_port", 68, 4).read(WORD, ALL),
    field("is_fullsock", 72, 4).read(WORD, ALL).since((4, 16)),
    field("snd_cwnd", 76, 4).read(WORD, ALL).since((4, 16)),
    field("srtt_us", 80, 4).read(WORD, ALL).since((4, 16)),
    field("bpf_sock_ops_cb_flags", 84, 4).read(WORD, ALL).since((4, 16)),
    field("state", 88, 4).read(WORD, ALL).since((4, 16)),
    field("rtt_min", 92, 4).read(WORD, ALL).since((4, 16)),
    field("snd_ssthresh", 96, 4).read(WORD, ALL).since((4, 16)),
    field("rcv_nxt", 100, 4).read(WORD, ALL).since((4, 16)),
    field("snd_nxt", 104, 4).read(WORD, ALL).since((4, 16)),
    field("snd_una", 108, 4).read(WORD, ALL).since((4, 16)),
    field("mss_cache", 112, 4).read(WORD, ALL).since((4, 16)),
    field("ecn_flags", 116, 4).read(WORD, ALL).since((4, 16)),
    field("rate_delivered", 120, 4).read(WORD, ALL).since((4, 16)),
    field("rate_interval_us", 124, 4).read(WORD, ALL).since((4, 16)),
    field("packets_out", 128, 4).read(WORD, ALL).since((4, 16)),
    field("retrans_out", 132, 4).read(WORD, ALL).since((4, 16)),
    field("total_retrans", 136, 4).read(WORD, ALL).since((4, 16)),
    field("segs_in", 140, 4).read(WORD, ALL).since((4, 16)),
    field("data_segs_in", 144, 4).read(WORD, ALL).since((4, 16)),
    field("segs_out", 148, 4).read(WORD, ALL).since((4, 16)),
    field("data_segs_out", 152, 4).read(WORD, ALL).since((4, 16)),
    field("lost_out", 156, 4).read(WORD, ALL).since((4, 16)),
    field("sacked_out", 160, 4).read(WORD, ALL).since((4, 16)),
    field("sk_txhash", 164, 4).read(WORD, ALL).write(WORD, ALL).since((4, 16)),
    field("bytes_received", 168, 8).read(DOUBLE, ALL).since((4, 16)),
    field("bytes_acked", 176, 8).read(DOUBLE, ALL).since((4, 16)),
    field("sk", 184, 8).read(DOUBLE, ALL).value(SOCK_OR_NULL).since((5, 3)),
    field("skb_data", 192, 8).read(DOUBLE, ALL).value(PACKET).since((5, 10)),
    field("skb_data_end", 200, 8).read(DOUBLE, ALL).value(PACKET_END).since((5, 10)),
    field("skb_len", 208, 4).read(WORD, ALL).since((5, 10)),
    field("skb_tcp_flags", 212, 4).read_at_start(UP_TO_WORD, ALL).since((5, 10)),
    field("skb_hwtstamp", 216, 8).read(DOUBLE, ALL).since((6, 2)),
];

pub(super) static SOCK_OPS: Context =
    Context::new("bpf_sock_ops", &FIELDS, ALL).packet(PacketUse::Look);
