//! Pins: `BPF_OBJ_PIN` and `BPF_OBJ_GET`.
//!
//! <https://docs.ebpf.io/linux/concepts/pinning/>. bpffs refuses names that contain a dot.

use std::ffi::CString;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use bytemuck::Zeroable;

use super::attr::ObjAttr;
use super::command::{Command, bpf, bpf_fd};
use crate::{Error, Result};

/// Gives a program, map or link a name in bpffs, which keeps it alive.
///
/// One step for the kernel: the name exists afterwards, or nothing changed.
///
/// # Errors
/// `EEXIST` when the name is taken, `EPERM` when the path is not on bpffs or
/// has a dot, `ENOENT` when its folder is missing.
pub fn obj_pin(object: BorrowedFd<'_>, path: &Path) -> Result<()> {
    let pathname = c_path(path)?;
    let mut attr = ObjAttr {
        pathname: pathname.as_ptr() as u64,
        bpf_fd: object.as_raw_fd() as u32,
        ..ObjAttr::zeroed()
    };
    // SAFETY: `pathname` is NUL-terminated and outlives the call.
    unsafe { bpf(Command::ObjPin, &mut attr) }
        .map(drop)
        .map_err(|errno| Error::call(Command::ObjPin.name(), path.display().to_string(), errno))
}

/// Opens the object that is pinned at `path`.
///
/// # Errors
/// `ENOENT` when nothing is there, `EACCES` when the file may not be opened.
pub fn obj_get(path: &Path) -> Result<OwnedFd> {
    let pathname = c_path(path)?;
    let mut attr = ObjAttr {
        pathname: pathname.as_ptr() as u64,
        ..ObjAttr::zeroed()
    };
    // SAFETY: `pathname` is NUL-terminated and outlives the call; the command
    // returns a new file descriptor.
    unsafe { bpf_fd(Command::ObjGet, &mut attr) }
        .map_err(|errno| Error::call(Command::ObjGet.name(), path.display().to_string(), errno))
}

fn c_path(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| Error::argument(format!("the path {} contains a NUL", path.display())))
}
