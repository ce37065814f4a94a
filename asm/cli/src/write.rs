//! Writing a file whole or not at all.
//!
//! The bytes go to a new file beside the old one, which takes its name when it is complete:
//! a command that is killed, and a disk that is full, leave what was there before. Nothing is
//! forced to the disk: an object lost with the power is built again.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How many names are tried for the new file.
const ATTEMPTS: u32 = 100;

/// Writes `bytes` to `path`, in a folder that is there.
///
/// What is there and no file, such as `/dev/null` or a pipe, is written to as it is; a
/// symbolic link stays, and what it leads to is replaced; a file keeps its mode.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let there = fs::metadata(path).ok();
    if there
        .as_ref()
        .is_some_and(|there| !there.is_file() && !there.is_dir())
    {
        return fs::write(path, bytes);
    }
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let (temporary, mut file) = create_beside(path)?;
    sweep(path);
    let keep_mode = |file: &File| match there {
        Some(there) => file.set_permissions(there.permissions()),
        None => Ok(()),
    };
    let written = file
        .write_all(bytes)
        .and_then(|()| keep_mode(&file))
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// A new file in the folder of `path`.
fn create_beside(path: &Path) -> io::Result<(PathBuf, File)> {
    let Some(name) = path.file_name() else {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    };
    let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
    for attempt in 0..ATTEMPTS {
        let mut beside = OsString::from(".");
        beside.push(name);
        beside.push(format!(".{}.{attempt}", std::process::id()));
        let beside = path.with_file_name(beside);
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&beside)
        {
            Ok(file) => return Ok((beside, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

/// How old a new file beside an object is when its writer must be gone.
const ABANDONED: Duration = Duration::from_secs(60);

/// Removes what writers that were killed left beside `path`. What fails here fails later,
/// or does not matter.
fn sweep(path: &Path) {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return;
    };
    let prefix = format!(".{}.", name.to_string_lossy());
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(&prefix);
        let age = || entry.metadata().ok()?.modified().ok()?.elapsed().ok();
        if is_ours && age().is_some_and(|age| age > ABANDONED) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_made_and_replaced_and_nothing_stays_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.o");
        for text in ["one", "two"] {
            replace(&path, text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_missing_is_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let error = replace(&dir.path().join("missing/x.o"), b"").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_a_link_and_a_file_keeps_its_mode() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let dir = tempfile::tempdir().unwrap();
        let [file, link] = ["file.o", "link.o"].map(|name| dir.path().join(name));
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
        symlink(&file, &link).unwrap();
        replace(&link, b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o640
        );
    }

    #[test]
    fn what_a_killed_writer_left_is_removed_once_it_is_old() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.o");
        let [old, new] = [".x.o.1.0", ".x.o.2.0"].map(|name| dir.path().join(name));
        fs::write(&old, "").unwrap();
        fs::write(&new, "").unwrap();
        let long_ago = std::time::SystemTime::now() - 2 * ABANDONED;
        let file = OpenOptions::new().write(true).open(&old).unwrap();
        file.set_modified(long_ago).unwrap();
        replace(&path, b"").unwrap();
        assert!(!old.exists() && new.exists());
    }

    #[test]
    fn what_cannot_be_replaced_stays_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.o");
        fs::create_dir_all(path.join("in_the_way")).unwrap();
        assert!(replace(&path, b"new").is_err());
        assert!(path.join("in_the_way").is_dir());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(replace(Path::new("/"), b"").is_err());
    }
}
