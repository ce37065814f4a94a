//! Finishing: from instructions with labels to a program.

use super::code::{Code, Goal, shown, span, starts};
use super::layout::{Entry, FarForm, Layout};
use super::near::{self, Jumps};
use super::relax::{long_prefix, relax};
use super::{AssembleError, Assembler};
use crate::btf::Linkage;
use crate::btf::ext::LineInfo;
use crate::insn::{Fields, Insn};
use crate::isa::Sem;
use crate::lines::Lines;
use crate::program::{Function, Program};
use crate::section::section;

/// Makes a program of the instructions.
pub(super) fn finish(
    mut assembler: Assembler,
    section_name: &str,
) -> Result<Program, AssembleError> {
    let known =
        section(section_name).ok_or_else(|| AssembleError::Section(section_name.to_owned()))?;
    let far = match near::bind(&mut assembler) {
        Jumps::Near => None,
        Jumps::Far => Some(Far::of(&assembler)?),
    };
    let functions = functions(&assembler);
    let end = assembler.slot;
    let mut program = Program {
        name: assembler.name,
        section: section_name.to_owned(),
        prog_type: known.prog_type,
        expected_attach_type: known.attach_type,
        attach_btf_id: None,
        insns: assembler.insns,
        references: assembler.references,
        functions,
        lines: assembler.places,
        core_relocations: assembler.core,
    };
    // What was said of instructions that did not come.
    program.core_relocations.retain(|(slot, _)| *slot < end);
    program.lines.truncate(end);
    program.lines.shrink_to_fit();
    match far {
        Some(far) => far.lengthen(&mut program),
        None => program.insns.shrink_to_fit(),
    }
    Ok(program)
}

fn functions(assembler: &Assembler) -> Vec<Function> {
    let mut functions = vec![Function {
        slot: 0,
        name: assembler.name.clone(),
        linkage: Linkage::Global,
        type_id: None,
    }];
    let named = assembler.functions.iter();
    functions.extend(named.filter_map(|(label, name)| {
        Some(Function {
            slot: assembler.bound(*label)?,
            name: name.clone(),
            linkage: Linkage::Static,
            type_id: None,
        })
    }));
    functions
}

/// A program with far jumps.
struct Far {
    /// Its instructions.
    insns: Vec<Insn>,
    /// Where they are, but for those that make jumps reach.
    layout: Layout,
    /// The slots that they had without those.
    before: Vec<usize>,
}

impl Far {
    fn of(assembler: &Assembler) -> Result<Far, AssembleError> {
        let before = starts(&assembler.insns);
        let code = Code::new(assembler, &before)?;
        let layout = relax(&code, before.clone(), assembler.target)
            .map_err(|unreached| too_far(assembler, &code, unreached.line))?;
        let insns = Writer::new(assembler, &code, &layout).write()?;
        Ok(Far {
            insns,
            layout,
            before,
        })
    }

    /// The slot that an instruction has now.
    fn slot(&self, before: usize) -> usize {
        let line = self.before.partition_point(|start| *start < before);
        self.layout.starts.get(line).copied().unwrap_or(0)
    }

    /// Gives a program these instructions, and all that it says of them their slots.
    fn lengthen(self, program: &mut Program) {
        for (slot, _) in &mut program.references {
            *slot = self.slot(*slot);
        }
        for (slot, _) in &mut program.core_relocations {
            *slot = self.slot(*slot);
        }
        for function in &mut program.functions {
            function.slot = self.slot(function.slot);
        }
        let of_islands = self.lines_of_islands(&program.lines);
        program.lines.move_slots(|slot| self.slot(slot));
        if !of_islands.is_empty() {
            program.lines.insert(of_islands);
        }
        program.insns = self.insns;
    }

    /// Where the islands come from: each from the first line that it serves.
    fn lines_of_islands(&self, lines: &Lines) -> Vec<LineInfo> {
        let of_line = |slot: usize, line: usize| {
            let insn_off = u32::try_from(slot).ok()?;
            let record = *lines.record_at(*self.before.get(line)?)?;
            Some(LineInfo { insn_off, ..record })
        };
        let mut of_islands = Vec::new();
        for pool in &self.layout.pools {
            let islands = pool.islands();
            of_islands.extend(islands.filter_map(|(slot, island)| of_line(slot, island.from)));
            let behind = self.layout.starts.get(pool.line).copied();
            of_islands.extend(behind.and_then(|behind| of_line(behind, pool.line)));
        }
        of_islands
    }
}

/// The error for a jump that does not reach, by its line.
fn too_far(assembler: &Assembler, code: &Code<'_>, line: usize) -> AssembleError {
    let starts = code.starts();
    let start = |line: usize| starts.get(line).copied().unwrap_or(0) as i64;
    let jump = code.jumps.iter().find(|jump| jump.line == line);
    let target = assembler.targets.iter().find(|target| target.line == line);
    AssembleError::TooFar {
        line,
        insn: shown(assembler, line),
        distance: jump.map_or(0, |jump| {
            start(jump.goal.line) + jump.goal.past - start(line) - 1
        }),
        label: target.and_then(|target| assembler.label_name(target.label)),
        span: span(assembler, start(line) as usize),
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
