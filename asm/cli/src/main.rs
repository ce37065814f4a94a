//! Builds, checks and shows eBPF objects.
#![forbid(unsafe_code)]

fn main() {}
