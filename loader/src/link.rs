//! The guard that an attachment is: who holds it, holds the program on the interface.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use ebpf_syscalls::bpf;
use ebpf_syscalls::netlink::{Route, XdpMode};

use crate::attachment::{Attachment, is_gone};
use crate::error::{Error, Result};
use crate::kept::KeptMaps;

/// An XDP program on an interface. Detaches when dropped, unless it is pinned,
/// or was let go with [`XdpLink::leak`].
#[derive(Debug)]
#[must_use = "the program is detached when this is dropped"]
pub struct XdpLink {
    held: Held,
    mode: XdpMode,
    replaced: Option<Attachment>,
    /// The maps that are held for the program; pins hold them as well, if it is pinned.
    kept: Option<KeptMaps>,
}

/// How the program is held on the interface.
#[derive(Debug)]
enum Held {
    /// By a link that goes with this process.
    Link(OwnedFd),
    /// By a link that its pin keeps.
    Pinned { link: OwnedFd, pin: PathBuf },
    /// By netlink, which holds it until somebody takes it off: us, when dropped.
    Netlink(Box<ByNetlink>),
    /// By nobody that this guard has to do with.
    Released,
}

/// What detaching by netlink takes.
#[derive(Debug)]
pub(crate) struct ByNetlink {
    /// A socket in the interface's namespace.
    pub(crate) route: Route,
    pub(crate) ifindex: u32,
    /// The program that is expected to be there still.
    pub(crate) prog: OwnedFd,
}

impl XdpLink {
    pub(crate) fn link(link: OwnedFd, mode: XdpMode) -> Self {
        XdpLink::new(Held::Link(link), mode)
    }

    pub(crate) fn pinned(link: OwnedFd, pin: PathBuf, mode: XdpMode) -> Self {
        XdpLink::new(Held::Pinned { link, pin }, mode)
    }

    pub(crate) fn netlink(by: ByNetlink, mode: XdpMode) -> Self {
        XdpLink::new(Held::Netlink(Box::new(by)), mode)
    }

    /// Attached by netlink, and to stay when this process goes.
    pub(crate) fn released(mode: XdpMode) -> Self {
        XdpLink::new(Held::Released, mode)
    }

    fn new(held: Held, mode: XdpMode) -> Self {
        XdpLink {
            held,
            mode,
            replaced: None,
            kept: None,
        }
    }

    pub(crate) fn replacing(mut self, replaced: Attachment) -> Self {
        self.replaced = Some(replaced);
        self
    }

    /// The link with the maps that its program needs to be held.
    pub(crate) fn keeping(mut self, kept: &KeptMaps) -> Self {
        self.kept = Some(kept.clone());
        self
    }

    /// The mode that the program runs in.
    #[must_use]
    pub fn mode(&self) -> XdpMode {
        self.mode
    }

    /// The link's id; `None` when it is attached by netlink.
    #[must_use]
    pub fn link_id(&self) -> Option<u32> {
        match &self.held {
            Held::Link(link) | Held::Pinned { link, .. } => {
                bpf::link_info(link.as_fd()).ok().map(|info| info.id)
            }
            Held::Netlink(_) | Held::Released => None,
        }
    }

    /// Where the link is pinned.
    #[must_use]
    pub fn pin(&self) -> Option<&Path> {
        match &self.held {
            Held::Pinned { pin, .. } => Some(pin),
            _ => None,
        }
    }

    /// What ran there before, if anything was replaced.
    #[must_use]
    pub fn replaced(&self) -> Option<&Attachment> {
        self.replaced.as_ref()
    }

    /// Lets the program stay without this guard: as long as the process lives,
    /// or for ever where it is attached by netlink.
    pub fn leak(mut self) {
        if let Held::Link(link) = std::mem::replace(&mut self.held, Held::Released) {
            std::mem::forget(link);
        }
        std::mem::forget(self.kept.take());
    }

    /// Detaches now, and says if that failed. A pinned link stays: that is
    /// [`crate::Xdp::detach`]'s.
    ///
    /// # Errors
    /// [`Error::Changed`] when somebody replaced a program attached by netlink.
    pub fn detach(mut self) -> Result<()> {
        self.release()
    }

    fn release(&mut self) -> Result<()> {
        let released = match std::mem::replace(&mut self.held, Held::Released) {
            // Closing would do, but the kernel may do it a little later.
            Held::Link(link) => bpf::link_detach(link.as_fd()),
            Held::Netlink(mut by) => by.route.xdp_detach(by.ifindex, by.prog.as_fd(), self.mode),
            Held::Pinned { .. } | Held::Released => Ok(()),
        };
        match released {
            Err(error) if !is_gone(&error) => Err(Error::Kernel {
                action: "cannot detach the program",
                source: error,
            }),
            _ => Ok(()),
        }
    }
}

impl Drop for XdpLink {
    fn drop(&mut self) {
        // Nobody to tell. A link goes with its descriptor all the same.
        let _ = self.release();
    }
}
