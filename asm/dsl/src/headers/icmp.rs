//! ICMP: `struct icmphdr`, from `linux/icmp.h`.

use crate::order::Be16;
use crate::unchecked::known_header;

known_header! {
    /// An ICMP header, 8 bytes (RFC 792).
    pub struct icmphdr {
        /// Type: one of the `ICMP_*` constants. (`type` is a keyword of Rust.)
        type_: u8,
        /// Code.
        code: u8,
        /// Checksum.
        checksum: Be16,
        /// Identifier, in echo messages.
        id: Be16,
        /// Sequence number, in echo messages.
        sequence: Be16,
    }
}

/// Type of an echo reply.
pub const ICMP_ECHOREPLY: u8 = 0;
/// Type of "destination unreachable"; its code 4 is what path-MTU discovery needs.
pub const ICMP_DEST_UNREACH: u8 = 3;
/// Type of an echo request.
pub const ICMP_ECHO: u8 = 8;
/// Code of [`ICMP_DEST_UNREACH`]: the packet must be fragmented, and must not be.
pub const ICMP_FRAG_NEEDED: u8 = 4;
