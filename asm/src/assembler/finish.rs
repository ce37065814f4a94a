//! Finishing: from lines to a program.

use super::code::{Code, Goal, shown, span};
use super::layout::{Entry, FarForm, Layout};
use super::relax::{long_prefix, relax};
use super::{AssembleError, Assembler, Names};
use crate::btf::Linkage;
use crate::btf::core::CoreRelocation;
use crate::btf::ext::LineInfo;
use crate::insn::{Fields, Insn};
use crate::isa::Sem;
use crate::lines::Lines;
use crate::program::{Function, Program};
use crate::section::section;

/// Makes a program of the lines.
pub(super) fn finish(assembler: Assembler, section_name: &str) -> Result<Program, AssembleError> {
    let known =
        section(section_name).ok_or_else(|| AssembleError::Section(section_name.to_owned()))?;
    let code = Code::new(&assembler)?;
    let layout = relax(&code, assembler.target)
        .map_err(|unreached| too_far(&assembler, &code, unreached.line))?;
    let mut writer = Writer {
        assembler: &assembler,
        code: &code,
        layout: &layout,
        slot: 0,
        program: Program {
            name: assembler.name.clone(),
            section: section_name.to_owned(),
            prog_type: known.prog_type,
            expected_attach_type: known.attach_type,
            attach_btf_id: None,
            insns: Vec::with_capacity(assembler.lines.len()),
            references: Vec::new(),
            functions: functions(&assembler, &layout),
            lines: Lines::new(),
            core_relocations: core_relocations(&assembler, &layout),
        },
    };
    writer.write()?;
    let mut program = writer.program;
    program.lines = lines(assembler, &layout);
    Ok(program)
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
    // What was said of lines that did not come.
    lines.truncate(assembler.lines.len());
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

/// What the instruction at a slot asks. Of a line that was never emitted nothing is kept.
fn core_relocations(assembler: &Assembler, layout: &Layout) -> Vec<(usize, CoreRelocation)> {
    let emitted = assembler
        .core
        .iter()
        .filter(|(line, _)| *line < assembler.lines.len());
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
    let from = assembler.lines.get(line);
    let label = match from.map(|line| &line.names) {
        Some(Names::Target(label)) => assembler.labels.get(label.0),
        _ => None,
    };
    AssembleError::TooFar {
        line,
        insn: shown(assembler, line),
        distance: jump.map_or(0, |jump| {
            start(jump.goal.line) + jump.goal.past - start(line) - 1
        }),
        label: label.and_then(|label| label.name.clone()),
        span: span(assembler, line),
    }
}

/// Writes instructions one after the other.
struct Writer<'a> {
    assembler: &'a Assembler,
    code: &'a Code<'a>,
    layout: &'a Layout,
    /// The slot that the next instruction begins in.
    slot: usize,
    program: Program,
}

impl Writer<'_> {
    fn write(&mut self) -> Result<(), AssembleError> {
        let (code, layout) = (self.code, self.layout);
        let mut jumps = code.jumps.iter().enumerate().peekable();
        let mut pools = (0..layout.pools.len()).peekable();
        for (index, line) in code.lines.iter().enumerate() {
            let here = |pool: &usize| {
                let pool = layout.pools.get(*pool);
                pool.is_some_and(|pool| pool.line == index)
            };
            if let Some(pool) = pools.next_if(here) {
                self.pool(pool)?;
            }
            if let Names::Reference(reference) = line.names {
                self.program.references.push((self.slot, reference));
            }
            let is_long = |at| layout.form == FarForm::Gotol && layout.is_far(at);
            match jumps.next_if(|(_, jump)| jump.line == index) {
                Some((at, jump)) if is_long(at) => self.long(line.insn, index, jump.goal)?,
                Some((at, jump)) => self.jump(line.insn, index, layout.next(at, jump))?,
                None => self.push(line.insn),
            }
        }
        Ok(())
    }

    fn push(&mut self, insn: Insn) {
        self.slot += insn.slots();
        self.program.insns.push(insn);
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
