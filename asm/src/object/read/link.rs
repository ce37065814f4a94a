//! Linking: each program with the functions that it reaches behind it.
//!
//! They stand in the order in which one meets them: the calls of a function by place, and
//! behind a function that is met for the first time, those that it calls. This is the order
//! that libbpf has, so that slots in the kernel's logs are the same by either.

use super::ReadError;
use super::code::{Code, Entry, Functions};
use super::elf::File;
use crate::btf::Linkage;
use crate::btf::ext::LineInfo;
use crate::btf::strings::Strings;
use crate::insn::{Fields, Insn};
use crate::isa::{Callee, Imm64, Sem};
use crate::lines::Lines;
use crate::prog_type::ProgType;
use crate::program::{Function, Program};
use crate::section::section;
use std::collections::{HashMap, HashSet};

/// The most slots that all programs of an object may have together: four times what the
/// kernel takes of one program. A small file may say that each of thousands of programs
/// calls all of its code.
const MAX_SLOTS: usize = 4 << 20;

/// The programs of a file. `names` are those of the records of lines.
pub(super) fn programs(
    file: &File<'_>,
    mut functions: Functions,
    names: &Strings,
) -> Result<Vec<Program>, ReadError> {
    let mut left = MAX_SLOTS;
    let mut programs = Vec::with_capacity(functions.entries.len());
    let called = called(&functions);
    for entry in &functions.entries {
        let reached = Reached::from(&functions.all, entry.code);
        left = left.checked_sub(reached.slots).ok_or_else(|| {
            let what = format!("programs of more than {MAX_SLOTS} instructions in all");
            ReadError::Unsupported(what)
        })?;
        programs.push(link(
            file,
            entry,
            &reached,
            &mut functions.all,
            &called,
            names,
        ));
    }
    Ok(programs)
}

/// Which functions others call, or several programs begin with: who is none of them is
/// reached once.
fn called(functions: &Functions) -> HashSet<usize> {
    let calls = functions.all.iter().flat_map(|code| &code.calls);
    let mut called: HashSet<usize> = calls.map(|(_, callee)| *callee).collect();
    let mut begun = HashSet::new();
    let begins = functions.entries.iter().map(|entry| entry.code);
    called.extend(begins.filter(|code| !begun.insert(*code)));
    called
}

/// The functions that one reaches from a first one.
struct Reached {
    /// Their indexes in the file, in the order of meeting.
    functions: Vec<usize>,
    /// The first slot of each function, by its index in the file.
    begins: HashMap<usize, usize>,
    /// How many slots they have in all.
    slots: usize,
}

impl Reached {
    fn from(all: &[Code], first: usize) -> Reached {
        let mut reached = Reached {
            functions: Vec::new(),
            begins: HashMap::new(),
            slots: 0,
        };
        // A function, and how many of its calls were followed.
        let mut path: Vec<(&Code, usize)> = Vec::new();
        path.extend(reached.meet(all, first));
        while let Some((code, followed)) = path.last_mut() {
            let call = code.calls.get(*followed);
            *followed += 1;
            match call {
                Some((_, callee)) => {
                    let callee = *callee;
                    path.extend(reached.meet(all, callee));
                }
                None => {
                    path.pop();
                }
            }
        }
        reached
    }

    /// Adds a function that was not met before.
    fn meet<'c>(&mut self, all: &'c [Code], index: usize) -> Option<(&'c Code, usize)> {
        let code = all.get(index)?;
        if self.begins.contains_key(&index) {
            return None;
        }
        self.begins.insert(index, self.slots);
        self.slots += code.slots();
        self.functions.push(index);
        Some((code, 0))
    }
}

fn link(
    file: &File<'_>,
    entry: &Entry,
    reached: &Reached,
    all: &mut [Code],
    called: &HashSet<usize>,
    names: &Strings,
) -> Program {
    let home = all.get(entry.code).map_or(0, |code| code.section);
    let section_name = file.sections.get(home).map_or("", |section| section.name);
    let known = section(section_name);
    let mut program = Program {
        name: entry.name.clone(),
        section: section_name.to_owned(),
        prog_type: known.map_or(ProgType::Unspec, |known| known.prog_type),
        expected_attach_type: known.and_then(|known| known.attach_type),
        attach_btf_id: None,
        insns: Vec::new(),
        references: Vec::new(),
        functions: Vec::new(),
        lines: Lines::new(),
        core_relocations: Vec::new(),
    };
    let mut lines = Vec::new();
    let mut begin = 0;
    for index in &reached.functions {
        let Some(code) = all.get_mut(*index) else {
            continue;
        };
        // What nobody else reaches is moved: most code is that of programs.
        let code = match called.contains(index) {
            true => code.clone(),
            false => std::mem::take(code),
        };
        let end = begin + code.slots();
        append(&mut program, &mut lines, code, begin, &reached.begins);
        begin = end;
    }
    program.lines = Lines::of_records(names.clone(), lines);
    if let Some(first) = program.functions.first_mut() {
        first.name.clone_from(&entry.name);
        first.linkage = Linkage::Global;
    }
    program
}

/// Puts a function behind a program, at slot `begin`.
fn append(
    program: &mut Program,
    lines: &mut Vec<LineInfo>,
    mut code: Code,
    begin: usize,
    begins: &HashMap<usize, usize>,
) {
    for (slot, callee) in &code.calls {
        let index = code.insn_at(*slot);
        let insn = index.and_then(|index| code.insns.get_mut(index));
        if let (Some(insn), Some(callee)) = (insn, begins.get(callee)) {
            *insn = leading_to(insn, begin + slot, *callee);
        }
    }
    program.functions.push(Function {
        slot: begin,
        name: code.name,
        linkage: code.linkage,
        type_id: code.type_id,
    });
    program
        .functions
        .extend(code.inner.into_iter().map(|inner| Function {
            slot: begin + inner.slot,
            ..inner
        }));
    join(&mut program.insns, code.insns);
    join_moved(&mut program.references, code.references, begin);
    for line in &mut code.lines {
        line.insn_off += begin as u32;
    }
    join(lines, code.lines);
    join_moved(&mut program.core_relocations, code.core_relocations, begin);
}

/// Puts `more` behind `all`; the first is not copied.
fn join<T>(all: &mut Vec<T>, more: Vec<T>) {
    match all.is_empty() {
        true => *all = more,
        false => all.extend(more),
    }
}

/// The same of what is at slots, which are `begin` slots further in the program.
fn join_moved<T>(all: &mut Vec<(usize, T)>, mut more: Vec<(usize, T)>, begin: usize) {
    for (slot, _) in &mut more {
        *slot += begin;
    }
    join(all, more);
}

/// The call, or the load of a function's address, at `slot` with the function that begins
/// at `callee`.
fn leading_to(insn: &Insn, slot: usize, callee: usize) -> Insn {
    let row = match insn.sem() {
        Sem::LoadImm64(_) => Sem::LoadImm64(Imm64::Code).row(),
        _ => Sem::Call(Callee::Local).row(),
    };
    let distance = callee as i64 - slot as i64 - 1;
    let moved = row.and_then(|row| {
        let insn = Insn::new(
            row,
            Fields {
                imm: 0,
                next_imm: 0,
                ..insn.fields()
            },
        );
        insn.with_distance(i32::try_from(distance).ok()?)
    });
    moved.unwrap_or(*insn)
}
