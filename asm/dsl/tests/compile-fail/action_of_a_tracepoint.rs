//! A raw tracepoint's program returns an action.

use ebpf_dsl::prelude::*;

fn main() {
    let _ = Unit::new("action").raw_tracepoint("action", "sched_switch", |f, ctx| {
        f.return_if(ctx.arg::<u64>(0).eq(1), XDP_DROP);
    });
}
