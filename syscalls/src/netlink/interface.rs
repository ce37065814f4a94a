//! Interfaces: `RTM_GETLINK`.

use nix::errno::Errno;

use super::message::{Message, flag};
use super::parse::{Attribute, attributes};
use super::socket::{About, Dump, Route};
use super::xdp::{IFLA_XDP, XdpState};
use crate::{Error, Result};

pub(super) const RTM_NEWLINK: u16 = 16;
pub(super) const RTM_DELLINK: u16 = 17;
const RTM_GETLINK: u16 = 18;
pub(super) const RTM_SETLINK: u16 = 19;

pub(super) const IFLA_ADDRESS: u16 = 1;
pub(super) const IFLA_IFNAME: u16 = 3;
pub(super) const IFLA_MTU: u16 = 4;
const IFLA_OPERSTATE: u16 = 16;
pub(super) const IFLA_LINKINFO: u16 = 18;
pub(super) const IFLA_INFO_KIND: u16 = 1;
const IFLA_EXT_MASK: u16 = 29;
const IFLA_ALT_IFNAME: u16 = 53;

/// `RTEXT_FILTER_SKIP_STATS`: no counters, which are most of a reply.
const RTEXT_FILTER_SKIP_STATS: u32 = 1 << 3;

/// `IFF_UP` of `ifi_flags`: switched on by its administrator.
pub(super) const IFF_UP: u32 = 1;
/// `IFF_LOOPBACK` of `ifi_flags`.
const IFF_LOOPBACK: u32 = 1 << 3;

/// Bytes of `struct ifinfomsg`.
const IFINFOMSG_LEN: usize = 16;

/// Longest name of an interface, in bytes; alternative names can be longer.
pub const MAX_NAME_LEN: usize = libc::IFNAMSIZ - 1;

/// A dump that changes under way is repeated this often.
const ATTEMPTS: u32 = 8;

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its number in this namespace.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Largest packet without the Ethernet header, in bytes.
    pub mtu: u32,
    /// `ifi_flags`: `IFF_*`.
    pub flags: u32,
    /// Whether it can carry packets now (RFC 2863).
    pub operstate: Operstate,
    /// Its Ethernet address; `None` where it has none.
    pub mac: Option<[u8; 6]>,
    /// What made it, such as `veth` or `bridge`; `None` for hardware.
    pub kind: Option<String>,
    /// What XDP runs on it.
    pub xdp: XdpState,
}

/// RFC 2863 states, as `linux/if.h` numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Operstate {
    /// The driver does not say; loopback is always so.
    #[default]
    Unknown,
    /// It carries packets.
    Up,
    /// It does not: no cable, a layer below is down, or it waits for something.
    Down,
}

impl Interface {
    /// Whether it is switched on.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.flags & IFF_UP != 0
    }

    /// Whether it is a loopback interface.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.flags & IFF_LOOPBACK != 0
    }

    /// Reads a reply: `struct ifinfomsg` and attributes.
    fn parse(payload: &[u8]) -> Result<Self> {
        let Some((header, rest)) = payload.split_first_chunk::<IFINFOMSG_LEN>() else {
            return Err(Error::Malformed { what: "ifinfomsg" });
        };
        let [_, _, _, _, i0, i1, i2, i3, f0, f1, f2, f3, ..] = *header;
        let mut interface = Interface {
            index: u32::from_ne_bytes([i0, i1, i2, i3]),
            name: String::new(),
            mtu: 0,
            flags: u32::from_ne_bytes([f0, f1, f2, f3]),
            operstate: Operstate::Unknown,
            mac: None,
            kind: None,
            xdp: XdpState::default(),
        };
        for attribute in attributes(rest) {
            interface.take(attribute?)?;
        }
        Ok(interface)
    }

    fn take(&mut self, attribute: Attribute<'_>) -> Result<()> {
        match attribute.kind {
            IFLA_IFNAME => self.name = attribute.string(),
            IFLA_MTU => self.mtu = attribute.u32()?,
            IFLA_OPERSTATE => self.operstate = Operstate::from_uapi(attribute.u8()?),
            IFLA_ADDRESS => self.mac = attribute.payload.try_into().ok(),
            IFLA_LINKINFO => self.kind = info_kind(attribute)?,
            IFLA_XDP => self.xdp = XdpState::parse(attribute)?,
            _ => {}
        }
        Ok(())
    }
}

impl Operstate {
    fn from_uapi(number: u8) -> Self {
        match number {
            0 => Operstate::Unknown,
            6 => Operstate::Up,
            _ => Operstate::Down,
        }
    }
}

impl Route {
    /// All interfaces of the namespace.
    ///
    /// # Errors
    /// When interfaces come and go faster than they can be listed (`EAGAIN`).
    pub fn interfaces(&mut self) -> Result<Vec<Interface>> {
        let about = About {
            request: "RTM_GETLINK",
            object: "all",
        };
        for _ in 0..ATTEMPTS {
            let mut all = Vec::new();
            let message = get_link(flag::DUMP, 0);
            let dump = self.request(about, message, |payload| {
                all.push(Interface::parse(payload)?);
                Ok(())
            })?;
            if dump == Dump::Complete {
                return Ok(all);
            }
        }
        Err(Error::call("RTM_GETLINK", "all", Errno::EAGAIN))
    }

    /// The interface with this name or alternative name.
    ///
    /// # Errors
    /// `ENODEV` when there is none.
    pub fn interface_by_name(&mut self, name: &str) -> Result<Interface> {
        let attribute = if name.len() <= MAX_NAME_LEN {
            IFLA_IFNAME
        } else {
            IFLA_ALT_IFNAME
        };
        // Names that the kernel would refuse in other words than "no such".
        if name.is_empty() || name.len() > 127 || name.contains('\0') {
            return Err(Error::call("RTM_GETLINK", name, Errno::ENODEV));
        }
        let message = get_link(flag::ACK, 0).string(attribute, name);
        self.one(name, message)
    }

    /// The interface with this index.
    ///
    /// # Errors
    /// `ENODEV` when there is none.
    pub fn interface_by_index(&mut self, index: u32) -> Result<Interface> {
        self.one(&format!("ifindex {index}"), get_link(flag::ACK, index))
    }

    fn one(&mut self, object: &str, message: Message) -> Result<Interface> {
        let about = About {
            request: "RTM_GETLINK",
            object,
        };
        let mut found = None;
        let _complete = self.request(about, message, |payload| {
            found = Some(Interface::parse(payload)?);
            Ok(())
        })?;
        found.ok_or_else(|| Error::call("RTM_GETLINK", object, Errno::ENODEV))
    }
}

fn get_link(flags: u16, index: u32) -> Message {
    Message::new(RTM_GETLINK, flags)
        .header(&ifinfomsg(index, 0, 0))
        .u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)
}

/// `struct ifinfomsg`: of `flags`, those in `change` are set.
pub(super) fn ifinfomsg(index: u32, flags: u32, change: u32) -> [u8; IFINFOMSG_LEN] {
    let mut bytes = [0; IFINFOMSG_LEN];
    let (_, tail) = bytes.split_at_mut(4);
    for (slot, number) in tail.chunks_exact_mut(4).zip([index, flags, change]) {
        slot.copy_from_slice(&number.to_ne_bytes());
    }
    bytes
}

fn info_kind(linkinfo: Attribute<'_>) -> Result<Option<String>> {
    for attribute in linkinfo.nested() {
        let attribute = attribute?;
        if attribute.kind == IFLA_INFO_KIND {
            return Ok(Some(attribute.string()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn loopback_is_found_by_name_by_index_and_in_the_list() {
        let mut route = Route::open().unwrap();
        let lo = route.interface_by_name("lo").unwrap();
        assert!(lo.is_loopback());
        assert_eq!(lo.name, "lo");
        assert_eq!(lo.kind, None);
        assert_eq!(route.interface_by_index(lo.index), Ok(lo.clone()));
        assert!(route.interfaces().unwrap().contains(&lo));
    }

    #[test]
    fn names_that_cannot_be_are_not_there() {
        let mut route = Route::open().unwrap();
        for name in ["", "nosuch0", "x\0y", &"n".repeat(40), &"n".repeat(200)] {
            let error = route.interface_by_name(name).unwrap_err();
            assert!(error.is(Errno::ENODEV), "{name:?}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_reply_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Interface::parse(&bytes);
        }
    }
}
