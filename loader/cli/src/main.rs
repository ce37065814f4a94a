//! Attaches eBPF objects to network interfaces and shows what runs there.
#![forbid(unsafe_code)]

fn main() {}
