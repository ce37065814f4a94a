//! Contexts of control groups: `struct bpf_cgroup_dev_ctx`, `struct bpf_sysctl`,
//! `struct bpf_sockopt`.
//!
//! Described in the kernel's `Documentation/admin-guide/cgroup-v2.rst` ("Device controller"),
//! `Documentation/bpf/prog_cgroup_sysctl.rst` and `prog_cgroup_sockopt.rst`; how the tables came to
//! be, in `ctx/mod.rs`.
//!
//! Read before: `ctx/sock_ops.rs`. Read next: `ctx/trace.rs`.

use super::{
    ALL, Column, Context, DOUBLE, Field, PACKET, PACKET_END, PacketUse, SOCK, UP_TO_WORD, WORD,
    field,
};
use ebpf_asm::prog_type::AttachType;

#[rustfmt::skip]
static DEVICE_FIELDS: [Field; 3] = [
    field("access_type", 0, 4).read(UP_TO_WORD, ALL),
    field("major", 4, 4).read(WORD, ALL),
    field("minor", 8, 4).read(WORD, ALL),
];

#[rustfmt::skip]
static SYSCTL_FIELDS: [Field; 2] = [
    field("write", 0, 4).read(UP_TO_WORD, ALL),
    field("file_pos", 4, 4).read(UP_TO_WORD, ALL).write(WORD, ALL),
];

/// Before an option is set.
const SET: Column = 1;
/// After an option was got.
const GET: Column = 2;

#[rustfmt::skip]
static SOCKOPT_FIELDS: [Field; 7] = [
    field("sk", 0, 8).read(DOUBLE, ALL).value(SOCK),
    field("optval", 8, 8).read(DOUBLE, ALL).value(PACKET),
    field("optval_end", 16, 8).read(DOUBLE, ALL).value(PACKET_END),
    field("level", 24, 4).read(WORD, ALL).write(WORD, SET),
    field("optname", 28, 4).read(WORD, ALL).write(WORD, SET),
    field("optlen", 32, 4).read(WORD, ALL).write(WORD, ALL),
    field("retval", 36, 4).read(WORD, GET).write(WORD, GET),
];

const fn bpf_sockopt(column: Column) -> Context {
    Context::new("bpf_sockopt", &SOCKOPT_FIELDS, column).packet(PacketUse::Buffer)
}

pub(super) static DEVICE: Context = Context::new("bpf_cgroup_dev_ctx", &DEVICE_FIELDS, ALL);
pub(super) static SYSCTL: Context = Context::new("bpf_sysctl", &SYSCTL_FIELDS, ALL);
static SETSOCKOPT: Context = bpf_sockopt(SET);
static GETSOCKOPT: Context = bpf_sockopt(GET);

pub(super) fn sockopt(attach_type: AttachType) -> &'static Context {
    match attach_type {
        AttachType::CgroupGetsockopt => &GETSOCKOPT,
        _ => &SETSOCKOPT,
    }
}
