//! An action of one program is returned by another.

use ebpf_dsl::prelude::*;

fn main() {
    let _ = Unit::new("outer").xdp("outer", |_, ctx| {
        let action = ctx.len().to_action();
        let _ = Unit::new("inner").xdp("inner", |_, _| action);
        XDP_PASS
    });
}
