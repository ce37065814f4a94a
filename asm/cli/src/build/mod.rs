//! `ebpfasm build`: compiles a program file, or assembles program text ([`text_file`]),
//! verifies what it declares, writes the object.
//!
//! A program file is a Rust program that records what it declares ([`ebpf_asm::dsl`]). It is
//! compiled against a prebuilt library ([`library`]) by rustc itself ([`toolchain`]), and run.
//! Only the compiled file is kept ([`program`]): running it, lowering, verifying and writing
//! happen each time, so that no object can be older than its source.

mod cache;
mod deps;
mod digest;
mod library;
mod linker;
mod program;
mod stamp;
mod toolchain;
mod unit;

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ebpf_asm::CompileError;
use ebpf_asm::object::Object;
use ebpf_asm::target::Target;

use crate::args::{BuildArgs, Form};
use crate::target::{check as check_target, note_unknown, too_new};
use crate::verdict::ForWhom;
use crate::{emit, kernel_types, map_sizes, text_file, verdict, write};
use cache::Cache;
use ebpf_cli::exit::Exit;
use ebpf_cli::input;
use ebpf_cli::place;
use ebpf_cli::report::{self, Failure};
use library::Library;
use program::ProgramFile;
use toolchain::Toolchain;

/// Runs the command.
pub(crate) fn run(args: &BuildArgs) -> Result<(), Failure> {
    let folder =
        env::current_dir().map_err(|error| Failure::file("find", "the current folder", &error))?;
    let target = args.target.target();
    note_unknown(target.kernel.as_slice());
    let (name, object) = compile(&args.file, &folder, target)?;
    let verified = match args.no_check {
        true => "not verified",
        false => {
            let types = kernel_types::running();
            let loaded = kernel_types::relocated(&object, types)?;
            let (loaded, open) = map_sizes::settled(loaded);
            map_sizes::note(&open);
            let for_whom = ForWhom {
                kernel: target.kernel,
                ..ForWhom::default()
            };
            let checked = verdict::all(&loaded, for_whom, types);
            verdict::tell_warnings(&checked);
            verdict::note_unattachable(&checked);
            verdict::refuse_rejected(&checked)?;
            "verified"
        }
    };
    let bytes = emit::emit(&object, args.emit)?;
    let Some(path) = destination(args, &folder, &name)? else {
        return report::print_bytes(&bytes);
    };
    write::replace(&path, &bytes).map_err(|error| unwritable(&path, &error))?;
    let shown = place::shown(&path, &folder).display();
    report::print(format!("{shown}: {}, {verified}\n", contents(&object)))
}

/// Compiles and runs the program file, or reads the program text; the unit's name, or the
/// text file's, and the object.
fn compile(file: &Path, folder: &Path, target: Target) -> Result<(String, Object), Failure> {
    if text_file::is_text(file) || input::is_stdin(file) {
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let name = if name == "-" { "stdin" } else { &name };
        let object = text_file::read(file)?;
        check_target(object.programs.iter(), target)?;
        return Ok((name.to_owned(), object));
    }
    let program = ProgramFile::new(file, folder)?;
    let cache = Cache::open()?;
    let toolchain = Toolchain::find(&cache, folder)?;
    let library = Library::find(&cache, &toolchain)?;
    let unit = program.unit(&cache, &toolchain, &library)?;
    let object = ebpf_asm::compile_for(&unit, target).map_err(|error| match error {
        CompileError::Target(error) => too_new(&error),
        error => Failure::new(Exit::BadObject, format!("{}: {error}", file.display())),
    })?;
    Ok((unit.name().to_owned(), object))
}

/// The file to write; `None` is standard output.
fn destination(args: &BuildArgs, folder: &Path, name: &str) -> Result<Option<PathBuf>, Failure> {
    match (&args.output, args.emit) {
        (Some(path), _) if path.as_os_str() == "-" => Ok(None),
        (Some(path), _) => Ok(Some(path.clone())),
        (None, Form::Elf) if is_file_name(name) => {
            let objects = place::objects(folder);
            fs::create_dir_all(&objects).map_err(|error| unwritable(&objects, &error))?;
            Ok(Some(place::object(folder, name)))
        }
        (None, Form::Elf) => Err(Failure::new(
            Exit::BadObject,
            format!("the unit is called '{name}', which no file can be called"),
        )
        .help("say where to write: -o OUT")),
        (None, _) => Ok(None),
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    let failure = Failure::file("write", path.display(), error);
    match error.kind() {
        io::ErrorKind::PermissionDenied => failure.help("write elsewhere: -o OUT"),
        io::ErrorKind::NotFound => failure.help("make its folder first, or write elsewhere"),
        _ => failure,
    }
}

/// Whether an object can be named so without leaving its folder.
fn is_file_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0'])
}

/// The programs of an object with their lengths.
fn contents(object: &Object) -> String {
    let programs = object.programs.iter().map(|program| {
        let count = program.insns.len();
        format!(
            "{} ({}, {count} instructions)",
            program.name, program.prog_type
        )
    });
    programs.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_their_folder() {
        assert!(is_file_name("drop_icmp"));
        for name in ["", "../x", "a/b", ".hidden", "..", "a\0"] {
            assert!(!is_file_name(name), "{name:?}");
        }
    }
}
