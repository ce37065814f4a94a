//! Loads and stores: what each kind of memory allows.
//!
//! Read in the order `mem.rs`, `alignment.rs`, `atomic.rs`, `packet_load.rs`, `region.rs`,
//! `within.rs`, `index_help.rs`, `ctx_access.rs`, `packet_access.rs`, `packet_help.rs`,
//! `map_value.rs`, `number_help.rs`, `stack_bounds.rs`, `stack_access.rs`, `stack_help.rs`,
//! `structure.rs`, `btf_access.rs`, `structure_write.rs`, `map_structure.rs`, `kernel_symbol.rs`,
//! `kptr.rs`, `arena.rs`.

mod alignment;
pub(crate) mod arena;
mod atomic;
pub(crate) mod btf_access;
mod ctx_access;
mod index_help;
pub(crate) mod kernel_symbol;
pub(crate) mod kptr;
pub(crate) mod map_structure;
pub(crate) mod map_value;
pub(crate) mod mem;
pub(crate) mod number_help;
mod packet_access;
pub(crate) mod packet_help;
mod packet_load;
pub(crate) mod region;
pub(crate) mod stack_access;
pub(crate) mod stack_bounds;
mod stack_help;
pub(crate) mod structure;
pub(crate) mod structure_write;
pub(crate) mod within;
