//! The passes on small programs, as text.

use ebpf_dsl::prelude::*;

use crate::compile;

fn listing(unit: &Unit) -> Vec<String> {
    let object = compile(unit).unwrap();
    let insns = &object.programs[0].insns;
    insns.iter().map(ToString::to_string).collect()
}

fn drop_icmp() -> Unit {
    Unit::new("drop_icmp")
        .license("GPL")
        .xdp("xdp_drop_icmp", |f, ctx| {
            let eth = f.header::<ethhdr>(ctx.packet()).or_return(XDP_PASS);
            f.return_if(eth.h_proto().ne(ETH_P_IP), XDP_PASS);
            let ip = f.header::<iphdr>(eth.end()).or_return(XDP_PASS);
            f.return_if(ip.protocol().eq(IPPROTO_ICMP), XDP_DROP);
            XDP_PASS
        })
}

#[test]
fn show() {
    println!("{}", listing(&drop_icmp()).join("\n"));
}
