//! Which instructions of two functions are the same: the longest common subsequence, by
//! Myers' algorithm, of instructions without their targets; then jumps that are the same but
//! lead to different places are told apart.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use similar::{Algorithm, DiffOp, capture_diff_slices_deadline};

use super::code::Line;

/// How long the shortest difference is looked for. What is found then is right, but may say
/// more than it had to.
const PATIENCE: Duration = Duration::from_secs(5);

/// One line of a comparison; numbers are indexes of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Row {
    /// The same on both sides.
    Same { old: usize, new: usize },
    /// Only in the old code.
    Old(usize),
    /// Only in the new code.
    New(usize),
}

/// Compares two functions; every line of both is in one row.
pub(super) fn align(old: &[Line], new: &[Line]) -> Vec<Row> {
    let pairs = equal_keys(old, new);
    let ranks = Ranks::of(&pairs, old.len(), new.len());
    let same = pairs.iter().filter(|(a, b)| {
        let targets = (target(old, *a), target(new, *b));
        match targets {
            (Some(a), Some(b)) => ranks.old.get(a) == ranks.new.get(b),
            (a, b) => a.is_none() && b.is_none(),
        }
    });
    rows(same.copied(), old.len(), new.len())
}

fn target(lines: &[Line], index: usize) -> Option<usize> {
    lines.get(index)?.target
}

/// The pairs of lines that are the same but for their targets, ascending on both sides.
fn equal_keys(old: &[Line], new: &[Line]) -> Vec<(usize, usize)> {
    let mut ids = HashMap::new();
    let mut ids_of = |lines: &[Line]| -> Vec<usize> {
        let lines = lines.iter();
        lines
            .map(|line| {
                let next = ids.len();
                *ids.entry(line.key.clone()).or_insert(next)
            })
            .collect()
    };
    let (old, new) = (ids_of(old), ids_of(new));
    let deadline = Instant::now().checked_add(PATIENCE);
    let ops = capture_diff_slices_deadline(Algorithm::Myers, &old, &new, deadline);
    let equal = ops.into_iter().filter_map(|op| match op {
        DiffOp::Equal {
            old_index,
            new_index,
            len,
        } => Some((0..len).map(move |at| (old_index + at, new_index + at))),
        _ => None,
    });
    equal.flatten().collect()
}

/// For each line how many pairs begin before it: lines of two sides are at the same place if
/// they have the same number, be it that they are a pair or that both stand in what differs
/// between the same two.
struct Ranks {
    old: Vec<usize>,
    new: Vec<usize>,
}

impl Ranks {
    fn of(pairs: &[(usize, usize)], old: usize, new: usize) -> Ranks {
        let count = |len: usize, side: &dyn Fn(&(usize, usize)) -> usize| {
            let mut next = pairs.iter().map(side).peekable();
            let mut before = 0;
            let ranks = (0..len).map(|line| {
                let rank = before;
                before += usize::from(next.next_if_eq(&line).is_some());
                rank
            });
            ranks.collect()
        };
        Ranks {
            old: count(old, &|pair| pair.0),
            new: count(new, &|pair| pair.1),
        }
    }
}

/// The rows of a comparison; of what differs in one place the old comes first.
fn rows(same: impl Iterator<Item = (usize, usize)>, old: usize, new: usize) -> Vec<Row> {
    let (mut next_old, mut next_new) = (0, 0);
    let mut rows = Vec::with_capacity(old.max(new));
    for (a, b) in same {
        rows.extend((next_old..a).map(Row::Old));
        rows.extend((next_new..b).map(Row::New));
        rows.push(Row::Same { old: a, new: b });
        (next_old, next_new) = (a + 1, b + 1);
    }
    rows.extend((next_old..old).map(Row::Old));
    rows.extend((next_new..new).map(Row::New));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines with these keys and targets.
    fn lines(random: &mut impl FnMut(usize) -> usize, len: usize) -> Vec<Line> {
        let line = |slot| Line {
            slot,
            key: format!("insn {}", random(4)),
            target: (random(3) == 0).then(|| random(len)),
            is_target: false,
            source: None,
        };
        (0..len).map(line).collect()
    }

    fn all_same(rows: &[Row]) -> bool {
        rows.iter().all(|row| matches!(row, Row::Same { .. }))
    }

    /// Every line is in one row, in order; what is called the same is; code is called the same
    /// exactly if it is.
    #[test]
    fn rows_hold_every_line_once_and_call_nothing_the_same_that_is_not() {
        let mut state = 1u64;
        let mut random = |end: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) as usize % end
        };
        for _ in 0..2000 {
            let (a, b) = (random(8), random(8));
            let (old, new) = (lines(&mut random, a), lines(&mut random, b));
            assert!(all_same(&align(&old, &old)));
            let rows = align(&old, &new);
            let old_lines = rows.iter().filter_map(|row| match row {
                Row::Same { old, .. } | Row::Old(old) => Some(*old),
                Row::New(_) => None,
            });
            assert!(old_lines.eq(0..old.len()), "{rows:?}");
            let new_lines = rows.iter().filter_map(|row| match row {
                Row::Same { new, .. } | Row::New(new) => Some(*new),
                Row::Old(_) => None,
            });
            assert!(new_lines.eq(0..new.len()), "{rows:?}");
            for row in &rows {
                if let Row::Same { old: a, new: b } = row {
                    assert_eq!(old[*a].key, new[*b].key);
                }
            }
            let is_same = |(a, b): (&Line, &Line)| a.key == b.key && a.target == b.target;
            let same = old.len() == new.len() && old.iter().zip(&new).all(is_same);
            assert_eq!(all_same(&rows), same, "{old:?}\n{new:?}");
        }
    }
}
