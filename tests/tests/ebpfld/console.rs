//! A folder with objects, and the command run in it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use ebpf_asm::object;
use ebpf_asm::text;
use ebpf_tests::oracle::{XDP_DROP, XDP_PASS};
use ebpf_tests::rig::Rig;
use ebpf_tests::{Outcome, commands, ensure_eq, subjects, tool};
use serde_json::Value;
use tempfile::TempDir;

/// A user and group without privileges, who owns nothing.
const NOBODY: u32 = 65534;

/// A program that reads a byte which no check has proven.
const UNSAFE: &str = ".license GPL\n.prog xdp reads_unchecked\n\
                      r2 = *(u32 *)(r1 + 0)\nr0 = *(u8 *)(r2 + 14)\nexit\n";

/// Two programs in one object.
const TWO: &str = ".license GPL\n.prog xdp one\nr0 = 2\nexit\n.prog xdp two\nr0 = 1\nexit\n";

/// The program for another hook.
const NOT_XDP: &str = ".license GPL\n.prog tc classify\nr0 = 0\nexit\n";

/// A folder outside any workspace, which everybody may read, with objects:
/// `drop.o` (drop_icmp), `pass.o`, `block.o`, `unsafe.o`, `two.o` and `not_xdp.o`.
pub(crate) struct Console {
    folder: TempDir,
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) exit: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Console {
    pub(crate) fn new() -> Outcome<Console> {
        let folder = tempfile::tempdir()?;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        let console = Console { folder };
        console.save("drop.o", &subjects::drop_icmp()?.object)?;
        console.save("pass.o", &subjects::constant(XDP_PASS)?.object)?;
        console.save("block.o", &subjects::constant(XDP_DROP)?.object)?;
        for (name, source) in [("unsafe.o", UNSAFE), ("two.o", TWO), ("not_xdp.o", NOT_XDP)] {
            console.save(name, &text::parse(name, source)?)?;
        }
        Ok(console)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn save(&self, name: &str, object: &object::Object) -> Outcome {
        Ok(fs::write(self.folder().join(name), object::write(object)?)?)
    }

    /// The command, in the folder, as nobody sees it in a terminal.
    pub(crate) fn command(&self, line: &str) -> Outcome<Command> {
        let mut command = commands::ebpfld()?;
        command
            .args(line.split_whitespace())
            .current_dir(self.folder())
            .stdin(Stdio::null());
        Ok(command)
    }

    /// Runs the command in the network namespace of this test.
    pub(crate) fn run(&self, line: &str) -> Outcome<Said> {
        said(&mut self.command(line)?)
    }

    /// Runs the command in the rig's network namespace.
    pub(crate) fn run_in(&self, rig: &Rig, line: &str) -> Outcome<Said> {
        let mut command = self.command(line)?;
        rig.inside(move || said(&mut command))
    }

    /// Runs the command in the rig's network namespace, without any privilege.
    pub(crate) fn run_as_nobody(&self, rig: &Rig, line: &str) -> Outcome<Said> {
        // The target folder may be where nobody else may look. Were this process to write the
        // copy, another thread's child could hold it open, and it would be busy (ETXTBSY).
        let copy = self.folder().join("ebpfld");
        tool::output(
            Command::new("cp")
                .arg(&commands::built()?.ebpfld)
                .arg(&copy),
        )?;
        let mut command = Command::new(copy);
        command
            .args(line.split_whitespace())
            .current_dir(self.folder())
            .stdin(Stdio::null())
            .uid(NOBODY)
            .gid(NOBODY);
        rig.inside(move || said(&mut command))
    }

    /// The programs that `status --json` names, with their interfaces.
    pub(crate) fn status(&self, rig: &Rig) -> Outcome<Vec<Value>> {
        let said = self.run_in(rig, "status --json")?.ends(0)?;
        let status: Value = serde_json::from_str(&said.out)?;
        ensure_eq!(status["schema"], 1, "the schema");
        let interfaces = status["interfaces"].as_array().cloned();
        let interfaces = interfaces.unwrap_or_default().into_iter();
        Ok(interfaces
            .flat_map(|interface| {
                let programs = interface["programs"].as_array().cloned();
                let named = move |mut program: Value| {
                    program["interface"] = interface["name"].clone();
                    program
                };
                programs.unwrap_or_default().into_iter().map(named)
            })
            .collect())
    }
}

/// Runs a command to its end.
pub(crate) fn said(command: &mut Command) -> Outcome<Said> {
    let output = command.output()?;
    Ok(Said {
        exit: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

impl Said {
    /// Checks the exit code. An error is one line that begins so; success has none.
    pub(crate) fn ends(self, exit: i32) -> Outcome<Said> {
        if self.exit != Some(exit) {
            return Err(format!("exit code {exit} was expected: {self:#?}").into());
        }
        let errors = self.err.lines().filter(|line| line.starts_with("error: "));
        if errors.count() != usize::from(exit != 0) {
            return Err(format!("one error line with an exit code, none with 0: {self:#?}").into());
        }
        Ok(self)
    }

    /// Checks what standard error says.
    pub(crate) fn complains(self, of: &str) -> Outcome<Said> {
        match self.err.contains(of) {
            true => Ok(self),
            false => Err(format!("'{of}' is not in: {self:#?}").into()),
        }
    }

    /// Checks what standard output says.
    pub(crate) fn prints(self, text: &str) -> Outcome<Said> {
        match self.out.contains(text) {
            true => Ok(self),
            false => Err(format!("'{text}' is not in: {self:#?}").into()),
        }
    }
}
