//! All interfaces of the namespace and what runs on them.

use std::path::PathBuf;

use ebpf_syscalls::netlink::Interface;

use crate::attachment::{Attachment, inspect};
use crate::error::{Error, Result};
use crate::xdp::Xdp;

/// What XDP does in this network namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// All interfaces, by number.
    pub interfaces: Vec<InterfaceStatus>,
    /// Pins of interfaces that are gone, in all namespaces; the next detach removes them.
    pub stale_pins: Vec<StalePin>,
    /// Pins that hold programs on interfaces that were moved to other namespaces.
    pub moved_pins: Vec<MovedPin>,
}

/// What runs on one interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceStatus {
    /// The interface.
    pub interface: Interface,
    /// Its programs; mostly none or one.
    pub attachments: Vec<Attachment>,
}

/// A pin that holds nothing any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StalePin {
    /// The number that the interface had.
    pub ifindex: u32,
    /// The pin.
    pub path: PathBuf,
}

/// A pin made in this namespace of a link whose interface is now in another one,
/// where the program runs on, and where it can be detached or replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedPin {
    /// The pin.
    pub path: PathBuf,
}

impl Xdp {
    /// What runs on every interface. Changes nothing and needs no privilege,
    /// though without CAP_SYS_ADMIN programs have only their ids.
    ///
    /// # Errors
    /// When the interfaces cannot be listed.
    pub fn status(&mut self) -> Result<Status> {
        let all = self.route.interfaces().map_err(|source| Error::Kernel {
            action: "cannot list the interfaces",
            source,
        })?;
        let here: Vec<u32> = all.iter().map(|interface| interface.index).collect();
        let interfaces = all.into_iter().map(|interface| InterfaceStatus {
            attachments: inspect(&interface, &self.pins),
            interface,
        });
        Ok(Status {
            interfaces: interfaces.collect(),
            stale_pins: self.pins.all_stale(),
            moved_pins: self.pins.moved_away(&here),
        })
    }
}
