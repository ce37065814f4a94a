//! Raw tracepoints: `BPF_RAW_TRACEPOINT_OPEN`.
//!
//! <https://docs.ebpf.io/linux/syscall/BPF_RAW_TRACEPOINT_OPEN/>. Since Linux 4.17; what it
//! returns is a link since 5.7. When the last descriptor and pin of it are gone, the kernel
//! detaches the program.

use std::ffi::CString;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use super::attr::RawTracepointAttr;
use super::command::{Command, bpf_fd};
use crate::{Error, Result};

/// Attaches a program to the tracepoint of this name, such as `sched_switch`.
///
/// # Errors
/// `ENOENT` when the kernel has no such tracepoint, `EINVAL` when the program reads an argument
/// that the tracepoint has not, or is of another type.
pub fn raw_tracepoint_open(prog: BorrowedFd<'_>, tracepoint: &str) -> Result<OwnedFd> {
    let name = CString::new(tracepoint)
        .map_err(|_| Error::argument("the name of the tracepoint contains a NUL"))?;
    let mut attr = RawTracepointAttr {
        name: name.as_ptr() as u64,
        prog_fd: prog.as_raw_fd() as u32,
        pad: 0,
    };
    let command = Command::RawTracepointOpen;
    // SAFETY: `name` is NUL-terminated and outlives the call; the command returns a new file
    // descriptor.
    unsafe { bpf_fd(command, &mut attr) }
        .map_err(|errno| Error::call(command.name(), format!("tracepoint {tracepoint}"), errno))
}
