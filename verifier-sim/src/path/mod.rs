//! All paths: how they are followed, kept, compared, and gone back over.
//!
//! Read in the order `live_stack.rs`, `history.rs`, `notes.rs`, `precision.rs`, `prune.rs`,
//! `visits.rs`, `tree.rs`, `checkpoints.rs`, `ways.rs`, `given_back.rs`, `speculation.rs`,
//! `explore.rs`.

pub(crate) mod checkpoints;
pub(crate) mod explore;
pub(crate) mod given_back;
pub(crate) mod history;
pub(crate) mod live_stack;
pub(crate) mod notes;
pub(crate) mod precision;
pub(crate) mod prune;
pub(crate) mod speculation;
pub(crate) mod tree;
pub(crate) mod visits;
pub(crate) mod ways;
