//! `struct bpf_sock_addr`: an address that a socket is about to use. Which parts of it there
//! are depends on the system call and on the address family: on the attach type.
//!
//! Described in `include/uapi/linux/bpf.h` at the struct; how the table came to be, in
//! `ctx/mod.rs`.
//!
//! Read before: `ctx/sock.rs`. Read next: `ctx/sock_ops.rs`.

use super::{
    ALL, ANY_SIZE, Column, Context, DOUBLE, Field, SOCK, UP_TO_WORD, WORD, WORD_OR_DOUBLE, field,
};
use ebpf_asm::prog_type::AttachType;

const INET4: Column = 1;
const INET6: Column = 2;
/// `sendmsg` of a UDP socket, which names its own address too.
const SENDMSG4: Column = 4;
const SENDMSG6: Column = 8;
const UNIX: Column = 16;

const IP4: Column = INET4 | SENDMSG4;
const IP6: Column = INET6 | SENDMSG6;

#[rustfmt::skip]
static FIELDS: [Field; 10] = [
    field("user_family", 0, 4).read(WORD, ALL),
    field("user_ip4", 4, 4).read(UP_TO_WORD, IP4).write(WORD, IP4),
    field("user_ip6", 8, 16).read(ANY_SIZE, IP6).write(WORD_OR_DOUBLE, IP6),
    field("user_port", 24, 4).read(UP_TO_WORD, ALL).write(WORD, ALL),
    field("family", 28, 4).read(WORD, ALL),
    field("type", 32, 4).read(WORD, ALL),
    field("protocol", 36, 4).read(WORD, ALL),
    field("msg_src_ip4", 40, 4).read(UP_TO_WORD, SENDMSG4).write(WORD, SENDMSG4).since((4, 18)),
    field("msg_src_ip6", 44, 16).read(ANY_SIZE, SENDMSG6).write(WORD_OR_DOUBLE, SENDMSG6).since((4, 18)),
    field("sk", 64, 8).read(DOUBLE, ALL).value(SOCK).since((5, 3)),
];

const fn sock_addr(column: Column) -> Context {
    Context::new("bpf_sock_addr", &FIELDS, column)
}

static SOCK_ADDR4: Context = sock_addr(INET4);
static SOCK_ADDR6: Context = sock_addr(INET6);
static SOCK_ADDR_SENDMSG4: Context = sock_addr(SENDMSG4);
static SOCK_ADDR_SENDMSG6: Context = sock_addr(SENDMSG6);
static SOCK_ADDR_UNIX: Context = sock_addr(UNIX);

pub(super) fn context(attach_type: AttachType) -> &'static Context {
    match attach_type {
        AttachType::CgroupUdp4Sendmsg => &SOCK_ADDR_SENDMSG4,
        AttachType::CgroupUdp6Sendmsg => &SOCK_ADDR_SENDMSG6,
        AttachType::CgroupInet6Bind
        | AttachType::CgroupInet6Connect
        | AttachType::CgroupUdp6Recvmsg
        | AttachType::CgroupInet6Getpeername
        | AttachType::CgroupInet6Getsockname => &SOCK_ADDR6,
        AttachType::CgroupUnixConnect
        | AttachType::CgroupUnixSendmsg
        | AttachType::CgroupUnixRecvmsg
        | AttachType::CgroupUnixGetpeername
        | AttachType::CgroupUnixGetsockname => &SOCK_ADDR_UNIX,
        _ => &SOCK_ADDR4,
    }
}
