//! Memory of the kernel is read as if it were a map's value.

use ebpf_dsl::prelude::*;

kernel_struct! {
    struct task_struct { pid: i32 }
}

fn main() {
    let _ = Unit::new("unread").raw_tracepoint("unread", "sched_switch", |f, ctx| {
        let task = ctx.arg::<*const task_struct>(1);
        f.return_if(task.get().eq(0), ());
    });
}
