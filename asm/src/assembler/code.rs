//! The instructions of a program with what their jumps reach, before slots are final.

use super::{AssembleError, Assembler, Target};
use crate::insn::Insn;
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

/// The instructions, and all that jump among them. A line is an instruction's index.
pub(super) struct Code<'a> {
    pub(super) insns: &'a [Insn],
    /// Ascending by line.
    pub(super) jumps: Vec<Jump>,
}

impl<'a> Code<'a> {
    /// The instructions of an assembler, their labels looked up; each begins in its slot of
    /// `starts`.
    ///
    /// # Errors
    /// If a label was never bound.
    pub(super) fn new(
        assembler: &'a Assembler,
        starts: &[usize],
    ) -> Result<Code<'a>, AssembleError> {
        let insns = assembler.insns.as_slice();
        let mut targets = assembler.targets.iter().peekable();
        let mut jumps = Vec::with_capacity(assembler.targets.len());
        for (line, (insn, &start)) in insns.iter().zip(starts).enumerate() {
            let target = targets.next_if(|target| target.line == line);
            let field = match (insn.row().offset, insn.row().imm) {
                (Field::Jump, _) => DistanceField::Offset,
                (_, Field::Jump) => DistanceField::Imm,
                _ => continue,
            };
            let goal = match (target, insn.distance()) {
                (Some(target), _) => label_goal(assembler, starts, target)?,
                (None, Some(distance)) => slot_goal(starts, start as i64 + 1 + i64::from(distance)),
                _ => continue,
            };
            jumps.push(Jump { line, goal, field });
        }
        Ok(Code { insns, jumps })
    }

    /// The slot that each instruction begins in if none is lengthened.
    pub(super) fn starts(&self) -> Vec<usize> {
        starts(self.insns)
    }
}

/// The slot that each instruction begins in, and behind the last the length.
pub(super) fn starts(insns: &[Insn]) -> Vec<usize> {
    let mut next = 0;
    let mut starts = Vec::with_capacity(insns.len() + 1);
    starts.extend(insns.iter().map(|insn| {
        let start = next;
        next += insn.slots();
        start
    }));
    starts.push(next);
    starts
}

fn label_goal(
    assembler: &Assembler,
    starts: &[usize],
    target: &Target,
) -> Result<Goal, AssembleError> {
    let Target { line, slot, label } = *target;
    match assembler.bound(label) {
        Some(slot) => Ok(slot_goal(starts, slot as i64)),
        None => Err(AssembleError::Unbound {
            line,
            insn: shown(assembler, line),
            label: assembler.label_name(label),
            span: span(assembler, slot),
        }),
    }
}

/// An instruction as a message shows it.
pub(super) fn shown(assembler: &Assembler, line: usize) -> String {
    let insn = assembler.insns.get(line);
    insn.map(Insn::to_string).unwrap_or_default()
}

/// Where the instruction at a slot comes from.
pub(super) fn span(assembler: &Assembler, slot: usize) -> Option<Box<Span>> {
    let span = assembler.places.at(slot)?;
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
