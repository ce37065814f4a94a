//! The program file: compiled, and kept compiled until something that it is made of changes.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fs, io};

use ebpf_asm::dsl::Unit;
use serde::{Deserialize, Serialize};

use super::cache::{Cache, Workshop, check_room};
use super::deps::{Before, Dependencies};
use super::digest::Digest;
use super::library::Library;
use super::toolchain::Toolchain;
use super::unit;
use crate::write;
use ebpf_cli::exit::Exit;
use ebpf_cli::input;
use ebpf_cli::object_file::{is_program_text, rename_text};
use ebpf_cli::report::{self, Failure};

/// How a program file is compiled: what is quickest, since it runs once and briefly.
const FLAGS: [&str; 7] = [
    "--crate-name=program",
    "--crate-type=bin",
    "--edition=2024",
    "-Cprefer-dynamic",
    "-Copt-level=0",
    "-Ccodegen-units=1",
    "-Cdebuginfo=0",
];

/// A program file, as the user names it.
#[derive(Debug)]
pub(super) struct ProgramFile<'p> {
    path: &'p Path,
    folder: &'p Path,
}

/// A compiled program file that the cache has.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    dependencies: Dependencies,
    /// Its name among the cache's programs.
    executable: String,
}

impl<'p> ProgramFile<'p> {
    /// The file `path`, named from `folder`.
    pub(super) fn new(path: &'p Path, folder: &'p Path) -> Result<ProgramFile<'p>, Failure> {
        let metadata =
            fs::metadata(folder.join(path)).map_err(|error| input::unreadable(path, &error))?;
        let wanted = "a program file is wanted, such as programs/drop_icmp.rs";
        match metadata.file_type() {
            kind if kind.is_file() => {
                check_is_source(path, folder)?;
                Ok(ProgramFile { path, folder })
            }
            kind if kind.is_dir() => Err(input::folder(path).help(wanted)),
            // It is read more than once: by the compiler, and to see whether it has changed.
            _ => {
                let error = io::Error::other("no regular file");
                Err(input::unreadable(path, &error).help(wanted))
            }
        }
    }

    /// What the file declares.
    pub(super) fn unit(
        &self,
        cache: &Cache,
        toolchain: &Toolchain,
        library: &Library,
    ) -> Result<Unit, Failure> {
        let key = self.key(toolchain, library);
        let record = cache.entry("programs", &format!("{key}.json"))?;
        let kept: Option<Kept> = fs::read(&record)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let current = kept
            .as_ref()
            .filter(|kept| kept.dependencies.still_hold(self.folder));
        if let Some(kept) = current {
            let executable = cache.entry("programs", &kept.executable)?;
            let unit = unit::record(&executable, self.path, cache, toolchain, library);
            // Another build may have put a newer one in its place just now.
            if executable.is_file() {
                return unit;
            }
        }
        let compiled = self.compile(cache, toolchain, library, kept.as_ref())?;
        let unit = unit::record(&compiled.executable, self.path, cache, toolchain, library);
        keep(cache, &key, &record, compiled, kept);
        unit
    }

    /// All that decides what is compiled, but for the dependencies.
    fn key(&self, toolchain: &Toolchain, library: &Library) -> String {
        let mut digest = Digest::new("program").bytes(&toolchain.identity());
        digest = digest.bytes(library.key.as_bytes());
        for flag in FLAGS {
            digest = digest.bytes(flag.as_bytes());
        }
        // The path is part of the program: panics and `file!()` name it.
        digest.path(self.folder).path(self.path).finish()
    }

    fn compile(
        &self,
        cache: &Cache,
        toolchain: &Toolchain,
        library: &Library,
        last: Option<&Kept>,
    ) -> Result<Compiled, Failure> {
        cache.sweep();
        let workshop = cache.workshop("program")?;
        let executable = workshop
            .path()
            .join("program")
            .with_extension(std::env::consts::EXE_EXTENSION);
        let dep_info = workshop.path().join("program.d");
        let before = Before::look(self.folder, self.path, last.map(|last| &last.dependencies));
        let mut rustc = Command::new(&toolchain.rustc);
        rustc
            .args(FLAGS)
            .arg(format!("--color={}", report::colour_choice()))
            .arg("--emit=link,dep-info")
            // Without it rustc leaves its intermediate files in the user's folder for a while,
            // where another rustc takes them for its own.
            .arg("--out-dir")
            .arg(workshop.path())
            .arg("--extern")
            .arg(joined("ebpf_dsl=", &library.file()))
            .current_dir(self.folder)
            .stdin(Stdio::null());
        if let Some(quick_link) = &toolchain.quick_link {
            rustc.args(&quick_link.args);
        }
        // A path that begins with a dash would be an option.
        rustc.arg(
            match self.path.is_absolute() || !starts_with_dash(self.path) {
                true => self.path.to_owned(),
                false => Path::new(".").join(self.path),
            },
        );
        let status = rustc
            .status()
            .map_err(|error| Failure::file("run", toolchain.rustc.display(), &error))?;
        let text = fs::read_to_string(&dep_info).unwrap_or_default();
        if !status.success() {
            check_room(workshop.path())?;
            return Err(Failure::new(
                Exit::BadObject,
                format!("{} does not compile", self.path.display()),
            ));
        }
        Ok(Compiled {
            _workshop: workshop,
            executable,
            dependencies: before.dependencies(self.folder, &text),
        })
    }
}

/// A program file just compiled.
struct Compiled {
    /// Where it is until it is kept.
    _workshop: Workshop,
    executable: PathBuf,
    /// `None` if a file may have changed meanwhile.
    dependencies: Option<Dependencies>,
}

/// Keeps a compiled file in place of the last one.
///
/// Nothing that fails here matters: the next build compiles again.
fn keep(cache: &Cache, key: &str, record: &Path, compiled: Compiled, last: Option<Kept>) {
    let Some(dependencies) = compiled.dependencies else {
        return;
    };
    let Ok(fingerprint) = serde_json::to_vec(&dependencies) else {
        return;
    };
    let fingerprint = Digest::new("executable").bytes(&fingerprint).finish();
    let name = format!("{key}.{}", fingerprint.get(..16).unwrap_or(&fingerprint));
    let kept = Kept {
        dependencies,
        executable: name,
    };
    let place = cache.entry("programs", &kept.executable);
    let moved = place.is_ok_and(|place| fs::rename(&compiled.executable, place).is_ok());
    let Some(bytes) = serde_json::to_vec(&kept).ok().filter(|_| moved) else {
        return;
    };
    let recorded = write::replace(record, &bytes).is_ok();
    let outdated = last.filter(|last| recorded && last.executable != kept.executable);
    if let Some(Ok(outdated)) = outdated.map(|last| cache.entry("programs", &last.executable)) {
        // If it is gone already, so much the better.
        let _ = fs::remove_file(outdated);
    }
}

/// That a file which is not called Rust is not what would only puzzle a compiler: nothing, program
/// text, an object.
fn check_is_source(path: &Path, folder: &Path) -> Result<(), Failure> {
    if path.extension().is_some_and(|extension| extension == "rs") {
        return Ok(());
    }
    let bytes = fs::read(folder.join(path)).map_err(|error| input::unreadable(path, &error))?;
    let (is, help) = match bytes.as_slice() {
        [] => (
            "is empty",
            "a program file is wanted, such as programs/drop_icmp.rs".to_owned(),
        ),
        [0x7f, b'E', b'L', b'F', ..] => (
            "is an object already",
            format!("verify it: ebpfasm check {}", path.display()),
        ),
        text if is_program_text(text) => ("is no Rust", rename_text(path)),
        _ => return Ok(()),
    };
    let message = format!("{} {is}", path.display());
    Err(Failure::new(Exit::BadObject, message).help(help))
}

fn joined(text: &str, path: &Path) -> std::ffi::OsString {
    let mut joined = std::ffi::OsString::from(text);
    joined.push(path);
    joined
}

fn starts_with_dash(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().starts_with(b"-")
}
