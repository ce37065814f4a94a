//! Loads and stores: what each kind of memory allows.
//!
//! Read in the order `mem.rs`, `region.rs`, `within.rs`, `packet_help.rs`, `number_help.rs`,
//! `stack_access.rs`, `structure.rs`, `btf_access.rs`, `structure_write.rs`, `map_structure.rs`,
//! `kernel_symbol.rs`, `kptr.rs`, `arena.rs`.

pub(crate) mod arena;
pub(crate) mod btf_access;
pub(crate) mod kernel_symbol;
pub(crate) mod kptr;
pub(crate) mod map_structure;
pub(crate) mod mem;
pub(crate) mod number_help;
pub(crate) mod packet_help;
pub(crate) mod region;
pub(crate) mod stack_access;
pub(crate) mod structure;
pub(crate) mod structure_write;
mod within;
