//! Linking: each program with the functions that it reaches behind it.
//!
//! They stand in the order in which one meets them: the calls of a function by place, and
//! behind a function that is met for the first time, those that it calls. This is the order
//! that libbpf has, so that slots in the kernel's logs are the same by either.

use super::ReadError;
use super::code::{Code, Entry, Functions};
use super::elf::File;
use crate::btf::Linkage;
use crate::insn::{Fields, Insn};
use crate::isa::{Callee, Imm64, Sem};
use crate::prog_type::ProgType;
use crate::program::{Function, Program};
use crate::section::section;
use std::collections::HashMap;

/// The most slots that all programs of an object may have together: four times what the
/// kernel takes of one program. A small file may say that each of thousands of programs
/// calls all of its code.
const MAX_SLOTS: usize = 4 << 20;

/// The programs of a file.
pub(super) fn programs(file: &File<'_>, functions: &Functions) -> Result<Vec<Program>, ReadError> {
    let mut left = MAX_SLOTS;
    let mut programs = Vec::with_capacity(functions.entries.len());
    for entry in &functions.entries {
        let reached = Reached::from(&functions.all, entry.code);
        left = left.checked_sub(reached.slots).ok_or_else(|| {
            let what = format!("programs of more than {MAX_SLOTS} instructions in all");
            ReadError::Unsupported(what)
        })?;
        programs.push(link(file, entry, &reached));
    }
    Ok(programs)
}

/// The functions that one reaches from a first one.
struct Reached<'c> {
    /// In the order of meeting.
    functions: Vec<&'c Code>,
    /// The first slot of each function, by its index in the file.
    begins: HashMap<usize, usize>,
    /// How many slots they have in all.
    slots: usize,
}

impl<'c> Reached<'c> {
    fn from(all: &'c [Code], first: usize) -> Reached<'c> {
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
    fn meet(&mut self, all: &'c [Code], index: usize) -> Option<(&'c Code, usize)> {
        let code = all.get(index)?;
        if self.begins.contains_key(&index) {
            return None;
        }
        self.begins.insert(index, self.slots);
        self.slots += code.slots;
        self.functions.push(code);
        Some((code, 0))
    }
}

fn link(file: &File<'_>, entry: &Entry, reached: &Reached<'_>) -> Program {
    let home = reached.functions.first().map_or(0, |code| code.section);
    let section_name = file.sections.get(home).map_or("", |section| section.name);
    let known = section(section_name);
    let mut program = Program {
        name: entry.name.clone(),
        section: section_name.to_owned(),
        prog_type: known.map_or(ProgType::Unspec, |known| known.prog_type),
        expected_attach_type: known.and_then(|known| known.attach_type),
        insns: Vec::new(),
        references: Vec::new(),
        functions: Vec::new(),
        lines: Vec::new(),
        core_relocations: Vec::new(),
    };
    let mut begin = 0;
    for code in &reached.functions {
        append(&mut program, code, begin, &reached.begins);
        begin += code.slots;
    }
    if let Some(first) = program.functions.first_mut() {
        first.name.clone_from(&entry.name);
        first.linkage = Linkage::Global;
    }
    program
}

/// Puts a function behind a program, at slot `begin`.
fn append(program: &mut Program, code: &Code, begin: usize, begins: &HashMap<usize, usize>) {
    let first = program.insns.len();
    program.insns.extend(&code.insns);
    for (slot, callee) in &code.calls {
        let index = code.starts.binary_search(slot).ok();
        let insn = index.and_then(|index| program.insns.get_mut(first + index));
        if let (Some(insn), Some(callee)) = (insn, begins.get(callee)) {
            *insn = leading_to(insn, begin + slot, *callee);
        }
    }
    program.functions.push(Function {
        slot: begin,
        name: code.name.clone(),
        linkage: code.linkage,
        type_id: code.type_id,
    });
    program
        .functions
        .extend(code.inner.iter().map(|inner| Function {
            slot: begin + inner.slot,
            ..inner.clone()
        }));
    let references = code.references.iter();
    program
        .references
        .extend(references.map(|(slot, reference)| (begin + slot, *reference)));
    let lines = code.lines.iter();
    program
        .lines
        .extend(lines.map(|(slot, span)| (begin + slot, span.clone())));
    let relocations = code.core_relocations.iter();
    program
        .core_relocations
        .extend(relocations.map(|(slot, relocation)| (begin + slot, relocation.clone())));
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
