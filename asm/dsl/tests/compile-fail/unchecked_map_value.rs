//! A map value is used without its null check.

use ebpf_dsl::prelude::*;

fn main() {
    let mut unit = Unit::new("unchecked_map_value");
    let frames = unit.percpu_array::<u64>("frames", 1);
    let _ = unit.xdp("prog", |f, _| {
        f.lookup(frames, 0).add(1);
        XDP_PASS
    });
}
