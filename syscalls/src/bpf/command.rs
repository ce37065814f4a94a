//! The commands of bpf(2), and the one place that calls it.

use std::os::fd::{FromRawFd, OwnedFd};

use bytemuck::Pod;
use nix::errno::Errno;

/// A bpf(2) command. The numbers are `enum bpf_cmd` of the UAPI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
#[expect(
    missing_docs,
    reason = "each variant is the UAPI's BPF_ constant of that name"
)]
pub enum Command {
    MapCreate = 0,
    MapLookupElem = 1,
    MapUpdateElem = 2,
    MapDeleteElem = 3,
    MapGetNextKey = 4,
    ProgLoad = 5,
    ObjPin = 6,
    ObjGet = 7,
    ProgTestRun = 10,
    ProgGetNextId = 11,
    MapGetNextId = 12,
    ProgGetFdById = 13,
    MapGetFdById = 14,
    ObjGetInfoByFd = 15,
    RawTracepointOpen = 17,
    BtfLoad = 18,
    BtfGetFdById = 19,
    MapFreeze = 22,
    BtfGetNextId = 23,
    LinkCreate = 28,
    LinkUpdate = 29,
    LinkGetFdById = 30,
    LinkGetNextId = 31,
    LinkDetach = 34,
}

impl Command {
    /// The UAPI's name, such as `BPF_PROG_LOAD`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Command::MapCreate => "BPF_MAP_CREATE",
            Command::MapLookupElem => "BPF_MAP_LOOKUP_ELEM",
            Command::MapUpdateElem => "BPF_MAP_UPDATE_ELEM",
            Command::MapDeleteElem => "BPF_MAP_DELETE_ELEM",
            Command::MapGetNextKey => "BPF_MAP_GET_NEXT_KEY",
            Command::ProgLoad => "BPF_PROG_LOAD",
            Command::ObjPin => "BPF_OBJ_PIN",
            Command::ObjGet => "BPF_OBJ_GET",
            Command::ProgTestRun => "BPF_PROG_TEST_RUN",
            Command::ProgGetNextId => "BPF_PROG_GET_NEXT_ID",
            Command::MapGetNextId => "BPF_MAP_GET_NEXT_ID",
            Command::ProgGetFdById => "BPF_PROG_GET_FD_BY_ID",
            Command::MapGetFdById => "BPF_MAP_GET_FD_BY_ID",
            Command::ObjGetInfoByFd => "BPF_OBJ_GET_INFO_BY_FD",
            Command::RawTracepointOpen => "BPF_RAW_TRACEPOINT_OPEN",
            Command::BtfLoad => "BPF_BTF_LOAD",
            Command::BtfGetFdById => "BPF_BTF_GET_FD_BY_ID",
            Command::MapFreeze => "BPF_MAP_FREEZE",
            Command::BtfGetNextId => "BPF_BTF_GET_NEXT_ID",
            Command::LinkCreate => "BPF_LINK_CREATE",
            Command::LinkUpdate => "BPF_LINK_UPDATE",
            Command::LinkGetFdById => "BPF_LINK_GET_FD_BY_ID",
            Command::LinkGetNextId => "BPF_LINK_GET_NEXT_ID",
            Command::LinkDetach => "BPF_LINK_DETACH",
        }
    }
}

/// Calls bpf(2) and returns its number, which is a file descriptor or 0.
///
/// # Safety
/// Every address in `attr` must be 0 or point to memory that is alive for the
/// call and as long as `command` makes the kernel read (or, for an output,
/// write, exclusively borrowed) through that field.
pub(super) unsafe fn bpf<A: Pod>(command: Command, attr: &mut A) -> Result<i32, Errno> {
    // SAFETY: the kernel accesses `size_of::<A>()` bytes of `attr`, which is
    // borrowed exclusively and valid for any bit pattern (`Pod`); the caller
    // vouches for the addresses inside it.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command as i32,
            std::ptr::from_mut(attr),
            size_of::<A>(),
        )
    };
    let number = Errno::result(result)?;
    i32::try_from(number).map_err(|_| Errno::EOVERFLOW)
}

/// Calls bpf(2) for a command whose result is a new file descriptor.
///
/// # Safety
/// As [`bpf`], and `command` must be one that returns a new file descriptor.
pub(super) unsafe fn bpf_fd<A: Pod>(command: Command, attr: &mut A) -> Result<OwnedFd, Errno> {
    // SAFETY: the caller vouches for `attr`.
    let fd = unsafe { bpf(command, attr) }?;
    // SAFETY: the kernel just made this descriptor for us, and nobody else
    // knows of it. bpf(2) sets close-on-exec on all of them.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The address of a buffer that the kernel reads; 0 when it is empty, because
/// to some commands an address with length 0 means "no limit".
pub(super) fn address<T>(buffer: &[T]) -> u64 {
    if buffer.is_empty() {
        0
    } else {
        buffer.as_ptr() as u64
    }
}

/// The address of a buffer that the kernel writes; 0 when it is empty.
pub(super) fn address_mut<T>(buffer: &mut [T]) -> u64 {
    if buffer.is_empty() {
        0
    } else {
        buffer.as_mut_ptr() as u64
    }
}
