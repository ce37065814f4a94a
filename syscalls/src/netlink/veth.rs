//! Virtual Ethernet pairs: a cable with an interface at either end.
//!
//! <https://man7.org/linux/man-pages/man4/veth.4.html>

use std::os::fd::{AsRawFd, BorrowedFd};

use super::interface::{
    IFLA_IFNAME, IFLA_INFO_KIND, IFLA_LINKINFO, MAX_NAME_LEN, RTM_NEWLINK, ifinfomsg,
};
use super::message::{Message, flag};
use super::socket::Route;
use crate::{Error, Result};

const IFLA_INFO_DATA: u16 = 2;
const IFLA_NET_NS_FD: u16 = 28;
const VETH_INFO_PEER: u16 = 1;

/// A pair to be made.
#[derive(Debug, Clone, Copy)]
pub struct Veth<'a> {
    /// The end in the socket's namespace.
    pub name: &'a str,
    /// The other end.
    pub peer: &'a str,
    /// The namespace of the other end; the socket's own, for `None`.
    pub peer_netns: Option<BorrowedFd<'a>>,
}

impl Route {
    /// Makes a pair, in one step; both ends are down.
    ///
    /// # Errors
    /// `EEXIST` when a name is taken, `EOPNOTSUPP` when the kernel has no veth,
    /// `EPERM` without CAP_NET_ADMIN in both namespaces.
    pub fn create_veth(&mut self, veth: &Veth<'_>) -> Result<()> {
        for name in [veth.name, veth.peer] {
            if name.is_empty() || name.len() > MAX_NAME_LEN || name.contains('\0') {
                return Err(Error::argument(format!(
                    "'{}' cannot be the name of an interface",
                    name.escape_default()
                )));
            }
        }
        let message = Message::new(RTM_NEWLINK, flag::ACK | flag::CREATE | flag::EXCL)
            .header(&ifinfomsg(0, 0, 0))
            .string(IFLA_IFNAME, veth.name)
            .nested(IFLA_LINKINFO, |m| {
                m.string(IFLA_INFO_KIND, "veth")
                    .nested(IFLA_INFO_DATA, |m| {
                        m.nested(VETH_INFO_PEER, |m| peer(m, veth))
                    })
            });
        self.act("RTM_NEWLINK", veth.name, message)
    }
}

/// The other end is described like an interface: header, then attributes.
fn peer(message: Message, veth: &Veth<'_>) -> Message {
    let message = message
        .header(&ifinfomsg(0, 0, 0))
        .string(IFLA_IFNAME, veth.peer);
    match veth.peer_netns {
        Some(netns) => message.attribute(IFLA_NET_NS_FD, &netns.as_raw_fd().to_ne_bytes()),
        None => message,
    }
}
