//! An object file: read, with its digest, and the program in it that is meant.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ebpf_asm::object::{self, Object};
use ebpf_asm::prog_type::ProgType;
use ebpf_asm::program::Program;
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
pub(crate) struct ObjectFile {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// What is in it.
    pub(crate) object: Object,
    bytes: Vec<u8>,
}

impl ObjectFile {
    /// Reads an object file.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let bytes = read_bytes(path)?;
        if bytes.is_empty() {
            return Err(
                Failure::new(Exit::BadObject, format!("{} is empty", path.display()))
                    .help("build it again: its writing was cut short"),
            );
        }
        let object = object::read(&bytes).map_err(|error| {
            Failure::new(Exit::BadObject, format!("{}: {error}", path.display())).help(
                "an object that `ebpfasm build` or `clang -target bpf -O2 -g -c` made is wanted",
            )
        })?;
        Ok(ObjectFile {
            path: path.to_owned(),
            object,
            bytes,
        })
    }

    /// The beginning of the SHA-256 of the file, in hexadecimal.
    pub(crate) fn short_digest(&self) -> String {
        let digest = Sha256::digest(&self.bytes);
        let shown = digest.iter().take(SHOWN_DIGEST_BYTES);
        shown.map(|byte| format!("{byte:02x}")).collect()
    }

    /// The program with this name; without a name, the only XDP program.
    ///
    /// A name that the object does not have is the loader's to refuse.
    pub(crate) fn program_name<'a>(&'a self, named: Option<&'a str>) -> Result<&'a str, Failure> {
        if let Some(named) = named {
            return Ok(named);
        }
        let xdp = |program: &&Program| program.prog_type == ProgType::Xdp;
        let programs: Vec<_> = self.object.programs.iter().filter(xdp).collect();
        match programs.as_slice() {
            [one] => Ok(&one.name),
            [] => Err(self.no_xdp_program()),
            [first, ..] => Err(Failure::new(
                Exit::Usage,
                format!("{} has several XDP programs", self.path.display()),
            )
            .details(list(programs.iter().copied()))
            .help(format!("name one, as with --prog {}", first.name))),
        }
    }

    fn no_xdp_program(&self) -> Failure {
        Failure::new(
            Exit::BadObject,
            format!("{} has no XDP program", self.path.display()),
        )
        .details(list(&self.object.programs))
        .help("an XDP program is a function in a section named 'xdp'")
    }
}

/// The programs, one a line.
fn list<'a>(programs: impl IntoIterator<Item = &'a Program>) -> String {
    let lines = programs
        .into_iter()
        .map(|program| format!("  {} ({})\n", program.name, program.prog_type));
    lines.collect()
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
    use ebpf_asm::assembler::Assembler;
    use ebpf_asm::insn::Reg;

    fn file(programs: &[(&str, &str)]) -> ObjectFile {
        let programs = programs.iter().map(|(name, section)| {
            let mut a = Assembler::new(*name);
            a.mov(Reg::R0, 2).exit();
            a.finish(section).unwrap()
        });
        ObjectFile {
            path: "x.o".into(),
            object: Object {
                license: "GPL".into(),
                programs: programs.collect(),
                maps: Vec::new(),
                btf: None,
            },
            bytes: b"abc".to_vec(),
        }
    }

    #[test]
    fn the_only_xdp_program_needs_no_name() {
        let file = file(&[("other", "tc"), ("this", "xdp")]);
        assert_eq!(file.program_name(None).unwrap(), "this");
        assert_eq!(file.program_name(Some("other")).unwrap(), "other");
    }

    #[test]
    fn several_are_listed_and_none_is_a_bad_object() {
        let several = file(&[("a", "xdp"), ("b", "xdp")])
            .program_name(None)
            .unwrap_err();
        assert_eq!(several.exit(), Exit::Usage);
        assert!(several.to_string().contains("  a (xdp)\n  b (xdp)\n"));
        let none = file(&[("a", "tc")]).program_name(None).unwrap_err();
        assert_eq!(none.exit(), Exit::BadObject);
    }

    #[test]
    fn the_digest_is_sha256() {
        assert_eq!(file(&[]).short_digest(), "ba7816bf8f01");
    }

    #[test]
    fn files_that_are_no_objects_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let text = dir.path().join("text.o");
        fs::write(&text, "not ELF").unwrap();
        for (path, exit) in [
            (dir.path().to_owned(), Exit::BadObject),
            (dir.path().join("missing.o"), Exit::NotFound),
            (text, Exit::BadObject),
        ] {
            assert_eq!(
                ObjectFile::read(&path).unwrap_err().exit(),
                exit,
                "{path:?}"
            );
        }
    }
}
