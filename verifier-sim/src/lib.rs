//! A verifier and an interpreter for eBPF that run anywhere.
#![forbid(unsafe_code)]
pub mod bounds;
pub mod compare;
pub mod interp;
pub mod scalar;
pub mod tnum;
