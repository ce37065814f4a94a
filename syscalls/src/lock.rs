//! An advisory lock on a folder, held while a command looks and then acts.
//!
//! <https://man7.org/linux/man-pages/man2/flock.2.html>

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
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
/// `ENOENT` when the folder is missing, or was removed during the wait (a new
/// one may be in its place: try again); `EACCES` when it may not be read.
pub fn lock_folder(path: &Path) -> Result<FolderLock> {
    let folder = File::open(path).map_err(|error| io_error("open", path, &error))?;
    let mut lock = Flock::lock(folder, FlockArg::LockExclusive);
    // A signal ends the wait early; whoever handles it has decided to go on.
    while let Err((folder, Errno::EINTR)) = lock {
        lock = Flock::lock(folder, FlockArg::LockExclusive);
    }
    let lock =
        lock.map_err(|(_, errno)| Error::call("flock", path.display().to_string(), errno))?;
    let locked = lock
        .metadata()
        .map_err(|error| io_error("fstat", path, &error))?;
    let there = fs::metadata(path).map_err(|error| io_error("stat", path, &error))?;
    if (locked.dev(), locked.ino()) != (there.dev(), there.ino()) {
        return Err(Error::call(
            "flock",
            path.display().to_string(),
            Errno::ENOENT,
        ));
    }
    Ok(FolderLock { _lock: lock })
}

fn io_error(call: &'static str, path: &Path, error: &io::Error) -> Error {
    let errno = error.raw_os_error().map_or(Errno::EIO, Errno::from_raw);
    Error::call(call, path.display().to_string(), errno)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;
    use std::{env, process, thread};

    #[test]
    fn a_second_lock_waits_and_notices_that_the_folder_went() {
        let path = env::temp_dir().join(format!("ebpf-syscalls-lock-{}", process::id()));
        fs::create_dir(&path).unwrap();
        let first = lock_folder(&path).unwrap();
        let (send, receive) = mpsc::channel();
        let waiting = path.clone();
        let thread = thread::spawn(move || {
            let second = lock_folder(&waiting);
            send.send(()).unwrap();
            second
        });
        assert!(receive.recv_timeout(Duration::from_millis(50)).is_err());
        fs::remove_dir(&path).unwrap();
        drop(first);
        let second = thread.join().unwrap();
        assert!(second.is_err_and(|error| error.is(Errno::ENOENT)));
    }
}
