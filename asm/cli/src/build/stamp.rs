//! Stamps: what tells that a file is still the one it was, without reading it.

use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// How far a file's times lag behind the clock: the kernel takes them from its last tick.
const TICK: Duration = Duration::from_millis(10);

/// A file's place, length and times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    path: PathBuf,
    len: u64,
    /// In nanoseconds since 1970.
    modified_ns: u128,
    /// In nanoseconds since 1970. No program can set it.
    changed_ns: u128,
    inode: u64,
}

impl Stamp {
    /// The stamp of a file; `None` if it cannot be seen.
    pub(super) fn of(path: &Path) -> Option<Stamp> {
        let metadata = fs::metadata(path).ok()?;
        let modified = metadata.modified().ok()?;
        let modified_ns = modified.duration_since(UNIX_EPOCH).ok()?.as_nanos();
        let (changed_ns, inode) = unix_only(&metadata).unwrap_or((modified_ns, 0));
        Some(Stamp {
            path: path.to_owned(),
            len: metadata.len(),
            modified_ns,
            changed_ns,
            inode,
        })
    }

    /// Whether the file is still as it was.
    pub(super) fn still_holds(&self) -> bool {
        Stamp::of(&self.path).as_ref() == Some(self)
    }

    /// Whether the file has surely not changed since `time`.
    pub(super) fn is_older_than(&self, time: SystemTime) -> bool {
        let time = time.checked_sub(TICK).unwrap_or(UNIX_EPOCH);
        let time_ns = time
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_nanos();
        self.modified_ns < time_ns && self.changed_ns < time_ns
    }
}

/// When the inode last changed, in nanoseconds since 1970, and its number.
#[cfg(unix)]
fn unix_only(metadata: &Metadata) -> Option<(u128, u64)> {
    use std::os::unix::fs::MetadataExt;
    let seconds = u128::try_from(metadata.ctime()).ok()?;
    let nanoseconds = u128::try_from(metadata.ctime_nsec()).ok()?;
    Some((seconds * 1_000_000_000 + nanoseconds, metadata.ino()))
}

#[cfg(not(unix))]
fn unix_only(_: &Metadata) -> Option<(u128, u64)> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_has_another_stamp() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        assert!(Stamp::of(&path).is_none());
        fs::write(&path, "a").unwrap();
        let stamp = Stamp::of(&path).unwrap();
        assert!(stamp.still_holds());
        fs::write(&path, "ab").unwrap();
        assert!(!stamp.still_holds());
        let later = SystemTime::now() + Duration::from_secs(1);
        assert!(stamp.is_older_than(later));
        assert!(!stamp.is_older_than(SystemTime::now() - Duration::from_secs(1)));
    }
}
