//! A field is of a type that no struct of the kernel has.

use ebpf_dsl::prelude::*;

kernel_struct! {
    struct task_struct { comm: String }
}

fn main() {}
