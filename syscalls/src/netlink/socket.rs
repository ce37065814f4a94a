//! The rtnetlink socket: one request, its replies, and the kernel's acknowledgement.

use std::fmt;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recvfrom, sendto,
    socket,
};

use super::message::{HEADER_LEN, Message};
use super::parse::{Received, attributes, messages};
use crate::{Error, Result};

/// Bytes of the receive buffer. The kernel puts up to 32 KiB into one datagram of a dump; this
/// is so much more that the allocator takes it from the kernel, zeroed page by page when a
/// datagram reaches it, where a smaller buffer would be zeroed whole for every command.
const BUFFER_LEN: usize = 256 * 1024;

/// `NLMSG_*` types that are no reply.
const NLMSG_NOOP: u16 = 1;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;

/// The dump was changed under way; it may miss things or name them twice.
const NLM_F_DUMP_INTR: u16 = 0x10;
/// The error does not repeat the request's payload.
const NLM_F_CAPPED: u16 = 0x100;
/// Attributes follow the error.
const NLM_F_ACK_TLVS: u16 = 0x200;

/// The text among the attributes of an error.
const NLMSGERR_ATTR_MSG: u16 = 1;

/// `SOL_NETLINK` options of `linux/netlink.h`.
const SOL_NETLINK: libc::c_int = 270;
const NETLINK_CAP_ACK: libc::c_int = 10;
const NETLINK_EXT_ACK: libc::c_int = 11;

/// A socket for requests about the interfaces of one network namespace.
pub struct Route {
    fd: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
}

/// Whether the replies to a dump are one consistent picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum Dump {
    Complete,
    Interrupted,
}

/// What a request was about, for errors.
#[derive(Debug, Clone, Copy)]
pub(super) struct About<'a> {
    /// The request, such as `RTM_GETLINK`.
    pub(super) request: &'static str,
    /// The interface.
    pub(super) object: &'a str,
}

impl Route {
    /// Opens a socket in the calling thread's namespace. Needs no privilege.
    ///
    /// # Errors
    /// When sockets run out, or netlink is filtered away.
    pub fn open() -> Result<Self> {
        let fd = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkRoute,
        )
        .map_err(|errno| Error::call("socket", "NETLINK_ROUTE", errno))?;
        // Both exist since Linux 4.12; without them an error has no text, and
        // that is all.
        let _ = enable(&fd, NETLINK_EXT_ACK);
        let _ = enable(&fd, NETLINK_CAP_ACK);
        Ok(Route {
            fd,
            sequence: 0,
            buffer: vec![0; BUFFER_LEN],
        })
    }

    /// Sends a request and hands each reply's payload to `each`, until the
    /// kernel says that it is done.
    ///
    /// The request must ask for an acknowledgement or be a dump, or this waits forever.
    pub(super) fn request(
        &mut self,
        about: About<'_>,
        message: Message,
        mut each: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<Dump> {
        self.sequence = self.sequence.wrapping_add(1);
        self.send(about, &message.finish(self.sequence)?)?;
        let mut dump = Dump::Complete;
        loop {
            let len = self.receive(about)?;
            let datagram = self.buffer.get(..len).unwrap_or_default();
            for received in messages(datagram) {
                let received = received?;
                if received.sequence != self.sequence {
                    continue;
                }
                if received.flags & NLM_F_DUMP_INTR != 0 {
                    dump = Dump::Interrupted;
                }
                match received.kind {
                    NLMSG_NOOP => {}
                    NLMSG_ERROR | NLMSG_DONE => {
                        return acknowledged(about, &received).map(|()| dump);
                    }
                    _ => each(received.payload)?,
                }
            }
        }
    }

    fn send(&self, about: About<'_>, bytes: &[u8]) -> Result<()> {
        let kernel = NetlinkAddr::new(0, 0);
        sendto(self.fd.as_raw_fd(), bytes, &kernel, MsgFlags::empty())
            .map(drop)
            .map_err(|errno| about.error(errno, None))
    }

    /// Receives one datagram of the kernel's, whole, and gives its length.
    fn receive(&mut self, about: About<'_>) -> Result<usize> {
        loop {
            match recvfrom::<NetlinkAddr>(self.fd.as_raw_fd(), &mut self.buffer) {
                Ok((_, Some(sender))) if sender.pid() != 0 => {}
                // Netlink cuts what does not fit, without a word. A full buffer
                // can be a whole datagram, but the kernel never fills one exactly.
                Ok((len, _)) if len >= self.buffer.len() => {
                    return Err(Error::Malformed {
                        what: "netlink datagram of over 256 KiB",
                    });
                }
                Ok((len, _)) => return Ok(len),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(about.error(errno, None)),
            }
        }
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route")
            .field("fd", &self.fd)
            .finish_non_exhaustive()
    }
}

impl About<'_> {
    fn error(self, errno: Errno, text: Option<String>) -> Error {
        Error::Netlink {
            request: self.request,
            object: self.object.to_owned(),
            errno,
            text,
        }
    }
}

/// Reads an acknowledgement or the end of a dump: an errno, 0 for success.
fn acknowledged(about: About<'_>, received: &Received<'_>) -> Result<()> {
    let Some((code, rest)) = received.payload.split_first_chunk::<4>() else {
        // The end of a dump may come without an errno.
        return match received.kind {
            NLMSG_DONE => Ok(()),
            _ => Err(Error::Malformed {
                what: "netlink acknowledgement",
            }),
        };
    };
    match i32::from_ne_bytes(*code) {
        0 => Ok(()),
        code => Err(about.error(
            Errno::from_raw(code.wrapping_neg()),
            extended_text(received, rest),
        )),
    }
}

/// The kernel's explanation. `rest` is what follows the errno.
fn extended_text(received: &Received<'_>, rest: &[u8]) -> Option<String> {
    if received.flags & NLM_F_ACK_TLVS == 0 {
        return None;
    }
    let attributes_at = match received.kind {
        NLMSG_DONE => 0,
        _ if received.flags & NLM_F_CAPPED != 0 => HEADER_LEN,
        _ => {
            let (len, _) = rest.split_first_chunk::<4>()?;
            (u32::from_ne_bytes(*len) as usize).checked_next_multiple_of(4)?
        }
    };
    attributes(rest.get(attributes_at..)?)
        .flatten()
        .find(|attribute| attribute.kind == NLMSGERR_ATTR_MSG)
        .map(|attribute| attribute.string())
}

fn enable(fd: &OwnedFd, option: libc::c_int) -> nix::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the kernel reads `size_of::<c_int>()` bytes of `on`.
    let result = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            SOL_NETLINK,
            option,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    Errno::result(result).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABOUT: About<'_> = About {
        request: "RTM_SETLINK",
        object: "eth0",
    };

    /// An error as the kernel lays it out: errno, the request (or its header), attributes.
    fn error_payload(errno: i32, request: &[u8], text: &str) -> Vec<u8> {
        let attributes = Message::new(0, 0)
            .string(NLMSGERR_ATTR_MSG, text)
            .finish(0)
            .unwrap();
        [
            &(-errno).to_ne_bytes()[..],
            request,
            &attributes[HEADER_LEN..],
        ]
        .concat()
    }

    fn text_of(flags: u16, payload: &[u8]) -> Option<String> {
        let received = Received {
            kind: NLMSG_ERROR,
            flags,
            sequence: 1,
            payload,
        };
        match acknowledged(ABOUT, &received) {
            Err(Error::Netlink { errno, text, .. }) => {
                assert_eq!(errno, Errno::EBUSY);
                text
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn text_is_found_behind_a_capped_and_a_whole_request() {
        let request = Message::new(19, 0).header(&[0; 16]).finish(1).unwrap();
        let busy = libc::EBUSY;
        let whole = error_payload(busy, &request, "taken");
        assert_eq!(text_of(NLM_F_ACK_TLVS, &whole).as_deref(), Some("taken"));
        let capped = error_payload(busy, &request[..HEADER_LEN], "taken");
        let flags = NLM_F_ACK_TLVS | NLM_F_CAPPED;
        assert_eq!(text_of(flags, &capped).as_deref(), Some("taken"));
        assert_eq!(text_of(NLM_F_CAPPED, &capped), None);
    }

    #[test]
    fn the_kernel_names_a_missing_interface() {
        let mut route = Route::open().unwrap();
        let error = route.interface_by_name("nosuch0").unwrap_err();
        assert!(error.is(Errno::ENODEV), "{error}");
    }
}
