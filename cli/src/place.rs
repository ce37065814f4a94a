//! Where built objects are: `target/bpf` of the workspace or folder that one works in.
//!
//! `ebpfasm build` puts them there, `ebpfld attach` finds them there. `CARGO_TARGET_DIR` is not
//! followed: the two commands must agree without it being set for both.

use std::fs;
use std::path::{Path, PathBuf};

/// Where objects are, below the workspace or folder.
const FOLDER: &str = "target/bpf";

/// The folder of objects for somebody who works in `folder`.
#[must_use]
pub fn objects(folder: &Path) -> PathBuf {
    root(folder).join(FOLDER)
}

/// The object of this name for somebody who works in `folder`.
#[must_use]
pub fn object(folder: &Path, name: &str) -> PathBuf {
    objects(folder).join(format!("{name}.o"))
}

/// `path` as one in `folder` would name it.
#[must_use]
pub fn shown<'p>(path: &'p Path, folder: &Path) -> &'p Path {
    path.strip_prefix(folder).unwrap_or(path)
}

/// The workspace that a folder is in; else its package; else the folder itself.
fn root(folder: &Path) -> &Path {
    let mut package = None;
    for ancestor in folder.ancestors() {
        let Ok(manifest) = fs::read_to_string(ancestor.join("Cargo.toml")) else {
            continue;
        };
        if has_table(&manifest, "workspace") {
            return ancestor;
        }
        if package.is_none() && has_table(&manifest, "package") {
            package = Some(ancestor);
        }
    }
    package.unwrap_or(folder)
}

/// Whether a manifest has the table `[name]` or one below it.
fn has_table(manifest: &str, name: &str) -> bool {
    manifest.lines().any(|line| {
        line.trim_start()
            .strip_prefix('[')
            .map(str::trim_start)
            .and_then(|rest| rest.strip_prefix(name))
            .is_some_and(|rest| rest.trim_start().starts_with([']', '.']))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_comes_before_the_package_and_that_before_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let (top, package) = (dir.path(), dir.path().join("a/b"));
        let deep = package.join("src/x");
        fs::create_dir_all(&deep).unwrap();
        assert_eq!(object(&deep, "n"), deep.join("target/bpf/n.o"));
        fs::write(package.join("Cargo.toml"), "[package]\n").unwrap();
        assert_eq!(object(&deep, "n"), package.join("target/bpf/n.o"));
        fs::write(top.join("Cargo.toml"), "# a\n[ workspace.package ]\n").unwrap();
        assert_eq!(object(&deep, "n"), top.join("target/bpf/n.o"));
        fs::write(top.join("Cargo.toml"), "workspaces = 1\n# [workspace]\n").unwrap();
        assert_eq!(object(&deep, "n"), package.join("target/bpf/n.o"));
    }

    #[test]
    fn tables_are_told_from_what_looks_like_them() {
        for (manifest, has) in [
            ("[workspace]", true),
            ("  [ workspace ]", true),
            ("[workspace.dependencies]", true),
            ("[workspaces]", false),
            ("# [workspace]", false),
            ("workspace = true", false),
        ] {
            assert_eq!(has_table(manifest, "workspace"), has, "{manifest}");
        }
    }
}
