//! A pointer of one program is used in another.

use ebpf_dsl::prelude::*;

kernel_struct! {
    struct task_struct { pid: i32 }
}

fn main() {
    let mut kept = None;
    let unit = Unit::new("kept").raw_tracepoint("one", "sched_switch", |_, ctx| {
        kept = Some(ctx.arg::<*const task_struct>(1));
    });
    let _ = unit.raw_tracepoint("other", "sched_switch", |f, _| {
        f.return_if(kept.unwrap().pid().eq(0), ());
    });
}
