//! The C sources of `tests/c/large/`: programs of the size and in the manner of those that run in
//! production, each with faults that can be built in.

use std::fs;
use std::path::{Path, PathBuf};

use ebpf_asm::object::{self, Object};

use crate::corpus::Clang;
use crate::{Outcome, clang, tool, workspace};

/// One way of compiling a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Build {
    /// By whom.
    pub clang: Clang,
    /// N of `-mcpu=vN`.
    pub cpu: u32,
    /// Which fault is built in; 0 for none.
    pub fault: u32,
}

impl Build {
    /// Compiles a source.
    ///
    /// # Errors
    /// With the compiler's messages, or if we cannot read the object.
    pub fn object(&self, source: &str) -> Outcome<Object> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("object.o");
        let mut clang = tool::command(self.clang.program);
        clang.args(["-O2", "-g", "-target", "bpf", "-c"]);
        clang.arg(format!("-mcpu=v{}", self.cpu));
        clang.arg(format!("-DMCPU={}", self.cpu));
        clang.arg(format!("-DFAULT={}", self.fault));
        clang.arg(clang::system_headers()).arg(self::path(source));
        tool::output(clang.arg("-o").arg(&path))?;
        Ok(object::read(&fs::read(path)?)?)
    }
}

/// Where a source is.
#[must_use]
pub fn path(source: &str) -> PathBuf {
    folder().join(source).with_extension("c")
}

/// The names of the sources, without their ending.
///
/// # Errors
/// If the folder cannot be read.
pub fn sources() -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "c") {
            let stem = path.file_stem().unwrap_or_default();
            names.push(stem.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// How many faults the head of a source describes.
///
/// # Errors
/// If it cannot be read.
pub fn faults(source: &str) -> Outcome<u32> {
    let text = fs::read_to_string(path(source))?;
    let count = text
        .lines()
        .filter(|line| line.starts_with(" * FAULT "))
        .count();
    Ok(u32::try_from(count)?)
}

fn folder() -> PathBuf {
    workspace().join(Path::new("tests/c/large"))
}
