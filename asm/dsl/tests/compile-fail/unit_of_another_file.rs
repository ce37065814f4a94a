//! A unit claims the text of another file.

use ebpf_dsl::prelude::*;

fn main() {
    let _ = unit!("padded_record.rs");
}
