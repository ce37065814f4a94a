//! How large the pages of this machine are.

use nix::errno::Errno;
use nix::unistd::{SysconfVar, sysconf};

use crate::{Error, Result};

/// The bytes of a page, a power of two.
///
/// <https://man7.org/linux/man-pages/man3/sysconf.3.html>
///
/// # Errors
/// `EINVAL` where the system does not say.
pub fn size() -> Result<usize> {
    let failed = |errno| Error::call("sysconf", "_SC_PAGESIZE", errno);
    let size = sysconf(SysconfVar::PAGE_SIZE).map_err(failed)?;
    let size = size.and_then(|size| usize::try_from(size).ok());
    size.ok_or_else(|| failed(Errno::EINVAL))
}
