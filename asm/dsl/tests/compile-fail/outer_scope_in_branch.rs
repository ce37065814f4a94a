//! The outer scope is used inside a branch.

use ebpf_dsl::prelude::*;

fn main() {
    let _ = Unit::new("outer_scope_in_branch").xdp("prog", |f, ctx| {
        let short = ctx.len().lt(60);
        f.if_(short).then(|_inner| f.return_(XDP_DROP));
        XDP_PASS
    });
}
