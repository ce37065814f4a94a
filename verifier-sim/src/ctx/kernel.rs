//! Contexts that are no struct of the UAPI: netfilter's, and the argument of
//! `BPF_PROG_TEST_RUN` for `syscall` programs.
//!
//! Described in the kernel's `include/net/netfilter/nf_bpf_link.h` at `struct bpf_nf_ctx`, and in
//! `include/uapi/linux/bpf.h` at `BPF_PROG_TEST_RUN` (`ctx_in`); how the tables came to be, in
//! `ctx/mod.rs`.
//!
//! Read before: `ctx/trace.rs`. Read next: `ctx/arguments.rs`.

use super::{ALL, ANY_SIZE, Context, DOUBLE, Field, Value, field};

/// The largest argument of a `syscall` program, in bytes.
const ARGUMENT: i32 = 65535;

#[rustfmt::skip]
static NETFILTER_FIELDS: [Field; 2] = [
    field("state", 0, 8).read(DOUBLE, ALL).value(Value::Structure("nf_hook_state")),
    field("skb", 8, 8).read(DOUBLE, ALL).value(Value::Structure("sk_buff")),
];

static SYSCALL_FIELDS: [Field; 1] = [field("argument", 0, ARGUMENT)
    .read(ANY_SIZE, ALL)
    .write(ANY_SIZE, ALL)];

pub(super) static NETFILTER: Context = Context::new("bpf_nf_ctx", &NETFILTER_FIELDS, ALL);
pub(super) static SYSCALL: Context = Context::new("the argument", &SYSCALL_FIELDS, ALL);
/// What stands for arguments that BTF describes: [`ArgumentContext`](super::ArgumentContext).
pub(super) static ARGUMENTS: Context = Context::new("the arguments", &[], ALL);
