//! The compiler: the toolchain's own rustc, found once and remembered.
//!
//! What is on the PATH is often rustup's stand-in, which finds out at each call which toolchain
//! is meant; that takes as long as the rest of a build. So the answer is kept, under a key of
//! all that can change it: the stand-in itself, rustup's variables and settings, the folder,
//! and the `rust-toolchain` files above it. The answer is used as long as the compiler that it
//! names has not changed.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use super::cache::Cache;
use super::digest::Digest;
use super::linker::{self, QuickLink};
use super::stamp::Stamp;
use crate::write;
use ebpf_cli::exit::Exit;
use ebpf_cli::report::Failure;

/// The oldest compiler that the DSL is written for, e.g. `1.95`.
const OLDEST: &str = env!("CARGO_PKG_RUST_VERSION");

/// Files that rustup reads in the folder and those above it.
const OVERRIDES: [&str; 2] = ["rust-toolchain", "rust-toolchain.toml"];

/// A compiler.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Toolchain {
    /// rustc itself.
    pub(super) rustc: PathBuf,
    /// Where its libraries are.
    pub(super) libdir: PathBuf,
    /// What `rustc -vV` prints.
    pub(super) version: String,
    /// How to link without the C compiler, where that works.
    pub(super) quick_link: Option<QuickLink>,
    /// All of it holds while these do.
    stamps: Vec<Stamp>,
}

impl Toolchain {
    /// The compiler that `rustc` means in this folder.
    pub(super) fn find(cache: &Cache, folder: &Path) -> Result<Toolchain, Failure> {
        let command = command()?;
        let entry = cache.entry("toolchain", &key(&command, folder))?;
        let known = fs::read(&entry).ok();
        let known: Option<Toolchain> = known.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        if let Some(known) = known.filter(Toolchain::still_holds) {
            return Ok(known);
        }
        let found = ask(&command, folder, cache)?;
        if let Ok(bytes) = serde_json::to_vec(&found) {
            // One that cannot be remembered is found again.
            let _ = write::replace(&entry, &bytes);
        }
        Ok(found)
    }

    /// What a digest of something that this compiler made has to contain.
    pub(super) fn identity(&self) -> Vec<u8> {
        // Stamps are numbers and paths, which always become JSON.
        let stamps = serde_json::to_vec(&self.stamps).unwrap_or_default();
        [self.version.as_bytes(), &stamps].concat()
    }

    fn still_holds(&self) -> bool {
        self.stamps.iter().all(Stamp::still_holds)
    }
}

/// The compiler to ask: what `RUSTC` names, or `rustc` on the PATH.
fn command() -> Result<PathBuf, Failure> {
    let named = env::var_os("RUSTC").filter(|named| !named.is_empty());
    let name = named.unwrap_or_else(|| OsString::from("rustc"));
    let missing = || {
        Failure::new(
            Exit::NotFound,
            format!("there is no Rust compiler: {} is not found", name.display()),
        )
        .help("install one from https://rustup.rs, or set RUSTC to its path")
    };
    if Path::new(&name).components().count() > 1 {
        let path = env::current_dir().map_or_else(|_| name.clone().into(), |at| at.join(&name));
        return Some(path).filter(|path| path.is_file()).ok_or_else(missing);
    }
    let folders = env::var_os("PATH").unwrap_or_default();
    let file_name = name.to_string_lossy().into_owned() + env::consts::EXE_SUFFIX;
    env::split_paths(&folders)
        .map(|folder| folder.join(&file_name))
        .find(|path| path.is_file())
        .ok_or_else(missing)
}

/// All that decides which compiler `command` means in `folder`.
fn key(command: &Path, folder: &Path) -> String {
    let mut digest = Digest::new("toolchain").path(command).path(folder);
    digest = digest.bytes(format!("{:?}", Stamp::of(command)).as_bytes());
    for name in [
        "RUSTUP_TOOLCHAIN",
        "RUSTUP_HOME",
        "CARGO_HOME",
        "HOME",
        "PATH",
    ] {
        digest = digest.variable(name);
    }
    let rustup = env::var_os("RUSTUP_HOME").map(PathBuf::from);
    let usual = || Some(PathBuf::from(env::var_os("HOME")?).join(".rustup"));
    if let Some(rustup) = rustup.or_else(usual) {
        let settings = fs::read(rustup.join("settings.toml"));
        digest = digest.bytes(&settings.unwrap_or_default());
    }
    for above in folder.ancestors() {
        for name in OVERRIDES {
            let path = above.join(name);
            if let Ok(text) = fs::read(&path) {
                digest = digest.path(&path).bytes(&text);
            }
        }
    }
    digest.finish()
}

/// Asks the command which compiler it means.
fn ask(command: &Path, folder: &Path, cache: &Cache) -> Result<Toolchain, Failure> {
    let sysroot = PathBuf::from(output(command, folder, &["--print", "sysroot"])?.trim_end());
    let own = sysroot
        .join("bin/rustc")
        .with_extension(env::consts::EXE_EXTENSION);
    let rustc = match own.is_file() {
        true => own,
        false => command.to_owned(),
    };
    let version = output(&rustc, folder, &["-vV"])?;
    let field = |name: &str| version.lines().find_map(|line| line.strip_prefix(name));
    let release = field("release: ").unwrap_or_default();
    if number(release) < number(OLDEST) {
        return Err(Failure::new(
            Exit::Unsupported,
            format!("rustc {release} is too old: {OLDEST} or newer is needed"),
        )
        .help("get it with `rustup update`, or set RUSTC to another compiler"));
    }
    let target = field("host: ").unwrap_or_default();
    let mut toolchain = Toolchain {
        libdir: sysroot.join("lib/rustlib").join(target).join("lib"),
        stamps: Stamp::of(&rustc).into_iter().collect(),
        quick_link: None,
        version: version.clone(),
        rustc,
    };
    if let Some((quick_link, stamps)) = linker::probe(&toolchain, &sysroot, target, cache) {
        toolchain.quick_link = Some(quick_link);
        toolchain.stamps.extend(stamps);
    }
    Ok(toolchain)
}

/// What a compiler prints.
fn output(command: &Path, folder: &Path, args: &[&str]) -> Result<String, Failure> {
    let run = Command::new(command)
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Failure::file("run", command.display(), &error))?;
    if !run.status.success() {
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        return Err(Failure::new(
            Exit::Unsupported,
            format!("{} fails: {}", command.display(), run.status),
        )
        .details(said)
        .help("see that `rustc -vV` works here, or set RUSTC to another compiler"));
    }
    Ok(String::from_utf8_lossy(&run.stdout).into_owned())
}

/// Major and minor number of a version.
fn number(version: &str) -> (u32, u32) {
    let mut parts = version.split(['.', '-', ' ']);
    let mut next = || parts.next().and_then(|part| part.parse().ok()).unwrap_or(0);
    (next(), next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(number("1.100.0") > number("1.95"));
        assert_eq!(number("1.95.0-nightly (abc)"), (1, 95));
        assert_eq!(number("nonsense"), (0, 0));
    }

    #[test]
    fn the_key_notices_toolchain_files_above() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b");
        fs::create_dir_all(&deep).unwrap();
        let rustc = Path::new("/nowhere/rustc");
        let before = key(rustc, &deep);
        assert_eq!(key(rustc, &deep), before);
        fs::write(dir.path().join("a/rust-toolchain.toml"), "x").unwrap();
        let with = key(rustc, &deep);
        assert_ne!(with, before);
        fs::write(dir.path().join("a/rust-toolchain.toml"), "y").unwrap();
        assert_ne!(key(rustc, &deep), with);
        assert_ne!(key(rustc, dir.path()), before);
    }
}
