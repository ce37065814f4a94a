//! A verifier and an interpreter for eBPF that run anywhere.
//!
//! [`verify()`] answers what a kernel will say to a program, and why; [`interp`] runs programs
//! on packets and other contexts. The verifier is an abstract interpreter in the kernel's own
//! terms. Its parts, in the order in which they are best read, which each says of its files:
//!
//! | part | what is there |
//! |---|---|
//! | `config.rs`, `codes.rs`, `diag.rs`, `warning.rs` | for whom a verdict is, and what a rejection or a warning says |
//! | `value/` | what is known of what a program holds: numbers, pointers, stacks, states |
//! | `types/` | what types say: the kernel's, those of maps' values, those of prototypes |
//! | `ctx/` | what programs of each type receive |
//! | `load/` | what the kernel asks before it looks at where execution goes |
//! | `flow/` | where execution can go, and what follows from that alone |
//! | `env.rs` | all that stays the same while a program is followed |
//! | `step/` | one instruction: arithmetic and jumps |
//! | `memory/` | loads and stores |
//! | `object/` | dynptrs, iterators, locks: objects of the kernel that a program holds |
//! | `call/` | calls of helpers and of the program's functions, and their ends |
//! | `kfunc/` | calls of the kernel's functions |
//! | `path/` | all paths: following, keeping, comparing them, going back over them |
//! | `verify.rs` | the question and the answer |
//! | `report/` | what is told, on the way and in the end, by us and by the kernel |
//! | `interp/` | the interpreter |
//!
//! In doubt the verifier refuses, with [`Code::NotModelled`].
#![forbid(unsafe_code)]

mod call;
mod codes;
mod config;
mod ctx;
mod diag;
mod env;
mod flow;
pub mod interp;
mod kfunc;
mod load;
mod memory;
mod object;
mod path;
mod report;
mod step;
mod types;
mod value;
mod verify;
mod warning;

pub use codes::{CODES, Code, Entry, Severity};
pub use config::{Alignment, Capabilities, Config, Invariants, NEWEST, StateFreq, UpperHalves};
pub use diag::{Cause, Place, Rejection, Step};
pub use kfunc::kernel_call;
pub use load::loadable::attach_types;
pub use load::map_create::least_sizes;
pub use load::since::{AttachSince, attached_since};
pub use load::taken::{check_freezable, check_types};
pub use load::used_maps::check_maps;
pub use path::explore::Stats;
pub use report::kernel_says::{KernelRefusal, without_reason};
pub use report::kernel_words::codes_of_words;
pub use report::log::KernelLog;
pub use report::render::{Decor, Quoted};
pub use report::snapshot::{EnteredBy, FrameSnapshot, Snapshot};
pub use report::watch::{Event, Touched, Watcher};
pub use types::kernel_types::{KernelTypes, Symbols, symbols_of};
pub use verify::{Verdict, verify, verify_until, verify_watched, verify_with};
pub use warning::Warning;
