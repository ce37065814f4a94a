//! A header is read without its bounds check.

use ebpf_dsl::prelude::*;

fn main() {
    let _ = Unit::new("unchecked_header").xdp("prog", |f, ctx| {
        let eth = f.header::<ethhdr>(ctx.packet());
        f.return_if(eth.h_proto().eq(ETH_P_IP), XDP_DROP);
        XDP_PASS
    });
}
