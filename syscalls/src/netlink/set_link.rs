//! Changing an interface: `RTM_SETLINK`, and removing it: `RTM_DELLINK`. Needs CAP_NET_ADMIN.

use super::interface::{IFF_UP, IFLA_ADDRESS, IFLA_MTU, RTM_DELLINK, RTM_SETLINK, ifinfomsg};
use super::message::{Message, flag};
use super::socket::Route;
use crate::Result;

impl Route {
    /// Switches an interface on.
    ///
    /// # Errors
    /// `ENODEV` when there is none, `EPERM` without CAP_NET_ADMIN.
    pub fn set_up(&mut self, ifindex: u32) -> Result<()> {
        self.set_link(ifindex, ifinfomsg(ifindex, IFF_UP, IFF_UP), |m| m)
    }

    /// Switches an interface off.
    ///
    /// # Errors
    /// `ENODEV` when there is none, `EPERM` without CAP_NET_ADMIN.
    pub fn set_down(&mut self, ifindex: u32) -> Result<()> {
        self.set_link(ifindex, ifinfomsg(ifindex, 0, IFF_UP), |m| m)
    }

    /// Sets the largest packet without the Ethernet header, in bytes.
    ///
    /// # Errors
    /// `EINVAL` outside what the driver takes; with XDP attached it takes less.
    pub fn set_mtu(&mut self, ifindex: u32, mtu: u32) -> Result<()> {
        let header = ifinfomsg(ifindex, 0, 0);
        self.set_link(ifindex, header, |m| m.u32(IFLA_MTU, mtu))
    }

    /// Sets the Ethernet address.
    ///
    /// # Errors
    /// `EADDRNOTAVAIL` for a multicast or zero address, `EBUSY` where the driver
    /// wants the interface down.
    pub fn set_mac(&mut self, ifindex: u32, mac: [u8; 6]) -> Result<()> {
        let header = ifinfomsg(ifindex, 0, 0);
        self.set_link(ifindex, header, |m| m.attribute(IFLA_ADDRESS, &mac))
    }

    /// Removes a virtual interface; a veth's peer goes with it.
    ///
    /// # Errors
    /// `EOPNOTSUPP` for hardware, `ENODEV` when there is none.
    pub fn delete_interface(&mut self, ifindex: u32) -> Result<()> {
        let message = Message::new(RTM_DELLINK, flag::ACK).header(&ifinfomsg(ifindex, 0, 0));
        self.act("RTM_DELLINK", &format!("ifindex {ifindex}"), message)
    }

    fn set_link(
        &mut self,
        ifindex: u32,
        header: [u8; 16],
        change: impl FnOnce(Message) -> Message,
    ) -> Result<()> {
        let message = change(Message::new(RTM_SETLINK, flag::ACK).header(&header));
        self.act("RTM_SETLINK", &format!("ifindex {ifindex}"), message)
    }
}
