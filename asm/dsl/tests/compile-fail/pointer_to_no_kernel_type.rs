//! A pointer leads to what is not declared.

use ebpf_dsl::prelude::*;

struct Mm;

kernel_struct! {
    struct task_struct { mm: *const Mm }
}

fn main() {}
