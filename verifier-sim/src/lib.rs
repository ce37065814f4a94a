//! A verifier and an interpreter for eBPF that run anywhere.
//!
//! [`verify()`] answers what a kernel will say to a program, and why; [`interp`] runs programs
//! on packets. The verifier is an abstract interpreter in the kernel's own terms. Its modules,
//! in the order in which they are best read:
//!
//! | what is known | [`tnum`], [`bounds`], [`scalar`], [`compare`], [`reg`], [`stack`], [`state`] |
//! |---|---|
//! | what is asked | [`config`], [`codes`], [`diag`], [`ctx`] |
//! | before execution | [`cfg`](mod@cfg), [`live`], [`env`](mod@env) |
//! | one instruction | `machine`, `alu`, `mem`, `region`, `packet_help`, `stack_access`, `branch`, `call`, `argument`, `compat` |
//! | all paths | `precision`, `prune`, `depth`, [`explore`], [`verify`](crate::verify()) |
//! | the answer as text | [`render`] |
//!
//! In doubt the verifier refuses, with [`Code::NotModelled`].
#![forbid(unsafe_code)]

mod alu;
mod argument;
pub mod bounds;
mod branch;
mod call;
pub mod cfg;
pub mod codes;
pub mod compare;
mod compat;
pub mod config;
pub mod ctx;
mod depth;
pub mod diag;
pub mod env;
pub mod explore;
pub mod interp;
pub mod live;
mod machine;
mod mem;
mod packet_help;
mod precision;
mod prune;
pub mod reg;
mod region;
pub mod render;
pub mod scalar;
pub mod stack;
mod stack_access;
pub mod state;
pub mod tnum;
mod verify;

pub use codes::Code;
pub use config::{Capabilities, Config};
pub use diag::Rejection;
pub use explore::Stats;
pub use render::Decor;
pub use verify::{Verdict, verify};
