//! IPv6: `struct ipv6hdr`, from `linux/ipv6.h`.

use crate::order::{Be16, Be32};
use crate::unchecked::known_header;
use crate::value::Value;

known_header! {
    /// An IPv6 header, 40 bytes (RFC 8200).
    pub struct ipv6hdr {
        /// Version (4 bits), traffic class (8 bits) and flow label (20 bits).
        version_class_flow: Be32,
        /// Length of what follows this header, in bytes.
        payload_len: Be16,
        /// Protocol of the payload or of the first extension header: an `IPPROTO_*` constant.
        nexthdr: u8,
        /// Hops left.
        hop_limit: u8,
        /// Source address.
        saddr: [u8; 16],
        /// Destination address.
        daddr: [u8; 16],
    }
}

impl<'p> ipv6hdr<'_, 'p> {
    /// IP version: 6.
    #[track_caller]
    pub fn version(self) -> Value<'p, u32> {
        self.version_class_flow().to_host() >> 28
    }

    /// Flow label, 20 bits.
    #[track_caller]
    pub fn flow_label(self) -> Value<'p, u32> {
        self.version_class_flow().to_host() & 0x000f_ffff
    }
}
