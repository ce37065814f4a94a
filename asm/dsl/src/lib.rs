//! The typed surface that eBPF program files are written in: it only records.
//!
//! A program file is an ordinary Rust file with a function `unit()`, which says what the file
//! declares. Nothing runs on packets here: each call is noted down, with the line it stands
//! on, and `ebpf-asm` makes bytecode of the notes.
//!
//! ```
//! use ebpf_dsl::prelude::*;
//!
//! pub fn unit() -> Unit {
//!     Unit::new("drop_icmp")
//!         .license("GPL")
//!         .xdp("xdp_drop_icmp", |f, ctx| {
//!             let eth = f.header::<ethhdr>(ctx.packet()).or_return(XDP_PASS);
//!             f.return_if(eth.h_proto().ne(ETH_P_IP), XDP_PASS);
//!             let ip = f.header::<iphdr>(eth.end()).or_return(XDP_PASS);
//!             f.return_if(ip.protocol().eq(IPPROTO_ICMP), XDP_DROP);
//!             XDP_PASS
//!         })
//! }
//!
//! assert!(unit().check().is_ok());
//! ```
//!
//! What the types rule out, since the verifier would: a packet read without its bounds check,
//! a map value used without its null check, a header used after the packet moved, a ring
//! buffer record that is neither submitted nor discarded. And what it would not notice: byte
//! orders mixed up. What they cannot, [`Unit::check`] tells with both lines: a value recorded
//! inside a branch and used outside it.
//!
//! # What to write
//!
//! | for | write |
//! |---|---|
//! | a header, or a verdict without it | `f.header::<ethhdr>(ctx.packet()).or_return(XDP_PASS)` |
//! | the header behind it | `f.header::<iphdr>(eth.end())` |
//! | what follows IPv4 options | `f.header::<tcphdr>(ip.payload())` |
//! | a header where there is one | `.then(\|f, tcp\| {` |
//! | a field, and a field written | `ip.ttl()`, `ip.set().ttl(64)` |
//! | equal, different, less, more | `.eq(64)`, `.ne(ETH_P_IP)`, `.lt(60)`, `.ge(1024)` |
//! | some bit set | `tcp.flags().has_any(TCP_FLAG_SYN)` |
//! | and, or, not | `ping & !near`, `short \| near` |
//! | network order compared with a constant, as it is | `tcp.dest().eq(443)` |
//! | network order to host order, and back | `tcp.dest().to_host()`, `port.to_be()` |
//! | a wider number | `ctx.len().to_u64()` |
//! | an IPv4 address | `Be32::from_bytes([10, 0, 0, 1])` |
//! | a MAC address | `eth.h_source().eq([2, 0, 0, 0, 0, 1])` |
//! | a return on a condition | `f.return_if(short, XDP_DROP)` |
//! | a branch | `f.if_(ping).then(\|f\| {`, `.else_(\|_\| high.set(2))` |
//! | a variable, set and read | `f.var::<u32>(0)`, `high.set(1)`, `high.get()` |
//! | a map | `unit.hash::<Be32, u64>("seen", 1024)` |
//! | its value, or a verdict without it | `f.lookup(total, 0).or_return(XDP_PASS)` |
//! | a value read, set, counted up | `total.get()`, `total.set(0)`, `seen.atomic_add(1)` |
//! | an update, a delete | `f.update(seen, source, 1, BPF_NOEXIST)`, `f.delete(seen, source)` |
//! | whether a helper failed | `.failed()` |
//! | a function of your own | `f.inlined(\|f\| is_far(f, ctx))` |
//!
//! Update flags are [`BPF_ANY`], [`BPF_NOEXIST`] and [`BPF_EXIST`]. Maps are declared by the
//! methods of [`Unit`], records in them by [`record!`](crate::record!), headers of your own by
//! [`header!`](crate::header!). All of the table in one program:
//!
//! ```
//! use ebpf_dsl::prelude::*;
//!
//! /// Whether the frame came in by another interface than the loopback.
//! fn is_far<'p>(_: &mut Scope<'p, u32>, ctx: &XdpContext<'p>) -> U32<'p> {
//!     ctx.ingress_ifindex().ne(1).to_u32()
//! }
//!
//! pub fn unit() -> Unit {
//!     let mut unit = Unit::new("reference").license("GPL");
//!     let seen = unit.hash::<Be32, u64>("seen", 1024);
//!     let total = unit.array::<u64>("total", 1);
//!     unit.xdp("xdp_reference", |f, ctx| {
//!         let eth = f.header::<ethhdr>(ctx.packet()).or_return(XDP_PASS);
//!         f.return_if(eth.h_proto().ne(ETH_P_IP), XDP_PASS);
//!         f.return_if(eth.h_source().eq([2, 0, 0, 0, 0, 1]), XDP_DROP);
//!         let ip = f.header::<iphdr>(eth.end()).or_return(XDP_PASS);
//!         let source = ip.saddr();
//!
//!         let short = ctx.len().lt(60);
//!         f.return_if(short, XDP_DROP);
//!         let near = source.eq(Be32::from_bytes([10, 0, 0, 1]));
//!         f.return_if(short | near, XDP_PASS);
//!         let ping = ip.protocol().eq(IPPROTO_ICMP);
//!         f.return_if(ping & !near, XDP_DROP);
//!
//!         let high = f.var::<u32>(0);
//!         f.header::<tcphdr>(ip.payload()).then(|f, tcp| {
//!             f.return_if(tcp.flags().has_any(TCP_FLAG_SYN), XDP_DROP);
//!             f.return_if(tcp.dest().eq(443), XDP_PASS);
//!             let port = tcp.dest().to_host();
//!             f.if_(port.ge(1024)).then(|_| high.set(1));
//!             tcp.set().source(port.to_be());
//!         });
//!         f.if_(ping).then(|f| {
//!             f.return_if(ip.ttl().eq(64), XDP_DROP);
//!             ip.set().ttl(64);
//!         }).else_(|_| high.set(2));
//!         f.return_if(high.get().eq(1), XDP_DROP);
//!
//!         let far = f.inlined(|f| is_far(f, ctx));
//!         f.return_if(far.eq(0), XDP_PASS);
//!         f.lookup(seen, source)
//!             .then(|_, seen| seen.atomic_add(1))
//!             .else_(|f| {
//!                 let full = f.update(seen, source, 1, BPF_NOEXIST).failed();
//!                 f.return_if(full, XDP_ABORTED);
//!             });
//!         let total = f.lookup(total, 0).or_return(XDP_PASS);
//!         total.add(ctx.len().to_u64());
//!         f.if_(total.get().gt(1_000_000)).then(|f| {
//!             total.set(0);
//!             f.delete(seen, source);
//!         });
//!         XDP_PASS
//!     })
//! }
//!
//! assert_eq!(unit().check(), Ok(()));
//! ```
//!
//! # What to write about the kernel
//!
//! Programs on raw tracepoints get pointers into the kernel's own memory. Its structures differ
//! from build to build; so a program names the fields that it needs, and where they are is asked
//! of the kernel that it is loaded into (CO-RE). What cannot be read is zero.
//!
//! | for | write |
//! |---|---|
//! | a program on a tracepoint | `.raw_tracepoint("watch", "sched_switch", \|f, ctx\| {` |
//! | the tracepoint's argument: a number, a pointer | `ctx.arg::<u32>(0)`, `ctx.arg::<*const task_struct>(1)` |
//! | the current thread, its numbers, its name | `f.get_current_task::<task_struct>()`, `f.get_current_pid_tgid()`, `f.get_current_comm()` |
//! | a field, also behind pointers and in structs | `task.tgid()`, `task.real_parent().comm()`, `task.se().vruntime()` |
//! | whether a pointer is null | `KernelPtr::is_null(task.mm())` |
//! | a pointer as a number, and back | `KernelPtr::address(task)`, `KernelPtr::from_address(address)` |
//! | another type at the same place | `KernelPtr::cast::<task_struct___old>(task)` |
//! | a copy of memory, and whether it failed | `f.probe_read_kernel(&copy, task).failed()` |
//! | whether the kernel has a field, a type, an enumerator | `f.core_field_exists::<task_struct>().__state()`, `f.core_type_exists::<sched_entity>()`, `f.core_enum_value_exists(pid_type::PIDTYPE_SID)` |
//! | the value of an enumerator | `f.core_enum_value(pid_type::PIDTYPE_SID)` |
//! | the size of a type, of a field, where a field is | `f.core_type_size::<task_struct>()`, `f.core_field_size::<task_struct>().comm()`, `f.core_field_offset::<task_struct>().se()` |
//!
//! Structs and enums of the kernel are declared by [`kernel_struct!`](crate::kernel_struct!) and
//! [`kernel_enum!`](crate::kernel_enum!), which say what fields can be.
//!
//! ```
//! use ebpf_dsl::prelude::*;
//!
//! kernel_struct! {
//!     /// A thread.
//!     pub struct task_struct {
//!         __state: u32,
//!         tgid: i32,
//!         comm: [u8; 16],
//!         real_parent: *const task_struct,
//!         mm: *const u8,
//!         se: sched_entity,
//!         sched_reset_on_fork: Bitfield<u32>,
//!     }
//! }
//!
//! kernel_struct! {
//!     /// What of a thread is scheduled.
//!     pub struct sched_entity { vruntime: u64 }
//! }
//!
//! kernel_struct! {
//!     /// A thread, before Linux 5.14.
//!     pub struct task_struct___old { state: i64 }
//! }
//!
//! kernel_enum! {
//!     /// What a number names.
//!     pub enum pid_type { PIDTYPE_SID }
//! }
//!
//! record! {
//!     /// A thread that was switched away from.
//!     pub struct Thread {
//!         pub vruntime: u64,
//!         pub state: u64,
//!         pub parent: [u8; 16],
//!         pub current: [u8; 16],
//!     }
//! }
//!
//! pub fn unit() -> Unit {
//!     let mut unit = Unit::new("threads").license("GPL");
//!     let threads = unit.hash::<u32, Thread>("threads", 1024);
//!     let facts = unit.array::<u64>("facts", 4);
//!     unit.raw_tracepoint("watch", "sched_switch", |f, ctx| {
//!         let preempted = ctx.arg::<u32>(0);
//!         let task = ctx.arg::<*const task_struct>(1);
//!         f.return_if(preempted.eq(1) | KernelPtr::is_null(task.mm()), ());
//!         let seen = f.local::<Thread>();
//!         seen.fields().vruntime().set(task.se().vruntime());
//!         seen.fields().parent().set(task.real_parent().comm());
//!         seen.fields().current().set(f.get_current_comm());
//!         f.if_(f.core_field_exists::<task_struct>().__state())
//!             .then(|_| seen.fields().state().set(task.__state().to_u64()))
//!             .else_(|_| {
//!                 let old = KernelPtr::cast::<task_struct___old>(task);
//!                 seen.fields().state().set(old.state());
//!             });
//!         f.update(threads, task.tgid(), &seen, BPF_ANY);
//!
//!         let current = f.get_current_task::<task_struct>();
//!         let is_ours = f.get_current_pid_tgid().tgid().eq(current.tgid());
//!         f.return_if(!is_ours | current.sched_reset_on_fork().eq(1), ());
//!         let copy = f.local::<[u8; 64]>();
//!         f.return_if(f.probe_read_kernel(&copy, task).failed(), ());
//!         let address = KernelPtr::address(task);
//!         let address = address + f.core_field_offset::<task_struct>().se();
//!         let entity: KernelPtr<sched_entity> = KernelPtr::from_address(address);
//!         f.return_if(entity.vruntime().eq(0), ());
//!
//!         f.return_if(!f.core_type_exists::<sched_entity>(), ());
//!         f.return_if(!f.core_enum_value_exists(pid_type::PIDTYPE_SID), ());
//!         for (key, fact) in (0..).zip([
//!             f.core_enum_value(pid_type::PIDTYPE_SID),
//!             f.core_type_size::<task_struct>(),
//!             f.core_field_size::<task_struct>().comm(),
//!         ]) {
//!             f.lookup(facts, key).then(|_, place| place.set(fact));
//!         }
//!     })
//! }
//!
//! assert_eq!(unit().check(), Ok(()));
//! ```
//!
//! # What does not compile
//!
//! A number in network order with a recorded one in host order: what was forgotten is
//! `.to_host()`. A host constant is fine, it is swapped when the program is built.
//!
//! ```compile_fail,E0277
//! # use ebpf_dsl::prelude::*;
//! # let _ = Unit::new("mixed").xdp("mixed", |f, ctx| {
//! # let udp = f.header::<udphdr>(ctx.packet()).or_return(XDP_PASS);
//! f.return_if(udp.dest().eq(udp.source().to_host()), XDP_DROP);
//! # XDP_PASS });
//! ```
//!
//! Comparing with `==` or `<`: the compiler names the methods.
//!
//! A header or a map's value without its check. Of the headers here and of numbers in maps the
//! compiler says what is missing: `.or_return(...)` or `.then(...)`; of others, that it finds no
//! such method in a [`NeedsBoundsCheck`] or a [`NeedsNullCheck`].
//!
//! ```compile_fail,E0277
//! # use ebpf_dsl::prelude::*;
//! # let _ = Unit::new("unchecked").xdp("unchecked", |f, ctx| {
//! let eth = f.header::<ethhdr>(ctx.packet());
//! f.return_if(eth.h_proto().eq(ETH_P_IP), XDP_DROP);
//! # XDP_PASS });
//! ```
//!
//! # What compiles, and is wrong
//!
//! `udp.dest().eq(53u16.to_be())`: a constant is in host order, and swapped when the program is
//! built. One that was swapped before is swapped back, and nobody can tell it from another
//! number: on little-endian machines that is a comparison with 13568. Write `udp.dest().eq(53)`.
//!
//! # Reading order
//!
//! `recording/mod.rs` (the notes), `recorder.rs` (how they are taken), `value.rs`
//! and `scope.rs` (the surface), `packet.rs`, `map.rs` and `ring.rs` (what needs a check),
//! `unchecked.rs` (what the compiler says without it), `kernel_struct.rs`, `kernel_ptr.rs` and `core_relo.rs` (what is the kernel's own).
#![forbid(unsafe_code)]

mod action;
mod address;
mod arithmetic;
mod check;
mod check_ops;
mod compare;
mod context;
mod core_relo;
mod current;
mod emit;
mod header;
pub mod headers;
mod kernel_ptr;
mod kernel_struct;
mod listing;
mod map;
mod order;
mod own_file;
mod packet;
mod place;
mod raw_tracepoint;
mod record;
mod recorder;
pub mod recording;
mod returns;
mod ring;
mod scope;
#[cfg(feature = "sources")]
mod sources;
mod stack;
mod unchecked;
mod unit;
mod value;
mod var;
mod wire;

pub use action::{Action, XDP_ABORTED, XDP_ACTIONS, XDP_DROP, XDP_PASS, XDP_REDIRECT, XDP_TX};
pub use address::{Address, Bytes, Field, Write};
pub use check::{MAX_DEPTH, Place as SourcePlace, RecordError};
pub use compare::{Ordered, WithOperators};
pub use context::XdpContext;
pub use core_relo::{CorePlace, FieldExists, FieldOffset, FieldQuestion, FieldSize};
pub use current::PidTgid;
pub use emit::{UNIT_PATH, emit};
pub use kernel_ptr::{
    Bitfield, KernelAddress, KernelField, KernelNumber, KernelPtr, KernelStruct, PointedTo,
};
pub use kernel_struct::{KernelEnum, OfKernel};
pub use map::{
    BPF_ANY, BPF_EXIST, BPF_NOEXIST, InMemory, Map, NeedsNullCheck, Outcome, UpdateFlag,
};
pub use order::{Be16, Be32};
pub use packet::{Cursor, Header, NeedsBoundsCheck};
pub use place::Place;
pub use raw_tracepoint::{RawTracepointContext, TracepointArg};
pub use record::Data;
pub use recorder::Rec;
pub use returns::{RawTracepoint, RecordIsOpen, ReturnType, Returns, Xdp};
pub use ring::{RingRecord, Ringbuf, SubmittedOrDiscarded};
pub use scope::{If, Scope, Then};
#[cfg(feature = "sources")]
pub use sources::SOURCES;
pub use stack::Local;
pub use unit::Unit;
pub use value::{Cond, Operand, Scalar, U8, U16, U32, U64, Value};
pub use var::Var;
pub use wire::{WIRE_VERSION, WireError};

/// What a program file imports.
pub mod prelude {
    pub use std::process::ExitCode;

    pub use crate::action::{
        Action, XDP_ABORTED, XDP_ACTIONS, XDP_DROP, XDP_PASS, XDP_REDIRECT, XDP_TX,
    };
    pub use crate::context::XdpContext;
    pub use crate::emit::emit;
    pub use crate::headers::*;
    pub use crate::kernel_ptr::{Bitfield, KernelPtr};
    pub use crate::map::{BPF_ANY, BPF_EXIST, BPF_NOEXIST, Map, UpdateFlag};
    pub use crate::order::{Be16, Be32};
    pub use crate::packet::Cursor;
    pub use crate::raw_tracepoint::RawTracepointContext;
    pub use crate::record::Data;
    pub use crate::returns::{RawTracepoint, Xdp};
    pub use crate::ring::Ringbuf;
    pub use crate::scope::Scope;
    pub use crate::unit::Unit;
    pub use crate::value::{Cond, Operand, U8, U16, U32, U64, Value};
    pub use crate::{header, kernel_enum, kernel_struct, record, unit};
}

/// What the macros expand to; no promise is made about it.
#[doc(hidden)]
pub mod private {
    pub use crate::address::{Address, Field, Write};
    pub use crate::core_relo::{CorePlace, FieldQuestion};
    pub use crate::kernel_ptr::{KernelAddress, KernelField, KernelPtr, KernelStruct, PointedTo};
    pub use crate::kernel_struct::{KernelEnum, OfKernel};
    pub use crate::own_file::own_file;
    pub use crate::packet::{Cursor, Header};
    pub use crate::record::Data;
    pub use crate::recording::{
        DataType, KernelMember, KernelType, MemberType, Pointee, StructType,
    };
}
