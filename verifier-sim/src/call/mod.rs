//! Calls: of helpers, of the program's own functions and of those that are called back, and the
//! end of all of them. Calls of the kernel's functions are in `kfunc/mod.rs`.
//!
//! Read in the order `callable.rs`, `invoke.rs`, `argument/mod.rs`, `callback.rs`, `later.rs`,
//! `format.rs`, `single_helper.rs`, `result.rs`, `compat.rs`, `global.rs`, `returns.rs`,
//! `tail_call.rs`, `unanswered.rs`.

pub(crate) mod argument;
pub(crate) mod callable;
pub(crate) mod callback;
pub(crate) mod compat;
pub(crate) mod format;
pub(crate) mod global;
pub(crate) mod invoke;
pub(crate) mod later;
pub(crate) mod result;
pub(crate) mod returns;
pub(crate) mod single_helper;
pub(crate) mod tail_call;
pub(crate) mod unanswered;
