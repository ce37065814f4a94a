//! The DSL as a dynamic library: compiled once for each compiler from the source that this
//! program carries, so that it works wherever it is installed, without a network.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ebpf_asm::dsl::SOURCES;

use super::cache::{Cache, check_room};
use super::digest::Digest;
use super::toolchain::Toolchain;
use ebpf_cli::exit::Exit;
use ebpf_cli::report::{self, Failure};

/// How it is compiled. Without optimisation the program files, which use less of what is
/// inlined then, compile faster; what they run is little.
const FLAGS: [&str; 6] = [
    "--crate-name=ebpf_dsl",
    "--crate-type=dylib",
    "--edition=2024",
    "-Cprefer-dynamic",
    "-Copt-level=0",
    "--cap-lints=allow",
];

/// The variable in which the dynamic loader is told where libraries are.
const SEARCH_PATH: &str = if cfg!(target_os = "macos") {
    "DYLD_LIBRARY_PATH"
} else {
    "LD_LIBRARY_PATH"
};

/// The compiled DSL.
#[derive(Debug)]
pub(super) struct Library {
    /// The folder that it is in.
    pub(super) folder: PathBuf,
    /// Digest of its source, its compiler and its flags.
    pub(super) key: String,
}

impl Library {
    /// The library for this compiler, compiled if the cache does not have it.
    pub(super) fn find(cache: &Cache, toolchain: &Toolchain) -> Result<Library, Failure> {
        let key = key(toolchain);
        let folder = cache.entry("dsl", &key)?;
        if !folder.join(file_name()).is_file() {
            let source = unpacked(cache, &key)?;
            compile(cache, toolchain, &source, &folder)?;
        }
        Ok(Library { folder, key })
    }

    /// The library's file.
    pub(super) fn file(&self) -> PathBuf {
        self.folder.join(file_name())
    }
}

/// Lets a program find libraries in these folders, before all others.
pub(super) fn with_search_path<'c>(command: &'c mut Command, folders: &[&Path]) -> &'c mut Command {
    let before = env::var_os(SEARCH_PATH).unwrap_or_default();
    let others = env::split_paths(&before).filter(|path| !path.as_os_str().is_empty());
    let all = folders
        .iter()
        .map(|folder| folder.to_path_buf())
        .chain(others);
    if let Ok(joined) = env::join_paths(all) {
        command.env(SEARCH_PATH, joined);
    }
    command
}

fn file_name() -> String {
    let (prefix, suffix) = (env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX);
    format!("{prefix}ebpf_dsl{suffix}")
}

fn key(toolchain: &Toolchain) -> String {
    let mut digest = Digest::new("dsl").bytes(&toolchain.identity());
    for flag in FLAGS {
        digest = digest.bytes(flag.as_bytes());
    }
    for (path, text) in SOURCES {
        digest = digest.bytes(path.as_bytes()).bytes(text.as_bytes());
    }
    digest.finish()
}

/// The library's source, where it stays: the compiler's messages about program files quote it.
fn unpacked(cache: &Cache, key: &str) -> Result<PathBuf, Failure> {
    let folder = cache.entry("dsl-source", key)?;
    if folder.is_dir() {
        return Ok(folder);
    }
    let new = cache.temporary("dsl-source")?;
    let failed = |error| Failure::file("write", new.display(), &error);
    for (path, text) in SOURCES {
        let path = new.join(path);
        let parent = path.parent().unwrap_or(&new);
        fs::create_dir_all(parent).map_err(failed)?;
        fs::write(&path, text).map_err(failed)?;
    }
    let renamed = fs::rename(&new, &folder);
    let _ = fs::remove_dir_all(&new);
    // Another process may have been faster.
    match folder.is_dir() {
        true => Ok(folder),
        false => renamed
            .map(|()| folder.clone())
            .map_err(|error| Failure::file("write", folder.display(), &error)),
    }
}

/// Compiles into a new folder, which then takes its name. If another process was faster, its
/// library is used.
fn compile(
    cache: &Cache,
    toolchain: &Toolchain,
    source: &Path,
    folder: &Path,
) -> Result<(), Failure> {
    report::explain("compiling the DSL for this compiler, once\n");
    let new = cache.temporary("dsl")?;
    fs::create_dir_all(&new).map_err(|error| Failure::file("write", new.display(), &error))?;
    let status = Command::new(&toolchain.rustc)
        .args(FLAGS)
        .arg(format!("--color={}", report::colour_choice()))
        .arg("--out-dir")
        .arg(&new)
        .arg(source.join("lib.rs"))
        .stdin(Stdio::null())
        .status()
        .map_err(|error| Failure::file("run", toolchain.rustc.display(), &error))?;
    if !status.success() {
        let room = check_room(&new);
        let _ = fs::remove_dir_all(&new);
        room?;
        return Err(Failure::new(
            Exit::Unsupported,
            format!(
                "{} cannot compile the DSL: {status}",
                toolchain.rustc.display()
            ),
        )
        .help("see that this compiler can make a dynamic library, or set RUSTC to another"));
    }
    let renamed = fs::rename(&new, folder);
    if renamed.is_err() {
        let _ = fs::remove_dir_all(&new);
    }
    match folder.join(file_name()).is_file() {
        true => Ok(()),
        false => renamed.map_err(|error| Failure::file("write", folder.display(), &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_search_path_begins_with_the_folders() {
        let mut command = Command::new("x");
        with_search_path(&mut command, &[Path::new("/a"), Path::new("/b")]);
        let value = command.get_envs().next().unwrap().1.unwrap();
        assert!(value.to_string_lossy().starts_with("/a:/b"));
    }

    #[test]
    fn the_source_travels_along() {
        let names: Vec<&str> = SOURCES.iter().map(|(path, _)| *path).collect();
        assert!(
            names.contains(&"lib.rs") && names.contains(&"emit.rs"),
            "{names:?}"
        );
    }
}
