//! Eight bits are compared with sixteen.

use ebpf_dsl::prelude::*;

fn main() {
    let _ = Unit::new("mixed_widths").xdp("prog", |f, ctx| {
        let eth = f.header::<ethhdr>(ctx.packet()).or_return(XDP_PASS);
        let ip = f.header::<iphdr>(eth.end()).or_return(XDP_PASS);
        f.return_if(ip.tot_len().to_host().eq(ip.ttl()), XDP_DROP);
        XDP_PASS
    });
}
