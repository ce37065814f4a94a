//! What the whole-system tests share.
//!
//! In reading order: [`policy`] (what becomes of a test that cannot run here), [`sandbox`] (a
//! private bpffs), [`rig`] (two network namespaces and a cable), [`frames`] (what is sent),
//! [`oracle`] (what shall become of it), [`subjects`], [`corpus`] and [`large`] (the
//! programs under test), [`head`] (what a case says of itself),
//! [`kernel_types`] (what the running kernel defines), [`tool`] and [`clang`] (independent
//! witnesses), [`commands`] (our own binaries).
//!
//! Tests that need a kernel or a tool are trials of `libtest-mimic`; the others are ordinary.
#![forbid(unsafe_code)]

pub mod clang;
pub mod commands;
pub mod corpus;
pub mod differential;
pub mod frames;
pub mod head;
pub mod kernel_types;
pub mod large;
pub mod oracle;
pub mod policy;
pub mod rig;
pub mod sandbox;
pub mod subjects;
pub mod tool;
pub mod who;

use std::path::{Path, PathBuf};

pub use libtest_mimic::Failed;

/// The result of a trial, and of what it is made of.
pub type Outcome<T = ()> = Result<T, Failed>;

/// The workspace's folder.
#[must_use]
pub fn workspace() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_owned()
}

/// The names of the program files in `programs/`, without their ending: those that declare a
/// unit.
///
/// # Errors
/// If the folder cannot be read.
pub fn program_files() -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(workspace().join("programs"))? {
        let path = entry?.path();
        let is_rust = path.extension().is_some_and(|extension| extension == "rs");
        if is_rust && std::fs::read_to_string(&path)?.contains("pub fn unit()") {
            names.extend(
                path.file_stem()
                    .map(|stem| stem.to_string_lossy().into_owned()),
            );
        }
    }
    names.sort();
    Ok(names)
}

/// Fails a trial with a message, if a condition does not hold.
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::Failed::from(format!($($message)+)));
        }
    };
}

/// Fails a trial if two values differ, showing both.
#[macro_export]
macro_rules! ensure_eq {
    ($left:expr, $right:expr, $($message:tt)+) => {
        match (&$left, &$right) {
            (left, right) => $crate::ensure!(
                left == right,
                "{}\n  is:        {left:?}\n  should be: {right:?}",
                format!($($message)+)
            ),
        }
    };
}
