//! Raw frames on one interface: AF_PACKET.
//!
//! <https://man7.org/linux/man-pages/man7/packet.7.html>. Needs CAP_NET_RAW.
//! What an XDP program drops in native or generic mode never gets here, which
//! makes such a socket a witness of what passed.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socket};

use crate::{Error, Result};

/// `PACKET_IGNORE_OUTGOING` of `linux/if_packet.h` (Linux 4.20).
const PACKET_IGNORE_OUTGOING: libc::c_int = 23;

/// All protocols, in network byte order as the kernel wants it.
const ETH_P_ALL: u16 = (libc::ETH_P_ALL as u16).to_be();

/// A socket that sends and receives whole Ethernet frames on one interface.
#[derive(Debug)]
pub struct PacketSocket {
    fd: OwnedFd,
}

impl PacketSocket {
    /// Opens a socket on an interface of the calling thread's namespace.
    ///
    /// It sees only what comes in from then on, not what this machine sends.
    ///
    /// # Errors
    /// `EPERM` without CAP_NET_RAW, `ENODEV` when there is no such interface,
    /// `ENETDOWN` when it is down.
    pub fn open(ifindex: u32) -> Result<Self> {
        let failed = |call, errno| Error::call(call, format!("ifindex {ifindex}"), errno);
        // Protocol 0 at first: nothing is received until the socket is bound,
        // so that no frame of another interface slips in.
        let fd = socket(
            AddressFamily::Packet,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            None,
        )
        .map_err(|errno| failed("socket", errno))?;
        ignore_outgoing(&fd).map_err(|errno| failed("setsockopt", errno))?;
        bind(&fd, ifindex).map_err(|errno| failed("bind", errno))?;
        Ok(PacketSocket { fd })
    }

    /// Sends one frame, starting with its Ethernet header.
    ///
    /// # Errors
    /// `EMSGSIZE` when it is longer than the MTU and the header, `EINVAL` when
    /// it is shorter than a header, `ENETDOWN` when the interface went down.
    pub fn send(&self, frame: &[u8]) -> Result<()> {
        send(self.fd.as_raw_fd(), frame, MsgFlags::empty())
            .map(drop)
            .map_err(|errno| Error::call("send", "packet socket", errno))
    }

    /// Receives one frame, cut to the buffer; `None` when none came in time.
    ///
    /// # Errors
    /// `ENETDOWN` when the interface went down.
    pub fn receive(&self, buffer: &mut [u8], timeout: Duration) -> Result<Option<usize>> {
        let failed = |call, errno| Error::call(call, "packet socket", errno);
        if !self.wait(timeout).map_err(|errno| failed("poll", errno))? {
            return Ok(None);
        }
        match recv(self.fd.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT) {
            Ok(len) => Ok(Some(len)),
            Err(Errno::EAGAIN) => Ok(None),
            Err(errno) => Err(failed("recv", errno)),
        }
    }

    /// Whether a frame is there within the time.
    fn wait(&self, timeout: Duration) -> nix::Result<bool> {
        let start = Instant::now();
        loop {
            let left = timeout.saturating_sub(start.elapsed());
            // poll(2) counts in milliseconds; rounding down would make the last
            // one a busy loop.
            let millis = left.as_nanos().div_ceil(1_000_000);
            let wait = PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX);
            let mut fds = [PollFd::new(self.fd.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, wait) {
                Ok(0) if left.is_zero() => return Ok(false),
                Ok(0) | Err(Errno::EINTR) => {}
                Ok(_) => return Ok(true),
                Err(errno) => return Err(errno),
            }
        }
    }
}

fn ignore_outgoing(fd: &OwnedFd) -> nix::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the kernel reads `size_of::<c_int>()` bytes of `on`.
    let result = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_PACKET,
            PACKET_IGNORE_OUTGOING,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    Errno::result(result).map(drop)
}

fn bind(fd: &OwnedFd, ifindex: u32) -> nix::Result<()> {
    let address = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: ETH_P_ALL,
        sll_ifindex: i32::try_from(ifindex).map_err(|_| Errno::ENODEV)?,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    // SAFETY: the kernel reads `size_of::<sockaddr_ll>()` bytes of `address`.
    let result = unsafe {
        libc::bind(
            fd.as_raw_fd(),
            (&raw const address).cast(),
            size_of::<libc::sockaddr_ll>() as libc::socklen_t,
        )
    };
    Errno::result(result).map(drop)
}
