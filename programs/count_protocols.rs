//! Drops ICMP over IPv4 as `drop_icmp.rs` does, and counts what it sees.
//!
//! `protocols` counts packets and bytes for each of the 256 IPv4 protocol numbers: frames with
//! EtherType IPv4 that are long enough for Ethernet and a 20-byte IPv4 header. `verdicts` counts
//! every frame, by the action given (`XDP_ABORTED` is 0 to `XDP_REDIRECT`, 4). So other frames
//! (not IPv4, or too short) are in `verdicts` alone, and the sum over `verdicts` is the number
//! of frames seen. Bytes are those of the frame, Ethernet header included.

use ebpf_dsl::prelude::*;

record! {
    /// Packets and bytes.
    #[cfg_attr(feature = "user", derive(Clone, Copy, Debug, Default, PartialEq, Eq))]
    pub struct Counter {
        /// How many packets.
        pub packets: u64,
        /// How many bytes, Ethernet headers included.
        pub bytes: u64,
    }
}

/// Counts by IPv4 protocol number, or by action.
type Counters = Map<u32, Counter>;

/// Everything that this file declares.
pub fn unit() -> Unit {
    let mut unit = unit!("count_protocols.rs").license("GPL");
    let protocols = unit.percpu_array::<Counter>("protocols", 256);
    let verdicts = unit.percpu_array::<Counter>("verdicts", XDP_ACTIONS);
    unit.xdp("xdp_count_protocols", |f, ctx| {
        let verdict = f.inlined(|f| judge(f, ctx, protocols));
        f.inlined(|f| count(f, ctx, verdicts, verdict));
        verdict
    })
}

/// Counts the frame's protocol, if it has one, and decides as `drop_icmp.rs` does.
fn judge<'p>(f: &mut Scope<'p, Xdp>, ctx: &XdpContext<'p>, protocols: Counters) -> Action<'p> {
    let eth = f.header::<ethhdr>(ctx.packet()).or_return(XDP_PASS);
    f.return_if(eth.h_proto().ne(ETH_P_IP), XDP_PASS);
    let ip = f.header::<iphdr>(eth.end()).or_return(XDP_PASS);
    let protocol = ip.protocol();
    f.inlined(|f| count(f, ctx, protocols, protocol.to_u32()));
    f.return_if(protocol.eq(IPPROTO_ICMP), XDP_DROP);
    XDP_PASS
}

/// Adds the frame to one counter.
fn count<'p>(
    f: &mut Scope<'p, ()>,
    ctx: &XdpContext<'p>,
    counters: Counters,
    key: impl Operand<'p, u32>,
) {
    let counter = f.lookup(counters, key).or_return(());
    counter.packets().add(1);
    counter.bytes().add(ctx.len().to_u64());
}

/// Hands the unit to `ebpfasm build`; run by hand, prints it.
pub fn main() -> ExitCode {
    emit(unit())
}
