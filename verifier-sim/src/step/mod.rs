//! One instruction, executed on what is known: which file does what, and the instructions that
//! touch no memory and call nothing.
//!
//! Read in the order `machine.rs`, `alu.rs`, `pointer_alu.rs`, `branch.rs`, `branch_packet.rs`,
//! `nothing_help.rs`.

pub(crate) mod alu;
pub(crate) mod branch;
pub(crate) mod branch_packet;
pub(crate) mod machine;
mod nothing_help;
pub(crate) mod pointer_alu;
