//! Checkpoints: the states that are kept at an instruction, and what a new one is told by them.
//!
//! A state that a closed checkpoint covers need not be followed. One that equals an open
//! checkpoint, which is always on the way to it, has come round in a circle.
//!
//! Keeping and comparing states costs time, so that few are kept: how few is as in the kernel
//! (6.18), because what is not kept here cannot be found there, and a program that takes both
//! a million instructions is refused.
//!
//! Described in the kernel's `Documentation/bpf/verifier.rst`, "Pruning" and "Loops".
//!
//! Read before: `tree.rs`, `prune.rs`. Read next: `ways.rs`.

use crate::codes::Code;
use crate::config::{Config, StateFreq};
use crate::diag::{Checked, Rejection};
use crate::env::Env;
use crate::flow::rounds::{Round, same_round, widen};
use crate::path::explore::{Explorer, Path};
use crate::path::precision::FrameNeeds;
use crate::path::prune::{Comparing, Difference, Likeness, alike};
use crate::path::tree::{Kept, Litter, Node, Standing};
use crate::path::visits::{CalledLoop, Known};
use crate::value::stack::End;
use crate::value::state::{Entered, State};
use ebpf_asm::isa::KernelVersion;

/// How much must have happened since the last checkpoint for a new one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pace {
    pub(crate) jumps: u64,
    pub(crate) insns: u64,
}

/// Mostly: both.
const PACE: Pace = Pace { jumps: 2, insns: 8 };

/// In a loop, whose rounds differ and seldom help each other: either.
const LOOP_PACE: Pace = Pace {
    jumps: 20,
    insns: 100,
};

/// A checkpoint is made in any case when there are more notes since the last one than this.
const MAX_NOTES: u32 = 40;

/// How often a checkpoint may be looked at in vain, for each time that it helped and once
/// more, before it is dropped.
const MAX_MISSES: u32 = 3;

/// The same where execution comes round any number of times, in a round that has not ended.
const MAX_MISSES_OF_ROUND: u32 = 64;

/// Since when it is known before a loop is followed what it reads; from the kernel's history. Linux
/// 6.12 compares all registers.
const READ_LATER: KernelVersion = (6, 15);

/// Since when an endless loop is one that comes back to the very same state. Before, numbers on the
/// stack on which nothing had depended so far were no difference: observed on Linux 6.1, and the
/// release from the kernel's history.
const LOOPS_COMPARED_WHOLE: KernelVersion = (6, 9);

/// Whether it is time for a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Now,
    Later,
}

/// What looking at the checkpoints of an instruction says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Another path covers this one.
    Covered,
    /// The path goes on.
    New,
}

/// A checkpoint, and the shelf that it stands on: states are compared with those of their own
/// only.
#[derive(Debug, Clone, Copy)]
struct Shelved {
    node: usize,
    shelf: u32,
}

/// All checkpoints that states are compared with.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    /// The nodes at each stop, the newest last.
    here: Vec<Vec<Shelved>>,
    /// What happened since the last checkpoint was made.
    pub(crate) since: Pace,
    /// How many there are on each shelf.
    shelves: Vec<u64>,
    /// For the comparison that is made.
    comparing: Comparing,
}

impl Checkpoints {
    /// None, for a program with so many stops and slots.
    pub(crate) fn new(stops: usize, slots: usize) -> Checkpoints {
        Checkpoints {
            here: vec![Vec::new(); stops],
            since: Pace::default(),
            shelves: vec![0; slots.max(1)],
            comparing: Comparing::default(),
        }
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.here.iter_mut().for_each(Vec::clear);
        self.shelves.fill(0);
    }

    /// Changes how many there are on a shelf.
    fn shelve(&mut self, shelf: u32, count: impl Fn(u64) -> u64) {
        if let Some(shelf) = self.shelves.get_mut(shelf as usize) {
            *shelf = count(*shelf);
        }
    }

    /// Those at a stop.
    fn at(&self, stop: Option<usize>) -> &[Shelved] {
        let here = stop.and_then(|stop| self.here.get(stop));
        here.map_or(&[], Vec::as_slice)
    }
}

impl Explorer<'_, '_, '_> {
    /// Compares the state with the checkpoints here, and makes one of it if it is time.
    pub(crate) fn look(&mut self, path: &mut Path, stop: usize) -> Checked<Seen> {
        let mut here = match self.checkpoints.here.get_mut(stop) {
            Some(here) => std::mem::take(here),
            None => return Ok(Seen::New),
        };
        let mut due = self.due(path);
        let found = self.compare(path, &mut here, &mut due);
        if due == Due::Now && matches!(found, Ok(Seen::New)) {
            here.push(self.keep(path));
        }
        if let Some(entry) = self.checkpoints.here.get_mut(stop) {
            *entry = here;
        }
        found
    }

    /// How many checkpoints there are at a slot.
    pub(crate) fn kept_at(&self, slot: usize) -> usize {
        self.checkpoints.at(self.env.stops.number(slot)).len()
    }

    /// Makes a checkpoint.
    fn keep(&mut self, path: &mut Path) -> Shelved {
        path.notes = 0;
        self.checkpoints.since = Pace::default();
        self.stats.total_states += 1;
        self.tree.held.add();
        let shelf = shelf(self.env, &path.state, path.slot);
        self.checkpoints.shelve(shelf, |count| count + 1);
        let kept = Box::new(Kept::new(State::clone(&path.state)));
        let node = self.tree.grow(&mut path.position, Some(kept), 1);
        if let Some(here) = CalledLoop::of(&self.env.components, &path.state, path.slot) {
            self.tree.enter(here, node);
        }
        Shelved { node, shelf }
    }

    /// Whether it is time for a checkpoint, unless the place is in a loop.
    fn due(&self, path: &Path) -> Due {
        let Pace { jumps, insns } = self.checkpoints.since;
        match self.is_forced(path) || jumps >= PACE.jumps && insns >= PACE.insns {
            true => Due::Now,
            false => Due::Later,
        }
    }

    /// Whether it is too early for a checkpoint in a loop.
    fn is_early_in_loop(&self, path: &Path) -> bool {
        let Pace { jumps, insns } = self.checkpoints.since;
        !self.is_forced(path) && jumps < LOOP_PACE.jumps && insns < LOOP_PACE.insns
    }

    /// Whether a checkpoint is made in any case.
    fn is_forced(&self, path: &Path) -> bool {
        path.notes > MAX_NOTES
            || self.env.rounds.at(path.slot).is_some()
            || self.env.config.states == StateFreq::Always
    }

    /// Looks for a checkpoint that covers the state, the newest first; drops those that never
    /// do. Only looks that may end in a new checkpoint count, or else a few rounds of a loop would
    /// drop them all: that it is too early for one shows where a checkpoint is met from which
    /// paths are still to be followed.
    fn compare(&mut self, path: &Path, here: &mut Vec<Shelved>, due: &mut Due) -> Checked<Seen> {
        let early = self.is_early_in_loop(path);
        let round = self.env.rounds.at(path.slot);
        let shelf = shelf(self.env, &path.state, path.slot);
        let count = self.checkpoints.shelves.get(shelf as usize).copied();
        for index in (0..here.len()).rev() {
            let on_shelf = |kept: &&Shelved| kept.shelf == shelf;
            let Some(&Shelved { node: at, .. }) = here.get(index).filter(on_shelf) else {
                continue;
            };
            let known = self.tree.known(at);
            if known == Known::All {
                self.clean(at, path.slot);
            }
            let Some(node) = self.tree.node_mut(at) else {
                continue;
            };
            let likeness = node.likeness(known, round, &path.state, self.env.config);
            let comparing = &mut self.checkpoints.comparing;
            comparing.differs = node.kept.as_ref().and_then(|kept| kept.differs);
            let covers =
                |old: &State| alike(self.env, likeness, path.slot, old, &path.state, comparing);
            if node.state().is_some_and(covers) {
                if matches!(likeness, Likeness::Same | Likeness::SameRegisters(_)) {
                    return Err(endless(path.slot));
                }
                self.covered(path, at, known)?;
                return Ok(Seen::Covered);
            }
            if node.open > 0 && early {
                *due = Due::Later;
            }
            let differs = self.checkpoints.comparing.differs;
            if node.missed(*due, round, differs) == Standing::Dropped {
                here.remove(index);
                self.checkpoints
                    .shelve(shelf, |count| count.saturating_sub(1));
                self.tree.release(at);
            }
        }
        let most = &mut self.stats.max_states_per_insn;
        *most = (*most).max(count.unwrap_or(0));
        Ok(Seen::New)
    }

    /// Notes that a path is covered by the checkpoint `at`, of which so much is known if all
    /// paths from it have ended.
    fn covered(&mut self, path: &Path, at: usize, known: Known) -> Checked {
        let round = self.env.rounds.at(path.slot);
        let Some(node) = self.tree.node_mut(at) else {
            return Ok(());
        };
        let known = match node.open {
            0 => known,
            // That is no loop to the kernel (6.18), which carries nothing round it.
            _ if round == Some(Round::Callback) => Known::All,
            _ => Known::NotYet,
        };
        let Some(kept) = node.kept.as_mut() else {
            return Ok(());
        };
        kept.hits += 1;
        let needs = kept.needed.clone();
        self.need(path, needs, path.state.depth())?;
        if known == Known::NotYet {
            self.tree.depend(path.position, path.state.clone(), at);
        }
        Ok(())
    }

    /// Takes out of a checkpoint that was followed to all its ends what nothing will read.
    fn clean(&mut self, at: usize, slot: usize) {
        let Some(node) = self.tree.node_mut(at) else {
            return;
        };
        let Some(kept) = node.kept.as_mut().filter(|_| node.open == 0) else {
            return;
        };
        if kept.litter == Litter::Gone {
            return;
        }
        kept.litter = Litter::Gone;
        if let Some(state) = &mut kept.state {
            let live = self.live_stack.live(self.env, state, slot);
            let alive = live.iter().enumerate().map(|(depth, &slots)| FrameNeeds {
                regs: self.env.live_in(state, depth, slot),
                slots,
            });
            kept.needed.keep(alive);
            // In loops the lengths of stacks are compared too.
            let end = match kept.visit {
                Some(_) => End::Stays,
                None => End::Cut,
            };
            state.keep_slots(&live, end);
        }
    }

    /// Makes numbers unknown that differ from the last round's at `slot`, `but` that of one.
    pub(crate) fn widen(&self, state: &mut State, slot: usize, but: Option<usize>) {
        let here = self.checkpoints.at(self.env.stops.number(slot)).iter();
        let open = here.map(|kept| kept.node).filter(|&at| Some(at) != but);
        let rounds = open.filter_map(|at| Some((at, self.tree.node(at)?)));
        let alike = |(_, node): &(usize, &Node)| {
            let old = node.state().filter(|_| node.open > 0);
            old.is_some_and(|old| old.same_calls(state))
        };
        let last = rounds.filter(alike).max_by_key(|(at, _)| *at);
        if let Some(kept) = last.and_then(|(_, node)| node.kept.as_ref())
            && let Some(old) = &kept.state
        {
            widen(old, &kept.needed, state);
        }
    }
}

impl Node {
    /// How alike a state must be to this one's.
    fn likeness(
        &self,
        known: Known,
        round: Option<Round>,
        new: &State,
        config: &Config,
    ) -> Likeness<'_> {
        match (&self.kept, self.open, known) {
            (None, ..) => Likeness::Never,
            (Some(kept), 0, Known::All) => Likeness::Covered(&kept.needed),
            (Some(_), 0, Known::NotYet) => within(config),
            (Some(kept), ..) => match (round, &kept.state) {
                (_, Some(old)) if !same_entry(old, new) => Likeness::Never,
                (Some(round), Some(old)) if round.is_closed(old, new) => within(config),
                (Some(Round::Callback | Round::Next), _) => Likeness::Never,
                (_, Some(old)) if same_round(old, new) => {
                    match config.since(LOOPS_COMPARED_WHOLE) {
                        true => Likeness::Same,
                        false => Likeness::SameRegisters(&kept.needed),
                    }
                }
                _ => Likeness::Never,
            },
        }
    }

    /// Notes that a state was compared with this one in vain, and where it differs; says whether
    /// more are.
    fn missed(&mut self, due: Due, round: Option<Round>, differs: Option<Difference>) -> Standing {
        let Some(kept) = &mut self.kept else {
            return Standing::Dropped;
        };
        kept.differs = differs;
        let most = match self.open > 0 && round.is_some() {
            true => MAX_MISSES_OF_ROUND,
            false => MAX_MISSES,
        };
        kept.misses += u32::from(due == Due::Now);
        if kept.misses > kept.hits.saturating_add(1).saturating_mul(most) {
            kept.standing = Standing::Dropped;
        }
        kept.standing
    }
}

/// How alike a state must be that comes round to one whose paths are not followed to their ends.
fn within(config: &Config) -> Likeness<'static> {
    match config.since(READ_LATER) {
        true => Likeness::Within,
        false => Likeness::WholeWithin,
    }
}

/// The shelf that a state at `slot` belongs to. The kernel hashes the instruction with the call
/// that entered its function, so that what was called from elsewhere is mostly not looked at:
/// neither does it count as a miss, nor as a loop.
fn shelf(env: &Env<'_>, state: &State, slot: usize) -> u32 {
    let number = |slot: usize| u32::try_from(slot).unwrap_or(u32::MAX);
    let frame = state.frame();
    let called_at = match frame.entered {
        Entered::Call | Entered::Callback(_) if state.depth() > 0 => number(frame.called_at()),
        _ => u32::MAX,
    };
    (number(slot) ^ called_at) % number(env.cfg.slot_count()).max(1)
}

/// Whether two states are of the same entry of a function that is called later. What another
/// entry comes back to is no circle.
fn same_entry(old: &State, new: &State) -> bool {
    match (&old.frame().entered, &new.frame().entered) {
        (Entered::Later { entries: old, .. }, Entered::Later { entries: new, .. }) => old == new,
        _ => true,
    }
}

fn endless(slot: usize) -> Box<Rejection> {
    let message = format!("infinite loop detected at insn {slot}");
    Rejection::new(Code::InfiniteLoop, message)
        .label("comes back here with nothing changed")
        .help("change something in the loop that its end depends on, such as a counter")
}
