//! Example eBPF programs.
#![forbid(unsafe_code)]
