//! A field is compared with an operator instead of a method.

use ebpf_dsl::prelude::*;

fn main() {
    let _ = Unit::new("compared_with_operator").xdp("prog", |f, ctx| {
        let eth = f.header::<ethhdr>(ctx.packet()).or_return(XDP_PASS);
        f.return_if(eth.h_proto() == ETH_P_IP, XDP_DROP);
        XDP_PASS
    });
}
