//! Network namespaces, held by file descriptor: nothing is named or mounted.
//!
//! <https://man7.org/linux/man-pages/man7/network_namespaces.7.html>. A
//! namespace lives as long as a descriptor, a thread or an interface's peer in
//! it does. Entering one moves a thread, so it is always a thread of our own:
//! the caller's never moves. (`ip netns exec` would also remount /sys, which
//! hides bpffs; setns(2) does not.)

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::{fs, io, panic, thread};

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use crate::{Error, Result};

/// The calling thread's namespace, as a file.
const OWN: &str = "/proc/thread-self/ns/net";

/// A network namespace, kept alive by this descriptor.
#[derive(Debug)]
pub struct Netns {
    fd: OwnedFd,
}

impl Netns {
    /// Makes a namespace with nothing in it but a loopback interface that is down.
    ///
    /// # Errors
    /// `EPERM` without CAP_SYS_ADMIN, `ENOSPC` at the limit of namespaces.
    pub fn new() -> Result<Self> {
        on_own_thread(|| {
            unshare(CloneFlags::CLONE_NEWNET)
                .map_err(|errno| Error::call("unshare", "CLONE_NEWNET", errno))?;
            Netns::current()
        })?
    }

    /// The calling thread's namespace.
    ///
    /// # Errors
    /// When proc(5) is not mounted.
    pub fn current() -> Result<Self> {
        Netns::open(Path::new(OWN))
    }

    /// A namespace from its file, such as `/proc/1/ns/net` or `/run/netns/name`.
    ///
    /// Whether it is one shows when it is entered.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(path: &Path) -> Result<Self> {
        fs::File::open(path)
            .map(|file| Netns { fd: file.into() })
            .map_err(|error| io_error("open", path, &error))
    }

    /// Runs `work` in this namespace, on a thread of its own, and waits for it.
    ///
    /// Sockets opened there stay in this namespace wherever they are used later.
    /// A panic in `work` goes on in the caller.
    ///
    /// # Errors
    /// `EPERM` without CAP_SYS_ADMIN, `EINVAL` when this is no network namespace.
    pub fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> Result<R> {
        on_own_thread(|| {
            setns(&self.fd, CloneFlags::CLONE_NEWNET)
                .map_err(|errno| Error::call("setns", "CLONE_NEWNET", errno))?;
            Ok(work())
        })?
    }
}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The cookie of the calling thread's namespace: a number that no other
/// namespace gets until reboot (Linux 5.14).
///
/// # Errors
/// `ENOPROTOOPT` on older kernels.
pub fn cookie() -> Result<u64> {
    /// `asm-generic/socket.h`.
    const SO_NETNS_COOKIE: libc::c_int = 71;
    let failed = |call, errno| Error::call(call, "SO_NETNS_COOKIE", errno);
    let any = socket(
        AddressFamily::Unix,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )
    .map_err(|errno| failed("socket", errno))?;
    let mut cookie = 0u64;
    let mut len = size_of::<u64>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `len` bytes, the size of `cookie`, and
    // the length; both are exclusively borrowed.
    let result = unsafe {
        libc::getsockopt(
            any.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut len,
        )
    };
    Errno::result(result).map_err(|errno| failed("getsockopt", errno))?;
    Ok(cookie)
}

/// The inode number of the calling thread's namespace, which another one can
/// get once this is gone.
///
/// # Errors
/// When proc(5) is not mounted.
pub fn inode() -> Result<u64> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(OWN)
        .map(|data| data.ino())
        .map_err(|error| io_error("stat", Path::new(OWN), &error))
}

fn on_own_thread<R: Send>(work: impl FnOnce() -> R + Send) -> Result<R> {
    thread::scope(|scope| {
        let handle = thread::Builder::new()
            .name("netns".to_owned())
            .spawn_scoped(scope, work)
            .map_err(|error| io_error("clone", Path::new("netns thread"), &error))?;
        Ok(handle
            .join()
            .unwrap_or_else(|payload| panic::resume_unwind(payload)))
    })
}

fn io_error(call: &'static str, path: &Path, error: &io::Error) -> Error {
    let errno = error.raw_os_error().map_or(Errno::EIO, Errno::from_raw);
    Error::call(call, path.display().to_string(), errno)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_namespace_has_a_stable_inode() {
        assert!(Netns::current().is_ok());
        assert!(inode().is_ok_and(|ino| ino != 0));
        assert_eq!(inode(), inode());
    }

    #[test]
    fn a_file_that_is_no_namespace_cannot_be_entered() {
        let not = Netns::open(Path::new("/dev/null")).unwrap();
        assert!(not.run(|| ()).is_err());
    }
}
