//! A network-order field is compared with a recorded host number.

use ebpf_dsl::prelude::*;

fn main() {
    let _ = Unit::new("mixed_byte_orders").xdp("prog", |f, ctx| {
        let eth = f.header::<ethhdr>(ctx.packet()).or_return(XDP_PASS);
        let udp = f.header::<udphdr>(eth.end()).or_return(XDP_PASS);
        let port: U16 = udp.source().to_host();
        f.return_if(udp.dest().eq(port), XDP_DROP);
        XDP_PASS
    });
}
