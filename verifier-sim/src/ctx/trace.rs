//! Contexts of programs at events of the kernel: registers, records of tracepoints, arguments.
//!
//! Described in the kernel's `Documentation/trace/kprobes.rst` and `events.rst`, and in
//! `include/uapi/linux/bpf_perf_event.h`; how the tables came to be, in `ctx/mod.rs`.
//!
//! Read before: `ctx/cgroup.rs`. Read next: `ctx/kernel.rs`.

use super::{ALL, ANY_SIZE, Context, DOUBLE, Field, UP_TO_WORD, Value, field};
use crate::value::reg::Kind;

/// The size of `bpf_user_pt_regs_t` on x86-64 in bytes, where this was observed.
const PT_REGS: i32 = 168;

/// Eight bytes for each of up to 12 arguments.
const RAW_ARGUMENTS: i32 = 12 * 8;

/// How long a tracepoint's record may be at most, in bytes.
const RECORD: i32 = 8192;

/// The part of a record that all tracepoints share and programs may not read, in bytes.
const HIDDEN: i32 = 8;

static PT_REGS_FIELDS: [Field; 1] = [field("regs", 0, PT_REGS).read(ANY_SIZE, ALL)];

/// Offsets are compared with the end of the record only; what is before it is refused when the
/// program is attached.
#[rustfmt::skip]
static RECORD_FIELDS: [Field; 2] = [
    field("before the record", i16::MIN as i32, 32768).read(ANY_SIZE, ALL),
    field("the tracepoint's own fields", HIDDEN, RECORD - HIDDEN).read(ANY_SIZE, ALL),
];

#[rustfmt::skip]
static PERF_EVENT_FIELDS: [Field; 3] = [
    field("regs", 0, PT_REGS).read(DOUBLE, ALL),
    field("sample_period", 168, 8).read(ANY_SIZE, ALL),
    field("addr", 176, 8).read(ANY_SIZE, ALL).since((4, 17)),
];

static RAW_TRACEPOINT_FIELDS: [Field; 1] = [field("args", 0, RAW_ARGUMENTS).read(ANY_SIZE, ALL)];

/// The first argument is a buffer. Parts of the pointer are numbers, but not its first part.
#[rustfmt::skip]
static RAW_TRACEPOINT_WRITABLE_FIELDS: [Field; 3] = [
    field("args[0]", 0, 8).read(DOUBLE, ALL).value(Value::Pointer(Kind::TpBuffer)),
    field("args[0]", 1, 7).read(UP_TO_WORD, ALL),
    field("args", 8, RAW_ARGUMENTS - 8).read(ANY_SIZE, ALL),
];

pub(super) static KPROBE: Context = Context::new("pt_regs", &PT_REGS_FIELDS, ALL);
pub(super) static TRACEPOINT: Context =
    Context::new("the tracepoint's record", &RECORD_FIELDS, ALL);
pub(super) static PERF_EVENT: Context =
    Context::new("bpf_perf_event_data", &PERF_EVENT_FIELDS, ALL);
pub(super) static RAW_TRACEPOINT: Context =
    Context::new("bpf_raw_tracepoint_args", &RAW_TRACEPOINT_FIELDS, ALL);
pub(super) static RAW_TRACEPOINT_WRITABLE: Context = Context::new(
    "bpf_raw_tracepoint_args",
    &RAW_TRACEPOINT_WRITABLE_FIELDS,
    ALL,
);
