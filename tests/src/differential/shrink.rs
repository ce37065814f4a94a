//! The smallest program that is still disagreed on: instructions are removed, one by one and
//! in runs, as long as the verdicts stay.

use super::judge::{Answer, Judge};
use super::reach::{LD_IMM64, Reach, is_second, reach, set_reach};
use super::row::Row;
use crate::Outcome;

/// Makes a row smaller while `persists` holds for the answer to it.
///
/// # Errors
/// If the batch does not answer.
pub fn smallest(
    mut row: Row,
    judge: &mut Judge,
    persists: impl Fn(&Answer) -> bool,
) -> Outcome<Row> {
    let mut run = row.slots.len() / 2;
    while run > 0 {
        let mut at = 0;
        while at < row.slots.len() {
            match without_run(&row, at, run) {
                Some(smaller) if persists(&judge.ask(&smaller)?) => row = smaller,
                _ => at += 1,
            }
        }
        run /= 2;
    }
    simpler(row, judge, &persists)
}

/// Numbers that do not matter become small.
fn simpler(mut row: Row, judge: &mut Judge, persists: &impl Fn(&Answer) -> bool) -> Outcome<Row> {
    for at in 0..row.slots.len() {
        for imm in [0, 1] {
            let mut other = row.clone();
            let slot = &mut other.slots[at];
            if slot.imm == imm || slot.opcode & 7 == 5 {
                continue;
            }
            slot.imm = imm;
            if persists(&judge.ask(&other)?) {
                row = other;
                break;
            }
        }
    }
    Ok(row)
}

fn without_run(row: &Row, at: usize, run: usize) -> Option<Row> {
    let mut row = without(row, at)?;
    for _ in 1..run {
        if at >= row.slots.len() {
            break;
        }
        row = without(&row, at)?;
    }
    Some(row)
}

/// The row without the instruction at a slot: jumps and calls over it become shorter, those
/// to it lead to what follows. `None` in the middle of an instruction.
#[must_use]
pub fn without(row: &Row, at: usize) -> Option<Row> {
    if at >= row.slots.len() || is_second(&row.slots, at) {
        return None;
    }
    let gone = if row.slots[at].opcode == LD_IMM64 {
        2
    } else {
        1
    };
    let moved = |slot: i64| match slot {
        slot if slot <= at as i64 => slot,
        slot => (slot - gone as i64).max(at as i64),
    };
    let mut smaller = row.clone();
    for (slot, insn) in smaller.slots.iter_mut().enumerate() {
        if is_second(&row.slots, slot) {
            continue;
        }
        if let Some(Reach::Jump(distance) | Reach::Function(distance)) = reach(insn) {
            let next = slot as i64 + 1;
            set_reach(insn, moved(next + distance) - moved(next));
        }
    }
    smaller.slots.drain(at..(at + gone).min(row.slots.len()));
    smaller.references.retain(|(slot, _)| *slot != at);
    for (slot, _) in &mut smaller.references {
        *slot = moved(*slot as i64) as usize;
    }
    for (slot, _) in &mut smaller.functions {
        *slot = moved(*slot as i64) as usize;
    }
    Some(smaller)
}
