//! A ring buffer record is neither submitted nor discarded.

use ebpf_dsl::prelude::*;

fn main() {
    let mut unit = Unit::new("record_not_submitted");
    let lengths = unit.ringbuf::<u32>("lengths", 4096);
    let _ = unit.xdp("prog", |f, ctx| {
        let len = ctx.len();
        f.reserve(lengths, |_, record| {
            record.fields().set(len);
        });
        XDP_PASS
    });
}
