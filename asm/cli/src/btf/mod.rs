//! `ebpfasm btf`: shows the types of a file.
//!
//! One line a type, and C, are the library's; `json.rs` is JSON.

mod json;

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use ebpf_asm::btf::file::{self, FileError};
use ebpf_asm::btf::{Btf, Kind, TypeId, c};
use ebpf_cli::exit::Exit;
use ebpf_cli::input;
use ebpf_cli::report::{self, Failure};

use crate::args::{BtfArgs, TypeForm};

/// Runs the command.
pub(crate) fn run(args: &BtfArgs) -> Result<(), Failure> {
    let base = match &args.base {
        Some(path) => Some(Arc::new(read(path, None)?)),
        None => None,
    };
    let btf = read(&args.file, base)?;
    let chosen = match &args.chosen {
        Some(name) => Some(find(&btf, name, &args.file)?),
        None => None,
    };
    match args.format {
        TypeForm::C => report::print_bytes(as_c(&btf, chosen, &args.file)?.as_bytes()),
        TypeForm::Raw => report::stream(|out| raw(out, &btf, chosen.as_deref())),
        TypeForm::Json => report::stream(|out| json::write(out, &btf, chosen.as_deref())),
    }
}

/// Writes all types as lines of text, or those that are chosen.
fn raw(out: &mut dyn Write, btf: &Btf, chosen: Option<&[TypeId]>) -> io::Result<()> {
    let print = |id| match btf.raw(id) {
        Some(ty) => writeln!(out, "{ty}"),
        None => Ok(()),
    };
    match chosen {
        None => btf.types().map(|(id, _)| id).try_for_each(print),
        Some(ids) => ids.iter().copied().try_for_each(print),
    }
}

/// The types in a file.
pub(crate) fn read(path: &Path, base: Option<Arc<Btf>>) -> Result<Btf, Failure> {
    let bytes = input::bytes(path)?;
    file::read(&bytes, base).map_err(|error| {
        let failure = Failure::new(Exit::BadObject, format!("{}: {error}", input::shown(path)));
        match error {
            FileError::NoSection => failure.help("compile it with -g, or build it with ebpfasm"),
            FileError::Unknown(_) | FileError::Foreign => {
                failure.help("an object, or BTF such as /sys/kernel/btf/vmlinux, is wanted")
            }
            _ => failure,
        }
    })
}

/// The types that `chosen` names, by their number or their name.
fn find(btf: &Btf, chosen: &str, path: &Path) -> Result<Vec<TypeId>, Failure> {
    let all = (1..=btf.len() as u32).map(TypeId);
    let found: Vec<TypeId> = match chosen.parse::<u32>() {
        Ok(id) => all.filter(|known| known.0 == id).collect(),
        Err(_) => all.filter(|id| btf.name(*id) == chosen).collect(),
    };
    // A forward declaration of what is there says nothing.
    let is_forward = |id: &TypeId| matches!(btf.get(*id).map(|ty| &ty.kind), Some(Kind::Fwd(_)));
    let found = match found.iter().all(is_forward) {
        true => found,
        false => found.into_iter().filter(|id| !is_forward(id)).collect(),
    };
    match found.is_empty() {
        false => Ok(found),
        true => Err(Failure::new(
            Exit::NotFound,
            format!("{} has no type '{chosen}'", input::shown(path)),
        )
        .help("its names are shown by `ebpfasm btf --format raw`, its numbers are 1 to the last")),
    }
}

fn as_c(btf: &Btf, chosen: Option<Vec<TypeId>>, path: &Path) -> Result<String, Failure> {
    let text = match chosen {
        None => c::header(btf),
        Some(ids) => c::definitions(btf, &ids),
    };
    text.map_err(|error| {
        Failure::new(Exit::BadObject, format!("{}: {error}", input::shown(path)))
            .help("see the types as they are with --format raw")
    })
}
