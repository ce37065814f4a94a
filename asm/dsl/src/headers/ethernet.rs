//! Ethernet: `struct ethhdr` and EtherTypes, from `linux/if_ether.h`.

use crate::order::Be16;
use crate::unchecked::known_header;

known_header! {
    /// An Ethernet header, 14 bytes.
    pub struct ethhdr {
        /// Destination address.
        h_dest: [u8; 6],
        /// Source address.
        h_source: [u8; 6],
        /// EtherType: one of the `ETH_P_*` constants.
        h_proto: Be16,
    }
}

/// EtherType of IPv4.
pub const ETH_P_IP: u16 = 0x0800;
/// EtherType of ARP.
pub const ETH_P_ARP: u16 = 0x0806;
/// EtherType of IPv6.
pub const ETH_P_IPV6: u16 = 0x86dd;
/// EtherType of a VLAN tag (802.1Q).
pub const ETH_P_8021Q: u16 = 0x8100;
/// EtherType of a service VLAN tag (802.1ad).
pub const ETH_P_8021AD: u16 = 0x88a8;
