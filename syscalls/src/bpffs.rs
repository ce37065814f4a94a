//! bpffs: the file system in which pins live.
//!
//! <https://docs.ebpf.io/linux/concepts/pinning/>

use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount as nix_mount};
use nix::sys::statfs::{FsType, statfs};

use crate::{Error, Result};

/// Where bpffs is mounted by convention.
pub const MOUNT_POINT: &str = "/sys/fs/bpf";

/// `BPF_FS_MAGIC` of `linux/magic.h`.
const BPF_FS_MAGIC: FsType = FsType(0xcafe_4a11);

/// Whether `path` exists and is on bpffs.
///
/// # Errors
/// When the path is there but cannot be looked at.
pub fn is_on_bpffs(path: &Path) -> Result<bool> {
    match statfs(path) {
        Ok(fs) => Ok(fs.filesystem_type() == BPF_FS_MAGIC),
        Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(false),
        Err(errno) => Err(Error::call("statfs", path.display().to_string(), errno)),
    }
}

/// Mounts a bpffs that only its owner may enter (mode 0700).
///
/// # Errors
/// `EPERM` without CAP_SYS_ADMIN, `ENOENT` when the folder is missing (a kernel
/// without `CONFIG_BPF_SYSCALL`, or no sysfs), `ENODEV` without bpffs.
pub fn mount(path: &Path) -> Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC | MsFlags::MS_RELATIME;
    nix_mount(Some("bpf"), path, Some("bpf"), flags, Some("mode=0700"))
        .map_err(|errno| Error::call("mount", path.display().to_string(), errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_is_not_bpffs_and_neither_is_nothing() {
        assert_eq!(is_on_bpffs(Path::new("/proc")), Ok(false));
        assert_eq!(is_on_bpffs(Path::new("/proc/no such file")), Ok(false));
    }
}
