//! Far jumps: those whose distance 16 bits cannot hold.
//!
//! Where the instruction set has `gotol` (v4), `goto` becomes that, and a conditional jump
//! becomes the opposite one over it; a jump that has no opposite goes to it, and a `goto`
//! around it stands between. Below v4 there are islands, see `islands.rs`.
//!
//! What is far stays far while others are found, so that a fixed point is reached. Long
//! programs could be made whose jumps become far one a round; so from some round on, jumps
//! that are nearly far count as far, more of them each round, and the rounds stay few.

use super::code::{Code, DistanceField};
use super::islands;
use super::layout::{FarForm, Layout};
use crate::insn::{Fields, Insn};
use crate::isa::Sem;
use crate::target::Target;

/// Rounds in which only what is far counts as far.
const EXACT_ROUNDS: u32 = 8;

/// What cannot be reached: the line of the jump.
#[derive(Debug)]
pub(super) struct Unreached {
    pub(super) line: usize,
}

/// A layout in which every jump reaches what it names. With no jump far, instructions begin at
/// `starts`.
///
/// # Errors
/// If there is none.
pub(super) fn relax(
    code: &Code<'_>,
    starts: Vec<usize>,
    target: Target,
) -> Result<Layout, Unreached> {
    let form = match target.has(Sem::Gotol) {
        true => FarForm::Gotol,
        false => FarForm::Islands,
    };
    let mut layout = Layout::plain(code, starts, form);
    if layout.unreached(code).is_none() {
        return Ok(layout);
    }
    match form {
        FarForm::Gotol => lengthen(code, &mut layout),
        FarForm::Islands => islands::place(code, &mut layout)?,
    }
    Ok(layout)
}

/// Gives far jumps their long forms.
fn lengthen(code: &Code<'_>, layout: &mut Layout) {
    let mut round = 0;
    while mark_far(code, layout, round) > 0 {
        layout.starts = starts(code, &layout.far);
        round += 1;
    }
}

/// Marks the jumps that are far in the layout; gives the number of those that were not
/// marked before.
pub(super) fn mark_far(code: &Code<'_>, layout: &mut Layout, round: u32) -> usize {
    let margin = match round.checked_sub(EXACT_ROUNDS) {
        None => 0,
        Some(more) => 1 << more.min(15),
    };
    let (least, most) = (i64::from(i16::MIN) + margin, i64::from(i16::MAX) - margin);
    let mut far = std::mem::take(&mut layout.far);
    let mut found = 0;
    for (jump, far) in code.jumps.iter().zip(&mut far) {
        let start = layout.starts.get(jump.line).copied().unwrap_or(0);
        let distance = layout.slot(jump.goal) - start as i64 - 1;
        let is_far = jump.field == DistanceField::Offset && !(least..=most).contains(&distance);
        if is_far && !*far {
            *far = true;
            found += 1;
        }
    }
    layout.far = far;
    found
}

/// The slot that each line begins in if these jumps are long.
fn starts(code: &Code<'_>, far: &[bool]) -> Vec<usize> {
    let mut starts = code.starts();
    let mut jumps = code
        .jumps
        .iter()
        .zip(far)
        .filter(|(_, far)| **far)
        .peekable();
    let mut more = 0;
    for (line, start) in starts.iter_mut().enumerate() {
        *start += more;
        if let Some((jump, _)) = jumps.next_if(|(jump, _)| jump.line == line) {
            let insn = code.insns.get(jump.line);
            more += insn.map_or(0, |insn| long_prefix(insn).len());
        }
    }
    starts
}

/// What stands before the `gotol` of a jump's long form, so that it is come to exactly when
/// the jump would be taken.
pub(super) fn long_prefix(insn: &Insn) -> Vec<Insn> {
    let over = |insn: Insn| insn.with_distance(1).unwrap_or(insn);
    let Some(row) = Sem::Ja.row() else {
        return Vec::new();
    };
    match insn.sem() {
        Sem::Ja => Vec::new(),
        sem => match opposite(sem).and_then(Sem::row) {
            Some(opposite) => vec![over(Insn::new(opposite, insn.fields()))],
            None => vec![over(*insn), over(Insn::new(row, Fields::default()))],
        },
    }
}

/// The conditional jump that is taken exactly when this one is not.
fn opposite(sem: Sem) -> Option<Sem> {
    let Sem::Jump {
        cond,
        width,
        operand,
    } = sem
    else {
        return None;
    };
    Some(Sem::Jump {
        cond: cond.negated()?,
        width,
        operand,
    })
}
