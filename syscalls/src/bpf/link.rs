//! Links: an attachment that is an object of its own, with an owner.
//!
//! <https://docs.ebpf.io/linux/syscall/BPF_LINK_CREATE/>. XDP links exist since
//! Linux 5.9. When the last descriptor and pin of a link are gone, the kernel
//! detaches it.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;

use super::attr::{LinkCreateAttr, LinkFdAttr, LinkUpdateAttr};
use super::command::{Command, bpf, bpf_fd};
use crate::{Error, Result};

/// `enum bpf_attach_type`: XDP, both at load and for a link.
///
/// A program loaded without it as `expected_attach_type` attaches, but its link
/// can never be updated to a program that has it.
pub const BPF_XDP: u32 = 37;

/// `enum bpf_link_type`: an XDP link.
pub const BPF_LINK_TYPE_XDP: u32 = 6;

/// `BPF_LINK_UPDATE`: fail unless the link runs the program that is named.
const BPF_F_REPLACE: u32 = 1 << 2;

/// What a link attaches to.
#[derive(Debug, Clone, Copy)]
pub enum LinkTarget<'fd> {
    /// An interface of the calling thread's network namespace.
    Ifindex(u32),
    /// A cgroup or another thing that is a file descriptor.
    Fd(BorrowedFd<'fd>),
}

/// Attaches a program: `BPF_LINK_CREATE`.
///
/// `flags` depend on the attach type; for XDP they are the mode bits
/// `XDP_FLAGS_SKB_MODE`, `_DRV_MODE` and `_HW_MODE`.
///
/// # Errors
/// For XDP: `EBUSY` when a link is attached already, `EEXIST` when another mode
/// is active, `EOPNOTSUPP` when the driver has no such mode, `EINVAL` or
/// `ERANGE` when the driver refuses (MTU, queues) or the kernel has no XDP links.
pub fn link_create(
    prog: BorrowedFd<'_>,
    target: LinkTarget<'_>,
    attach_type: u32,
    flags: u32,
) -> Result<OwnedFd> {
    let mut attr = LinkCreateAttr {
        prog_fd: prog.as_raw_fd() as u32,
        target: match target {
            LinkTarget::Ifindex(ifindex) => ifindex,
            LinkTarget::Fd(fd) => fd.as_raw_fd() as u32,
        },
        attach_type,
        flags,
    };
    // SAFETY: no addresses in `attr`; the command returns a new file descriptor.
    unsafe { bpf_fd(Command::LinkCreate, &mut attr) }
        .map_err(|errno| Error::call(Command::LinkCreate.name(), describe(target), errno))
}

/// Replaces the program of a link, if it is still `old`: `BPF_LINK_UPDATE` with `BPF_F_REPLACE`.
///
/// # Errors
/// `EPERM` when the link runs another program than `old`, `ENOLINK` when its
/// interface is gone, `EINVAL` when the programs differ in type or
/// `expected_attach_type`.
pub fn link_update(
    link: BorrowedFd<'_>,
    new_prog: BorrowedFd<'_>,
    old_prog: BorrowedFd<'_>,
) -> Result<()> {
    let mut attr = LinkUpdateAttr {
        link_fd: link.as_raw_fd() as u32,
        new_prog_fd: new_prog.as_raw_fd() as u32,
        flags: BPF_F_REPLACE,
        old_prog_fd: old_prog.as_raw_fd() as u32,
    };
    // SAFETY: no addresses in `attr`.
    unsafe { bpf(Command::LinkUpdate, &mut attr) }
        .map(drop)
        .map_err(|errno| Error::call(Command::LinkUpdate.name(), "link", errno))
}

/// Detaches now, whoever else holds the link: `BPF_LINK_DETACH`.
///
/// # Errors
/// `EOPNOTSUPP` for link types that cannot, `EPERM` without CAP_NET_ADMIN.
pub fn link_detach(link: BorrowedFd<'_>) -> Result<()> {
    let mut attr = LinkFdAttr {
        link_fd: link.as_raw_fd() as u32,
    };
    // SAFETY: no addresses in `attr`.
    unsafe { bpf(Command::LinkDetach, &mut attr) }
        .map(drop)
        .map_err(|errno| Error::call(Command::LinkDetach.name(), "link", errno))
}

/// Whether this kernel knows `BPF_LINK_CREATE` at all (Linux 5.7), asked with a
/// program that does not exist: only a kernel that knows the command looks at it.
#[must_use]
pub fn link_create_is_known() -> bool {
    let mut attr = LinkCreateAttr {
        prog_fd: u32::MAX,
        target: 0,
        attach_type: BPF_XDP,
        flags: 0,
    };
    // SAFETY: no addresses in `attr`; with an invalid program the command
    // never succeeds, so that no descriptor is lost.
    let result = unsafe { bpf(Command::LinkCreate, &mut attr) };
    result == Err(Errno::EBADF)
}

fn describe(target: LinkTarget<'_>) -> String {
    match target {
        LinkTarget::Ifindex(ifindex) => format!("ifindex {ifindex}"),
        LinkTarget::Fd(fd) => format!("fd {}", fd.as_raw_fd()),
    }
}
