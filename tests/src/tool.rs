//! Running other programs: witnesses, and our own commands.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::{Failed, Outcome};

/// Where a program is on the PATH, or in the folders for administrators that a PATH can lack.
#[must_use]
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders
        .map(|folder| folder.join(name))
        .find(|p| p.is_file())
}

/// A command of a program found by [`find`].
#[must_use]
pub fn command(name: &str) -> Command {
    Command::new(find(name).unwrap_or_else(|| name.into()))
}

/// What a command printed to standard output, if it succeeded.
///
/// # Errors
/// With all that it printed otherwise.
pub fn output(command: &mut Command) -> Outcome<String> {
    let output = command
        .output()
        .map_err(|error| fault(command, &error.to_string()))?;
    if !output.status.success() {
        return Err(fault(command, &both(&output)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// All that a command printed, and how it ended.
#[must_use]
pub fn both(output: &Output) -> String {
    format!(
        "{}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn fault(command: &Command, what: &str) -> Failed {
    let program = Path::new(command.get_program());
    let args: Vec<_> = command
        .get_args()
        .map(|arg| arg.to_string_lossy())
        .collect();
    Failed::from(format!("{} {}: {what}", program.display(), args.join(" ")))
}
