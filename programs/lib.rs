//! Example eBPF programs.
//!
//! Each file is a module here, a binary of its own, and an input of `ebpfasm build`. All three
//! use its one function `unit()`, and so get the same bytes. With the feature `user` there is
//! also the user-space side, typed.
#![forbid(unsafe_code)]

pub mod count_protocols;
pub mod drop_icmp;
pub mod sched_watch;
#[cfg(feature = "user")]
pub mod user;
