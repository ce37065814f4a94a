//! The packets: whole Ethernet frames with right checksums, each different from all others.

use etherparse::PacketBuilder;

/// Packets of each kind. What waits in a socket at once must fit its buffer (208 KiB by
/// default), and a veth pair with XDP counts a page for the smallest packet.
pub(super) const PACKETS: u16 = 20;

/// Bytes behind the last header.
const PAYLOAD: &[u8] = b"ebpfld demo";

/// Addresses of RFC 5737 and RFC 3849: for examples only.
const IPV4: [[u8; 4]; 2] = [[192, 0, 2, 1], [192, 0, 2, 2]];
const IPV6: [[u8; 16]; 2] = [
    [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2],
];

/// The port of the "discard" service, RFC 863.
const DISCARD: u16 = 9;
/// The first of the ports that packets come from.
const FIRST_PORT: u16 = 50_000;
/// The identifier of our echo requests.
const ECHO_ID: u16 = 0xebf;
const TTL: u8 = 64;
const TCP_WINDOW: u16 = 1024;

/// A kind of packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// ICMP echo request over IPv4: what the program drops.
    Icmp,
    /// UDP over IPv4.
    Udp,
    /// TCP SYN over IPv4.
    Tcp,
    /// UDP over IPv6.
    UdpV6,
    /// ICMPv6 echo request: another protocol than ICMP.
    Icmpv6,
}

/// Who sends a frame to whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Macs {
    /// The sender.
    pub(super) from: [u8; 6],
    /// The receiver.
    pub(super) to: [u8; 6],
}

impl Macs {
    /// Locally administered addresses, where there is no interface.
    pub(super) const EXAMPLE: Macs = Macs {
        from: [2, 0, 0, 0, 0, 1],
        to: [2, 0, 0, 0, 0, 2],
    };
}

impl Kind {
    /// All kinds.
    pub(super) const ALL: [Kind; 5] = [Kind::Icmp, Kind::Udp, Kind::Tcp, Kind::UdpV6, Kind::Icmpv6];

    /// As the table names it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Icmp => "ICMP (IPv4)",
            Kind::Udp => "UDP (IPv4)",
            Kind::Tcp => "TCP (IPv4)",
            Kind::UdpV6 => "UDP (IPv6)",
            Kind::Icmpv6 => "ICMPv6 (IPv6)",
        }
    }

    /// The frames of this kind.
    pub(super) fn frames(self, macs: Macs) -> Vec<Vec<u8>> {
        (0..PACKETS)
            .map(|number| self.frame(macs, number))
            .collect()
    }

    fn frame(self, macs: Macs, number: u16) -> Vec<u8> {
        let ethernet = PacketBuilder::ethernet2(macs.from, macs.to);
        let port = FIRST_PORT + number;
        let mut frame = Vec::new();
        let written = match self {
            Kind::Icmp => ethernet
                .ipv4(IPV4[0], IPV4[1], TTL)
                .icmpv4_echo_request(ECHO_ID, number)
                .write(&mut frame, PAYLOAD),
            Kind::Udp => ethernet
                .ipv4(IPV4[0], IPV4[1], TTL)
                .udp(port, DISCARD)
                .write(&mut frame, PAYLOAD),
            Kind::Tcp => ethernet
                .ipv4(IPV4[0], IPV4[1], TTL)
                .tcp(port, DISCARD, u32::from(number), TCP_WINDOW)
                .syn()
                .write(&mut frame, &[]),
            Kind::UdpV6 => ethernet
                .ipv6(IPV6[0], IPV6[1], TTL)
                .udp(port, DISCARD)
                .write(&mut frame, PAYLOAD),
            Kind::Icmpv6 => ethernet
                .ipv6(IPV6[0], IPV6[1], TTL)
                .icmpv6_echo_request(ECHO_ID, number)
                .write(&mut frame, PAYLOAD),
        };
        // Only payloads of 64 KiB and more do not fit.
        debug_assert!(written.is_ok(), "{written:?}");
        frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::{SlicedPacket, TransportSlice};
    use std::collections::HashSet;

    #[test]
    fn frames_are_what_their_kind_says_and_all_different() {
        let mut seen = HashSet::new();
        for kind in Kind::ALL {
            for frame in kind.frames(Macs::EXAMPLE) {
                let packet = SlicedPacket::from_ethernet(&frame).unwrap();
                let fits = matches!(
                    (kind, packet.transport),
                    (Kind::Icmp, Some(TransportSlice::Icmpv4(_)))
                        | (Kind::Udp | Kind::UdpV6, Some(TransportSlice::Udp(_)))
                        | (Kind::Tcp, Some(TransportSlice::Tcp(_)))
                        | (Kind::Icmpv6, Some(TransportSlice::Icmpv6(_)))
                );
                assert!(fits, "{kind:?}");
                assert!(seen.insert(frame.clone()));
            }
        }
        assert_eq!(seen.len(), Kind::ALL.len() * usize::from(PACKETS));
    }
}
