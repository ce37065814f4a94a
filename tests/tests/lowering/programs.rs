//! Programs as users write them: held to the same laws as generated ones.

use ebpf_dsl::prelude::*;

record! {
    /// Who talks to which port.
    pub struct Flow {
        pub saddr: Be32,
        pub daddr: Be32,
        pub port: Be16,
        pub mac: [u8; 6],
    }
}

record! {
    /// Tokens left, and when some were added last.
    pub struct Bucket {
        pub tokens: u64,
        pub filled_ns: u64,
    }
}

record! {
    /// A frame worth knowing of.
    pub struct Event {
        pub saddr: Be32,
        pub len: u32,
        pub port: Be16,
        pub reason: u16,
        pub mac: [u8; 6],
        pub padding: [u8; 2],
    }
}

/// All of them.
pub(crate) fn units() -> Vec<Unit> {
    vec![
        syn_counter(),
        vlan(),
        ipv6_step(),
        rate_limit(),
        events(),
        port_blocklist(),
        length_filter(),
        ttl_rewrite(),
        strip_vlan(),
        flows(),
        echo(),
        parity(),
        many_lengths(),
        no_bound_of_a_quotient(),
        tls_handshake(),
    ]
}

/// SYNs by source, with a limit.
fn syn_counter() -> Unit {
    let mut unit = Unit::new("syn_counter").license("GPL");
    let syns = unit.hash::<Be32, u64>("syns", 8);
    unit.xdp("xdp_syn_counter", |f, ctx| {
        let eth = f.header::<ethhdr>(ctx.packet()).or_return(XDP_PASS);
        f.return_if(eth.h_proto().ne(ETH_P_IP), XDP_PASS);
        let ip = f.header::<iphdr>(eth.end()).or_return(XDP_PASS);
        f.return_if(ip.protocol().ne(IPPROTO_TCP), XDP_PASS);
        f.return_if(ip.is_later_fragment(), XDP_PASS);
        let tcp = f.header::<tcphdr>(ip.payload()).or_return(XDP_PASS);
        f.return_if(!(tcp.syn() & !tcp.ack()), XDP_PASS);
        let saddr = ip.saddr();
        let seen = f.var::<u64>(1);
        f.lookup(syns, saddr)
            .then(|_, count| {
                count.atomic_add(1);
                seen.set(count.get());
            })
            .else_(|f| {
                f.update(syns, saddr, 1, UpdateFlag::Any);
            });
        f.return_if(seen.get().gt(2), XDP_DROP);
        XDP_PASS
    })
}

/// The EtherType behind up to two tags, and the inner tag's number.
fn vlan() -> Unit {
    let mut unit = Unit::new("vlan").license("GPL");
    let seen = unit.array::<u32>("vids", 16);
    unit.xdp("xdp_vlan", |f, ctx| {
        let eth = f.header::<ethhdr>(ctx.packet()).or_return(XDP_PASS);
        let proto = f.var::<Be16>(eth.h_proto());
        let vid = f.var::<u16>(0);
        let outer = proto.get();
        f.if_(outer.eq(ETH_P_8021Q) | outer.eq(ETH_P_8021AD))
            .then(|f| {
                let tag = f.header::<vlan_hdr>(eth.end()).or_return(XDP_DROP);
                proto.set(tag.h_vlan_encapsulated_proto());
                vid.set(tag.vid());
                f.if_(proto.get().eq(ETH_P_8021Q)).then(|f| {
                    let inner = f.header::<vlan_hdr>(tag.end()).or_return(XDP_DROP);
                    proto.set(inner.h_vlan_encapsulated_proto());
                    vid.set(inner.vid());
                });
            });
        let count = f
            .lookup(seen, vid.get().to_u32() & 15)
            .or_return(XDP_ABORTED);
        count.add(1);
        f.return_if(proto.get().eq(ETH_P_ARP), XDP_TX);
        XDP_PASS
    })
}

/// Steps over one extension header.
fn ipv6_step() -> Unit {
    header! {
        /// The beginning of an extension header (RFC 8200).
        pub struct ipv6_opt_hdr {
            /// The next header.
            nexthdr: u8,
            /// Length in units of 8 bytes, the first 8 left out.
            hdrlen: u8,
        }
    }
    const HOP_BY_HOP: u8 = 0;
    Unit::new("ipv6_step")
        .license("GPL")
        .xdp("xdp_ipv6", |f, ctx| {
            let eth = f.header::<ethhdr>(ctx.packet()).or_return(XDP_PASS);
            f.return_if(eth.h_proto().ne(ETH_P_IPV6), XDP_PASS);
            let ip = f.header::<ipv6hdr>(eth.end()).or_return(XDP_PASS);
            let protocol = f.var::<u8>(ip.nexthdr());
            f.if_(ip.nexthdr().eq(HOP_BY_HOP)).then(|f| {
                let ext = f.header::<ipv6_opt_hdr>(ip.end()).or_return(XDP_DROP);
                protocol.set(ext.nexthdr());
                let len = (ext.hdrlen().to_u16() + 1) << 3;
                let next = f
                    .header::<icmphdr>(ip.end().advance(len))
                    .or_return(XDP_DROP);
                f.return_if(
                    protocol.get().eq(IPPROTO_ICMPV6) & next.type_().eq(128),
                    XDP_TX,
                );
            });
            f.return_if(ip.saddr().eq([0xff; 16]), XDP_DROP);
            XDP_PASS
        })
}

/// A token bucket of all frames. The clock only runs forward, and what it says is not the
/// same everywhere: the result does not depend on it.
#[allow(
    clippy::erasing_op,
    reason = "the optimiser has to see that it is zero"
)]
fn rate_limit() -> Unit {
    let mut unit = Unit::new("rate_limit").license("GPL");
    let buckets = unit.percpu_array::<Bucket>("buckets", 1);
    unit.xdp("xdp_rate_limit", |f, _| {
        let bucket = f.lookup(buckets, 0).or_return(XDP_ABORTED);
        let now = f.ktime_get_ns();
        let elapsed = now - bucket.filled_ns().get();
        let tokens = f.var::<u64>(bucket.tokens().get());
        f.if_(elapsed.ge(u64::MAX)).then(|_| {
            tokens.set(tokens.get() + elapsed / 1_000_000);
        });
        bucket.filled_ns().set(now & 0);
        f.if_(tokens.get().ge(3)).then(|f| f.return_(XDP_DROP));
        bucket.tokens().set(tokens.get() + 1);
        XDP_PASS
    })
}

/// Tells user space of UDP to a port.
fn events() -> Unit {
    let mut unit = Unit::new("events").license("GPL");
    let ring = unit.ringbuf::<Event>("ring", 1 << 16);
    unit.xdp("xdp_events", |f, ctx| {
        let eth = f.header::<ethhdr>(ctx.packet()).or_return(XDP_PASS);
        f.return_if(eth.h_proto().ne(ETH_P_IP), XDP_PASS);
        let ip = f.header::<iphdr>(eth.end()).or_return(XDP_PASS);
        f.return_if(ip.protocol().ne(IPPROTO_UDP), XDP_PASS);
        let udp = f.header::<udphdr>(ip.payload()).or_return(XDP_PASS);
        let (len, mac) = (ctx.len(), eth.h_source());
        f.reserve(ring, |f, event| {
            let fields = event.fields();
            fields.saddr().set(ip.saddr());
            fields.len().set(len);
            fields.port().set(udp.dest());
            fields.reason().set(0);
            fields.mac().set(mac);
            fields.padding().set([0; 2]);
            f.if_(udp.check().eq(0)).then(|_| fields.reason().set(1));
            event.submit()
        })
        .else_(|f| f.return_(XDP_ABORTED));
        XDP_DROP
    })
}

/// Drops TCP and UDP to ports in a set, and to the first ones always.
fn port_blocklist() -> Unit {
    let mut unit = Unit::new("port_blocklist").license("GPL");
    let ports = unit.hash::<Be16, u8>("ports", 8);
    unit.xdp("xdp_ports", |f, ctx| {
        let port = f.inlined(|f| destination(f, ctx));
        f.return_if(port.eq(0), XDP_PASS);
        let always = (1..=8).map(|number: u16| port.eq(number));
        if let Some(always) = always.reduce(|a, b| a | b) {
            f.return_if(always, XDP_DROP);
        }
        f.lookup(ports, port).or_return(XDP_PASS);
        XDP_DROP
    })
}

/// The destination port, or 0.
fn destination<'p>(f: &mut Scope<'p, Be16>, ctx: &XdpContext<'p>) -> Value<'p, Be16> {
    let eth = f.header::<ethhdr>(ctx.packet()).or_return(0);
    f.return_if(eth.h_proto().ne(ETH_P_IP), 0);
    let ip = f.header::<iphdr>(eth.end()).or_return(0);
    let protocol = ip.protocol();
    let ports = protocol.eq(IPPROTO_TCP) | protocol.eq(IPPROTO_UDP);
    f.return_if(!ports, 0);
    let udp = f.header::<udphdr>(ip.payload()).or_return(0);
    udp.dest()
}

/// Drops frames whose IPv4 length is more than the frame has, or more than 60 bytes.
fn length_filter() -> Unit {
    Unit::new("length_filter")
        .license("GPL")
        .xdp("xdp_length", |f, ctx| {
            let len = ctx.len();
            let eth = f.header::<ethhdr>(ctx.packet()).or_return(XDP_PASS);
            f.return_if(eth.h_proto().ne(ETH_P_IP), XDP_PASS);
            let ip = f.header::<iphdr>(eth.end()).or_return(XDP_DROP);
            let total = ip.tot_len().to_host().to_u32();
            f.return_if(
                total.lt(ip.ihl().to_u32() * 4) | (total + 14).gt(len),
                XDP_DROP,
            );
            f.return_if(total.gt(60), XDP_DROP);
            XDP_PASS
        })
}

/// Takes one from the TTL and mends the checksum (RFC 1624), swaps the MAC addresses, sends
/// the frame back.
fn ttl_rewrite() -> Unit {
    Unit::new("ttl_rewrite")
        .license("GPL")
        .xdp("xdp_ttl", |f, ctx| {
            let eth = f.header::<ethhdr>(ctx.packet()).or_return(XDP_PASS);
            f.return_if(eth.h_proto().ne(ETH_P_IP), XDP_PASS);
            let ip = f.header::<iphdr>(eth.end()).or_return(XDP_PASS);
            let ttl = ip.ttl();
            f.return_if(ttl.le(1), XDP_DROP);
            ip.set().ttl(ttl - 1);
            let sum = ip.check().to_host().to_u32() + 0x100;
            let sum = (sum & 0xffff) + (sum >> 16);
            ip.set().check(sum.to_u16().to_be());
            let (source, dest) = (eth.h_source(), eth.h_dest());
            eth.set().h_source(dest);
            eth.set().h_dest(source);
            XDP_TX
        })
}

/// Takes a VLAN tag off.
fn strip_vlan() -> Unit {
    Unit::new("strip_vlan")
        .license("GPL")
        .xdp("xdp_strip", |f, ctx| {
            let eth = f.header::<ethhdr>(ctx.packet()).or_return(XDP_PASS);
            f.return_if(eth.h_proto().ne(ETH_P_8021Q), XDP_PASS);
            let tag = f.header::<vlan_hdr>(eth.end()).or_return(XDP_DROP);
            let (source, dest) = (eth.h_source(), eth.h_dest());
            let proto = tag.h_vlan_encapsulated_proto();
            let failed = f.xdp_adjust_head(ctx, 4).failed();
            f.return_if(failed, XDP_ABORTED);
            let eth = f.header::<ethhdr>(ctx.packet()).or_return(XDP_ABORTED);
            eth.set().h_dest(dest);
            eth.set().h_source(source);
            eth.set().h_proto(proto);
            XDP_PASS
        })
}

/// Counts flows, by a key that is a record with an array of bytes at an odd place.
fn flows() -> Unit {
    let mut unit = Unit::new("flows").license("GPL");
    let flows = unit.hash::<Flow, u64>("flows", 8);
    unit.xdp("xdp_flows", |f, ctx| {
        let eth = f.header::<ethhdr>(ctx.packet()).or_return(XDP_PASS);
        f.return_if(eth.h_proto().ne(ETH_P_IP), XDP_PASS);
        let ip = f.header::<iphdr>(eth.end()).or_return(XDP_PASS);
        let flow = f.local::<Flow>();
        let key = flow.fields();
        key.saddr().set(ip.saddr());
        key.daddr().set(ip.daddr());
        key.mac().set(eth.h_source());
        f.header::<udphdr>(ip.payload())
            .then(|_, udp| key.port().set(udp.dest()));
        f.return_if(key.mac().get().eq([1, 2, 3, 4, 5, 6]), XDP_DROP);
        f.lookup(flows, &flow)
            .then(|_, packets| packets.atomic_add(1))
            .else_(|f| {
                f.update(flows, &flow, 1, UpdateFlag::NoExist);
            });
        XDP_PASS
    })
}

/// Answers an echo request: addresses swapped, type and checksum changed.
fn echo() -> Unit {
    Unit::new("echo").license("GPL").xdp("xdp_echo", |f, ctx| {
        let eth = f.header::<ethhdr>(ctx.packet()).or_return(XDP_PASS);
        f.return_if(eth.h_proto().ne(ETH_P_IP), XDP_PASS);
        let ip = f.header::<iphdr>(eth.end()).or_return(XDP_PASS);
        f.return_if(ip.protocol().ne(IPPROTO_ICMP) | ip.ihl().ne(5), XDP_PASS);
        let icmp = f.header::<icmphdr>(ip.end()).or_return(XDP_PASS);
        f.return_if(icmp.type_().ne(ICMP_ECHO), XDP_PASS);
        let (source, dest) = (eth.h_source(), eth.h_dest());
        eth.set().h_source(dest);
        eth.set().h_dest(source);
        let (saddr, daddr) = (ip.saddr(), ip.daddr());
        ip.set().saddr(daddr);
        ip.set().daddr(saddr);
        icmp.set().type_(ICMP_ECHOREPLY);
        let sum = icmp.checksum().to_host().to_u32() + 0x800;
        icmp.set()
            .checksum(((sum & 0xffff) + (sum >> 16)).to_u16().to_be());
        XDP_TX
    })
}

/// Whether an odd number of the length's bits is set: a condition that contains each earlier
/// one twice.
fn parity() -> Unit {
    Unit::new("parity")
        .license("GPL")
        .xdp("xdp_parity", |f, ctx| {
            let len = ctx.len();
            let mut odd = len.has_any(1);
            for bit in 1..24 {
                // A number of its own: on one number the verifier keeps each bit that it learns.
                let set = (len >> bit).has_any(1);
                odd = (odd & !set) | (!odd & set);
            }
            f.return_if(odd, XDP_DROP);
            XDP_PASS
        })
}

/// A condition made in a loop, nested as deep as the loop is long.
fn many_lengths() -> Unit {
    Unit::new("many_lengths")
        .license("GPL")
        .xdp("xdp_lengths", |f, ctx| {
            let len = ctx.len();
            let mut any = len.eq(1);
            for number in 0..4000 {
                any = any | len.eq(number * 3);
            }
            f.return_if(any, XDP_DROP);
            XDP_PASS
        })
}

/// The mask changes no number, but verifiers know nothing of a quotient.
fn no_bound_of_a_quotient() -> Unit {
    Unit::new("quotient")
        .license("GPL")
        .xdp("xdp_quotient", |f, ctx| {
            let eth = f.header::<ethhdr>(ctx.packet()).or_return(XDP_PASS);
            let ip = f.header::<iphdr>(eth.end()).or_return(XDP_PASS);
            let offset = (ip.ttl() / ip.version_ihl()).to_u16() & 0xff;
            let at = f
                .header::<udphdr>(eth.end().advance(offset))
                .or_return(XDP_PASS);
            f.return_if(at.dest().eq(53), XDP_DROP);
            XDP_PASS
        })
}

/// Drops what begins as a TLS handshake behind IPv4's and TCP's options.
fn tls_handshake() -> Unit {
    header! {
        /// The beginning of a TLS record (RFC 8446).
        pub struct tls_record {
            /// The content's type: 22 for a handshake.
            content: u8,
            /// The version.
            version: Be16,
        }
    }
    Unit::new("tls_handshake")
        .license("GPL")
        .xdp("xdp_tls", |f, ctx| {
            let eth = f.header::<ethhdr>(ctx.packet()).or_return(XDP_PASS);
            f.return_if(eth.h_proto().ne(ETH_P_IP), XDP_PASS);
            let ip = f.header::<iphdr>(eth.end()).or_return(XDP_PASS);
            f.return_if(ip.protocol().ne(IPPROTO_TCP), XDP_PASS);
            let tcp = f.header::<tcphdr>(ip.payload()).or_return(XDP_PASS);
            let tls = f.header::<tls_record>(tcp.payload()).or_return(XDP_PASS);
            f.return_if(
                tls.content().eq(22) & tls.version().has_any(0x0300),
                XDP_DROP,
            );
            XDP_PASS
        })
}
