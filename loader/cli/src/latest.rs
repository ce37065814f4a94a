//! The object that was built last: under `target/bpf` of this workspace or folder.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ebpf_cli::exit::Exit;
use ebpf_cli::place;
use ebpf_cli::report::Failure;

/// An object that was found without being named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Latest {
    /// The file.
    pub(crate) path: PathBuf,
    /// When it was written.
    pub(crate) written: SystemTime,
}

/// The newest object for somebody who works in `folder`.
pub(crate) fn latest(folder: &Path) -> Result<Latest, Failure> {
    let objects = place::objects(folder);
    match newest(&objects) {
        Ok(Some(latest)) => Ok(latest),
        Ok(None) => Err(none_built(&objects)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(none_built(&objects)),
        Err(error) => Err(unreadable(&objects, &error)),
    }
}

fn newest(objects: &Path) -> io::Result<Option<Latest>> {
    let mut newest: Option<Latest> = None;
    for entry in fs::read_dir(objects)? {
        let path = entry?.path();
        if path.extension() != Some(OsStr::new("o")) {
            continue;
        }
        // One that is removed meanwhile is not the newest.
        let Ok(metadata) = fs::metadata(&path) else {
            continue;
        };
        let written = metadata.modified()?;
        // Of several at the same instant the first by name, whatever order the folder has.
        let newer = newest.as_ref().is_none_or(|than| {
            written > than.written || (written == than.written && path < than.path)
        });
        if metadata.is_file() && newer {
            newest = Some(Latest { path, written });
        }
    }
    Ok(newest)
}

fn none_built(objects: &Path) -> Failure {
    Failure::new(
        Exit::NotFound,
        format!("there is no object in {} to attach", objects.display()),
    )
    .help("build one with `ebpfasm build FILE.rs`, or name one: ebpfld attach IFACE OBJ")
}

fn unreadable(objects: &Path, error: &io::Error) -> Failure {
    let exit = match error.kind() {
        io::ErrorKind::PermissionDenied => Exit::Permission,
        _ => Exit::Io,
    };
    Failure::new(exit, format!("cannot read {}: {error}", objects.display()))
        .help("name the object: ebpfld attach IFACE OBJ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::time::Duration;

    use crate::age::age;

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn object(folder: &Path, name: &str, age_s: u64) {
        let path = place::objects(folder).join(name);
        write(&path, "");
        let then = SystemTime::now() - Duration::from_secs(age_s);
        File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_modified(then)
            .unwrap();
    }

    #[test]
    fn the_newest_object_is_found_from_any_folder_below() {
        let dir = tempfile::tempdir().unwrap();
        write(&dir.path().join("Cargo.toml"), "[workspace]\n");
        let below = dir.path().join("programs");
        fs::create_dir(&below).unwrap();
        object(dir.path(), "old.o", 60);
        object(dir.path(), "new.o", 30);
        object(dir.path(), "newest.txt", 0);
        fs::create_dir(place::objects(dir.path()).join("folder.o")).unwrap();
        let found = latest(&below).unwrap();
        assert_eq!(found.path, place::objects(dir.path()).join("new.o"));
        assert_eq!(age(found.written), "30 s ago");
    }

    #[test]
    fn nothing_built_is_not_found() {
        let dir = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            assert_eq!(latest(dir.path()).unwrap_err().exit(), Exit::NotFound);
            fs::create_dir_all(place::objects(dir.path())).unwrap();
        }
    }
}
