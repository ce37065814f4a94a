//! Layout: the slot of every line, the forms of far jumps, and the islands between lines.

use super::code::{Code, DistanceField, Goal, Jump};

/// How lines become slots.
#[derive(Debug)]
pub(super) struct Layout {
    /// The slot that each line begins in, behind the islands before it; at the end the length.
    pub(super) starts: Vec<usize>,
    pub(super) form: FarForm,
    /// For each jump of the code whether it is far.
    pub(super) far: Vec<bool>,
    /// The islands, ascending by line.
    pub(super) pools: Vec<Pool>,
}

/// How far jumps are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FarForm {
    /// With `gotol`.
    Gotol,
    /// As jumps to islands.
    Islands,
}

/// Islands between two lines.
#[derive(Debug)]
pub(super) struct Pool {
    /// They stand before this line.
    pub(super) line: usize,
    /// The first slot.
    pub(super) slot: usize,
    pub(super) entry: Entry,
    /// Ascending by goal: at most one each.
    pub(super) islands: Vec<Island>,
}

/// How control comes by a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// It never does: what stands before jumps or exits.
    Closed,
    /// A jump around the islands stands first.
    Around,
}

/// A `goto` that stands between far jumps and their goal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Island {
    pub(super) goal: Goal,
    /// The first line that jumps there.
    pub(super) from: usize,
}

impl Entry {
    /// The slots that it takes.
    pub(super) fn slots(self) -> usize {
        match self {
            Entry::Closed => 0,
            Entry::Around => 1,
        }
    }
}

impl Pool {
    /// The slots that it takes.
    pub(super) fn slots(&self) -> usize {
        self.entry.slots() + self.islands.len()
    }

    /// The islands with their slots.
    pub(super) fn islands(&self) -> impl Iterator<Item = (usize, &Island)> {
        let first = self.slot + self.entry.slots();
        self.islands
            .iter()
            .enumerate()
            .map(move |(index, island)| (first + index, island))
    }

    fn island(&self, goal: Goal) -> Option<usize> {
        let index = self
            .islands
            .binary_search_by_key(&goal, |island| island.goal);
        Some(self.slot + self.entry.slots() + index.ok()?)
    }
}

impl Layout {
    /// The layout in which no jump is far.
    pub(super) fn plain(code: &Code<'_>, starts: Vec<usize>, form: FarForm) -> Layout {
        Layout {
            starts,
            form,
            far: vec![false; code.jumps.len()],
            pools: Vec::new(),
        }
    }

    /// Whether the jump of this index is far.
    pub(super) fn is_far(&self, jump: usize) -> bool {
        self.far.get(jump).copied().unwrap_or(false)
    }

    /// The slot of a goal.
    pub(super) fn slot(&self, goal: Goal) -> i64 {
        let start = self.starts.get(goal.line).copied().unwrap_or(0);
        start as i64 + goal.past
    }

    /// The slot that the jump of this index goes to: its goal's, or an island's.
    pub(super) fn next(&self, index: usize, jump: &Jump) -> i64 {
        let far = self.is_far(index);
        match self.nearest(jump.line, jump.goal).filter(|_| far) {
            Some(pool) => self.through(pool, jump.goal),
            None => self.slot(jump.goal),
        }
    }

    /// The slot that an island of the pool of this index goes to: its goal's, or that of the
    /// next island on the way.
    pub(super) fn next_of_island(&self, pool: usize, goal: Goal) -> i64 {
        let before = |at: usize| self.pools.get(at).map(|pool| pool.line);
        let line = before(pool).unwrap_or(0);
        let next = if line <= goal.line {
            let next = pool + 1;
            before(next).filter(|&at| at <= goal.line).map(|_| next)
        } else {
            let next = pool.checked_sub(1);
            next.filter(|&next| before(next).is_some_and(|at| at > goal.line))
        };
        match next {
            Some(next) => self.through(next, goal),
            None => self.slot(goal),
        }
    }

    fn through(&self, pool: usize, goal: Goal) -> i64 {
        let island = self.pools.get(pool).and_then(|pool| pool.island(goal));
        island.map_or_else(|| self.slot(goal), |slot| slot as i64)
    }

    /// The first pool on the way from a line to a goal.
    fn nearest(&self, line: usize, goal: Goal) -> Option<usize> {
        let after = self.pools.partition_point(|pool| pool.line <= line);
        if goal.line > line {
            let pool = self.pools.get(after)?;
            (pool.line <= goal.line).then_some(after)
        } else {
            let before = after.checked_sub(1)?;
            let pool = self.pools.get(before)?;
            (pool.line > goal.line).then_some(before)
        }
    }

    /// The first jump whose distance its field cannot hold, or island that cannot reach, by
    /// the line that it serves.
    pub(super) fn unreached(&self, code: &Code<'_>) -> Option<usize> {
        let fits = |from: usize, to: i64| i16::try_from(to - from as i64 - 1).is_ok();
        let start = |line: usize| self.starts.get(line).copied().unwrap_or(0);
        let jumps = code.jumps.iter().enumerate();
        let mut narrow = jumps.filter(|(_, jump)| jump.field == DistanceField::Offset);
        let jump = narrow.find(|(index, jump)| !fits(start(jump.line), self.next(*index, jump)));
        if let Some((_, jump)) = jump {
            return Some(jump.line);
        }
        self.pools.iter().enumerate().find_map(|(index, pool)| {
            let mut islands = pool.islands();
            let fails = |(slot, island): &(usize, &Island)| {
                !fits(*slot, self.next_of_island(index, island.goal))
            };
            islands.find(fails).map(|(_, island)| island.from)
        })
    }
}
