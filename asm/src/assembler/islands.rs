//! Islands: far jumps where there is no `gotol`.
//!
//! A far jump goes to an island on its way, a `goto` that goes to the next island, and so on
//! to its goal. Islands stand in pools between lines, less than the reach of 16 bits apart,
//! where control does not come by if such a place is near, else behind a jump around them.
//! Jumps to one goal share its islands. A condition needs no other form: it jumps to an
//! island as well as to anything else.
//!
//! How far apart pools can be depends on how large they are, and the other way round. So the
//! room for a pool is guessed, from nothing up, until all reach. If there are more goals to be
//! passed on than fit a pool, then there is no such program at all: every way must set foot in
//! every stretch of 32,767 slots that it crosses.

use std::collections::BTreeMap;
use std::ops::Range;

use super::code::{Code, Goal};
use super::layout::{Entry, Island, Layout, Pool};
use super::relax::{Unreached, mark_far};
use crate::blocks::Flow;
use crate::insn::Insn;

/// The most slots between a jump and where it goes.
const REACH: usize = i16::MAX as usize;

/// The fewest slots between pools: with less, islands are most of the program.
const LEAST_SPACING: usize = 4096;

/// Gives far jumps islands.
///
/// # Errors
/// If too many jumps are far.
pub(super) fn place(code: &Code<'_>, layout: &mut Layout) -> Result<(), Unreached> {
    let plain = code.starts();
    let (mut room, mut round) = (0, 0);
    loop {
        if mark_far(code, layout, round) > 0 {
            round += 1;
        } else {
            let Some(line) = layout.unreached(code) else {
                return Ok(());
            };
            room += room / 8 + 64;
            round = 0;
            if room + LEAST_SPACING > REACH {
                return Err(Unreached { line });
            }
        }
        let sites = sites(code, &plain, REACH - room);
        let pools = pools(code, &layout.far, &sites);
        let largest = pools.iter().map(Pool::slots).max().unwrap_or(0);
        room = room.max(largest.min(REACH - LEAST_SPACING));
        set_slots(layout, &plain, pools);
    }
}

/// The lines before which pools may stand, at most `spacing` slots apart.
fn sites(code: &Code<'_>, plain: &[usize], spacing: usize) -> Vec<usize> {
    let length = plain.last().copied().unwrap_or(0);
    let is_closed = |line: &usize| {
        let before = line.checked_sub(1).and_then(|line| code.insns.get(line));
        before.is_some_and(|insn| !goes_on(insn))
    };
    let (mut sites, mut begin) = (Vec::new(), 0);
    while length - begin > spacing {
        let last = plain.partition_point(|&start| start <= begin + spacing) - 1;
        let first = plain.partition_point(|&start| start < begin + spacing - spacing / 8);
        let site = (first..=last).rev().find(is_closed).unwrap_or(last);
        sites.push(site);
        begin = plain.get(site).copied().unwrap_or(length);
    }
    sites
}

/// Whether control can come to what stands behind an instruction from it.
fn goes_on(insn: &Insn) -> bool {
    Flow::of(insn.sem()).goes_on()
}

/// The jumps to one goal that are far: their first and last line.
struct Jumpers {
    first: usize,
    last: usize,
}

/// The pools at `sites` that are not empty, their slots not yet known.
fn pools(code: &Code<'_>, far: &[bool], sites: &[usize]) -> Vec<Pool> {
    let mut goals: BTreeMap<Goal, Jumpers> = BTreeMap::new();
    for (jump, _) in code.jumps.iter().zip(far).filter(|(_, far)| **far) {
        let jumpers = goals.entry(jump.goal).or_insert(Jumpers {
            first: jump.line,
            last: jump.line,
        });
        jumpers.last = jump.line;
    }
    let pool = |&line: &usize| Pool {
        line,
        slot: 0,
        entry: match line.checked_sub(1).and_then(|line| code.insns.get(line)) {
            Some(before) if !goes_on(before) => Entry::Closed,
            _ => Entry::Around,
        },
        islands: Vec::new(),
    };
    let mut pools: Vec<Pool> = sites.iter().map(pool).collect();
    for (goal, jumpers) in goals {
        let island = Island {
            goal,
            from: jumpers.first,
        };
        let between = crossed(sites, &goal, &jumpers);
        for pool in pools.get_mut(between).into_iter().flatten() {
            // One more than the most that can serve says that there are too many.
            if pool.islands.len() <= REACH {
                pool.islands.push(island);
            }
        }
    }
    pools.retain(|pool| !pool.islands.is_empty());
    pools
}

/// The sites on the ways of jumps to a goal, from both sides.
fn crossed(sites: &[usize], goal: &Goal, jumpers: &Jumpers) -> Range<usize> {
    let first = sites.partition_point(|&site| site <= jumpers.first.min(goal.line));
    let last = sites.partition_point(|&site| site <= jumpers.last.max(goal.line));
    first..last
}

/// Puts pools between the lines.
fn set_slots(layout: &mut Layout, plain: &[usize], mut pools: Vec<Pool>) {
    let mut more = 0;
    let mut waiting = pools.iter_mut().peekable();
    for (line, (start, plain)) in layout.starts.iter_mut().zip(plain).enumerate() {
        if let Some(pool) = waiting.next_if(|pool| pool.line == line) {
            pool.slot = plain + more;
            more += pool.slots();
        }
        *start = plain + more;
    }
    layout.pools = pools;
}
