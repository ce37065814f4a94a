//! What the kernel asks before it looks at where execution goes: of the loader, the release, the
//! object's types, its maps and its functions.
//!
//! Read in the order `since.rs`, `instead.rs`, `loadable.rs`, `func_info.rs`, `exception.rs`,
//! `map_create.rs`, `map_types.rs`, `taken.rs`, `used_maps.rs`.

pub(crate) mod exception;
pub(crate) mod func_info;
pub(crate) mod instead;
pub(crate) mod loadable;
pub(crate) mod map_create;
pub(crate) mod map_types;
pub(crate) mod since;
pub(crate) mod taken;
pub(crate) mod used_maps;
