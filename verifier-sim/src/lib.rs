//! A verifier and an interpreter for eBPF that run anywhere.
#![forbid(unsafe_code)]
