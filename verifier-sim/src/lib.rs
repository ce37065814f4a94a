//! A verifier and an interpreter for eBPF that run anywhere.
//!
//! [`verify()`] answers what a kernel will say to a program, and why; [`interp`] runs programs
//! on packets and other contexts. The verifier is an abstract interpreter in the kernel's own
//! terms. Its modules, in the order in which they are best read:
//!
//! | what is known | `tnum`, `bounds`, `scalar`, `scalar_alu`, `compare`, `kernel_types`, `kernel_call`, `btf_ptr`, `special`, `special_table`, `special_search`, `residue`, `reg`, `held`, `bytes`, `stack`, `sections`, `state` |
//! |---|---|
//! | what is asked | `config`, `codes`, `diag`, `ctx` |
//! | before execution | `since`, `instead`, `loadable`, `cfg`, `edges`, `components`, `stops`, `func_info`, `context_param`, `namesake`, `prototype`, `exception`, `highest_first`, `live`, `map_create`, `map_types`, `taken`, `used_maps`, `env` |
//! | one instruction | `machine`, `alu`, `pointer_alu`, `mem`, `region`, `structure`, `kernel_symbol`, `btf_walk`, `btf_access`, `structure_write`, `map_structure`, `arena`, `packet_help`, `number_help`, `kptr`, `lock`, `stack_access`, `stack_object`, `dynptr`, `iterator`, `irq_flag`, `branch`, `branch_packet`, `callable`, `call`, `argument`, `callback`, `later`, `format`, `single_helper`, `result`, `kfunc`, `compat`, `returns`, `global`, `tail_call` |
//! | all paths | `live_stack`, `history`, `notes`, `precision`, `prune`, `rounds`, `visits`, `tree`, `checkpoints`, `fastcall`, `depth`, `reach`, `ways`, `given_back`, `explore`, `verify` |
//! | what happens on the way | `snapshot`, `watch`, `log` |
//! | the answer as text | `render` |
//! | what the kernel answered | `kernel_words`, `kernel_says` |
//!
//! In doubt the verifier refuses, with [`Code::NotModelled`].
#![forbid(unsafe_code)]

mod alu;
mod arena;
mod argument;
mod bounds;
mod branch;
mod branch_packet;
mod btf_access;
mod btf_ptr;
mod btf_walk;
mod bytes;
mod call;
mod callable;
mod callback;
mod cfg;
mod checkpoints;
mod codes;
mod compare;
mod compat;
mod components;
mod config;
mod context_param;
mod ctx;
mod depth;
mod diag;
mod dynptr;
mod edges;
mod env;
mod exception;
mod explore;
mod fastcall;
mod format;
mod func_info;
mod given_back;
mod global;
mod held;
mod highest_first;
mod history;
mod instead;
pub mod interp;
mod irq_flag;
mod iterator;
mod kernel_call;
mod kernel_says;
mod kernel_symbol;
mod kernel_types;
mod kernel_words;
mod kfunc;
mod kptr;
mod later;
mod live;
mod live_stack;
mod loadable;
mod lock;
mod log;
mod machine;
mod map_create;
mod map_structure;
mod map_types;
mod mem;
mod namesake;
mod notes;
mod number_help;
mod packet_help;
mod pointer_alu;
mod precision;
mod prototype;
mod prune;
mod reach;
mod reg;
mod region;
mod render;
mod residue;
mod result;
mod returns;
mod rounds;
mod scalar;
mod scalar_alu;
mod sections;
mod since;
mod single_helper;
mod snapshot;
mod special;
mod special_search;
mod special_table;
mod speculation;
mod stack;
mod stack_access;
mod stack_object;
mod state;
mod stops;
mod structure;
mod structure_write;
mod tail_call;
mod taken;
mod tnum;
mod tree;
mod used_maps;
mod verify;
mod visits;
mod watch;
mod ways;

pub use codes::{CODES, Code, Entry};
pub use config::{Alignment, Capabilities, Config, Invariants, NEWEST, StateFreq, UpperHalves};
pub use diag::{Cause, Place, Rejection, Step};
pub use explore::Stats;
pub use kernel_says::KernelRefusal;
pub use kernel_types::{KernelTypes, Symbols, symbols_of};
pub use kernel_words::codes_of_words;
pub use log::KernelLog;
pub use map_create::least_sizes;
pub use render::{Decor, Quoted};
pub use since::{AttachSince, attached_since};
pub use snapshot::{FrameSnapshot, Snapshot};
pub use taken::check_types;
pub use verify::{Verdict, verify, verify_watched, verify_with};
pub use watch::{Event, Watcher};
