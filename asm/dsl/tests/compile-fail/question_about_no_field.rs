//! It is asked whether there is a field that is not declared.

use ebpf_dsl::prelude::*;

kernel_struct! {
    struct task_struct { pid: i32 }
}

fn main() {
    let _ = Unit::new("asked").raw_tracepoint("asked", "sched_switch", |f, _| {
        let there = f.core_field_exists::<task_struct>().tgid();
        f.return_if(there, ());
    });
}
