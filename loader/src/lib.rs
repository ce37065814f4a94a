//! Creates maps, loads programs, attaches and pins links.
#![forbid(unsafe_code)]
