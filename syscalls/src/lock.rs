//! An advisory lock on a folder, held while a command looks and then acts.
//!
//! <https://man7.org/linux/man-pages/man2/flock.2.html>

use std::fs::File;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::{Error, Result};

/// The exclusive lock on a folder; dropping it, or dying, releases it.
#[derive(Debug)]
#[must_use = "the lock is released when this is dropped"]
pub struct FolderLock {
    _lock: Flock<File>,
}

/// Waits for the exclusive lock on a folder.
///
/// # Errors
/// `ENOENT` when the folder is missing, `EACCES` when it may not be read.
pub fn lock_folder(path: &Path) -> Result<FolderLock> {
    let failed = |call, errno| Error::call(call, path.display().to_string(), errno);
    let folder = File::open(path).map_err(|error| {
        failed(
            "open",
            error.raw_os_error().map_or(Errno::EIO, Errno::from_raw),
        )
    })?;
    loop {
        // A signal may end the wait early: whoever handles it has decided to go on.
        let file = folder
            .try_clone()
            .map_err(|_| failed("dup", Errno::EMFILE))?;
        match Flock::lock(file, FlockArg::LockExclusive) {
            Ok(lock) => return Ok(FolderLock { _lock: lock }),
            Err((_, Errno::EINTR)) => {}
            Err((_, errno)) => return Err(failed("flock", errno)),
        }
    }
}
