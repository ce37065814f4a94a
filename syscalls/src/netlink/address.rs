//! Addresses of an interface: `RTM_NEWADDR`. Needs CAP_NET_ADMIN.

use std::net::IpAddr;

use super::message::{Message, flag};
use super::socket::Route;
use crate::Result;

const RTM_NEWADDR: u16 = 20;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_FLAGS: u16 = 8;
const IFA_F_NODAD: u32 = 0x02;

/// Whether an IPv6 address is first checked for being unique, which takes a second or two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DuplicateDetection {
    /// Check, as usual.
    On,
    /// Use it at once: `IFA_F_NODAD`.
    Off,
}

impl Route {
    /// Gives an interface an address with a prefix length in bits.
    ///
    /// # Errors
    /// `EEXIST` when it has it already, `EINVAL` for a prefix that is too long,
    /// `ENODEV` when there is no such interface.
    pub fn add_address(
        &mut self,
        ifindex: u32,
        address: IpAddr,
        prefix_len: u8,
        detection: DuplicateDetection,
    ) -> Result<()> {
        let family = match address {
            IpAddr::V4(_) => libc::AF_INET,
            IpAddr::V6(_) => libc::AF_INET6,
        } as u8;
        let [i0, i1, i2, i3] = ifindex.to_ne_bytes();
        // struct ifaddrmsg: family, prefix length, flags, scope, index.
        let header = [family, prefix_len, 0, 0, i0, i1, i2, i3];
        let mut message =
            Message::new(RTM_NEWADDR, flag::ACK | flag::CREATE | flag::EXCL).header(&header);
        message = match address {
            IpAddr::V4(v4) => message
                .attribute(IFA_LOCAL, &v4.octets())
                .attribute(IFA_ADDRESS, &v4.octets()),
            IpAddr::V6(v6) => message.attribute(IFA_ADDRESS, &v6.octets()),
        };
        if detection == DuplicateDetection::Off {
            message = message.u32(IFA_FLAGS, IFA_F_NODAD);
        }
        self.act("RTM_NEWADDR", &address.to_string(), message)
    }
}
