//! Detaching: taking off what runs on an interface.
//!
//! Ours goes with its pin, a program attached by netlink by naming it, and
//! somebody else's link is left alone.

use std::os::fd::AsFd;
use std::path::Path;

use ebpf_syscalls::Errno;
use ebpf_syscalls::caps::Capability;
use ebpf_syscalls::kernel;
use ebpf_syscalls::netlink::Interface;

use crate::attachment::{AttachedBy, Attachment, inspect};
use crate::error::{Error, Result};
use crate::link::XdpLink;
use crate::pins::LockedPins;
use crate::xdp::{EXPECTED_FD, Xdp, changed, open_program, owned, unknown_owner};

impl Xdp {
    /// Takes off what runs on an interface, and says what that was.
    ///
    /// # Errors
    /// [`Error::NothingAttached`]; [`Error::OwnedByOthers`] for somebody else's
    /// link; [`Error::Changed`] when it is replaced at the same moment.
    pub fn detach(&mut self, interface: &Interface) -> Result<Vec<Attachment>> {
        let pins = self.pins.clone();
        let _stale = pins.sweep();
        let locked = pins.lock_existing()?;
        let result = self.detach_locked(interface, locked.as_ref());
        if let Some(locked) = locked {
            locked.tidy();
        }
        result
    }

    fn detach_locked(
        &mut self,
        interface: &Interface,
        locked: Option<&LockedPins<'_>>,
    ) -> Result<Vec<Attachment>> {
        let now = self.refresh(interface)?;
        let there = inspect(&now, &self.pins);
        if there.is_empty() {
            return Err(Error::NothingAttached {
                interface: now.name,
            });
        }
        // All or nothing: look at every owner before touching any.
        let foreign = |a: &&Attachment| matches!(a.by, AttachedBy::OtherLink { .. });
        if let Some(foreign) = there.iter().find(foreign) {
            return Err(owned(&now, foreign.clone()));
        }
        for attachment in &there {
            self.detach_one(&now, attachment, locked)?;
        }
        Ok(there)
    }

    fn detach_one(
        &mut self,
        interface: &Interface,
        there: &Attachment,
        locked: Option<&LockedPins<'_>>,
    ) -> Result<()> {
        match (&there.by, locked) {
            (AttachedBy::OurLink { pin, .. }, Some(locked)) => {
                detach_our_link(interface, there, pin, locked)
            }
            // The link came with its interface to a namespace without pins.
            (AttachedBy::OurLink { pin, .. }, None) => {
                let locked = self.pins.lock()?;
                let detached = detach_our_link(interface, there, pin, &locked);
                locked.tidy();
                detached
            }
            (AttachedBy::Netlink, _) => self.detach_by_netlink(interface, there),
            (AttachedBy::Unknown, _) => Err(unknown_owner("detach a program")),
            (AttachedBy::OtherLink { .. }, _) => Err(changed(interface)),
        }
    }

    fn detach_by_netlink(&mut self, interface: &Interface, there: &Attachment) -> Result<()> {
        let old = open_program(interface, there.prog_id)?;
        let (index, mode) = (interface.index, there.mode);
        let mut detached = self.route.xdp_detach(index, old.as_fd(), mode);
        if kernel::version() < EXPECTED_FD
            && detached
                .as_ref()
                .is_err_and(|error| error.is(Errno::EINVAL))
        {
            detached = self.route.xdp_detach_any(index, mode);
        }
        detached.map_err(|error| match error.errno() {
            Some(Errno::EEXIST | Errno::EBUSY) => changed(interface),
            _ => Error::kernel(
                "cannot detach the program",
                "detach a program",
                &[Capability::NetAdmin],
                error,
            ),
        })
    }
}

fn detach_our_link(
    interface: &Interface,
    there: &Attachment,
    pin: &Path,
    locked: &LockedPins<'_>,
) -> Result<()> {
    let Some(ours) = locked.take(interface, pin)? else {
        return Err(changed(interface));
    };
    // First the pin, while we hold the link: killed in between, the process
    // takes the link with it, and nothing is left.
    locked.unpin(interface.index)?;
    XdpLink::link(ours.fd, there.mode).detach()?;
    locked.unpin_idle_maps();
    Ok(())
}
