//! Example eBPF programs.
//!
//! Each file is a module here, a binary of its own, and an input of `ebpfasm build`. All three
//! use its one function `unit()`, and so get the same bytes.
#![forbid(unsafe_code)]

pub mod count_protocols;
pub mod drop_icmp;
