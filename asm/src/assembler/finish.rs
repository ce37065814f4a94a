//! Finishing: from instructions with labels to a program.

use super::code::{Code, Goal, Jump, shown, span, starts};
use super::layout::{Entry, FarForm, Layout};
use super::relax::{long_prefix, relax};
use super::{AssembleError, Assembler};
use crate::btf::Linkage;
use crate::btf::core::CoreRelocation;
use crate::btf::ext::LineInfo;
use crate::insn::{Fields, Insn};
use crate::isa::Sem;
use crate::lines::Lines;
use crate::program::{Function, Program, Reference};
use crate::section::section;

/// Makes a program of the instructions.
pub(super) fn finish(
    mut assembler: Assembler,
    section_name: &str,
) -> Result<Program, AssembleError> {
    let known =
        section(section_name).ok_or_else(|| AssembleError::Section(section_name.to_owned()))?;
    let starts = starts(&assembler.insns);
    let code = Code::new(&assembler, &starts)?;
    let layout = relax(&code, starts, assembler.target)
        .map_err(|unreached| too_far(&assembler, &code, unreached.line))?;
    let functions = functions(&assembler, &layout);
    let insns = match layout.is_plain() {
        true => {
            let jumps = code.jumps;
            let mut insns = std::mem::take(&mut assembler.insns);
            bind(&mut insns, &jumps, &layout);
            insns.shrink_to_fit();
            insns
        }
        false => Writer::new(&assembler, &code, &layout).write()?,
    };
    Ok(Program {
        name: assembler.name.clone(),
        section: section_name.to_owned(),
        prog_type: known.prog_type,
        expected_attach_type: known.attach_type,
        attach_btf_id: None,
        insns,
        references: references(&mut assembler, &layout),
        functions,
        core_relocations: core_relocations(&assembler, &layout),
        lines: lines(assembler, &layout),
    })
}

/// Writes the distances of jumps that are all near: the instructions stay where they are.
fn bind(insns: &mut [Insn], jumps: &[Jump], layout: &Layout) {
    for jump in jumps {
        let Some(insn) = insns.get_mut(jump.line) else {
            continue;
        };
        let start = layout.starts.get(jump.line).copied().unwrap_or(0) as i64;
        let distance = i32::try_from(layout.slot(jump.goal) - start - 1).ok();
        if let Some(bound) = distance.and_then(|distance| insn.with_distance(distance)) {
            *insn = bound;
        }
    }
}

/// What instructions refer to, by slot.
fn references(assembler: &mut Assembler, layout: &Layout) -> Vec<(usize, Reference)> {
    let mut references = std::mem::take(&mut assembler.references);
    for (at, _) in &mut references {
        *at = layout.starts.get(*at).copied().unwrap_or(0);
    }
    references
}

/// Where the code comes from. Each island comes from the first line that it serves.
fn lines(assembler: Assembler, layout: &Layout) -> Lines {
    let start = |line: usize| layout.starts.get(line).copied().unwrap_or(0);
    let mut lines = assembler.places;
    let of_line = |slot: usize, line| {
        let insn_off = u32::try_from(slot).ok()?;
        let record = *lines.record_at(line)?;
        Some(LineInfo { insn_off, ..record })
    };
    let mut of_islands = Vec::new();
    for pool in &layout.pools {
        let islands = pool.islands();
        of_islands.extend(islands.filter_map(|(slot, island)| of_line(slot, island.from)));
        of_islands.extend(of_line(start(pool.line), pool.line));
    }
    // What was said of instructions that did not come.
    lines.truncate(layout.starts.len().saturating_sub(1));
    lines.shrink_to_fit();
    lines.move_slots(start);
    if !of_islands.is_empty() {
        lines.insert(of_islands);
    }
    lines
}

fn functions(assembler: &Assembler, layout: &Layout) -> Vec<Function> {
    let mut functions = vec![Function {
        slot: 0,
        name: assembler.name.clone(),
        linkage: Linkage::Global,
        type_id: None,
    }];
    let named = assembler.functions.iter();
    functions.extend(named.filter_map(|(label, name)| {
        let line = assembler.labels.get(label.0)?.line?;
        Some(Function {
            slot: layout.starts.get(line).copied()?,
            name: name.clone(),
            linkage: Linkage::Static,
            type_id: None,
        })
    }));
    functions
}

/// What instructions ask of the kernel, by slot. What was said of one that did not come is dropped.
fn core_relocations(assembler: &Assembler, layout: &Layout) -> Vec<(usize, CoreRelocation)> {
    let count = layout.starts.len().saturating_sub(1);
    let emitted = assembler.core.iter().filter(|(line, _)| *line < count);
    let placed = emitted.filter_map(|(line, relocation)| {
        let slot = layout.starts.get(*line).copied()?;
        Some((slot, relocation.clone()))
    });
    placed.collect()
}

/// The error for a jump that does not reach, by its line.
fn too_far(assembler: &Assembler, code: &Code<'_>, line: usize) -> AssembleError {
    let starts = code.starts();
    let start = |line: usize| starts.get(line).copied().unwrap_or(0) as i64;
    let jump = code.jumps.iter().find(|jump| jump.line == line);
    let target = assembler.targets.iter().find(|(named, _)| *named == line);
    AssembleError::TooFar {
        line,
        insn: shown(assembler, line),
        distance: jump.map_or(0, |jump| {
            start(jump.goal.line) + jump.goal.past - start(line) - 1
        }),
        label: target.and_then(|(_, label)| assembler.label_name(*label)),
        span: span(assembler, line),
    }
}

/// Writes instructions one after the other, with islands and the long forms of far jumps.
struct Writer<'a> {
    assembler: &'a Assembler,
    code: &'a Code<'a>,
    layout: &'a Layout,
    /// The slot that the next instruction begins in.
    slot: usize,
    insns: Vec<Insn>,
}

impl<'a> Writer<'a> {
    fn new(assembler: &'a Assembler, code: &'a Code<'a>, layout: &'a Layout) -> Writer<'a> {
        Writer {
            assembler,
            code,
            layout,
            slot: 0,
            insns: Vec::with_capacity(code.insns.len()),
        }
    }

    fn write(mut self) -> Result<Vec<Insn>, AssembleError> {
        let (code, layout) = (self.code, self.layout);
        let mut jumps = code.jumps.iter().enumerate().peekable();
        let mut pools = (0..layout.pools.len()).peekable();
        for (index, insn) in code.insns.iter().enumerate() {
            let here = |pool: &usize| {
                let pool = layout.pools.get(*pool);
                pool.is_some_and(|pool| pool.line == index)
            };
            if let Some(pool) = pools.next_if(here) {
                self.pool(pool)?;
            }
            let is_long = |at| layout.form == FarForm::Gotol && layout.is_far(at);
            match jumps.next_if(|(_, jump)| jump.line == index) {
                Some((at, jump)) if is_long(at) => self.long(*insn, index, jump.goal)?,
                Some((at, jump)) => self.jump(*insn, index, layout.next(at, jump))?,
                None => self.push(*insn),
            }
        }
        Ok(self.insns)
    }

    fn push(&mut self, insn: Insn) {
        self.slot += insn.slots();
        self.insns.push(insn);
    }

    /// An instruction that goes to a slot, for the line that it serves.
    fn jump(&mut self, insn: Insn, line: usize, to: i64) -> Result<(), AssembleError> {
        let distance = i32::try_from(to - self.slot as i64 - 1).ok();
        let bound = distance.and_then(|distance| insn.with_distance(distance));
        self.push(bound.ok_or_else(|| too_far(self.assembler, self.code, line))?);
        Ok(())
    }

    fn goto(&mut self, sem: Sem, line: usize, to: i64) -> Result<(), AssembleError> {
        let row = sem.row().ok_or(AssembleError::Missing { line, sem })?;
        self.jump(Insn::new(row, Fields::default()), line, to)
    }

    fn long(&mut self, insn: Insn, line: usize, goal: Goal) -> Result<(), AssembleError> {
        for insn in long_prefix(&insn) {
            self.push(insn);
        }
        self.goto(Sem::Gotol, line, self.layout.slot(goal))
    }

    /// The pool of this index.
    fn pool(&mut self, index: usize) -> Result<(), AssembleError> {
        let Some(pool) = self.layout.pools.get(index) else {
            return Ok(());
        };
        if pool.entry == Entry::Around {
            let behind = self.layout.starts.get(pool.line).copied().unwrap_or(0);
            self.goto(Sem::Ja, pool.line, behind as i64)?;
        }
        for (_, island) in pool.islands() {
            let to = self.layout.next_of_island(index, island.goal);
            self.goto(Sem::Ja, island.from, to)?;
        }
        Ok(())
    }
}
