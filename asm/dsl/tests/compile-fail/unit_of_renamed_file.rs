//! A program file was copied or renamed, and names what it was called before.

use ebpf_dsl::prelude::*;

fn main() {
    let _ = unit!("no_longer_there.rs");
}
