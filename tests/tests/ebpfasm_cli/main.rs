//! `ebpfasm` as its users run it: what it prints, writes and returns.
//!
//! None of it needs a kernel or root. Each test has a folder and a cache of its own.
#![forbid(unsafe_code)]

mod batch;
mod btf;
mod build;
mod cache;
mod check;
mod damage;
mod diff;
mod emit;
mod explain;
mod isa;
mod refusals;
mod show;
mod text;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A folder outside of any workspace, and an empty cache.
struct Place {
    dir: TempDir,
}

/// How a command ended and what it printed.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Place {
    fn new() -> Place {
        let dir = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(dir.path().join("work")).expect("a folder in it");
        Place { dir }
    }

    /// The folder to work in.
    fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    /// The folder that caches are in.
    fn caches(&self) -> PathBuf {
        self.dir.path().join("caches")
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.work().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(&path, text).expect("a file");
        path
    }

    fn read(&self, name: &str) -> Vec<u8> {
        let path = self.work().join(name);
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// `ebpfasm` in the folder to work in, its output not a terminal.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = ebpf_tests::commands::ebpfasm().expect("ebpfasm builds");
        command
            .args(args)
            .current_dir(self.work())
            .env("XDG_CACHE_HOME", self.caches())
            .env_remove("RUST_BACKTRACE")
            .stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Ended {
        ended(&mut self.command(args))
    }
}

impl Ended {
    /// Asserts the exit code; shows all that was printed if it is another.
    #[track_caller]
    fn code(self, code: i32) -> Ended {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    /// Asserts that the error output holds a text.
    #[track_caller]
    fn says(self, text: &str) -> Ended {
        assert!(
            self.stderr.contains(text),
            "no '{text}' in\n{}",
            self.stderr
        );
        self
    }
}

fn ended(command: &mut Command) -> Ended {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().expect("ebpfasm runs");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let ended = Ended {
        code: status.code(),
        stdout: text(stdout),
        stderr: text(stderr),
    };
    assert!(!ended.stderr.contains("panicked at asm/"), "{ended:?}");
    assert!(
        !ended.stderr.contains('\x1b'),
        "colours into a pipe: {ended:?}"
    );
    ended
}

/// A program file that drops every frame if `drop` and passes it otherwise.
fn verdict_file(name: &str, action: &str) -> String {
    format!(
        "use ebpf_dsl::prelude::*;\n\
         pub fn unit() -> Unit {{\n    \
             unit!(\"{name}\").license(\"GPL\").xdp(\"judge\", |_, _| {action})\n\
         }}\n\
         pub fn main() -> ExitCode {{\n    emit(unit())\n}}\n"
    )
}

/// The source of a file in `programs/`.
fn program(name: &str) -> String {
    let path = ebpf_tests::workspace().join("programs").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The entries of a folder, sorted.
fn entries(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}
