//! The cache: a folder of the user's own, which may be deleted at any time.
//!
//! It holds programs that are run, so that nobody else may write there: its mode is 0700, and
//! a folder that belongs to somebody else is refused. Root never leaves files in another
//! user's home, whatever `HOME` says under sudo.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ebpf_cli::exit::Exit;
use ebpf_cli::report::Failure;

/// The folder's name, in the user's folder for caches.
const NAME: &str = "ebpfasm";

/// How old an incomplete entry is when the build that made it must be gone.
const ABANDONED: Duration = Duration::from_secs(3600);

/// The user's cache.
#[derive(Debug)]
pub(super) struct Cache {
    root: PathBuf,
}

impl Cache {
    /// The user's cache, made if it is missing.
    pub(super) fn open() -> Result<Cache, Failure> {
        let base = base().ok_or_else(|| {
            Failure::new(Exit::NotFound, "there is no home folder to keep a cache in")
                .help("set XDG_CACHE_HOME to a folder of yours")
        })?;
        Cache::at(&base.join(NAME))
    }

    /// The cache in this folder, made if it is missing.
    fn at(root: &Path) -> Result<Cache, Failure> {
        let failed = |error: io::Error| {
            Failure::file("use the cache", root.display(), &error)
                .help("set XDG_CACHE_HOME to a folder that you can write to")
        };
        make_private(root).map_err(failed)?;
        if let Some(why) = unsafe_because(root).map_err(failed)? {
            return Err(Failure::new(
                Exit::Permission,
                format!("the cache {} {why}", root.display()),
            )
            .help("what lies there would be run: set XDG_CACHE_HOME to a folder of yours"));
        }
        Ok(Cache {
            root: root.to_owned(),
        })
    }

    /// The path of an entry; its folder is made if it is missing.
    pub(super) fn entry(&self, kind: &str, name: &str) -> Result<PathBuf, Failure> {
        let folder = self.root.join(kind);
        make_private(&folder)
            .map_err(|error| Failure::file("use the cache", folder.display(), &error))?;
        Ok(folder.join(name))
    }

    /// A path that no other process uses, for an entry that is not complete.
    pub(super) fn temporary(&self, kind: &str) -> Result<PathBuf, Failure> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = self.entry("tmp", &format!("{kind}-{}-{number}", process::id()))?;
        // Left by a process of this number that was killed.
        remove(&path);
        Ok(path)
    }

    /// A new folder that no other process uses. rustc names intermediate files by what it
    /// compiles, so that each call needs a folder of its own.
    pub(super) fn workshop(&self, kind: &str) -> Result<Workshop, Failure> {
        let path = self.temporary(kind)?;
        make_private(&path).map_err(|error| Failure::file("make", path.display(), &error))?;
        Ok(Workshop { path })
    }

    /// Removes what builds that were killed left. What fails here does not matter.
    pub(super) fn sweep(&self) {
        let entries = fs::read_dir(self.root.join("tmp"));
        for entry in entries.into_iter().flatten().flatten() {
            let age = || entry.metadata().ok()?.modified().ok()?.elapsed().ok();
            if age().is_some_and(|age| age > ABANDONED) {
                remove(&entry.path());
            }
        }
    }
}

/// A folder that goes with its owner.
#[derive(Debug)]
pub(super) struct Workshop {
    path: PathBuf,
}

impl Workshop {
    /// The folder.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Less room than this in bytes is none.
const ROOM: usize = 256 << 10;

/// Whether something can be written to a folder: a compiler that ran out of room says so in
/// ways of its own.
pub(super) fn check_room(folder: &Path) -> Result<(), Failure> {
    let probe = folder.join("room");
    let written = fs::write(&probe, [0; ROOM]);
    remove(&probe);
    written.map_err(|error| Failure::file("write to", folder.display(), &error))
}

impl Drop for Workshop {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Removes a file or a folder, if it is there.
fn remove(path: &Path) {
    let _ = fs::remove_file(path).or_else(|_| fs::remove_dir_all(path));
}

/// The folder that the user's caches are in.
fn base() -> Option<PathBuf> {
    let absolute = |value: OsString| Some(PathBuf::from(value)).filter(|path| path.is_absolute());
    let named = env::var_os("XDG_CACHE_HOME").and_then(absolute);
    let usual = || Some(env::var_os("HOME").and_then(absolute)?.join(".cache"));
    let base = named.or_else(usual);
    match base {
        Some(base) if !would_be_roots_in_a_home(&base) => Some(base),
        _ => own_home().map(|home| home.join(".cache")),
    }
}

#[cfg(unix)]
fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    if fs::symlink_metadata(folder).is_ok_and(|there| there.is_dir()) {
        return Ok(());
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
}

#[cfg(not(unix))]
fn make_private(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

/// Why a folder cannot be trusted, if so.
#[cfg(unix)]
fn unsafe_because(folder: &Path) -> io::Result<Option<&'static str>> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let metadata = fs::symlink_metadata(folder)?;
    if !metadata.is_dir() {
        return Ok(Some("is no folder"));
    }
    if metadata.uid() != nix::unistd::geteuid().as_raw() {
        return Ok(Some("belongs to another user"));
    }
    if metadata.mode() & 0o022 != 0 {
        return Ok(Some("can be written to by other users"));
    }
    if metadata.mode() & 0o077 != 0 {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    Ok(None)
}

#[cfg(not(unix))]
fn unsafe_because(_: &Path) -> io::Result<Option<&'static str>> {
    Ok(None)
}

/// Whether this is root, and the folder, or the one it would be made in, another user's.
#[cfg(unix)]
fn would_be_roots_in_a_home(folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let existing = folder.ancestors().find_map(|path| fs::metadata(path).ok());
    nix::unistd::geteuid().is_root() && existing.is_some_and(|found| found.uid() != 0)
}

#[cfg(not(unix))]
fn would_be_roots_in_a_home(_: &Path) -> bool {
    false
}

/// The user's home by the system's list of users.
#[cfg(unix)]
fn own_home() -> Option<PathBuf> {
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok()??;
    Some(user.dir).filter(|home| home.is_absolute())
}

#[cfg(not(unix))]
fn own_home() -> Option<PathBuf> {
    env::var_os("LOCALAPPDATA").map(PathBuf::from)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn the_cache_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("a/ebpfasm");
        let cache = Cache::at(&root).unwrap();
        assert_eq!(mode(&root), 0o700);
        let entry = cache.entry("dsl", "x").unwrap();
        assert_eq!(mode(entry.parent().unwrap()), 0o700);
        fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
        Cache::at(&root).unwrap();
        assert_eq!(mode(&root), 0o700);
    }

    #[test]
    fn a_cache_that_others_can_write_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("open");
        fs::create_dir(&root).unwrap();
        fs::set_permissions(&root, fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(Cache::at(&root).unwrap_err().exit(), Exit::Permission);
        let link = dir.path().join("link");
        symlink(dir.path(), &link).unwrap();
        assert_eq!(Cache::at(&link).unwrap_err().exit(), Exit::Permission);
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(Cache::at(&file).is_err());
    }

    #[test]
    fn temporaries_differ_and_are_new() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(&dir.path().join("c")).unwrap();
        let (a, b) = (cache.temporary("x").unwrap(), cache.temporary("x").unwrap());
        assert_ne!(a, b);
        assert!(!a.exists() && !b.exists());
        fs::write(&a, "").unwrap();
        fs::write(&b, "").unwrap();
        let file = fs::OpenOptions::new().write(true).open(&a).unwrap();
        file.set_modified(std::time::SystemTime::now() - 2 * ABANDONED)
            .unwrap();
        cache.sweep();
        assert!(!a.exists() && b.exists());
    }
}
