//! Our own commands, as binaries.
//!
//! Cargo tells a test only of the binaries of its own package (`CARGO_BIN_EXE_*`), and
//! `ebpfasm` and `ebpfld` are others. So the first test that asks has cargo build both, in the
//! profile and target folder that the test itself was built in, which is little work: the same
//! `cargo test` has built their libraries. Cargo says where they are.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::{Outcome, workspace};

/// Both commands.
#[derive(Debug, Clone)]
pub struct Commands {
    /// `ebpfasm`.
    pub ebpfasm: PathBuf,
    /// `ebpfld`.
    pub ebpfld: PathBuf,
}

/// A new call of `ebpfasm`.
///
/// # Errors
/// If it does not build.
pub fn ebpfasm() -> Outcome<Command> {
    built().map(|commands| Command::new(&commands.ebpfasm))
}

/// A new call of `ebpfld`.
///
/// # Errors
/// If it does not build.
pub fn ebpfld() -> Outcome<Command> {
    built().map(|commands| Command::new(&commands.ebpfld))
}

/// Both commands, built by the first call of this process.
///
/// # Errors
/// If they do not build.
pub fn built() -> Outcome<&'static Commands> {
    static COMMANDS: OnceLock<Result<Commands, String>> = OnceLock::new();
    let built = COMMANDS
        .get_or_init(|| build().map_err(|failed| failed.message().unwrap_or_default().to_owned()));
    built.as_ref().map_err(|message| message.into())
}

fn build() -> Outcome<Commands> {
    let (target, profile) = target_folder_and_profile()?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args([
            "build", "--locked", "-p", "ebpfasm", "-p", "ebpfld", "--bins",
        ])
        .args(["--message-format", "json-render-diagnostics"])
        .args(["--profile", &profile])
        .arg("--target-dir")
        .arg(target)
        .current_dir(workspace());
    let built = cargo.output()?;
    // The errors alone: the messages for machines are many.
    crate::ensure!(
        built.status.success(),
        "the commands do not build:\n{}",
        String::from_utf8_lossy(&built.stderr)
    );
    let messages = String::from_utf8_lossy(&built.stdout);
    Ok(Commands {
        ebpfasm: executable(&messages, "ebpfasm")?,
        ebpfld: executable(&messages, "ebpfld")?,
    })
}

/// Where this test lies: `TARGET/PROFILE/deps/NAME-HASH`, or a binary `TARGET/PROFILE/NAME`.
fn target_folder_and_profile() -> Outcome<(PathBuf, String)> {
    let own = std::env::current_exe()?;
    let mut above = own.ancestors().skip(1);
    // A binary lies beside the folder of tests.
    let folder = match above.next() {
        Some(folder) if folder.ends_with("deps") => above.next(),
        folder => folder,
    };
    let profile = folder
        .and_then(Path::file_name)
        .and_then(|name| name.to_str());
    let (Some(profile), Some(target)) = (profile, above.next()) else {
        return Err(format!("{} is in no target folder", own.display()).into());
    };
    // The one profile whose folder has another name.
    let profile = if profile == "debug" { "dev" } else { profile };
    Ok((target.to_owned(), profile.to_owned()))
}

/// Where cargo says that it put a binary.
fn executable(messages: &str, name: &str) -> Outcome<PathBuf> {
    let messages = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let path = messages
        .filter(|message| message["target"]["name"] == name)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from));
    path.ok_or_else(|| format!("cargo built no '{name}'").into())
}
