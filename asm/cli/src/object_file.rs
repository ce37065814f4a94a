//! An object file, read.

use std::fs;
use std::io;
use std::path::Path;

use ebpf_asm::object::{self, Object};

use crate::exit::Exit;
use crate::report::Failure;

/// The largest object that is read, in bytes: a million instructions with their debug
/// information are far from it, and a mistyped path to a disk image is far above it.
const MAX_LEN: u64 = 256 << 20;

/// Reads an object file.
pub(crate) fn read(path: &Path) -> Result<Object, Failure> {
    let bytes = read_bytes(path)?;
    object::read(&bytes).map_err(|error| {
        Failure::new(Exit::BadObject, format!("{}: {error}", path.display()))
            .help("an object that `ebpfasm build` or `clang -target bpf -O2 -g -c` made is wanted")
    })
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error: io::Error| {
        let failure = Failure::file("read", path.display(), &error);
        match error.kind() {
            io::ErrorKind::NotFound => {
                failure.help("build it with `ebpfasm build FILE.rs`, which says where it puts it")
            }
            _ => failure,
        }
    };
    let bad = |what: String| Failure::new(Exit::BadObject, format!("{} {what}", path.display()));
    let metadata = fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        return Err(bad("is not a file".into()));
    }
    match metadata.len() {
        0 => Err(bad("is empty".into()).help("build it again")),
        len if len > MAX_LEN => Err(bad(format!("has {len} bytes: no object is that large"))),
        _ => fs::read(path).map_err(failed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_no_objects_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let (text, empty) = (dir.path().join("text.o"), dir.path().join("empty.o"));
        fs::write(&text, "not ELF").unwrap();
        fs::write(&empty, "").unwrap();
        for (path, exit) in [
            (dir.path(), Exit::BadObject),
            (&dir.path().join("missing.o"), Exit::NotFound),
            (&text, Exit::BadObject),
            (&empty, Exit::BadObject),
        ] {
            assert_eq!(read(path).unwrap_err().exit(), exit, "{path:?}");
        }
    }
}
