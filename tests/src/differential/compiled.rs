//! Programs that clang built, of which the kernel takes all, to be changed.
//!
//! Of each of `tests/c/corpus`, `tests/c/large` and the cases in C, as far as simulator and
//! kernel accept it as it is.
//!
//! Read before: `row.rs`. Read next: `mutate.rs`.

use std::fs;
use std::path::{Path, PathBuf};

use ebpf_asm::insn::{Insn, Slot};
use ebpf_asm::isa::{Callee, Sem};
use ebpf_asm::object::{self, Object};
use ebpf_asm::program::Reference;

use super::judge::{Judge, Logs, Word};
use super::row::Row;
use crate::corpus::{CLANGS, Debug};
use crate::{Outcome, clang, corpus, kernel_types, large, workspace};

/// Compiles all sources, and keeps what both verifiers accept.
///
/// # Errors
/// If the batch is not to be had, or nothing compiles that both accept.
pub fn accepted(ebpfasm: &Path) -> Outcome<Vec<Row>> {
    let mut judge = Judge::start(ebpfasm, Logs::None)?;
    let mut rows = Vec::new();
    for object in objects()? {
        for program in &object.programs {
            let Some(row) = resolved(Row::of(&object, program), &object) else {
                continue;
            };
            let answer = judge.ask(&row)?;
            if (answer.ours.verdict, answer.kernel.verdict) == (Word::Accept, Word::Accept) {
                rows.push(row);
            }
        }
    }
    match rows.is_empty() {
        true => Err("clang built no program that both verifiers accept".into()),
        false => Ok(rows),
    }
}

/// The objects, in an order that is always the same. What does not compile here is left out.
fn objects() -> Outcome<Vec<Object>> {
    let mut objects = Vec::new();
    let folder = tempfile::tempdir()?;
    for source in corpus::sources()? {
        for (clang, cpu) in [(CLANGS[0], 2), (CLANGS[1], 4)] {
            let build = corpus::Build {
                clang,
                optimisation: 2,
                cpu,
                debug: Debug::On,
            };
            objects.extend(build.compile(&source, folder.path()).ok().and_then(read));
        }
    }
    for source in large::sources()? {
        let build = large::Build {
            clang: CLANGS[1],
            cpu: 3,
            fault: 0,
        };
        objects.extend(build.object(&source));
    }
    for source in cases(&workspace().join("tests/cases")) {
        objects.extend(clang::compile(&source, folder.path()).ok().and_then(read));
    }
    let relocated = |object| kernel_types::relocated(object).ok();
    Ok(objects.into_iter().filter_map(relocated).collect())
}

fn read(path: PathBuf) -> Option<Object> {
    object::read(&fs::read(path).ok()?).ok()
}

/// The sources in C below a folder.
fn cases(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    paths.sort();
    let of = |path: PathBuf| match path.is_dir() {
        true => cases(&path),
        false => vec![path],
    };
    let files = paths.into_iter().flat_map(of);
    files
        .filter(|path| path.extension().is_some_and(|known| known == "c"))
        .collect()
}

/// The row with the numbers of the kernel's functions in its calls; `None` if it refers to
/// something else of the kernel's.
fn resolved(mut row: Row, object: &Object) -> Option<Row> {
    let mut kept = Vec::new();
    for (slot, reference) in std::mem::take(&mut row.references) {
        let Reference::Extern(index) = reference else {
            kept.push((slot, reference));
            continue;
        };
        let call: &mut Slot = row.slots.get_mut(slot)?;
        let insn = Insn::decode(*call, None).ok()?;
        if insn.sem() != Sem::Call(Callee::Kfunc) {
            return None;
        }
        let name = &object.externs.get(index)?.name;
        call.imm = kernel_types::function(name)?;
    }
    row.references = kept;
    Some(row)
}
