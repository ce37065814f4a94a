//! Drops ICMP over IPv4; everything else passes, ICMPv6 included.
//!
//! A frame too short for an Ethernet header, or for an IPv4 header behind it, passes: what
//! cannot be read is not judged. Mind that path-MTU discovery needs ICMP.

use ebpf_dsl::prelude::*;

/// Everything that this file declares.
pub fn unit() -> Unit {
    unit!("drop_icmp.rs")
        .license("GPL")
        .xdp("xdp_drop_icmp", |f, ctx| {
            let eth = f.header::<ethhdr>(ctx.packet()).or_return(XDP_PASS);
            f.return_if(eth.h_proto().ne(ETH_P_IP), XDP_PASS);
            let ip = f.header::<iphdr>(eth.end()).or_return(XDP_PASS);
            f.return_if(ip.protocol().eq(IPPROTO_ICMP), XDP_DROP);
            XDP_PASS
        })
}

/// Hands the unit to `ebpfasm build`; run by hand, prints it.
pub fn main() -> ExitCode {
    emit(unit())
}
