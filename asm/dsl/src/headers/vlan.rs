//! VLAN tags (802.1Q): the four bytes behind an Ethernet header whose EtherType is
//! [`ETH_P_8021Q`](super::ETH_P_8021Q) or [`ETH_P_8021AD`](super::ETH_P_8021AD).

use crate::order::Be16;
use crate::unchecked::known_header;
use crate::value::Value;

known_header! {
    /// A VLAN tag, 4 bytes.
    pub struct vlan_hdr {
        /// Priority (3 bits), drop eligible (1 bit) and VLAN number (12 bits).
        h_vlan_TCI: Be16,
        /// EtherType of what follows.
        h_vlan_encapsulated_proto: Be16,
    }
}

impl<'p> vlan_hdr<'_, 'p> {
    /// The VLAN's number.
    #[track_caller]
    pub fn vid(self) -> Value<'p, u16> {
        self.h_vlan_TCI().to_host() & 0x0fff
    }
}
