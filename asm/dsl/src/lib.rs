//! The typed surface that eBPF program files are written in: it only records.
#![forbid(unsafe_code)]
