//! A header is asked for and its check forgotten: nothing would be recorded.

#![deny(unused_must_use)]

use ebpf_dsl::prelude::*;

fn main() {
    let _ = Unit::new("forgotten_check").xdp("prog", |f, ctx| {
        f.header::<ethhdr>(ctx.packet());
        XDP_PASS
    });
}
