//! Where execution can go, and what follows from that alone: functions, loops, where states are
//! compared, which registers are read later, how deep calls go.
//!
//! Read in the order `registers.rs`, `cfg.rs`, `edges.rs`, `components.rs`, `rounds.rs`, `stops.rs`,
//! `highest_first.rs`, `live.rs`, `fastcall.rs`, `depth.rs`, `chains.rs`, `reach.rs`.

pub(crate) mod cfg;
pub(crate) mod chains;
pub(crate) mod components;
pub(crate) mod depth;
pub(crate) mod edges;
pub(crate) mod fastcall;
pub(crate) mod highest_first;
pub(crate) mod live;
pub(crate) mod reach;
pub(crate) mod registers;
pub(crate) mod rounds;
pub(crate) mod stops;
