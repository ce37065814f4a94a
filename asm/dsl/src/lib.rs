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
//! Reading order: `recording.rs` (the notes), `recorder.rs` (how they are taken), `value.rs`
//! and `scope.rs` (the surface), `packet.rs`, `map.rs` and `ring.rs` (what needs a check).
#![forbid(unsafe_code)]

mod action;
mod address;
mod arithmetic;
mod check;
mod check_ops;
mod context;
mod emit;
mod header;
pub mod headers;
mod listing;
mod map;
mod order;
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
pub use context::XdpContext;
pub use emit::{UNIT_PATH, emit};
pub use map::{InMemory, Map, NeedsNullCheck, Outcome, UpdateFlag};
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
    pub use crate::map::{Map, UpdateFlag};
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
    pub use crate::packet::{Cursor, Header};
    pub use crate::record::Data;
    pub use crate::recording::{DataType, StructType};
    pub use crate::unit::ends_with;
}
