//! Ports are compared by size while they are in network order.

use ebpf_dsl::prelude::*;

fn main() {
    let _ = Unit::new("order_of_network_order").xdp("prog", |f, ctx| {
        let tcp = f.header::<tcphdr>(ctx.packet()).or_return(XDP_PASS);
        f.return_if(tcp.dest().gt(1024), XDP_DROP);
        XDP_PASS
    });
}
