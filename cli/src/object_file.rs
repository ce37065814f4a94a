//! An object file, read, with its digest.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use ebpf_asm::object::{self, Object, ReadError};
use sha2::{Digest, Sha256};

use crate::exit::Exit;
use crate::report::Failure;

/// Bytes of the digest that are shown: enough to tell builds apart.
const SHOWN_DIGEST_BYTES: usize = 6;

/// The largest object that is read, in bytes: a million instructions with their debug
/// information are far from it, and a mistyped path to a disk image is far above it.
const MAX_LEN: u64 = 256 << 20;

/// An object file.
#[derive(Debug)]
pub struct ObjectFile {
    /// Where it is.
    pub path: PathBuf,
    /// What is in it.
    pub object: Object,
    bytes: Vec<u8>,
}

impl ObjectFile {
    /// Reads an object file.
    ///
    /// # Errors
    /// If it cannot be read, or is no object.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        Self::of(path, read_bytes(path)?)
    }

    fn of(path: &Path, bytes: Vec<u8>) -> Result<Self, Failure> {
        if bytes.is_empty() {
            return Err(
                Failure::new(Exit::BadObject, format!("{} is empty", path.display()))
                    .help("build it again: its writing was cut short"),
            );
        }
        let object = object::read(&bytes).map_err(|error| unusable(path, &error))?;
        Ok(ObjectFile {
            path: path.to_owned(),
            object,
            bytes,
        })
    }

    /// As [`read`](ObjectFile::read), but `-` is standard input.
    ///
    /// # Errors
    /// If it cannot be read, or is no object.
    pub fn read_or_stdin(path: &Path) -> Result<Self, Failure> {
        Self::of(path, read_bytes_or_stdin(path)?)
    }

    /// The beginning of the SHA-256 of the file, in hexadecimal.
    #[must_use]
    pub fn short_digest(&self) -> String {
        let digest = Sha256::digest(&self.bytes);
        let shown = digest.iter().take(SHOWN_DIGEST_BYTES);
        shown.map(|byte| format!("{byte:02x}")).collect()
    }
}

/// What to say of a file that is no object, or one that cannot be used.
fn unusable(path: &Path, error: &ReadError) -> Failure {
    let exit = match error {
        ReadError::Unsupported(_) => Exit::Unsupported,
        _ => Exit::BadObject,
    };
    let extension = path.extension().and_then(OsStr::to_str);
    let help = match (error, extension) {
        (ReadError::Unsupported(_), _) => {
            "the object is sound, but this version cannot use that: write the program without it"
                .to_owned()
        }
        (ReadError::NotElf(_), Some("rs")) => {
            format!("build it first: ebpfasm build {}", path.display())
        }
        (ReadError::NotElf(_), Some("c")) => format!(
            "compile it first: clang -target bpf -O2 -g -c {}",
            path.display()
        ),
        _ => "an object that `ebpfasm build` or `clang -target bpf -O2 -g -c` made is wanted"
            .to_owned(),
    };
    Failure::new(exit, format!("{}: {error}", path.display())).help(help)
}

/// The bytes of a file; `-` is standard input.
///
/// # Errors
/// If it cannot be read, or is larger than any object.
pub fn read_bytes_or_stdin(path: &Path) -> Result<Vec<u8>, Failure> {
    if path != Path::new("-") {
        return read_bytes(path);
    }
    let mut bytes = Vec::new();
    // One byte more tells what is too large from what is as large as can be.
    let mut input = io::stdin().lock().take(MAX_LEN + 1);
    input
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::file("read", "standard input", &error))?;
    match bytes.len() as u64 > MAX_LEN {
        true => Err(Failure::new(
            Exit::BadObject,
            format!("standard input has more than {MAX_LEN} bytes: no object is that large"),
        )),
        false => Ok(bytes),
    }
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error| unreadable(path, &error);
    let metadata = fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        return Err(Failure::new(
            Exit::BadObject,
            format!("{} is not a file", path.display()),
        ));
    }
    if metadata.len() > MAX_LEN {
        return Err(Failure::new(
            Exit::BadObject,
            format!(
                "{} has {} bytes: no object is that large",
                path.display(),
                metadata.len()
            ),
        ));
    }
    fs::read(path).map_err(failed)
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let path = path.display();
    match error.kind() {
        io::ErrorKind::NotFound => {
            Failure::new(Exit::NotFound, format!("there is no object {path}"))
                .help("build it with `ebpfasm build FILE.rs`, which says where it puts it")
        }
        io::ErrorKind::PermissionDenied => {
            Failure::new(Exit::Permission, format!("not permitted to read {path}"))
                .help("read it as its owner or as root, or change its mode (chmod)")
        }
        _ => Failure::new(Exit::Io, format!("cannot read {path}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_sha256() {
        let file = ObjectFile {
            path: "x.o".into(),
            object: Object::default(),
            bytes: b"abc".to_vec(),
        };
        assert_eq!(file.short_digest(), "ba7816bf8f01");
    }

    #[test]
    fn files_that_are_no_objects_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let (text, empty) = (dir.path().join("text.o"), dir.path().join("empty.o"));
        fs::write(&text, "not ELF").unwrap();
        fs::write(&empty, "").unwrap();
        for (path, exit) in [
            (dir.path().to_owned(), Exit::BadObject),
            (dir.path().join("missing.o"), Exit::NotFound),
            (text, Exit::BadObject),
            (empty, Exit::BadObject),
        ] {
            let error = ObjectFile::read(&path).unwrap_err();
            assert_eq!(error.exit(), exit, "{path:?}");
        }
    }
}
