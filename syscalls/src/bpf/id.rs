//! Walking over all programs, maps, BTF objects or links of the machine, and opening one by id.
//!
//! Needs CAP_SYS_ADMIN. An object can vanish between being listed and being
//! opened: `ENOENT` then, which callers skip.

use std::os::fd::OwnedFd;

use bytemuck::Zeroable;
use nix::errno::Errno;

use super::attr::IdAttr;
use super::command::{Command, bpf, bpf_fd};
use crate::{Error, Result};

/// The ids of all objects of one kind, ascending; ends after the first error.
#[derive(Debug)]
pub struct Ids {
    command: Command,
    last: Option<u32>,
}

/// All programs: `BPF_PROG_GET_NEXT_ID`.
#[must_use]
pub fn prog_ids() -> Ids {
    Ids::new(Command::ProgGetNextId)
}

/// All maps: `BPF_MAP_GET_NEXT_ID`.
#[must_use]
pub fn map_ids() -> Ids {
    Ids::new(Command::MapGetNextId)
}

/// All BTF objects: `BPF_BTF_GET_NEXT_ID`.
#[must_use]
pub fn btf_ids() -> Ids {
    Ids::new(Command::BtfGetNextId)
}

/// All links: `BPF_LINK_GET_NEXT_ID`.
#[must_use]
pub fn link_ids() -> Ids {
    Ids::new(Command::LinkGetNextId)
}

/// Opens a program: `BPF_PROG_GET_FD_BY_ID`.
///
/// # Errors
/// `ENOENT` when no program has this id, `EPERM` without CAP_SYS_ADMIN.
pub fn prog_get_fd_by_id(id: u32) -> Result<OwnedFd> {
    get_fd_by_id(Command::ProgGetFdById, id)
}

/// Opens a map: `BPF_MAP_GET_FD_BY_ID`.
///
/// # Errors
/// `ENOENT` when no map has this id, `EPERM` without CAP_SYS_ADMIN.
pub fn map_get_fd_by_id(id: u32) -> Result<OwnedFd> {
    get_fd_by_id(Command::MapGetFdById, id)
}

/// Opens a BTF object: `BPF_BTF_GET_FD_BY_ID`.
///
/// # Errors
/// `ENOENT` when no BTF object has this id, `EPERM` without CAP_SYS_ADMIN.
pub fn btf_get_fd_by_id(id: u32) -> Result<OwnedFd> {
    get_fd_by_id(Command::BtfGetFdById, id)
}

/// Opens a link: `BPF_LINK_GET_FD_BY_ID`.
///
/// # Errors
/// `ENOENT` when no link has this id, `EPERM` without CAP_SYS_ADMIN.
pub fn link_get_fd_by_id(id: u32) -> Result<OwnedFd> {
    get_fd_by_id(Command::LinkGetFdById, id)
}

fn get_fd_by_id(command: Command, id: u32) -> Result<OwnedFd> {
    let mut attr = IdAttr {
        id,
        ..IdAttr::zeroed()
    };
    // SAFETY: no addresses in `attr`; the command returns a new file descriptor.
    unsafe { bpf_fd(command, &mut attr) }
        .map_err(|errno| Error::call(command.name(), format!("id {id}"), errno))
}

impl Ids {
    fn new(command: Command) -> Self {
        Ids {
            command,
            last: Some(0),
        }
    }
}

impl Iterator for Ids {
    type Item = Result<u32>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.last.take()?;
        let mut attr = IdAttr {
            id: start,
            ..IdAttr::zeroed()
        };
        // SAFETY: no addresses in `attr`.
        match unsafe { bpf(self.command, &mut attr) } {
            Ok(_) => {
                self.last = Some(attr.next_id);
                Some(Ok(attr.next_id))
            }
            Err(Errno::ENOENT) => None,
            Err(errno) => Some(Err(Error::call(
                self.command.name(),
                format!("after id {start}"),
                errno,
            ))),
        }
    }
}
