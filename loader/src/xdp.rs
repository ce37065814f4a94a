//! Attaching to an interface's XDP hook, and replacing what is there.
//!
//! bpf_link where the kernel has it (Linux 5.9), netlink where not. Nothing is
//! ever overwritten: attaching needs an empty hook, and replacing names the
//! program that it replaces, so that of two who try at once one wins and the
//! other is told. Killed at any point, a command leaves the old state or the
//! new one: a link that is not pinned yet goes with the process, and pinning
//! is one step of the kernel's.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use ebpf_asm::prog_type::{AttachType, ProgType};
use ebpf_syscalls::bpf::{self, BPF_XDP, LinkTarget};
use ebpf_syscalls::caps::Capability;
use ebpf_syscalls::kernel::{self, Version};
use ebpf_syscalls::netlink::{Interface, Route, XdpMode};
use ebpf_syscalls::{Errno, Error as SyscallError};

use crate::attachment::{AttachedBy, Attachment, inspect};
use crate::diagnose;
use crate::error::{Error, Result, missing};
use crate::link::{ByNetlink, XdpLink};
use crate::near::near;
use crate::pins::{LockedPins, Pins};
use crate::program::Program;

/// The first kernel with XDP links, apart from backports.
const XDP_LINKS: Version = Version::new(5, 9, 0);

/// The first kernel that replaces by netlink only what is expected.
pub(crate) const EXPECTED_FD: Version = Version::new(5, 7, 0);

/// How to attach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attach {
    /// Where the program runs. Generic is never chosen on its own.
    pub mode: XdpMode,
    /// What to do about a program that is there already.
    pub existing: Existing,
    /// How long it stays.
    pub lifetime: Lifetime,
    /// By which of the kernel's two ways.
    pub via: Via,
}

/// What to do about a program that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Leave it, and fail.
    Refuse,
    /// Replace it, if it is ours or attached by netlink.
    Replace,
}

/// How long an attachment stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// Until the guard is dropped or the process ends. (By netlink, a process
    /// that is killed leaves the program behind.)
    Guard,
    /// Until it is detached: the link is pinned. By netlink it stays by itself.
    Pinned,
}

/// The kernel's two ways of attaching XDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// bpf_link where the kernel has it, netlink where not.
    Any,
    /// Netlink, as on kernels before 5.9.
    Netlink,
}

impl Default for Attach {
    /// Native mode, on an interface without a program, while the guard lives.
    fn default() -> Self {
        Attach {
            mode: XdpMode::Native,
            existing: Existing::Refuse,
            lifetime: Lifetime::Guard,
            via: Via::Any,
        }
    }
}

/// The XDP hooks of the network namespace in which this was opened.
///
/// To be used on threads of that namespace only.
#[derive(Debug)]
pub struct Xdp {
    pub(crate) route: Route,
    pub(crate) pins: Pins,
}

impl Xdp {
    /// The hooks of the calling thread's namespace; pins are under `/sys/fs/bpf`.
    ///
    /// # Errors
    /// Only where netlink is filtered away.
    pub fn open() -> Result<Self> {
        Pins::of_this_namespace().and_then(Xdp::with_pins)
    }

    /// The same, with pins elsewhere.
    ///
    /// # Errors
    /// Only where netlink is filtered away.
    pub fn with_pins(pins: Pins) -> Result<Self> {
        Ok(Xdp {
            route: open_route()?,
            pins,
        })
    }

    /// Where links are pinned.
    #[must_use]
    pub fn pins(&self) -> &Pins {
        &self.pins
    }

    /// The interface with this name.
    ///
    /// # Errors
    /// [`Error::InterfaceMissing`], with the names that are near.
    pub fn interface(&mut self, name: &str) -> Result<Interface> {
        match self.route.interface_by_name(name) {
            Ok(interface) => Ok(interface),
            Err(error) if error.is(Errno::ENODEV) => {
                let all = self.route.interfaces().unwrap_or_default();
                Err(Error::InterfaceMissing {
                    name: name.to_owned(),
                    near: near(name, all.iter().map(|i| i.name.as_str())),
                })
            }
            Err(source) => Err(Error::Kernel {
                action: "cannot ask for the interface",
                source,
            }),
        }
    }

    /// What runs on an interface now.
    ///
    /// # Errors
    /// [`Error::InterfaceMissing`] when it is gone.
    pub fn attachments(&mut self, interface: &Interface) -> Result<Vec<Attachment>> {
        let now = self.refresh(interface)?;
        Ok(inspect(&now, &self.pins))
    }

    /// Attaches a program.
    ///
    /// # Errors
    /// [`Error::AlreadyAttached`], or with [`Existing::Replace`]
    /// [`Error::OwnedByOthers`], [`Error::ModeDiffers`], [`Error::WouldNotLast`]
    /// or [`Error::Changed`];
    /// [`Error::NoBpffs`] with [`Lifetime::Pinned`]; [`Error::ModeUnsupported`],
    /// [`Error::MtuTooLarge`], [`Error::DriverRefused`]; [`Error::Permission`].
    /// In each case the interface is as it was.
    pub fn attach(
        &mut self,
        interface: &Interface,
        program: &Program,
        attach: &Attach,
    ) -> Result<XdpLink> {
        for_xdp(program)?;
        let pins = self.pins.clone();
        let locked = match attach.lifetime {
            Lifetime::Pinned => Some(pins.lock()?),
            // Without access to pins there is none that this could disturb.
            Lifetime::Guard => pins.lock_existing().ok().flatten(),
        };
        if let Some(locked) = &locked {
            let _stale = locked.sweep();
        }
        let result = self.attach_locked(interface, program, attach, locked.as_ref());
        let result = result.map(|link| link.keeping(program.kept()));
        if let Some(locked) = locked {
            // Of what was replaced; after a failure, of what was to come.
            locked.unpin_idle_maps();
            locked.tidy();
        }
        result
    }

    fn attach_locked(
        &mut self,
        interface: &Interface,
        program: &Program,
        attach: &Attach,
        locked: Option<&LockedPins<'_>>,
    ) -> Result<XdpLink> {
        let now = self.refresh(interface)?;
        let there = inspect(&now, &self.pins).into_iter().next();
        match (there, attach.existing) {
            (None, _) => self.attach_new(&now, program, attach, locked),
            (Some(there), Existing::Refuse) => Err(already(&now, there)),
            (Some(there), Existing::Replace) => self.replace(&now, program, attach, there, locked),
        }
    }

    fn attach_new(
        &mut self,
        interface: &Interface,
        program: &Program,
        attach: &Attach,
        locked: Option<&LockedPins<'_>>,
    ) -> Result<XdpLink> {
        // The hook was empty, so a link of ours can only have come since.
        if let Some(locked) = locked
            && locked.our_link(interface)?.is_some()
        {
            return Err(changed(interface));
        }
        if attach.via == Via::Netlink {
            return self.attach_by_netlink(interface, program, attach);
        }
        pin_maps(interface, program, attach, locked)?;
        let target = LinkTarget::Ifindex(interface.index);
        let link = match bpf::link_create(program.as_fd(), target, BPF_XDP, attach.mode.flags()) {
            Ok(link) => link,
            Err(error) if has_no_links(&error) => {
                return self.attach_by_netlink(interface, program, attach);
            }
            Err(error) => return Err(self.refused(interface, attach.mode, error)),
        };
        match (attach.lifetime, locked) {
            (Lifetime::Pinned, Some(locked)) => {
                let pin = locked.pin(&link, interface)?;
                Ok(XdpLink::pinned(link, pin, attach.mode))
            }
            _ => Ok(XdpLink::link(link, attach.mode)),
        }
    }

    fn attach_by_netlink(
        &mut self,
        interface: &Interface,
        program: &Program,
        attach: &Attach,
    ) -> Result<XdpLink> {
        let guard = self.netlink_guard(interface, program, attach)?;
        self.route
            .xdp_attach(interface.index, program.as_fd(), attach.mode)
            .map_err(|error| self.refused(interface, attach.mode, error))?;
        Ok(guard.into_link(attach.mode))
    }

    fn replace(
        &mut self,
        interface: &Interface,
        program: &Program,
        attach: &Attach,
        there: Attachment,
        locked: Option<&LockedPins<'_>>,
    ) -> Result<XdpLink> {
        if there.mode != attach.mode {
            return Err(Error::ModeDiffers {
                interface: interface.name.clone(),
                attachment: Box::new(there),
                wanted: attach.mode,
            });
        }
        let link = match (&there.by, locked) {
            (AttachedBy::OurLink { .. }, _) if attach.lifetime == Lifetime::Guard => {
                return Err(Error::WouldNotLast {
                    interface: interface.name.clone(),
                    attachment: Box::new(there),
                });
            }
            (AttachedBy::OurLink { pin, .. }, Some(locked)) => {
                replace_our_link(interface, program, pin, &there, locked)
            }
            (AttachedBy::Netlink, _) => self.replace_by_netlink(interface, program, attach, &there),
            (AttachedBy::Unknown, _) => Err(unknown_owner("replace a program")),
            (AttachedBy::OurLink { .. } | AttachedBy::OtherLink { .. }, _) => {
                return Err(owned(interface, there));
            }
        }?;
        Ok(link.replacing(there))
    }

    fn replace_by_netlink(
        &mut self,
        interface: &Interface,
        program: &Program,
        attach: &Attach,
        there: &Attachment,
    ) -> Result<XdpLink> {
        let old = open_program(interface, there.prog_id)?;
        let guard = self.netlink_guard(interface, program, attach)?;
        self.route
            .xdp_replace(interface.index, program.as_fd(), old.as_fd(), attach.mode)
            .map_err(|error| match error.errno() {
                Some(Errno::EEXIST | Errno::EBUSY) => changed(interface),
                Some(Errno::EINVAL) if kernel::version() < EXPECTED_FD => Error::KernelTooOld {
                    what: "replace a program without a moment in between",
                    since: "5.7",
                },
                _ => diagnose::refused(interface, attach.mode, error),
            })?;
        Ok(guard.into_link(attach.mode))
    }

    /// The interface as it is now; it may have been renamed meanwhile.
    pub(crate) fn refresh(&mut self, interface: &Interface) -> Result<Interface> {
        self.route
            .interface_by_index(interface.index)
            .map_err(|source| match source.errno() {
                Some(Errno::ENODEV) => Error::InterfaceMissing {
                    name: interface.name.clone(),
                    near: Vec::new(),
                },
                _ => Error::Kernel {
                    action: "cannot ask for the interface",
                    source,
                },
            })
    }

    /// The error for a refused attachment. A conflict is named by what is there now.
    fn refused(&mut self, interface: &Interface, mode: XdpMode, error: SyscallError) -> Error {
        if !error.is(Errno::EBUSY) && !error.is(Errno::EEXIST) {
            return diagnose::refused(interface, mode, error);
        }
        match self
            .attachments(interface)
            .map(|there| there.into_iter().next())
        {
            Ok(Some(there)) => already(interface, there),
            Ok(None) => changed(interface),
            Err(error) => error,
        }
    }

    /// What a guard needs to detach by netlink, made before anything is attached,
    /// so that nothing can fail afterwards.
    fn netlink_guard(
        &self,
        interface: &Interface,
        program: &Program,
        attach: &Attach,
    ) -> Result<NetlinkGuard> {
        if attach.lifetime == Lifetime::Pinned {
            return match program.kept().first() {
                Some(map) => Err(Error::NothingHolds {
                    program: program.name().to_owned(),
                    map: map.name.clone(),
                }),
                None => Ok(NetlinkGuard(None)),
            };
        }
        let prog = program
            .as_fd()
            .try_clone_to_owned()
            .map_err(|error| Error::Kernel {
                action: "cannot keep the program",
                source: SyscallError::Call {
                    call: "dup",
                    object: program.name().to_owned(),
                    errno: error.raw_os_error().map_or(Errno::EMFILE, Errno::from_raw),
                },
            })?;
        Ok(NetlinkGuard(Some(ByNetlink {
            route: open_route()?,
            ifindex: interface.index,
            prog,
        })))
    }
}

/// Pins the maps of a program whose link will be pinned.
fn pin_maps(
    interface: &Interface,
    program: &Program,
    attach: &Attach,
    locked: Option<&LockedPins<'_>>,
) -> Result<()> {
    match (attach.lifetime, locked) {
        (Lifetime::Pinned, Some(locked)) => locked.pin_maps(interface, program),
        _ => Ok(()),
    }
}

/// Replaces the program of our pinned link.
fn replace_our_link(
    interface: &Interface,
    program: &Program,
    pin: &Path,
    there: &Attachment,
    locked: &LockedPins<'_>,
) -> Result<XdpLink> {
    let Some(ours) = locked.take(interface, pin)? else {
        return Err(changed(interface));
    };
    let old = open_program(interface, there.prog_id)?;
    locked.pin_maps(interface, program)?;
    bpf::link_update(ours.fd.as_fd(), program.as_fd(), old.as_fd()).map_err(|error| match error
        .errno()
    {
        Some(Errno::EPERM) => changed(interface),
        _ => diagnose::refused(interface, there.mode, error),
    })?;
    Ok(XdpLink::pinned(ours.fd, ours.path, there.mode))
}

/// A guard to be; `None` for an attachment that stays.
struct NetlinkGuard(Option<ByNetlink>);

impl NetlinkGuard {
    fn into_link(self, mode: XdpMode) -> XdpLink {
        match self.0 {
            Some(by) => XdpLink::netlink(by, mode),
            None => XdpLink::released(mode),
        }
    }
}

/// Programs for the entries of device and CPU maps are of type XDP as well, and
/// do not attach to interfaces.
fn for_xdp(program: &Program) -> Result<()> {
    let hook = match (program.prog_type(), program.attach_type()) {
        (ProgType::Xdp, None | Some(AttachType::Xdp)) => return Ok(()),
        (_, Some(attach_type)) => attach_type.to_string(),
        (prog_type, None) => prog_type.to_string(),
    };
    Err(Error::NotXdp {
        program: program.name().to_owned(),
        hook,
    })
}

/// Whether the kernel refused because it has no XDP links.
fn has_no_links(error: &SyscallError) -> bool {
    error.is(Errno::EINVAL) && (kernel::version() < XDP_LINKS || !bpf::link_create_is_known())
}

fn open_route() -> Result<Route> {
    Route::open().map_err(|source| Error::Kernel {
        action: "cannot ask for interfaces",
        source,
    })
}

/// Opens the program that was seen on an interface.
pub(crate) fn open_program(interface: &Interface, id: u32) -> Result<OwnedFd> {
    bpf::prog_get_fd_by_id(id).map_err(|error| match error.errno() {
        Some(Errno::ENOENT) => changed(interface),
        _ => Error::kernel(
            "cannot open the program",
            "open a program by id",
            &[Capability::SysAdmin],
            error,
        ),
    })
}

fn already(interface: &Interface, there: Attachment) -> Error {
    Error::AlreadyAttached {
        interface: interface.name.clone(),
        attachment: Box::new(there),
    }
}

pub(crate) fn owned(interface: &Interface, there: Attachment) -> Error {
    Error::OwnedByOthers {
        interface: interface.name.clone(),
        attachment: Box::new(there),
    }
}

pub(crate) fn changed(interface: &Interface) -> Error {
    Error::Changed {
        interface: interface.name.clone(),
    }
}

pub(crate) fn unknown_owner(action: &'static str) -> Error {
    let needs = [Capability::NetAdmin, Capability::SysAdmin];
    Error::Permission {
        action,
        missing: missing(&needs),
        source: SyscallError::Call {
            call: "BPF_LINK_GET_NEXT_ID",
            object: "all links".to_owned(),
            errno: Errno::EPERM,
        },
    }
}
