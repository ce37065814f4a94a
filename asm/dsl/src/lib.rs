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
//! A header or a map's value without its check: the compiler finds no such method in a
//! [`NeedsBoundsCheck`] or a [`NeedsNullCheck`]. Rust lets no library add to that message;
//! what is missing is `.or_return(...)` or `.then(...)`.
//!
//! ```compile_fail,E0599
//! # use ebpf_dsl::prelude::*;
//! # let _ = Unit::new("unchecked").xdp("unchecked", |f, ctx| {
//! let eth = f.header::<ethhdr>(ctx.packet());
//! f.return_if(eth.h_proto().eq(ETH_P_IP), XDP_DROP);
//! # XDP_PASS });
//! ```
//!
//! # Reading order
//!
//! `recording.rs` (the notes), `recorder.rs` (how they are taken), `value.rs`
//! and `scope.rs` (the surface), `packet.rs`, `map.rs` and `ring.rs` (what needs a check).
#![forbid(unsafe_code)]

mod action;
mod address;
mod arithmetic;
mod check;
mod check_ops;
mod compare;
mod context;
mod emit;
mod header;
pub mod headers;
mod listing;
mod map;
mod order;
mod own_file;
mod packet;
mod place;
mod record;
mod recorder;
pub mod recording;
mod returns;
mod ring;
mod scope;
#[cfg(feature = "sources")]
mod sources;
mod stack;
mod unit;
mod value;
mod var;
mod wire;

pub use action::{Action, XDP_ABORTED, XDP_ACTIONS, XDP_DROP, XDP_PASS, XDP_REDIRECT, XDP_TX};
pub use address::{Address, Bytes, Field, Write};
pub use check::{MAX_DEPTH, Place as SourcePlace, RecordError};
pub use compare::{Ordered, WithOperators};
pub use context::XdpContext;
pub use emit::{UNIT_PATH, emit};
pub use map::{
    BPF_ANY, BPF_EXIST, BPF_NOEXIST, InMemory, Map, NeedsNullCheck, Outcome, UpdateFlag,
};
pub use order::{Be16, Be32};
pub use packet::{Cursor, Header, NeedsBoundsCheck};
pub use place::Place;
pub use record::Data;
pub use recorder::Rec;
pub use returns::{RecordIsOpen, ReturnType, Returns, Xdp};
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
    pub use crate::map::{BPF_ANY, BPF_EXIST, BPF_NOEXIST, Map, UpdateFlag};
    pub use crate::order::{Be16, Be32};
    pub use crate::packet::Cursor;
    pub use crate::record::Data;
    pub use crate::returns::Xdp;
    pub use crate::ring::Ringbuf;
    pub use crate::scope::Scope;
    pub use crate::unit::Unit;
    pub use crate::value::{Cond, Operand, U8, U16, U32, U64, Value};
    pub use crate::{header, record, unit};
}

/// What the macros expand to; no promise is made about it.
#[doc(hidden)]
pub mod private {
    pub use crate::address::{Address, Field, Write};
    pub use crate::own_file::own_file;
    pub use crate::packet::{Cursor, Header};
    pub use crate::record::Data;
    pub use crate::recording::{DataType, StructType};
}
