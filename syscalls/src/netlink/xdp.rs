//! XDP by netlink: what runs on an interface, and attaching without a link.
//!
//! `IFLA_XDP` of `linux/if_link.h`. Such an attachment belongs to nobody: it
//! stays until somebody takes it off. All kernels since 4.8 have it.

use std::fmt;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::interface::{RTM_SETLINK, ifinfomsg};
use super::message::{Message, flag};
use super::parse::Attribute;
use super::socket::{About, Route};
use crate::Result;

pub(super) const IFLA_XDP: u16 = 43;
const IFLA_XDP_FD: u16 = 1;
const IFLA_XDP_ATTACHED: u16 = 2;
const IFLA_XDP_FLAGS: u16 = 3;
const IFLA_XDP_PROG_ID: u16 = 4;
const IFLA_XDP_DRV_PROG_ID: u16 = 5;
const IFLA_XDP_SKB_PROG_ID: u16 = 6;
const IFLA_XDP_HW_PROG_ID: u16 = 7;
const IFLA_XDP_EXPECTED_FD: u16 = 8;

/// `XDP_ATTACHED_*`: one program, in the mode that the number says.
const XDP_ATTACHED_DRV: u8 = 1;
const XDP_ATTACHED_SKB: u8 = 2;
const XDP_ATTACHED_HW: u8 = 3;

const XDP_FLAGS_UPDATE_IF_NOEXIST: u32 = 1 << 0;
const XDP_FLAGS_SKB_MODE: u32 = 1 << 1;
const XDP_FLAGS_DRV_MODE: u32 = 1 << 2;
const XDP_FLAGS_HW_MODE: u32 = 1 << 3;
const XDP_FLAGS_REPLACE: u32 = 1 << 4;

/// The file descriptor that means "no program".
const DETACH: i32 = -1;

/// Where an XDP program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum XdpMode {
    /// In the driver, before the kernel's packet structure exists.
    Native,
    /// In the network stack, after it exists: for every driver, and slow.
    Generic,
    /// In the network card.
    Offload,
}

impl XdpMode {
    /// All modes.
    pub const ALL: [XdpMode; 3] = [XdpMode::Native, XdpMode::Generic, XdpMode::Offload];

    /// The `XDP_FLAGS_*_MODE` bit, for netlink and for link_create.
    #[must_use]
    pub fn flags(self) -> u32 {
        match self {
            XdpMode::Native => XDP_FLAGS_DRV_MODE,
            XdpMode::Generic => XDP_FLAGS_SKB_MODE,
            XdpMode::Offload => XDP_FLAGS_HW_MODE,
        }
    }

    /// `native`, `generic` or `offload`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            XdpMode::Native => "native",
            XdpMode::Generic => "generic",
            XdpMode::Offload => "offload",
        }
    }
}

impl fmt::Display for XdpMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The program that each mode runs, by id. Native or generic and offload can be
/// active at once (`XDP_ATTACHED_MULTI`); native and generic cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct XdpState {
    /// In the driver.
    pub native: Option<u32>,
    /// In the network stack.
    pub generic: Option<u32>,
    /// In the network card.
    pub offload: Option<u32>,
}

impl XdpState {
    /// The program that runs in a mode.
    #[must_use]
    pub fn get(&self, mode: XdpMode) -> Option<u32> {
        match mode {
            XdpMode::Native => self.native,
            XdpMode::Generic => self.generic,
            XdpMode::Offload => self.offload,
        }
    }

    /// Every mode that has a program, with its program's id.
    pub fn iter(&self) -> impl Iterator<Item = (XdpMode, u32)> + '_ {
        XdpMode::ALL
            .into_iter()
            .filter_map(|mode| self.get(mode).map(|id| (mode, id)))
    }

    /// Whether no program runs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Reads the nested `IFLA_XDP`.
    pub(super) fn parse(xdp: Attribute<'_>) -> Result<Self> {
        let mut state = XdpState::default();
        let (mut attached, mut only) = (0, None);
        for attribute in xdp.nested() {
            let attribute = attribute?;
            match attribute.kind {
                IFLA_XDP_ATTACHED => attached = attribute.u8()?,
                IFLA_XDP_PROG_ID => only = program(attribute)?,
                IFLA_XDP_DRV_PROG_ID => state.native = program(attribute)?,
                IFLA_XDP_SKB_PROG_ID => state.generic = program(attribute)?,
                IFLA_XDP_HW_PROG_ID => state.offload = program(attribute)?,
                _ => {}
            }
        }
        // Kernels before 4.19 say only which mode it is and the one program's id.
        match attached {
            XDP_ATTACHED_DRV => state.native = state.native.or(only),
            XDP_ATTACHED_SKB => state.generic = state.generic.or(only),
            XDP_ATTACHED_HW => state.offload = state.offload.or(only),
            _ => {}
        }
        Ok(state)
    }
}

fn program(attribute: Attribute<'_>) -> Result<Option<u32>> {
    attribute.u32().map(|id| (id != 0).then_some(id))
}

impl Route {
    /// Attaches a program where none is: `XDP_FLAGS_UPDATE_IF_NOEXIST`.
    ///
    /// # Errors
    /// `EBUSY` when a program or link is attached in this mode, `EEXIST` when
    /// one is in native mode and this is generic, or the other way round;
    /// `EOPNOTSUPP`, `EINVAL` or `ERANGE` as the driver sees fit, with its text.
    pub fn xdp_attach(&mut self, ifindex: u32, prog: BorrowedFd<'_>, mode: XdpMode) -> Result<()> {
        let flags = mode.flags() | XDP_FLAGS_UPDATE_IF_NOEXIST;
        self.set_xdp(ifindex, prog.as_raw_fd(), flags, None)
    }

    /// Replaces the program `old` by another, if it is still there: `XDP_FLAGS_REPLACE` (Linux 5.7).
    ///
    /// # Errors
    /// `EEXIST` when another program than `old` runs, `EBUSY` when a link does.
    pub fn xdp_replace(
        &mut self,
        ifindex: u32,
        new: BorrowedFd<'_>,
        old: BorrowedFd<'_>,
        mode: XdpMode,
    ) -> Result<()> {
        let flags = mode.flags() | XDP_FLAGS_REPLACE;
        self.set_xdp(ifindex, new.as_raw_fd(), flags, Some(old))
    }

    /// Takes the program `old` off, if it is still there: `XDP_FLAGS_REPLACE` (Linux 5.7).
    ///
    /// The mode must be named: without one the kernel looks at native mode
    /// only, and a generic program that stays makes the next native attach fail.
    ///
    /// # Errors
    /// `EEXIST` when another program than `old` runs, `EBUSY` when a link does.
    pub fn xdp_detach(&mut self, ifindex: u32, old: BorrowedFd<'_>, mode: XdpMode) -> Result<()> {
        let flags = mode.flags() | XDP_FLAGS_REPLACE;
        self.set_xdp(ifindex, DETACH, flags, Some(old))
    }

    /// Takes off whatever program runs in this mode, for kernels before 5.7.
    ///
    /// # Errors
    /// `EBUSY` when a link is attached.
    pub fn xdp_detach_any(&mut self, ifindex: u32, mode: XdpMode) -> Result<()> {
        self.set_xdp(ifindex, DETACH, mode.flags(), None)
    }

    fn set_xdp(
        &mut self,
        ifindex: u32,
        fd: i32,
        flags: u32,
        expected: Option<BorrowedFd<'_>>,
    ) -> Result<()> {
        let message = Message::new(RTM_SETLINK, flag::ACK)
            .header(&ifinfomsg(ifindex, 0, 0))
            .nested(IFLA_XDP, |m| {
                let m = m
                    .attribute(IFLA_XDP_FD, &fd.to_ne_bytes())
                    .u32(IFLA_XDP_FLAGS, flags);
                match expected {
                    Some(old) => m.attribute(IFLA_XDP_EXPECTED_FD, &old.as_raw_fd().to_ne_bytes()),
                    None => m,
                }
            });
        self.act("RTM_SETLINK", &format!("ifindex {ifindex}"), message)
    }

    /// Sends a request that has no reply but its acknowledgement.
    pub(super) fn act(
        &mut self,
        request: &'static str,
        object: &str,
        message: Message,
    ) -> Result<()> {
        let about = About { request, object };
        self.request(about, message, |_| Ok(())).map(|_dump| ())
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse::attributes;
    use super::*;

    fn state(fill: impl FnOnce(Message) -> Message) -> XdpState {
        let bytes = Message::new(0, 0).nested(IFLA_XDP, fill).finish(1).unwrap();
        let attribute = attributes(&bytes[16..]).next().unwrap().unwrap();
        XdpState::parse(attribute).unwrap()
    }

    #[test]
    fn each_mode_has_its_program() {
        let multi = state(|m| {
            m.attribute(IFLA_XDP_ATTACHED, &[4])
                .u32(IFLA_XDP_SKB_PROG_ID, 8)
                .u32(IFLA_XDP_HW_PROG_ID, 9)
        });
        let all: Vec<_> = multi.iter().collect();
        assert_eq!(all, [(XdpMode::Generic, 8), (XdpMode::Offload, 9)]);
    }

    #[test]
    fn an_old_kernel_gives_one_id_and_the_mode() {
        let old = state(|m| {
            m.attribute(IFLA_XDP_ATTACHED, &[XDP_ATTACHED_SKB])
                .u32(IFLA_XDP_PROG_ID, 5)
        });
        assert_eq!((old.generic, old.native), (Some(5), None));
    }

    #[test]
    fn nothing_attached_is_empty() {
        assert!(state(|m| m.attribute(IFLA_XDP_ATTACHED, &[0])).is_empty());
    }
}
