//! What commands read: files, and standard input, which is called `-`.
//!
//! Every command says the same of what cannot be read.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use crate::exit::Exit;
use crate::report::Failure;

/// The name of standard input.
const STDIN: &str = "-";

/// The most that is read at once, in bytes: a million instructions with their debug
/// information are far from it, and a mistyped path to a disk image is far above it.
const MAX_LEN: u64 = 256 << 20;

/// Whether a path means standard input.
#[must_use]
pub fn is_stdin(path: &Path) -> bool {
    path == Path::new(STDIN)
}

/// What to call a file or standard input in messages.
#[must_use]
pub fn shown(path: &Path) -> String {
    match is_stdin(path) {
        true => "standard input".to_owned(),
        false => path.display().to_string(),
    }
}

/// Opens a file, or standard input, to be read bit by bit.
///
/// # Errors
/// If it is not there, is no file, or may not be read.
pub fn open(path: &Path) -> Result<Box<dyn Read + Send>, Failure> {
    if is_stdin(path) {
        return Ok(Box::new(io::stdin()));
    }
    let failed = |error| unreadable(path, &error);
    // A pipe is read as a file is: only what cannot be read at all is refused.
    if fs::metadata(path).map_err(failed)?.is_dir() {
        return Err(folder(path));
    }
    File::open(path)
        .map(|file| Box::new(file) as Box<dyn Read + Send>)
        .map_err(failed)
}

/// The bytes of a file, or of standard input.
///
/// # Errors
/// If it cannot be read, or is larger than any object.
pub fn bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    // One byte more tells what is too large from what is as large as can be.
    let mut input = open(path)?.take(MAX_LEN + 1);
    input
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(path, &error))?;
    match bytes.len() as u64 > MAX_LEN {
        false => Ok(bytes),
        true => Err(Failure::new(
            Exit::BadObject,
            format!(
                "{} has more than {MAX_LEN} bytes: no object is that large",
                shown(path)
            ),
        )),
    }
}

/// That a path is not a folder's, where a file is wanted.
#[must_use]
pub fn folder(path: &Path) -> Failure {
    Failure::new(
        Exit::BadObject,
        format!("{} is a folder, not a file", shown(path)),
    )
}

/// What to say of a file that cannot be read.
#[must_use]
pub fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let path = shown(path);
    match error.kind() {
        io::ErrorKind::NotFound => Failure::new(Exit::NotFound, format!("there is no file {path}")),
        io::ErrorKind::PermissionDenied => {
            Failure::new(Exit::Permission, format!("not permitted to read {path}"))
                .help("read it as its owner or as root, or change its mode (chmod)")
        }
        _ => Failure::file("read", path, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let missing = bytes(&dir.path().join("missing")).unwrap_err();
        assert_eq!(missing.exit(), Exit::NotFound);
        let folder = bytes(dir.path()).unwrap_err();
        assert_eq!(folder.exit(), Exit::BadObject);
        assert!(folder.message().ends_with(" is a folder, not a file"));
        assert_eq!(shown(Path::new("-")), "standard input");
    }
}
