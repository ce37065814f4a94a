//! Linking without the C compiler: rustc calls the linker that it brings itself.
//!
//! rustc has the C compiler call the linker, which costs 5 of 20 ms. The C compiler is asked
//! once where the C library's parts are; whether a program linked with them runs is tried
//! then. Where anything is missing, rustc links as it always does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use super::cache::Cache;
use super::library;
use super::stamp::Stamp;
use super::toolchain::Toolchain;

/// Targets with the name of their dynamic loader, as the C library's ABI fixes it.
const LOADERS: [(&str, &str); 2] = [
    ("x86_64-unknown-linux-gnu", "/lib64/ld-linux-x86-64.so.2"),
    ("aarch64-unknown-linux-gnu", "/lib/ld-linux-aarch64.so.1"),
];

/// What every dynamic program begins and ends with.
const STARTUP: [&str; 3] = ["Scrt1.o", "crti.o", "crtn.o"];

/// Libraries that rustc links with, one for each folder that they can be in.
const LIBRARIES: [&str; 2] = ["libc.so", "libgcc_s.so"];

/// Arguments that make rustc call the linker itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct QuickLink {
    pub(super) args: Vec<String>,
}

/// The arguments, and the files that they rely on; `None` if linking so does not work here.
pub(super) fn probe(
    toolchain: &Toolchain,
    sysroot: &Path,
    target: &str,
    cache: &Cache,
) -> Option<(QuickLink, Vec<Stamp>)> {
    let (_, loader) = LOADERS.iter().find(|(known, _)| *known == target)?;
    let bin = sysroot.join("lib/rustlib").join(target).join("bin");
    let linker = bin.join("rust-lld");
    let startup: Vec<PathBuf> = STARTUP.iter().map(|n| c_file(n)).collect::<Option<_>>()?;
    let libraries: Vec<PathBuf> = LIBRARIES.iter().map(|n| c_file(n)).collect::<Option<_>>()?;
    let quick_link = QuickLink {
        args: args(&linker, loader, &startup, &libraries)?,
    };
    let used = startup.iter().chain(&libraries).chain([&linker]);
    let stamps = used.map(|path| Stamp::of(path)).collect::<Option<_>>()?;
    works(toolchain, &quick_link, cache).then_some((quick_link, stamps))
}

/// Where the C compiler finds one of its files.
fn c_file(name: &str) -> Option<PathBuf> {
    let asked = Command::new("cc")
        .arg(format!("-print-file-name={name}"))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let answer = String::from_utf8(asked.stdout).ok()?;
    // A file that it does not know it answers with the bare name.
    let path = PathBuf::from(answer.trim_end());
    let path = path.is_absolute().then_some(path)?;
    fs::canonicalize(path).ok()
}

fn args(
    linker: &Path,
    loader: &str,
    startup: &[PathBuf],
    libraries: &[PathBuf],
) -> Option<Vec<String>> {
    let mut args = vec![
        format!("-Clinker={}", linker.to_str()?),
        "-Clinker-flavor=ld.lld".to_owned(),
        format!("-Clink-arg=--dynamic-linker={loader}"),
        // The result is small and runs once: nothing is gained by more.
        "-Clink-arg=-O0".to_owned(),
        "-Clink-arg=--threads=1".to_owned(),
        "-Crelro-level=off".to_owned(),
    ];
    for library in libraries {
        args.push(format!("-Clink-arg=-L{}", library.parent()?.to_str()?));
    }
    for object in startup {
        args.push(format!("-Clink-arg={}", object.to_str()?));
    }
    Some(args)
}

/// Whether an empty program, linked so, runs.
fn works(toolchain: &Toolchain, quick_link: &QuickLink, cache: &Cache) -> bool {
    let Ok(workshop) = cache.workshop("link") else {
        return false;
    };
    let source = workshop.path().join("main.rs");
    let program = workshop.path().join("main");
    let linked = fs::write(&source, "fn main() {}\n").is_ok()
        && Command::new(&toolchain.rustc)
            .args(["--edition=2024", "--crate-name=main", "-Cprefer-dynamic"])
            .args(&quick_link.args)
            .arg("-o")
            .arg(&program)
            .arg(&source)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
    linked
        && library::with_search_path(&mut Command::new(&program), &[&toolchain.libdir])
            .status()
            .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_name_each_file() {
        let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        let args = args(
            Path::new("/r/rust-lld"),
            "/lib/ld.so",
            &paths(&["/c/Scrt1.o", "/c/crti.o"]),
            &paths(&["/c/libc.so", "/g/libgcc_s.so"]),
        )
        .unwrap();
        for wanted in [
            "-Clinker=/r/rust-lld",
            "-Clink-arg=--dynamic-linker=/lib/ld.so",
            "-Clink-arg=-L/c",
            "-Clink-arg=-L/g",
            "-Clink-arg=/c/crti.o",
        ] {
            assert!(args.iter().any(|arg| arg == wanted), "{wanted}");
        }
    }

    #[test]
    fn a_file_that_the_c_compiler_does_not_have_is_none() {
        assert_eq!(c_file("no_such_file_anywhere.o"), None);
    }
}
