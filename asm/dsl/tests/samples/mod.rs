//! A unit that uses everything the DSL has.

use ebpf_dsl::prelude::*;

record! {
    /// Who talks to whom.
    pub struct Flow {
        /// Source address.
        pub saddr: Be32,
        /// Destination address.
        pub daddr: Be32,
        /// Hardware address of the sender.
        pub h_source: [u8; 6],
        /// Protocol.
        pub protocol: u16,
    }
}

/// A unit with every kind of operation.
pub(crate) fn everything() -> Unit {
    let mut unit = Unit::new("everything").license("GPL");
    let flows = unit.hash::<Flow, u64>("flows", 1024);
    let cpus = unit.percpu_hash::<u32, u32>("cpus", 64);
    let frames = unit.array::<u64>("frames", 1);
    let events = unit.ringbuf::<Flow>("events", 4096);
    unit.xdp("xdp_everything", |f, ctx| {
        let now = f.ktime_get_ns();
        let cpu = f.get_smp_processor_id();
        let odd = f.var::<u32>(0);
        f.if_((now & 1).eq(1) & !cpu.eq(0) | ctx.rx_queue_index().gt(3))
            .then(|_| odd.set(1))
            .else_(|_| odd.set(cpu * 3 / 2 % 5));
        f.delete(cpus, cpu);
        f.update(cpus, cpu, odd.get(), UpdateFlag::Any);
        let moved = f.xdp_adjust_head(ctx, -4);
        f.return_if(moved.failed(), XDP_ABORTED);
        let eth = f.header::<ethhdr>(ctx.packet()).or_return(XDP_PASS);
        let (dest, source) = (eth.h_dest(), eth.h_source());
        eth.set().h_dest(source);
        eth.set().h_source([2, 0, 0, 0, 0, 1]);
        let flow = f.local::<Flow>();
        f.header::<iphdr>(eth.end()).then(|f, ip| {
            flow.fields().saddr().set(ip.saddr());
            flow.fields().daddr().set(ip.daddr() & 0xffff_ff00);
            flow.fields().h_source().set(source);
            flow.fields().protocol().set(ip.protocol().to_u16());
            f.header::<udphdr>(ip.payload()).then(|_, udp| {
                udp.set().dest(udp.source().to_host().to_be());
            });
        });
        f.lookup(flows, &flow).then(|_, count| count.atomic_add(1));
        let total = f.lookup(frames, 0).or_return(XDP_PASS);
        total.add(1);
        f.reserve(events, |_, event| {
            event.fields().saddr().set(Be32::new(1));
            event.fields().daddr().set(flow.fields().daddr().get());
            event.fields().h_source().set(dest);
            event.fields().protocol().set(now.to_u16());
            event.submit()
        });
        let signed = f.inlined(|f| {
            f.return_if(cpu.slt(5), cpu.arsh(1));
            cpu.sdiv(3)
        });
        f.return_if(dest.ne([0xff; 6]), XDP_TX);
        signed.to_action()
    })
}
