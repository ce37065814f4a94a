//! What clang makes of the C twins in `tests/c/`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Outcome, tool, workspace};

/// Where the C twin of a program is.
#[must_use]
pub fn source(name: &str) -> PathBuf {
    workspace().join("tests/c").join(name)
}

/// Compiles a C file for eBPF into `folder`, as people do, and gives the object's path.
///
/// # Errors
/// With clang's messages.
pub fn compile(c: &Path, folder: &Path) -> Outcome<PathBuf> {
    compile_by(Path::new("clang"), c, folder)
}

/// The same by a clang of one's choice.
///
/// # Errors
/// With clang's messages.
pub fn compile_by(clang: &Path, c: &Path, folder: &Path) -> Outcome<PathBuf> {
    let object = folder
        .join(c.file_stem().unwrap_or_default())
        .with_extension("clang.o");
    let mut clang = Command::new(clang);
    clang.args(["-O2", "-g", "-target", "bpf", "-c"]).arg(c);
    clang.arg(system_headers());
    tool::output(clang.arg("-o").arg(&object))?;
    Ok(object)
}

/// The flag for where distributions keep `<asm/types.h>`, which no BPF target folder has.
#[must_use]
pub fn system_headers() -> String {
    format!("-I/usr/include/{}-linux-gnu", std::env::consts::ARCH)
}

/// Compiles and links a C program against libbpf.
///
/// # Errors
/// With the compiler's messages.
pub fn link_libbpf(c: &Path, folder: &Path) -> Outcome<PathBuf> {
    let program = folder.join(c.file_stem().unwrap_or_default());
    let mut cc = tool::command("cc");
    cc.args(["-O2", "-Wall"]).arg(c).arg("-o").arg(&program);
    tool::output(cc.args(["-lbpf", "-lelf", "-lz"]))?;
    Ok(program)
}
