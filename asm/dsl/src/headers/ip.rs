//! IPv4: `struct iphdr` and protocol numbers, from `linux/ip.h` and `linux/in.h`.

use crate::order::{Be16, Be32};
use crate::packet::Cursor;
use crate::unchecked::known_header;
use crate::value::{Cond, Value};

known_header! {
    /// An IPv4 header without options, 20 bytes (RFC 791).
    pub struct iphdr {
        /// [`version`](Self::version) in the high four bits, [`ihl`](Self::ihl) in the low.
        version_ihl: u8,
        /// Type of service.
        tos: u8,
        /// Length of header and payload in bytes.
        tot_len: Be16,
        /// Identification, for fragments.
        id: Be16,
        /// Flags (3 bits) and fragment offset (13 bits, in units of 8 bytes).
        frag_off: Be16,
        /// Time to live.
        ttl: u8,
        /// Protocol of the payload: one of the `IPPROTO_*` constants.
        protocol: u8,
        /// Header checksum.
        check: Be16,
        /// Source address.
        saddr: Be32,
        /// Destination address.
        daddr: Be32,
    }
}

impl<'c, 'p> iphdr<'c, 'p> {
    /// IP version: 4.
    #[track_caller]
    pub fn version(self) -> Value<'p, u8> {
        self.version_ihl() >> 4
    }

    /// Length of the header with its options, in units of 4 bytes.
    #[track_caller]
    pub fn ihl(self) -> Value<'p, u8> {
        self.version_ihl() & 0x0f
    }

    /// Whether this is a fragment other than the first: it has no header of the payload's
    /// protocol.
    #[track_caller]
    pub fn is_later_fragment(self) -> Cond<'p> {
        self.frag_off().has_any(0x1fff)
    }

    /// The place behind the header and its options, by what [`ihl`](Self::ihl) says.
    #[track_caller]
    pub fn payload(self) -> Cursor<'c, 'p> {
        let header_len = self.ihl().to_u16() << 2;
        Cursor::at(self.at).advance(header_len)
    }
}

/// Protocol number of ICMP.
pub const IPPROTO_ICMP: u8 = 1;
/// Protocol number of TCP.
pub const IPPROTO_TCP: u8 = 6;
/// Protocol number of UDP.
pub const IPPROTO_UDP: u8 = 17;
/// Protocol number of ICMPv6.
pub const IPPROTO_ICMPV6: u8 = 58;
