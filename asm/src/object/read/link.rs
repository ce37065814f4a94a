//! Linking: each program with the functions that it reaches behind it.
//!
//! They stand in the order in which one meets them: the calls of a function by place, and
//! behind a function that is met for the first time, those that it calls. This is the order
//! that libbpf has, so that slots in the kernel's logs are the same by either.

use super::ReadError;
use super::code::{Code, Entry, Functions};
use super::elf::{File, Role};
use crate::btf::Linkage;
use crate::btf::ext::LineInfo;
use crate::btf::strings::Strings;
use crate::insn::{Fields, Insn};
use crate::isa::{Callee, Imm64, Sem};
use crate::lines::Lines;
use crate::prog_type::ProgType;
use crate::program::{Function, Program};
use crate::section::{Section, section};
use std::borrow::Cow;
use std::collections::HashMap;
use std::mem::take;

/// The most slots that all programs of an object may have together: four times what the
/// kernel takes of one program. A small file may say that each of thousands of programs
/// calls all of its code.
const MAX_SLOTS: usize = 4 << 20;

/// The programs of a file. `names` are those of the records of lines.
pub(super) fn programs<'a>(
    file: &File<'a>,
    functions: Functions<'a>,
    names: &Strings,
) -> Result<Vec<Program>, ReadError> {
    let mut left = MAX_SLOTS;
    let mut functions = functions;
    let gathered = gathered(file);
    let section = |entry: &Entry<'_>| functions.all.get(entry.code).map(|code| code.section);
    functions
        .entries
        .sort_by_key(|entry| section(entry).and_then(|section| gathered.get(section)));
    let mut programs = Vec::with_capacity(functions.entries.len());
    let mut linker = Linker {
        file,
        names,
        uses: uses(&functions),
        begins: vec![None; functions.all.len()],
        all: functions.all,
        last: None,
    };
    let mut reached = Reached::default();
    for entry in functions.entries {
        linker.reach(entry.code, &mut reached);
        left = left.checked_sub(reached.slots).ok_or_else(|| {
            let what = format!("programs of more than {MAX_SLOTS} instructions in all");
            ReadError::Unsupported(what)
        })?;
        programs.push(linker.link(entry, &reached));
        linker.forget(&mut reached);
    }
    Ok(programs)
}

/// The first section of code of each section's name: programs of one stand together, as they are
/// written, wherever in the file they are.
fn gathered(file: &File<'_>) -> Vec<usize> {
    let mut first: HashMap<&str, usize> = HashMap::new();
    let sections = file.sections.iter().enumerate();
    let firsts = sections.map(|(index, section)| match section.role {
        Role::Code => *first.entry(section.name).or_insert(index),
        _ => index,
    });
    firsts.collect()
}

/// How many programs can need a function: who is called by none is that of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Once,
    Often,
}

/// Which functions others call, or several programs begin with: who is none of them is
/// reached once.
fn uses(functions: &Functions<'_>) -> Vec<Use> {
    let mut uses = vec![Use::Once; functions.all.len()];
    let mut is_often = |code: usize| {
        if let Some(known) = uses.get_mut(code) {
            *known = Use::Often;
        }
    };
    let calls = functions.all.iter().flat_map(|code| &code.calls);
    calls.for_each(|(_, callee)| is_often(*callee));
    // The programs of one function follow each other.
    let caught = functions.all.iter();
    caught
        .filter_map(|code| code.exception_callback)
        .for_each(&mut is_often);
    let others = functions.entries.iter().skip(1);
    for (entry, next) in functions.entries.iter().zip(others) {
        if entry.code == next.code {
            is_often(entry.code);
        }
    }
    uses
}

/// The functions that one reaches from a first one.
#[derive(Default)]
struct Reached {
    /// Their indexes in the file, in the order of meeting.
    functions: Vec<usize>,
    /// How many slots they have in all.
    slots: usize,
    /// While they are looked for: a function, and how many of its calls were followed, behind
    /// those that lead there.
    path: Vec<(usize, usize)>,
}

/// What programs are made of.
struct Linker<'f, 'a> {
    file: &'f File<'a>,
    names: &'f Strings,
    all: Vec<Code<'a>>,
    uses: Vec<Use>,
    /// The first slot of each function in the program at hand, if it is in it.
    begins: Vec<Option<usize>>,
    /// The section of the last program, and what its name says: most have the same.
    last: Option<(usize, Option<&'static Section>)>,
}

impl Linker<'_, '_> {
    /// The functions reached from a first one, each with its place in the program.
    fn reach(&mut self, first: usize, reached: &mut Reached) {
        self.reach_from(first, reached);
        let caught_by = self.all.get(first).and_then(|code| code.exception_callback);
        if let Some(callback) = caught_by {
            self.reach_from(callback, reached);
        }
    }

    /// Adds a function and those reached from it, but for those that were met before.
    fn reach_from(&mut self, first: usize, reached: &mut Reached) {
        self.meet(first, reached);
        while let Some((code, followed)) = reached.path.last_mut() {
            let calls = self.all.get(*code).map(|code| code.calls.as_slice());
            let call = calls.unwrap_or_default().get(*followed).copied();
            *followed += 1;
            match call {
                Some((_, callee)) => self.meet(callee, reached),
                None => {
                    reached.path.pop();
                }
            }
        }
    }

    /// Adds a function, if it was not met before.
    fn meet(&mut self, index: usize, reached: &mut Reached) {
        let begin = self.begins.get_mut(index).filter(|begin| begin.is_none());
        if let (Some(code), Some(begin)) = (self.all.get(index), begin) {
            *begin = Some(reached.slots);
            reached.slots += code.slots();
            reached.functions.push(index);
            reached.path.push((index, 0));
        }
    }

    /// Forgets the functions of a program, and where they were in it.
    fn forget(&mut self, reached: &mut Reached) {
        for index in reached.functions.drain(..) {
            if let Some(begin) = self.begins.get_mut(index) {
                *begin = None;
            }
        }
        reached.slots = 0;
    }

    /// What the name of a section says of programs.
    fn known(&mut self, home: usize) -> Option<&'static Section> {
        match self.last {
            Some((last, known)) if last == home => known,
            _ => {
                let found = self.file.sections.get(home);
                let known = found.and_then(|found| section(found.name));
                self.last = Some((home, known));
                known
            }
        }
    }

    fn link(&mut self, entry: Entry<'_>, reached: &Reached) -> Program {
        let home = self.all.get(entry.code).map_or(0, |code| code.section);
        let file = self.file;
        let section_name = file.sections.get(home).map_or("", |home| home.name);
        let known = self.known(home);
        let mut program = Program {
            name: entry.name.to_owned(),
            section: section_name.to_owned(),
            prog_type: known.map_or(ProgType::Unspec, |known| known.prog_type),
            expected_attach_type: known.and_then(|known| known.attach_type),
            attach_btf_id: None,
            insns: Vec::new(),
            references: Vec::new(),
            functions: Vec::new(),
            lines: Lines::of_records(self.names.clone(), Vec::new()),
            core_relocations: Vec::new(),
        };
        let mut lines = Vec::new();
        if reached.functions.len() > 1 {
            let codes = reached.functions.iter().filter_map(|at| self.all.get(*at));
            let all = |len: fn(&Code<'_>) -> usize| codes.clone().map(len).sum();
            program.insns.reserve_exact(all(|code| code.insns.len()));
            program
                .references
                .reserve_exact(all(|code| code.references.len()));
            let relocations = all(|code| code.core_relocations.len());
            program.core_relocations.reserve_exact(relocations);
            program
                .functions
                .reserve_exact(all(|code| 1 + code.inner.len()));
            lines.reserve_exact(all(|code| code.lines.len()));
        }
        let mut begin = 0;
        for index in &reached.functions {
            let Some(code) = self.all.get_mut(*index) else {
                continue;
            };
            // What nobody else reaches is moved: most code is that of programs.
            let code = match self.uses.get(*index) {
                Some(Use::Once) => Cow::Owned(take(code)),
                _ => Cow::Borrowed(&*code),
            };
            let end = begin + code.slots();
            append(&mut program, &mut lines, code, begin, &self.begins);
            begin = end;
        }
        program.lines = Lines::of_records(self.names.clone(), lines);
        if let Some(first) = program.functions.first_mut() {
            first.name.clone_from(&program.name);
            first.linkage = Linkage::Global;
        }
        program
    }
}

/// Puts a function behind a program, at slot `begin`. `begins` are the first slots of all
/// functions of the program.
fn append(
    program: &mut Program,
    lines: &mut Vec<LineInfo>,
    mut code: Cow<'_, Code<'_>>,
    begin: usize,
    begins: &[Option<usize>],
) {
    let (first_insn, first_line) = (program.insns.len(), lines.len());
    let inner = match &mut code {
        Cow::Owned(code) => {
            join(&mut program.insns, &mut code.insns);
            join(lines, &mut code.lines);
            join_moved(&mut program.references, &mut code.references, begin);
            let relocations = &mut program.core_relocations;
            join_moved(relocations, &mut code.core_relocations, begin);
            take(&mut code.inner)
        }
        Cow::Borrowed(code) => {
            program.insns.extend_from_slice(&code.insns);
            lines.extend_from_slice(&code.lines);
            let moved = |(slot, reference): &(usize, _)| (slot + begin, *reference);
            program.references.extend(code.references.iter().map(moved));
            let relocations = code.core_relocations.iter();
            let moved = relocations.map(|(slot, relocation)| (slot + begin, relocation.clone()));
            program.core_relocations.extend(moved);
            code.inner.clone()
        }
    };
    if begin > 0 {
        for line in lines.iter_mut().skip(first_line) {
            line.insn_off += begin as u32;
        }
    }
    for &(slot, callee) in &code.calls {
        let index = code.index(slot);
        let insn = index.and_then(|index| program.insns.get_mut(first_insn + index));
        let callee = begins.get(callee).copied().flatten();
        if let (Some(insn), Some(callee)) = (insn, callee) {
            *insn = leading_to(insn, begin + slot, callee);
        }
    }
    program.functions.push(Function {
        slot: begin,
        name: code.name.to_owned(),
        linkage: code.linkage,
        type_id: code.type_id,
    });
    let inner = inner.into_iter().map(|inner| Function {
        slot: begin + inner.slot,
        ..inner
    });
    program.functions.extend(inner);
}

/// Puts `more` behind `all`; where there is neither anything nor room, it is not copied.
fn join<T>(all: &mut Vec<T>, more: &mut Vec<T>) {
    match all.capacity() {
        0 => *all = take(more),
        _ => all.append(more),
    }
}

/// The same of what is at slots, which are `begin` slots further in the program.
fn join_moved<T>(all: &mut Vec<(usize, T)>, more: &mut Vec<(usize, T)>, begin: usize) {
    for (slot, _) in &mut *more {
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
