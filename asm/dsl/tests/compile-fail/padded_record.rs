//! A record has a gap between its fields.

use ebpf_dsl::prelude::*;

record! {
    pub struct Event {
        pub protocol: u8,
        pub len: u32,
    }
}

fn main() {}
