//! What types say: the kernel's own, those of maps' values, and those of functions' prototypes.
//!
//! Read in the order `kernel_types.rs`, `kernel_call.rs`, `namesake.rs`, `btf_walk.rs`,
//! `special.rs`, `special_table.rs`, `special_search.rs`, `special_objects.rs`,
//! `context_param.rs`, `prototype.rs`.

pub(crate) mod btf_walk;
pub(crate) mod context_param;
pub(crate) mod kernel_call;
pub(crate) mod kernel_types;
pub(crate) mod namesake;
pub(crate) mod prototype;
pub(crate) mod special;
pub(crate) mod special_objects;
pub(crate) mod special_search;
pub(crate) mod special_table;
