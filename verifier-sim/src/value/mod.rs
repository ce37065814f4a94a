//! What is known of what a program holds, between two instructions: numbers, pointers, registers,
//! stacks, and all of that together as a state.
//!
//! Read in the order `tnum.rs`, `bounds.rs`, `scalar.rs`, `scalar_alu.rs`, `scalar_older.rs`,
//! `compare.rs`, `compare_older.rs`, `btf_ptr.rs`, `residue.rs`, `reg.rs`, `words.rs`, `held.rs`,
//! `bytes.rs`, `stack.rs`, `sections.rs`, `state.rs`.

pub(crate) mod bounds;
pub(crate) mod btf_ptr;
pub(crate) mod bytes;
pub(crate) mod compare;
pub(crate) mod compare_older;
pub(crate) mod held;
pub(crate) mod reg;
pub(crate) mod residue;
pub(crate) mod scalar;
pub(crate) mod scalar_alu;
pub(crate) mod scalar_older;
pub(crate) mod sections;
pub(crate) mod stack;
pub(crate) mod state;
pub(crate) mod tnum;
mod words;
