//! A value of one program is used in another.

use ebpf_dsl::prelude::*;

fn main() {
    let _ = Unit::new("outer").xdp("outer", |_, ctx| {
        let len = ctx.len();
        let _ = Unit::new("inner").xdp("inner", |f, _| {
            f.return_if(len.lt(60), XDP_DROP);
            XDP_PASS
        });
        XDP_PASS
    });
}
