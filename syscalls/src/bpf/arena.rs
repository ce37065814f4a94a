//! Arenas: maps whose memory user space has by mmap(2), and by nothing else.
//!
//! <https://docs.kernel.org/bpf/kfuncs.html> names what programs do with them; that the whole
//! arena is mapped, at the address that it was created with, is told in the message of kernel
//! commit 317460317a02. The pages stay when the memory is unmapped, and so does the address.

use std::num::NonZeroUsize;
use std::os::fd::AsFd;

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

use super::map::Map;
use crate::{Error, Result, page};

/// Puts bytes at the beginning of an arena of so many pages. `address` is what it was created
/// with in `map_extra`; with 0 the kernel gives it one, which it has from then on.
///
/// # Errors
/// `EEXIST` when this process has something else at the address, `EINVAL` when the map is no
/// arena of this size and address; [`Error::Argument`] for more bytes than it has.
pub fn arena_write(arena: &Map, pages: u32, address: u64, bytes: &[u8]) -> Result<()> {
    let failed = |errno| Error::call("mmap", "arena", errno);
    let length = page::size()?.checked_mul(pages as usize);
    let length = length.filter(|length| bytes.len() <= *length);
    let length = length.and_then(NonZeroUsize::new).ok_or_else(|| {
        let len = bytes.len();
        Error::argument(format!("{len} bytes for an arena of {pages} pages"))
    })?;
    let at = usize::try_from(address).map_err(|_| Error::argument("an address of 64 bits"))?;
    let at = NonZeroUsize::new(at);
    let fixed = match at {
        Some(_) => MapFlags::MAP_FIXED_NOREPLACE,
        None => MapFlags::empty(),
    };
    let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    let flags = MapFlags::MAP_SHARED | fixed;
    // SAFETY: the kernel chooses the place, or refuses one where something is already.
    let memory = unsafe { mmap(at, length, access, flags, arena.as_fd(), 0) }.map_err(failed)?;
    // SAFETY: `bytes` has no more than the `length` bytes there, which nothing else of this
    // process knows of; programs of the kernel may write there, as they may to any arena.
    unsafe {
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), memory.as_ptr().cast(), bytes.len());
    }
    // SAFETY: `memory` was mapped above with this length, and no reference to it is left.
    unsafe { munmap(memory, length.get()) }.map_err(|errno| Error::call("munmap", "arena", errno))
}
