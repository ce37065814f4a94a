//! The tree of all paths: where they part, and where their states were kept.
//!
//! A node is closed when all paths from it have ended well. What is found to be needed of a
//! number is carried back from node to node, over the instructions between them.
//!
//! Described in the kernel's `Documentation/bpf/verifier.rst`, "Pruning".
//!
//! Read before: `precision.rs`, `visits.rs`. Read next: `checkpoints.rs`.

use crate::call::later::check_handed;
use crate::diag::Checked;
use crate::flow::cfg::Cfg;
use crate::flow::registers::RegSet;
use crate::path::history::{History, Stretch};
use crate::path::precision::{Needs, Settled, Trail};
use crate::path::prune::Difference;
use crate::path::visits::{CalledLoop, Edge, Known, Visits};
use crate::step::machine::not_modelled;
use crate::value::state::State;

/// How often what is needed in a loop is carried round it, at most.
const MOST_ROUNDS: usize = 64;

/// A place on a path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Position {
    /// The last node on the way.
    pub(crate) node: Option<usize>,
    /// The instructions since then.
    pub(crate) since: Stretch,
}

/// A node: a checkpoint, or a fork.
#[derive(Debug)]
pub(crate) struct Node {
    /// Where it is in the tree.
    before: Position,
    /// How many paths from here have not ended.
    pub(crate) open: u32,
    /// What is kept of a checkpoint.
    pub(crate) kept: Option<Box<Kept>>,
}

/// What is kept of a checkpoint.
#[derive(Debug)]
pub(crate) struct Kept {
    /// The state, for as long as states may be compared with it.
    pub(crate) state: Option<State>,
    /// Which of its numbers the verdict depended on.
    pub(crate) needed: Needs,
    /// Whether what nothing will read is still in the state.
    pub(crate) litter: Litter,
    /// Whether states are compared with this one.
    pub(crate) standing: Standing,
    /// The number of the visit of a loop that it is in.
    pub(crate) visit: Option<usize>,
    /// How often states were compared with this one in vain, and how often not.
    pub(crate) misses: u32,
    pub(crate) hits: u32,
    /// Where it differed from the last of them.
    pub(crate) differs: Option<Difference>,
}

/// Whether a state has what nothing will read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Litter {
    MayBe,
    Gone,
}

/// Whether states are compared with a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// They are.
    Kept,
    /// Not any more: its state goes when all paths from it have ended.
    Dropped,
}

/// The tree.
#[derive(Debug)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
    /// The loops that are being followed.
    pub(crate) visits: Visits,
    /// What was executed.
    pub(crate) history: History,
    /// The states that are held.
    pub(crate) held: Held,
}

/// How many states are held at once: those of checkpoints, also of such that nothing is compared
/// with any more, until all paths from them have ended; and those at the ends of paths that are
/// covered by what is not followed to all its ends.
#[derive(Debug, Default)]
pub(crate) struct Held {
    now: u64,
    /// The most that were.
    pub(crate) most: u64,
}

impl Held {
    /// One more.
    pub(crate) fn add(&mut self) {
        self.now += 1;
        self.most = self.most.max(self.now);
    }

    fn remove(&mut self, count: usize) {
        self.now = self.now.saturating_sub(count as u64);
    }
}

impl Kept {
    /// The state of a new checkpoint.
    pub(crate) fn new(state: State) -> Kept {
        Kept {
            state: Some(state),
            visit: None,
            needed: Needs::default(),
            litter: Litter::MayBe,
            standing: Standing::Kept,
            misses: 0,
            hits: 0,
            differs: None,
        }
    }
}

impl Node {
    /// The state of a checkpoint that has one still.
    pub(crate) fn state(&self) -> Option<&State> {
        self.kept.as_deref()?.state.as_ref()
    }
}

/// What going back over a path found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Traced {
    /// Whether a checkpoint learnt something.
    settled: Settled,
    /// What is needed of the registers that execution began with.
    pub(crate) at_beginning: RegSet,
}

impl From<Settled> for Traced {
    /// The beginning was not reached.
    fn from(settled: Settled) -> Traced {
        Traced {
            settled,
            at_beginning: RegSet::default(),
        }
    }
}

impl Tree {
    /// No paths yet, of a program of so many slots.
    pub(crate) fn new(slots: usize) -> Tree {
        Tree {
            nodes: Vec::with_capacity(slots / 4),
            visits: Visits::default(),
            history: History::new(slots),
            held: Held::default(),
        }
    }

    /// There are no paths.
    pub(crate) fn clear(&mut self) {
        self.nodes.clear();
        self.visits = Visits::default();
        self.history.clear();
    }

    /// A node.
    pub(crate) fn node(&self, at: usize) -> Option<&Node> {
        self.nodes.get(at)
    }

    /// A node, to change it.
    pub(crate) fn node_mut(&mut self, at: usize) -> Option<&mut Node> {
        self.nodes.get_mut(at)
    }

    /// The beginning of a path that goes on from a node.
    pub(crate) fn from(&self, node: Option<usize>) -> Position {
        Position {
            node,
            since: self.history.begin(),
        }
    }

    /// Adds a node where a path is now, from which `open` paths go on.
    pub(crate) fn grow(
        &mut self,
        path: &mut Position,
        kept: Option<Box<Kept>>,
        open: u32,
    ) -> usize {
        self.nodes.push(Node {
            before: self.now(*path),
            open,
            kept,
        });
        let node = self.nodes.len() - 1;
        *path = self.from(Some(node));
        node
    }

    /// Where a path is that was followed until now.
    pub(crate) fn now(&self, path: Position) -> Position {
        Position {
            since: self.history.until_now(path.since),
            ..path
        }
    }

    /// A path from this node has ended.
    pub(crate) fn close(&mut self, cfg: &Cfg<'_>, mut at: Option<usize>) -> Checked {
        while let Some(node) = at.and_then(|at| self.nodes.get_mut(at)) {
            let open = node.open.checked_sub(1);
            node.open = open.ok_or_else(|| not_modelled("a path that ends twice"))?;
            if node.open > 0 {
                return Ok(());
            }
            let parent = node.before.node;
            if let Some(here) = at {
                self.leave(cfg, here)?;
            }
            at = parent;
        }
        Ok(())
    }

    /// Goes back over a path and marks, in the checkpoints on the way, the numbers that what
    /// is needed now came from. `depth` is that of the function that needs them. What no stack had
    /// yet cannot have been needed.
    pub(crate) fn trace_back(
        &mut self,
        cfg: &Cfg<'_>,
        mut position: Position,
        mut needs: Needs,
        mut depth: u8,
    ) -> Checked<Traced> {
        let begin = position.node;
        let mut settled = Settled::Known;
        while !needs.is_empty() {
            let trail = self.go_back(cfg, position.since, &mut needs, &mut depth);
            if trail == Trail::Lost {
                return Ok(self.need_all(begin).into());
            }
            if needs.is_empty() {
                break;
            }
            let node = position.node.and_then(|at| self.nodes.get_mut(at));
            let Some(node) = node else {
                // Something is needed that no instruction on the way made. What else depends on
                // that is not known, so all numbers may, as where the trail is lost.
                return Ok(Traced {
                    settled: self.need_all(begin),
                    at_beginning: needs.of(0).regs,
                });
            };
            if let Some(kept) = &mut node.kept
                && let Some(state) = &kept.state
            {
                needs.check_within(state)?;
                if needs.settle(&mut kept.needed, state) == Settled::New {
                    settled = Settled::New;
                }
            }
            position = node.before;
        }
        Ok(settled.into())
    }

    /// Goes back over what was executed between two nodes, or as far as something is needed.
    fn go_back(&self, cfg: &Cfg<'_>, stretch: Stretch, needs: &mut Needs, depth: &mut u8) -> Trail {
        let mut steps = self.history.steps(stretch);
        loop {
            let own = needs.of(usize::from(*depth)).regs;
            let last = steps.iter().rposition(|step| !step.is_idle(cfg, own));
            let found = last.and_then(|at| steps.get(..=at)?.split_last());
            let Some((step, before)) = found else {
                return Trail::Kept;
            };
            let past = self.history.past(*step);
            let sharers = self.history.sharers(&past);
            if needs.step_back(cfg, &past, sharers, depth) == Trail::Lost {
                return Trail::Lost;
            }
            if needs.is_empty() {
                return Trail::Kept;
            }
            steps = before;
        }
    }

    /// Marks all numbers in the checkpoints from a node back.
    fn need_all(&mut self, mut at: Option<usize>) -> Settled {
        let mut settled = Settled::Known;
        while let Some(node) = at.and_then(|at| self.nodes.get_mut(at)) {
            if let Some(kept) = &mut node.kept
                && let Some(state) = &kept.state
                && Needs::all_of(state).settle(&mut kept.needed, state) == Settled::New
            {
                settled = Settled::New;
            }
            at = node.before.node;
        }
        settled
    }

    /// A checkpoint is made in a loop.
    pub(crate) fn enter(&mut self, at: CalledLoop, checkpoint: usize) {
        let visit = self.visits.enter(at, checkpoint);
        let node = self.nodes.get_mut(checkpoint);
        if let Some(kept) = node.and_then(|node| node.kept.as_mut()) {
            kept.visit = Some(visit);
        }
    }

    /// Whether it is known what is needed of a checkpoint from which all paths have ended.
    pub(crate) fn known(&self, at: usize) -> Known {
        let kept = self.nodes.get(at).and_then(|node| node.kept.as_ref());
        let visit = kept.and_then(|kept| kept.visit);
        visit.map_or(Known::All, |visit| self.visits.known(visit))
    }

    /// Notes that a path is covered by a checkpoint of which it is not known what is needed.
    pub(crate) fn depend(&mut self, path: Position, state: Box<State>, to: usize) {
        let path = self.now(path);
        let kept = self.nodes.get(to).and_then(|node| node.kept.as_ref());
        if let Some(visit) = kept.and_then(|kept| kept.visit) {
            self.visits.add(visit, Edge { path, state, to });
            self.held.add();
        }
    }

    /// All paths from a node have ended, perhaps all of the loop that was entered there.
    fn leave(&mut self, cfg: &Cfg<'_>, at: usize) -> Checked {
        let kept = self.nodes.get(at).and_then(|node| node.kept.as_ref());
        let Some(kept) = kept else {
            return Ok(());
        };
        if let Some(visit) = kept.visit {
            let edges = self.visits.leave(visit, at);
            self.settle_rounds(cfg, &edges)?;
            self.held.remove(edges.len());
        }
        self.release(at);
        Ok(())
    }

    /// Lets go of the state of a checkpoint that nothing is compared with any more, if all paths
    /// from it have ended and it is known what is needed of it.
    pub(crate) fn release(&mut self, at: usize) {
        let known = self.known(at);
        let node = self.nodes.get_mut(at).filter(|node| node.open == 0);
        if known == Known::All
            && let Some(kept) = node.and_then(|node| node.kept.as_mut())
            && kept.standing == Standing::Dropped
            && kept.state.take().is_some()
        {
            self.held.remove(1);
        }
    }

    /// What is needed in a loop goes round until nothing is new, or until that takes too long:
    /// then all may be needed.
    fn settle_rounds(&mut self, cfg: &Cfg<'_>, edges: &[Edge]) -> Checked {
        for _ in 0..MOST_ROUNDS {
            let mut settled = Settled::Known;
            for edge in edges {
                let kept = self.nodes.get(edge.to).and_then(|node| node.kept.as_ref());
                let needs = kept.map(|kept| kept.needed.clone());
                let (needs, depth) = (needs.unwrap_or_default(), edge.state.depth());
                let traced = self.trace_back(cfg, edge.path, needs, depth)?;
                check_handed(&edge.state, traced.at_beginning)?;
                if traced.settled == Settled::New {
                    settled = Settled::New;
                }
            }
            if settled == Settled::Known {
                return Ok(());
            }
        }
        for edge in edges {
            self.need_all(edge.path.node);
        }
        Ok(())
    }
}
