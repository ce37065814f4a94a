//! An object file, read, with its digest.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use ebpf_asm::object::{self, Object, ReadError};
use sha2::{Digest, Sha256};

use crate::exit::Exit;
use crate::input;
use crate::report::Failure;

/// Bytes of the digest that are shown: enough to tell builds apart.
const SHOWN_DIGEST_BYTES: usize = 6;

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
    /// Reads an object file; `-` is standard input.
    ///
    /// # Errors
    /// If it cannot be read, or is no object.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let bytes = bytes(path)?;
        if bytes.is_empty() {
            let message = format!("{} is empty", input::shown(path));
            return Err(Failure::new(Exit::BadObject, message)
                .help("build it again: its writing was cut short"));
        }
        let object = object::read(&bytes).map_err(|error| unusable(path, &bytes, &error))?;
        Ok(ObjectFile {
            path: path.to_owned(),
            object,
            bytes,
        })
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
fn unusable(path: &Path, bytes: &[u8], error: &ReadError) -> Failure {
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
        (ReadError::NotElf(_), Some("rs" | "bpf")) => {
            format!("build it first: ebpfasm build {}", path.display())
        }
        (ReadError::NotElf(_), Some("c")) => format!(
            "compile it first: clang -target bpf -O2 -g -c {}",
            path.display()
        ),
        (ReadError::NotElf(_), _) if is_program_text(bytes) => rename_text(path),
        _ => "an object that `ebpfasm build` or `clang -target bpf -O2 -g -c` made is wanted"
            .to_owned(),
    };
    Failure::new(exit, format!("{}: {error}", input::shown(path))).help(help)
}

/// Whether bytes look like program text: behind comments, a directive is the first.
#[must_use]
pub fn is_program_text(bytes: &[u8]) -> bool {
    let mut lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with(b";"));
    first.is_some_and(|line| line.starts_with(b".") && line.is_ascii())
}

/// What to do with program text in a file that is not called so.
#[must_use]
pub fn rename_text(path: &Path) -> String {
    let (from, to) = (path.display(), path.with_extension("bpf"));
    format!(
        "it looks like program text, which is known by its name: mv {from} {}",
        to.display()
    )
}

/// The bytes of a file, or of standard input.
fn bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    input::bytes(path).map_err(|failure| match failure.exit() {
        Exit::NotFound => {
            let message = format!("there is no object {}", input::shown(path));
            Failure::new(Exit::NotFound, message)
                .help("build it with `ebpfasm build FILE.rs`, which says where it puts it")
        }
        _ => failure,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

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
    fn program_text_is_known_by_its_first_directive() {
        assert!(is_program_text(b"; a comment\n\n  .license GPL\n"));
        for other in [
            &b"\x7fELF"[..],
            b"",
            b"; nothing",
            b"fn main() {}",
            b".\xff",
        ] {
            assert!(!is_program_text(other), "{other:?}");
        }
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
