//! The tree of all paths: where they part, and where their states were kept.
//!
//! A node is closed when all paths from it have ended well. What is found to be needed of a
//! number is carried back from node to node, over the instructions between them.
//!
//! Described in the kernel's `Documentation/bpf/verifier.rst`, "Pruning".
//!
//! Read before: `precision.rs`, `rounds.rs`. Read next: `checkpoints.rs`.

use crate::cfg::Cfg;
use crate::history::{History, Stretch};
use crate::precision::{Needs, Settled, is_idle};
use crate::rounds::Edge;
use crate::state::State;

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
    /// Paths from here were covered by a checkpoint that was not followed to all its ends; the
    /// outermost node that must be.
    anchor: Option<usize>,
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
    /// How often states were compared with this one in vain, and how often not.
    pub(crate) misses: u32,
    pub(crate) hits: u32,
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
    /// The ends of paths that were covered by what is not followed to all its ends.
    edges: Vec<Edge>,
    /// What was executed.
    pub(crate) history: History,
}

impl Kept {
    /// The state of a new checkpoint.
    pub(crate) fn new(state: State) -> Kept {
        Kept {
            state: Some(state),
            needed: Needs::default(),
            litter: Litter::MayBe,
            standing: Standing::Kept,
            misses: 0,
            hits: 0,
        }
    }
}

impl Node {
    /// The state of a checkpoint that has one still.
    pub(crate) fn state(&self) -> Option<&State> {
        self.kept.as_deref()?.state.as_ref()
    }
}

impl Tree {
    /// No paths yet, of a program of so many slots.
    pub(crate) fn new(slots: usize) -> Tree {
        Tree {
            nodes: Vec::new(),
            edges: Vec::new(),
            history: History::new(slots),
        }
    }

    /// There are no paths.
    pub(crate) fn clear(&mut self) {
        self.nodes.clear();
        self.edges.clear();
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
            anchor: None,
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
    pub(crate) fn close(&mut self, cfg: &Cfg<'_>, mut at: Option<usize>) {
        while let Some(node) = at.and_then(|at| self.nodes.get_mut(at)) {
            node.open -= 1;
            if node.open > 0 {
                return;
            }
            if let Some(kept) = &mut node.kept
                && kept.standing == Standing::Dropped
            {
                kept.state = None;
            }
            let (here, parent) = (at, node.before.node);
            if let Some(here) = here.filter(|_| node.anchor.is_none()) {
                self.settle_rounds(cfg, here);
            }
            at = parent;
        }
    }

    /// Goes back over a path and marks, in the checkpoints on the way, the numbers that what
    /// is needed now came from. `depth` is that of the function that needs them.
    pub(crate) fn trace_back(
        &mut self,
        cfg: &Cfg<'_>,
        mut position: Position,
        mut needs: Needs,
        mut depth: u8,
    ) -> Settled {
        let mut settled = Settled::Known;
        while !needs.is_empty() {
            let mut own = needs.of(usize::from(depth)).regs;
            for past in self.history.steps(position.since).iter().rev() {
                if is_idle(cfg, past, own) {
                    continue;
                }
                needs.step_back(cfg, past, self.history.sharers(past), &mut depth);
                if needs.is_empty() {
                    return settled;
                }
                own = needs.of(usize::from(depth)).regs;
            }
            let node = position.node.and_then(|at| self.nodes.get_mut(at));
            let Some(node) = node else {
                return settled;
            };
            if let Some(kept) = &mut node.kept
                && let Some(state) = &kept.state
                && needs.settle(&mut kept.needed, state) == Settled::New
            {
                settled = Settled::New;
            }
            position = node.before;
        }
        settled
    }

    /// The node that must be followed to all its ends before all that is needed at `at` is
    /// known, if there is one: the outermost.
    pub(crate) fn anchor(&self, at: usize) -> Option<usize> {
        let (mut at, mut found) = (Some(at), None);
        while let Some((here, node)) = at.and_then(|at| Some((at, self.nodes.get(at)?))) {
            if node.open > 0 {
                found = Some(here);
            }
            at = node.anchor;
        }
        found
    }

    /// Notes that a path is covered by a checkpoint that is not followed to all its ends, nor
    /// is `anchor`.
    pub(crate) fn depend(&mut self, path: Position, state: Box<State>, to: usize, anchor: usize) {
        let edge = Edge {
            path: self.now(path),
            state,
            to,
            anchor,
        };
        // By their anchors, so that those of one are found together.
        let at = self.edges.partition_point(|known| known.anchor <= anchor);
        self.edges.insert(at, edge);
        let mut at = path.node;
        while let Some(here) = at.filter(|&here| here != anchor)
            && let Some(node) = self.nodes.get_mut(here)
            && node.anchor.is_none_or(|known| known > anchor)
        {
            node.anchor = Some(anchor);
            at = node.before.node;
        }
    }

    /// All paths from a node have ended, and it depends on no other: what is needed in the
    /// rounds from it goes round until nothing is new.
    fn settle_rounds(&mut self, cfg: &Cfg<'_>, anchor: usize) {
        let first = self.edges.partition_point(|edge| edge.anchor < anchor);
        let edges = self.edges.split_off(first);
        let mut settled = Settled::New;
        while settled == Settled::New && !edges.is_empty() {
            settled = Settled::Known;
            for edge in &edges {
                let kept = self.nodes.get(edge.to).and_then(|node| node.kept.as_ref());
                let needs = kept.map(|kept| kept.needed.in_state(&edge.state));
                let (needs, depth) = (needs.unwrap_or_default(), edge.state.depth());
                if self.trace_back(cfg, edge.path, needs, depth) == Settled::New {
                    settled = Settled::New;
                }
            }
        }
    }
}
