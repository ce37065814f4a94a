//! ARP: `struct arphdr`, from `linux/if_arp.h`.

use crate::order::Be16;
use crate::unchecked::known_header;

known_header! {
    /// The fixed part of an ARP message, 8 bytes (RFC 826).
    pub struct arphdr {
        /// Kind of hardware address.
        ar_hrd: Be16,
        /// Kind of protocol address, as an EtherType.
        ar_pro: Be16,
        /// Length of a hardware address in bytes.
        ar_hln: u8,
        /// Length of a protocol address in bytes.
        ar_pln: u8,
        /// Operation: [`ARPOP_REQUEST`] or [`ARPOP_REPLY`].
        ar_op: Be16,
    }
}

/// Operation: who has this address?
pub const ARPOP_REQUEST: u16 = 1;
/// Operation: I have.
pub const ARPOP_REPLY: u16 = 2;
