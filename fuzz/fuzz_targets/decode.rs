//! Random bytes either decode and encode back to the same bytes, or are an error.
#![no_main]
fn main() {}
