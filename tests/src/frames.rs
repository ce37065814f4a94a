//! The frames that tests send, built by a packet library that is not ours.

use etherparse::err::packet::BuildVecWriteError;
use etherparse::{
    ArpEthIpv4Packet, ArpOperation, EtherType, Ethernet2Header, IpFragOffset, IpHeaders, IpNumber,
    Ipv4Extensions, Ipv4Header, Ipv4Options, PacketBuilder, PacketBuilderStep, VlanId,
};

/// Who sends, by locally administered address.
const FROM: [u8; 6] = [2, 0, 0, 0, 0, 1];
/// Who shall receive.
const TO: [u8; 6] = [2, 0, 0, 0, 0, 2];
/// Addresses for documentation (RFC 5737).
const FROM_V4: [u8; 4] = [192, 0, 2, 1];
const TO_V4: [u8; 4] = [192, 0, 2, 2];
/// Addresses for documentation (RFC 3849).
const FROM_V6: [u8; 16] = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const TO_V6: [u8; 16] = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

/// Local experimental EtherType 1 (IEEE 802), which no program knows.
const EXPERIMENTAL: EtherType = EtherType(0x88b5);

/// How many hops a packet may take.
const TTL: u8 = 64;

/// The payload: long enough that no frame here is shorter than Ethernet's least of 60 bytes.
const PAYLOAD: &[u8] = b"thirty-two bytes and a little more";

/// A frame, and what it is called in messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub name: &'static str,
    /// Its bytes, from the Ethernet header on.
    pub bytes: Vec<u8>,
}

/// One frame of each kind that the programs tell apart, or must not confuse.
#[must_use]
pub fn all() -> Vec<Frame> {
    let v6 = || ethernet().ipv6(FROM_V6, TO_V6, TTL);
    vec![
        frame("ICMP echo request", icmp_echo(1)),
        frame(
            "ICMP echo reply",
            written(|out| v4().icmpv4_echo_reply(7, 1).write_to_vec(out, PAYLOAD)),
        ),
        frame("UDP", udp(1024)),
        frame(
            "TCP",
            written(|out| {
                let syn = v4().tcp(1024, 443, 1, 512).syn();
                syn.write_to_vec(out, PAYLOAD)
            }),
        ),
        frame("ARP request", arp()),
        frame(
            "ICMPv6 echo request",
            written(|out| v6().icmpv6_echo_request(7, 1).write_to_vec(out, PAYLOAD)),
        ),
        frame(
            "UDP over IPv6",
            written(|out| v6().udp(1024, 53).write_to_vec(out, PAYLOAD)),
        ),
        frame("UDP behind IPv4 options", behind_options(IpNumber::UDP)),
        frame("ICMP behind IPv4 options", behind_options(IpNumber::ICMP)),
        frame("ICMP behind a VLAN tag", tagged()),
        frame("a later fragment of ICMP", fragment()),
    ]
}

/// An ICMP echo request.
#[must_use]
pub fn icmp_echo(sequence: u16) -> Vec<u8> {
    let echo = v4().icmpv4_echo_request(7, sequence);
    written(|out| echo.write_to_vec(out, PAYLOAD))
}

/// A UDP datagram over IPv4.
#[must_use]
pub fn udp(source_port: u16) -> Vec<u8> {
    let datagram = v4().udp(source_port, 53);
    written(|out| datagram.write_to_vec(out, PAYLOAD))
}

/// A frame of no protocol that a program knows, told apart by its number.
#[must_use]
pub fn marker(number: u64) -> Vec<u8> {
    let header = Ethernet2Header {
        source: FROM,
        destination: TO,
        ether_type: EXPERIMENTAL,
    };
    let mut bytes = header.to_bytes().to_vec();
    bytes.extend(number.to_be_bytes());
    of_length(&bytes, 60)
}

/// A frame cut off after `len` bytes, or filled up to them with zeros.
#[must_use]
pub fn of_length(frame: &[u8], len: usize) -> Vec<u8> {
    let mut bytes = frame.to_vec();
    bytes.resize(len, 0);
    bytes
}

/// Asks who has an address, padded to Ethernet's least length.
fn arp() -> Vec<u8> {
    let request = ArpEthIpv4Packet {
        operation: ArpOperation::REQUEST,
        sender_mac: FROM,
        sender_ipv4: FROM_V4,
        target_mac: [0; 6],
        target_ipv4: TO_V4,
    };
    let builder = ethernet().arp(request.into());
    of_length(&written(|out| builder.write_to_vec(out)), 60)
}

/// IPv4 with 8 bytes of options (no operation, end of list) before its payload.
fn behind_options(protocol: IpNumber) -> Vec<u8> {
    let options = Ipv4Options::from([1, 1, 1, 1, 1, 1, 1, 0]);
    ipv4(
        Ipv4Header {
            options,
            ..Ipv4Header::default()
        },
        protocol,
    )
}

/// ICMP without an ICMP header: what a fragmented packet goes on with.
fn fragment() -> Vec<u8> {
    // The offset counts units of 8 bytes.
    let offset = IpFragOffset::try_new(185).expect("185 fits the field's 13 bits");
    ipv4(
        Ipv4Header {
            fragment_offset: offset,
            ..Ipv4Header::default()
        },
        IpNumber::ICMP,
    )
}

fn ipv4(header: Ipv4Header, protocol: IpNumber) -> Vec<u8> {
    let header = Ipv4Header {
        time_to_live: TTL,
        source: FROM_V4,
        destination: TO_V4,
        ..header
    };
    let builder = ethernet().ip(IpHeaders::Ipv4(header, Ipv4Extensions::default()));
    written(|out| builder.write_to_vec(out, protocol, PAYLOAD))
}

fn tagged() -> Vec<u8> {
    let vlan = VlanId::try_new(100).expect("100 fits the field's 12 bits");
    let tagged = ethernet().single_vlan(vlan).ipv4(FROM_V4, TO_V4, TTL);
    let echo = tagged.icmpv4_echo_request(7, 1);
    written(|out| echo.write_to_vec(out, PAYLOAD))
}

fn ethernet() -> PacketBuilderStep<Ethernet2Header> {
    PacketBuilder::ethernet2(FROM, TO)
}

fn v4() -> PacketBuilderStep<IpHeaders> {
    ethernet().ipv4(FROM_V4, TO_V4, TTL)
}

fn written(write: impl FnOnce(&mut Vec<u8>) -> Result<(), BuildVecWriteError>) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut bytes).expect("a payload this short fits every header's length field");
    bytes
}

fn frame(name: &'static str, bytes: Vec<u8>) -> Frame {
    Frame { name, bytes }
}
