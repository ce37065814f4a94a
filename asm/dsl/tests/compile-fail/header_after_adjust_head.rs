//! A header is read after the packet moved.

use ebpf_dsl::prelude::*;

fn main() {
    let _ = Unit::new("header_after_adjust_head").xdp("prog", |f, ctx| {
        let eth = f.header::<ethhdr>(ctx.packet()).or_return(XDP_PASS);
        let moved = f.xdp_adjust_head(ctx, 4);
        f.return_if(moved.failed(), XDP_ABORTED);
        f.return_if(eth.h_proto().eq(ETH_P_IP), XDP_DROP);
        XDP_PASS
    });
}
