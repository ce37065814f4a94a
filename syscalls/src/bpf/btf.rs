//! Loading type information: `BPF_BTF_LOAD`.
//!
//! <https://docs.kernel.org/bpf/btf.html>

use std::os::fd::OwnedFd;

use bytemuck::Zeroable;

use super::attr::BtfLoadAttr;
use super::command::{Command, address, address_mut, bpf_fd};
use super::log::{Attempt, FIRST, Outcome, TooLong, collect};
use crate::{Error, Result, memlock};

/// Loads the contents of a `.BTF` section.
///
/// # Errors
/// [`Error::Refused`] with the kernel's log where the BTF is not valid;
/// [`Error::Call`] with `EINVAL` on kernels before 4.18, which have no BTF.
pub fn btf_load(btf: &[u8]) -> Result<OwnedFd> {
    let btf_size =
        u32::try_from(btf.len()).map_err(|_| Error::argument("BTF of more than 4 GiB"))?;
    let attr = BtfLoadAttr {
        btf: address(btf),
        btf_size,
        ..BtfLoadAttr::zeroed()
    };
    let errno = match memlock::retry_with_more(|| submit(attr, &mut []).result) {
        Ok(fd) => return Ok(fd),
        Err(errno) => errno,
    };
    match collect(FIRST, TooLong::Most, |buffer| submit(attr, buffer)) {
        Outcome::Accepted(fd, _) => Ok(fd),
        Outcome::Refused(_, log) if log.is_empty() => {
            Err(Error::call(Command::BtfLoad.name(), "BTF", errno))
        }
        Outcome::Refused(_, log) => Err(Error::Refused {
            call: Command::BtfLoad.name(),
            object: "BTF".to_owned(),
            errno,
            log,
        }),
    }
}

/// One load, with a log when `buffer` is not empty. `attr` names a slice that the caller borrows.
fn submit(mut attr: BtfLoadAttr, buffer: &mut [u8]) -> Attempt<OwnedFd> {
    if !buffer.is_empty() {
        attr.btf_log_level = 1;
        attr.btf_log_size = u32::try_from(buffer.len()).unwrap_or(u32::MAX >> 8);
        attr.btf_log_buf = address_mut(buffer);
    }
    // SAFETY: `btf` and `btf_size` are those of the slice that `btf_load`
    // borrows until it returns; the log buffer is borrowed exclusively here and
    // `btf_log_size` is at most its length. The command returns a new descriptor.
    let result = unsafe { bpf_fd(Command::BtfLoad, &mut attr) };
    Attempt {
        result,
        true_size: attr.btf_log_true_size as usize,
    }
}
