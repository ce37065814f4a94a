//! The lines of a program with what their jumps reach, before slots are final.

use super::{AssembleError, Assembler, Label, Line, Names};
use crate::isa::Field;
use crate::span::Span;

/// Where a jump leads: to a line, or, where the source gave a distance instead of a label, to
/// a slot that may lie within a line or outside of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Goal {
    /// The line; the number of lines stands for the end.
    pub(super) line: usize,
    /// So many slots past its beginning.
    pub(super) past: i64,
}

/// A line that names another: a jump, a local call, a code address.
#[derive(Debug, Clone, Copy)]
pub(super) struct Jump {
    pub(super) line: usize,
    pub(super) goal: Goal,
    pub(super) field: DistanceField,
}

/// Which field holds a distance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DistanceField {
    /// The offset of 16 bits.
    Offset,
    /// The immediate of 32 bits.
    Imm,
}

/// The lines, and all that jump among them.
pub(super) struct Code<'a> {
    pub(super) lines: &'a [Line],
    /// Ascending by line.
    pub(super) jumps: Vec<Jump>,
}

impl<'a> Code<'a> {
    /// The lines of an assembler, their labels looked up.
    ///
    /// # Errors
    /// If a label was never bound.
    pub(super) fn new(assembler: &'a Assembler) -> Result<Code<'a>, AssembleError> {
        let lines = assembler.lines.as_slice();
        let mut code = Code {
            lines,
            jumps: Vec::new(),
        };
        let starts = code.starts();
        for (index, (line, &start)) in lines.iter().zip(&starts).enumerate() {
            let field = match (line.insn.row().offset, line.insn.row().imm) {
                (Field::Jump, _) => DistanceField::Offset,
                (_, Field::Jump) => DistanceField::Imm,
                _ => continue,
            };
            let goal = match (&line.names, line.insn.distance()) {
                (Names::Target(label), _) => label_goal(assembler, index, *label)?,
                (Names::Nothing, Some(distance)) => {
                    slot_goal(&starts, start as i64 + 1 + i64::from(distance))
                }
                _ => continue,
            };
            code.jumps.push(Jump {
                line: index,
                goal,
                field,
            });
        }
        Ok(code)
    }

    /// The slot that each line begins in if none is lengthened, and behind the last the length.
    pub(super) fn starts(&self) -> Vec<usize> {
        let mut next = 0;
        let mut starts = Vec::with_capacity(self.lines.len() + 1);
        for line in self.lines {
            starts.push(next);
            next += line.insn.slots();
        }
        starts.push(next);
        starts
    }
}

fn label_goal(assembler: &Assembler, index: usize, label: Label) -> Result<Goal, AssembleError> {
    let bound = assembler.labels.get(label.0);
    match bound.and_then(|bound| bound.line) {
        Some(line) => Ok(Goal { line, past: 0 }),
        None => Err(AssembleError::Unbound {
            line: index,
            insn: shown(assembler, index),
            label: bound.and_then(|bound| bound.name.clone()),
            span: span(assembler, index),
        }),
    }
}

/// The instruction of a line as a message shows it.
pub(super) fn shown(assembler: &Assembler, line: usize) -> String {
    let line = assembler.lines.get(line);
    line.map(|line| line.insn.to_string()).unwrap_or_default()
}

/// Where a line comes from.
pub(super) fn span(assembler: &Assembler, line: usize) -> Option<Box<Span>> {
    let span = assembler.places.at(line)?;
    Some(Box::new(span.to_owned()))
}

/// The goal at a slot.
fn slot_goal(starts: &[usize], slot: i64) -> Goal {
    // The first line begins in slot 0: before it there is none.
    let after = starts.partition_point(|&start| start as i64 <= slot);
    let line = after.saturating_sub(1);
    let start = starts.get(line).copied().unwrap_or(0);
    Goal {
        line,
        past: slot - start as i64,
    }
}
