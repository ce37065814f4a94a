//! The C sources of `tests/c/corpus/`, and the ways in which they are compiled.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::{Outcome, clang, tool, workspace};

/// The compilers, by the names of their programs: an old one, and the newest of the system's
/// packages.
pub const CLANGS: [Clang; 2] = [
    Clang {
        program: "clang-14",
        version: 14,
        newest_cpu: 3,
    },
    Clang {
        program: "clang-22",
        version: 22,
        newest_cpu: 4,
    },
];

/// A compiler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clang {
    /// The program.
    pub program: &'static str,
    /// Its major version.
    pub version: u32,
    /// The greatest N of `-mcpu=vN` that it knows.
    pub newest_cpu: u32,
}

/// Whether a compiler describes types and lines (`-g`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Debug {
    /// `-g`: the object has BTF.
    On,
    /// The object has none.
    Off,
}

/// One way of compiling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Build {
    /// By whom.
    pub clang: Clang,
    /// N of `-ON`.
    pub optimisation: u32,
    /// N of `-mcpu=vN`.
    pub cpu: u32,
    /// Whether with BTF.
    pub debug: Debug,
}

impl fmt::Display for Build {
    /// E.g. `22-O2-g-v4`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let debug = match self.debug {
            Debug::On => "-g",
            Debug::Off => "",
        };
        let Build {
            clang,
            optimisation,
            cpu,
            ..
        } = self;
        write!(f, "{}-O{optimisation}{debug}-v{cpu}", clang.version)
    }
}

impl Build {
    /// All of them: both compilers, `-O0` to `-O2`, with and without `-g`, every `-mcpu`.
    #[must_use]
    pub fn all() -> Vec<Build> {
        let mut builds = Vec::new();
        for clang in CLANGS {
            for cpu in 1..=clang.newest_cpu {
                for optimisation in 0..=2 {
                    builds.extend([Debug::On, Debug::Off].map(|debug| Build {
                        clang,
                        optimisation,
                        cpu,
                        debug,
                    }));
                }
            }
        }
        builds
    }

    /// Compiles a source of the corpus into `folder`.
    ///
    /// # Errors
    /// With the compiler's messages.
    pub fn compile(&self, source: &str, folder: &Path) -> Outcome<PathBuf> {
        let object = folder.join(format!("{source}.o"));
        let mut clang = tool::command(self.clang.program);
        clang.args(["-target", "bpf", "-c"]);
        clang.arg(format!("-O{}", self.optimisation));
        clang.arg(format!("-mcpu=v{}", self.cpu));
        clang.arg(format!("-DMCPU={}", self.cpu));
        if self.debug == Debug::On {
            clang.arg("-g");
        }
        clang.arg(clang::system_headers()).arg(self::source(source));
        tool::output(clang.arg("-o").arg(&object))?;
        Ok(object)
    }
}

/// Where a source is.
#[must_use]
pub fn source(name: &str) -> PathBuf {
    folder().join(name).with_extension("c")
}

/// The names of the sources, without their ending.
///
/// # Errors
/// If the folder cannot be read.
pub fn sources() -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "c") {
            let stem = path.file_stem().unwrap_or_default();
            names.push(stem.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn folder() -> PathBuf {
    workspace().join("tests/c/corpus")
}
