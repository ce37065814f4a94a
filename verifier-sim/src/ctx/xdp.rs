//! `struct xdp_md`: a packet as the driver has it, before the kernel does.
//!
//! Described in `include/uapi/linux/bpf.h` at the struct; how the table came to be, in
//! `ctx/mod.rs`.
//!
//! Read before: `ctx/mod.rs`. Read next: `ctx/skb.rs`.

use super::{ALL, Column, Context, Field, PACKET, PACKET_END, PACKET_META, PacketUse, WORD, field};
use ebpf_asm::prog_type::AttachType;

const ANYWHERE: Column = 1;
/// Only programs on a device map know the interface that the packet leaves by.
const DEVMAP: Column = 2;

#[rustfmt::skip]
static FIELDS: [Field; 6] = [
    field("data", 0, 4).read(WORD, ALL).value(PACKET),
    field("data_end", 4, 4).read(WORD, ALL).value(PACKET_END),
    field("data_meta", 8, 4).read(WORD, ALL).value(PACKET_META).since((4, 15)),
    field("ingress_ifindex", 12, 4).read(WORD, ALL).since((4, 16)),
    field("rx_queue_index", 16, 4).read(WORD, ALL).since((4, 16)),
    field("egress_ifindex", 20, 4).read(WORD, DEVMAP).since((5, 8)),
];

static XDP: Context = Context::new("xdp_md", &FIELDS, ANYWHERE).packet(PacketUse::Write);
static XDP_DEVMAP: Context = Context::new("xdp_md", &FIELDS, DEVMAP).packet(PacketUse::Write);

pub(super) fn context(attach_type: AttachType) -> &'static Context {
    match attach_type {
        AttachType::XdpDevmap => &XDP_DEVMAP,
        _ => &XDP,
    }
}
