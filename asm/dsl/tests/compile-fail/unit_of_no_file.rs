//! The name of the file is left out.

use ebpf_dsl::prelude::*;

fn main() {
    let _ = unit!();
}
