//! Whole-system trials.
#![forbid(unsafe_code)]

fn main() {}
