//! The program returns while a ring buffer record is open.

use ebpf_dsl::prelude::*;

fn main() {
    let mut unit = Unit::new("return_with_open_record");
    let lengths = unit.ringbuf::<u32>("lengths", 4096);
    let _ = unit.xdp("prog", |f, ctx| {
        let len = ctx.len();
        f.reserve(lengths, |f, record| {
            f.return_if(len.lt(60), XDP_PASS);
            record.fields().set(len);
            record.submit()
        });
        XDP_PASS
    });
}
