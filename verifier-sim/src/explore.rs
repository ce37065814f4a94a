//! The exploration: every path, depth first, until each has ended or is covered by another.
//!
//! Where paths join, states are kept as checkpoints. A checkpoint is closed when all paths
//! from it have ended well; a state that a closed one covers need not be followed. A state
//! that equals an open one, which is always on the way to it, has come round in a circle.
//!
//! Described in the kernel's `Documentation/bpf/verifier.rst`, "Pruning" and "Loops".
//!
//! Read before: `machine.rs`, `prune.rs`. Read next: `verify.rs`.

use crate::codes::Code;
use crate::depth::Depths;
use crate::diag::{Checked, Place, Rejection, Step};
use crate::env::Env;
use crate::global::no_such_function;
use crate::live::touched;
use crate::live_stack::LiveStack;
use crate::machine::{Flow, Machine, not_modelled};
use crate::mem::AddressKind;
use crate::precision::{GoesOn, Needs, Notes, Past, Settled};
use crate::prune::{Likeness, alike};
use crate::reg::{Kind, RegState};
use crate::rounds::{Edge, comes_round, widen};
use crate::snapshot::Snapshot;
use crate::state::State;
use crate::watch::{Event, Watcher};
use ebpf_asm::insn::{Insn, Reg};
use ebpf_asm::isa::Sem;

/// The most instructions that the kernel follows, over all paths.
const MAX_PROCESSED: u64 = 1_000_000;

/// The most branches that may wait.
const MAX_PENDING: usize = 8192;

/// How much must have happened since the last checkpoint for a new one, as in the kernel.
#[derive(Debug, Clone, Copy)]
struct Pace {
    jumps: u64,
    insns: u64,
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

/// What an exploration took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Instructions followed, over all paths.
    pub processed: u64,
    /// Checkpoints made.
    pub total_states: u64,
    /// The most checkpoints kept at once.
    pub peak_states: u64,
    /// The stack that the deepest chain of calls needs, in bytes.
    pub stack_depth: usize,
}

/// A path, as far as it was followed.
struct Path {
    state: Box<State>,
    slot: usize,
    /// The last node of the tree on the way.
    node: Option<usize>,
    /// The last branch on the way.
    trail: Option<usize>,
    /// The instructions since that node of the tree.
    history: Vec<Past>,
    /// How many notes the kernel would have taken since the last checkpoint, to go back over
    /// the path.
    notes: u32,
    /// The active function in [`LiveStack`], if it is known since the last call or return.
    activation: Option<usize>,
}

/// A branch on the way of some paths.
struct Branch {
    step: Step,
    before: Option<usize>,
}

/// A place in the tree of all paths: a checkpoint, or a fork.
struct Node {
    parent: Option<usize>,
    /// How many paths from here have not ended.
    open: u32,
    /// The state, for checkpoints that were not dropped.
    state: Option<Box<State>>,
    /// Which of its numbers the verdict depended on.
    needed: Needs,
    /// The instructions that led here from the parent.
    history: Vec<Past>,
    /// Paths from here were covered by a checkpoint that was not followed to all its ends; the
    /// outermost node that must be.
    anchor: Option<usize>,
    /// Whether what nothing will read is still in the state.
    litter: Litter,
    misses: u32,
    hits: u32,
}

/// Whether a state has what nothing will read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Litter {
    MayBe,
    Gone,
}

/// Whether it is time for a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Now,
    Later,
}

/// What looking at the checkpoints of an instruction says.
enum Seen {
    /// Another path covers this one.
    Covered,
    /// The path goes on.
    New,
}

struct Explorer<'e, 'a, 'w> {
    env: &'e Env<'a>,
    /// Who is told what happens.
    watcher: Option<&'e mut Watcher<'w>>,
    pending: Vec<Path>,
    branches: Vec<Branch>,
    nodes: Vec<Node>,
    /// The ends of paths that were covered by what is not followed to all its ends.
    edges: Vec<Edge>,
    /// The checkpoints at each slot, as nodes.
    checkpoints: Vec<Vec<usize>>,
    kept: u64,
    depths: Depths,
    last_id: u32,
    notes: Notes,
    live_stack: LiveStack,
    address_kinds: Vec<AddressKind>,
    /// What happened since the last checkpoint was made.
    since: Pace,
    stats: Stats,
}

/// Follows all paths of a program, and tells the watcher.
pub(crate) fn explore<'e>(
    env: &'e Env<'_>,
    watcher: Option<&'e mut Watcher<'_>>,
) -> Checked<Stats> {
    let mut explorer = Explorer {
        env,
        watcher,
        pending: Vec::new(),
        branches: Vec::new(),
        nodes: Vec::new(),
        edges: Vec::new(),
        checkpoints: Vec::new(),
        kept: 0,
        depths: Depths::new(&env.cfg),
        last_id: 0,
        notes: Notes::default(),
        live_stack: LiveStack::new(&env.cfg),
        address_kinds: vec![AddressKind::Unknown; env.cfg.slot_count()],
        since: Pace { jumps: 0, insns: 0 },
        stats: Stats::default(),
    };
    explorer
        .checkpoints
        .resize_with(env.cfg.slot_count(), Vec::new);
    let mut program = State::entry(0);
    *program.reg_mut(Reg::R1) = RegState::pointer(Kind::Ctx);
    explorer.follow_all(0, program)?;
    explorer.follow_globals()?;
    explorer.stats.stack_depth = explorer.depths.check(&env.cfg)?;
    Ok(explorer.stats)
}

impl Explorer<'_, '_, '_> {
    /// Follows all paths from the first instruction of a function.
    fn follow_all(&mut self, function: usize, state: State) -> Checked {
        self.pending.push(Path {
            state: Box::new(state),
            slot: function,
            node: None,
            trail: None,
            history: Vec::new(),
            notes: 0,
            activation: None,
        });
        while let Some(path) = self.pending.pop() {
            self.follow(path)?;
        }
        Ok(())
    }

    /// Verifies each global function that is called, once and on its own.
    fn follow_globals(&mut self) -> Checked {
        let env = self.env;
        let mut verified = Vec::new();
        loop {
            let called = &self.notes.called;
            let next = called
                .iter()
                .copied()
                .filter(|slot| !verified.contains(slot));
            // In the order of the program, as the kernel does.
            let Some(slot) = next.min() else {
                return Ok(());
            };
            verified.push(slot);
            let global = env.global(slot).ok_or_else(|| no_such_function(slot))?;
            let state = global.entry(&mut self.last_id)?;
            self.branches.clear();
            self.nodes.clear();
            self.edges.clear();
            self.checkpoints.iter_mut().for_each(Vec::clear);
            self.kept = 0;
            self.follow_all(slot, state).map_err(|refused| {
                let on_its_own = format!(
                    "'{}' is verified on its own, for any arguments of its prototype",
                    global.name
                );
                refused.because(Place::at(slot), on_its_own)
            })?;
        }
    }

    /// Follows one path to its end, leaving its branches for later.
    fn follow(&mut self, mut path: Path) -> Checked {
        self.tell_beginning(&path);
        loop {
            let slot = path.slot;
            match self.advance(&mut path) {
                Ok(Seen::New) => {}
                Ok(Seen::Covered) => {
                    self.depths.note(&path.state);
                    self.close(path.node);
                    return Ok(());
                }
                Err(mut refused) => {
                    refused.slot = slot;
                    refused.path = self.steps(path.trail);
                    return Err(refused);
                }
            }
        }
    }

    /// Executes one instruction. A path that has ended counts as covered.
    fn advance(&mut self, path: &mut Path) -> Checked<Seen> {
        self.stats.processed += 1;
        self.since.insns += 1;
        if self.stats.processed > MAX_PROCESSED {
            return Err(self.too_complex());
        }
        let env = self.env;
        let Some(insn) = env.cfg.insn(path.slot) else {
            return Err(not_modelled("a place where no instruction begins"));
        };
        if env.stops.is_compared(path.slot) && matches!(self.look(path)?, Seen::Covered) {
            self.tell(&Event::Covered { slot: path.slot });
            return Ok(Seen::Covered);
        }
        self.since.jumps += u64::from(is_jump(insn));
        if insn.sem() == Sem::Exit {
            self.depths.note(&path.state);
        }
        let depth = path.state.depth();
        let activation = match path.activation {
            Some(known) => known,
            None => self.live_stack.active(&env.cfg, &path.state),
        };
        path.activation = Some(activation);
        let (at, before) = (path.slot, self.snapshot(&path.state));
        let flow = Machine {
            env,
            state: &mut path.state,
            slot: path.slot,
            last_id: &mut self.last_id,
            notes: &mut self.notes,
            address_kinds: &mut self.address_kinds,
        }
        .step(insn)?;
        if may_touch_stack(insn, &self.notes) {
            let touched = &self.notes.touched;
            self.live_stack.note(activation, path.slot, touched);
            self.notes.touched.clear();
        }
        if path.state.depth() != depth {
            path.activation = None;
        }
        let (past, needs) = self.notes.take(path.slot);
        path.notes += u32::from(env.stops.is_entered(path.slot) || past.is_noted());
        if let Some(needs) = needs {
            self.trace_back(&path.history, path.node, needs, depth);
        }
        path.history.push(past);
        self.tell_step(at, insn, before, &path.state, &flow);
        match flow {
            Flow::To(slot) => path.slot = slot,
            Flow::End => return Ok(Seen::Covered),
            Flow::Fork {
                next,
                jump,
                jump_state,
            } => self.fork(path, next, jump, jump_state)?,
            Flow::Leave {
                caller,
                stay,
                stay_state,
            } => {
                let slot = path.slot;
                self.fork(path, caller, stay, stay_state)?;
                path.history.push(Past::elsewhere(slot, GoesOn::InCaller));
            }
            Flow::CallBack {
                next,
                function,
                inside,
            } => {
                let slot = path.slot;
                self.fork(path, next, function, inside)?;
                if let Some(inside) = self.pending.last_mut() {
                    inside
                        .history
                        .push(Past::elsewhere(slot, GoesOn::InCallback));
                }
            }
            Flow::Back(slot) => {
                self.widen(&mut path.state, slot, None);
                path.slot = slot;
            }
        }
        Ok(Seen::New)
    }

    /// The state for the watcher, if there is one.
    fn snapshot(&self, state: &State) -> Option<Snapshot> {
        self.watcher
            .is_some()
            .then(|| Snapshot::of(self.env, state))
    }

    fn tell(&mut self, event: &Event<'_>) {
        if let Some(watcher) = &mut self.watcher {
            watcher(event);
        }
    }

    /// Tells that a path begins.
    fn tell_beginning(&mut self, path: &Path) {
        let Some(state) = self.snapshot(&path.state) else {
            return;
        };
        let branch = path.trail.and_then(|at| self.branches.get(at));
        let (slot, state) = (path.slot, &state);
        self.tell(&match branch.map(|branch| branch.step.slot) {
            Some(from) => Event::Branch { from, slot, state },
            None => Event::Begin { slot, state },
        });
    }

    /// Tells that an instruction was executed, if somebody wanted the state before it.
    fn tell_step(
        &mut self,
        slot: usize,
        insn: &Insn,
        before: Option<Snapshot>,
        state: &State,
        flow: &Flow,
    ) {
        let Some(before) = before else {
            return;
        };
        let next = match flow {
            Flow::End => None,
            Flow::To(next)
            | Flow::Back(next)
            | Flow::Fork { next, .. }
            | Flow::CallBack { next, .. }
            | Flow::Leave { caller: next, .. } => Some(*next),
        };
        let after = self.snapshot(state);
        let touched: Vec<Reg> = touched(insn).iter().collect();
        self.tell(&Event::Step {
            slot,
            insn,
            touched: &touched,
            before: &before,
            goes_on: next.zip(after.as_ref()),
        });
    }

    /// Leaves the jump for later and goes on behind it.
    fn fork(&mut self, path: &mut Path, next: usize, jump: usize, state: Box<State>) -> Checked {
        if self.pending.len() >= MAX_PENDING {
            let message = format!("The sequence of {} jumps is too complex.", MAX_PENDING + 1);
            return Err(Rejection::new(Code::TooManyBranches, message)
                .label("one branch more than may wait"));
        }
        let fork = self.grow(path, None, 2);
        let (before, slot) = (path.trail, path.slot);
        let mut branch = |to| {
            self.branches.push(Branch {
                step: Step { slot, to },
                before,
            });
            Some(self.branches.len() - 1)
        };
        let (taken, passed) = (branch(jump), branch(next));
        self.pending.push(Path {
            state,
            slot: jump,
            node: Some(fork),
            trail: taken,
            history: Vec::new(),
            notes: path.notes,
            activation: None,
        });
        path.trail = passed;
        path.slot = next;
        Ok(())
    }

    /// Adds a node where a path is now, from which `open` paths go on.
    fn grow(&mut self, path: &mut Path, state: Option<Box<State>>, open: u32) -> usize {
        self.nodes.push(Node {
            parent: path.node,
            open,
            state,
            needed: Needs::default(),
            history: std::mem::take(&mut path.history),
            anchor: None,
            litter: Litter::MayBe,
            misses: 0,
            hits: 0,
        });
        let node = self.nodes.len() - 1;
        path.node = Some(node);
        node
    }

    /// Compares the state with the checkpoints here, and makes one of it if it is time.
    fn look(&mut self, path: &mut Path) -> Checked<Seen> {
        let slot = path.slot;
        let mut here = match self.checkpoints.get_mut(slot) {
            Some(here) => std::mem::take(here),
            None => return Ok(Seen::New),
        };
        let due = self.is_due(path, &here);
        let found = self.compare(path, &mut here, due);
        if due == Due::Now && matches!(found, Ok(Seen::New)) {
            here.push(self.grow(path, Some(path.state.clone()), 1));
            path.notes = 0;
            self.since = Pace { jumps: 0, insns: 0 };
            self.kept += 1;
            self.stats.total_states += 1;
            self.stats.peak_states = self.stats.peak_states.max(self.kept);
        }
        if let Some(entry) = self.checkpoints.get_mut(slot) {
            *entry = here;
        }
        found
    }

    /// Whether it is time for a checkpoint at a place that has these.
    fn is_due(&self, path: &Path, here: &[usize]) -> Due {
        if path.notes > MAX_NOTES || self.comes_round(path.slot) {
            return Due::Now;
        }
        let Pace { jumps, insns } = self.since;
        let open = |&at: &usize| self.nodes.get(at).is_some_and(|node| node.open > 0);
        let due = match here.iter().any(open) {
            true => jumps >= LOOP_PACE.jumps || insns >= LOOP_PACE.insns,
            false => jumps >= PACE.jumps && insns >= PACE.insns,
        };
        if due { Due::Now } else { Due::Later }
    }

    /// Looks for a checkpoint that covers the state, the newest first; drops those that never
    /// do. Only looks that end in a new checkpoint count, or else a few rounds of a loop would
    /// drop them all.
    fn compare(&mut self, path: &Path, here: &mut Vec<usize>, due: Due) -> Checked<Seen> {
        let round = self.comes_round(path.slot);
        for index in (0..here.len()).rev() {
            let Some(&at) = here.get(index) else {
                continue;
            };
            let anchor = self.anchor(at);
            if anchor.is_none() {
                self.clean(at, path.slot);
            }
            let Some(node) = self.nodes.get_mut(at) else {
                continue;
            };
            let likeness = match (node.open, anchor) {
                (0, None) => Likeness::Covered(&node.needed),
                (0, Some(_)) => Likeness::Within,
                _ if round => Likeness::Within,
                _ => Likeness::Same,
            };
            let old = node.state.as_deref();
            if old.is_some_and(|old| alike(self.env, likeness, path.slot, old, &path.state)) {
                if node.open > 0 && !round {
                    return Err(endless(path.slot));
                }
                node.hits += 1;
                let needs = node.needed.in_state(&path.state);
                self.trace_back(&path.history, path.node, needs, path.state.depth());
                if let Some(anchor) = anchor {
                    self.depend(path, at, anchor);
                }
                return Ok(Seen::Covered);
            }
            node.misses += u32::from(due == Due::Now);
            let most = match node.open > 0 && round {
                true => MAX_MISSES_OF_ROUND,
                false => MAX_MISSES,
            };
            let patience = node.hits.saturating_add(1).saturating_mul(most);
            if node.misses > patience {
                node.state = None;
                here.remove(index);
                self.kept -= 1;
            }
        }
        Ok(Seen::New)
    }

    /// Takes out of a checkpoint that was followed to all its ends what nothing will read.
    fn clean(&mut self, at: usize, slot: usize) {
        let Some(node) = self.nodes.get_mut(at) else {
            return;
        };
        if node.open > 0 || node.litter == Litter::Gone {
            return;
        }
        node.litter = Litter::Gone;
        if let Some(state) = &mut node.state {
            let live = self.live_stack.live(&self.env.cfg, state, slot);
            node.needed.keep_slots(&live);
            state.keep_slots(&live);
        }
    }

    /// Goes back over a path and marks, in the checkpoints on the way, the numbers that what
    /// is needed now came from. `depth` is that of the function that needs them.
    fn trace_back(
        &mut self,
        history: &[Past],
        mut at: Option<usize>,
        mut needs: Needs,
        mut depth: u8,
    ) -> Settled {
        let cfg = &self.env.cfg;
        let mut settled = Settled::Known;
        for past in history.iter().rev() {
            needs.step_back(cfg, past, &mut depth);
            if needs.is_empty() {
                return settled;
            }
        }
        while let Some(node) = at.and_then(|at| self.nodes.get_mut(at)) {
            if needs.settle(&mut node.needed, node.state.as_deref()) == Settled::New {
                settled = Settled::New;
            }
            for past in node.history.iter().rev() {
                if needs.is_empty() {
                    return settled;
                }
                needs.step_back(cfg, past, &mut depth);
            }
            at = node.parent;
        }
        settled
    }

    fn comes_round(&self, slot: usize) -> bool {
        self.env.cfg.insn(slot).is_some_and(comes_round)
    }

    /// Makes numbers unknown that differ from the last round's at `slot`, `but` that of one.
    fn widen(&self, state: &mut State, slot: usize, but: Option<usize>) {
        let here = self.checkpoints.get(slot).into_iter().flatten();
        let open = here.copied().filter(|&at| Some(at) != but);
        let rounds = open.filter_map(|at| Some((at, self.nodes.get(at)?)));
        let alike = |(_, node): &(usize, &Node)| {
            let old = node.state.as_deref().filter(|_| node.open > 0);
            old.is_some_and(|old| old.same_calls(state))
        };
        let last = rounds.filter(alike).max_by_key(|(at, _)| *at);
        if let Some((_, node)) = last
            && let Some(old) = node.state.as_deref()
        {
            widen(old, &node.needed, state);
        }
    }

    /// The node that must be followed to all its ends before all that is needed at `at` is
    /// known, if there is one: the outermost.
    fn anchor(&self, at: usize) -> Option<usize> {
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
    fn depend(&mut self, path: &Path, to: usize, anchor: usize) {
        self.edges.push(Edge {
            node: path.node,
            history: path.history.clone(),
            state: path.state.clone(),
            to,
            anchor,
        });
        let mut at = path.node;
        while let Some(here) = at.filter(|&here| here != anchor)
            && let Some(node) = self.nodes.get_mut(here)
            && node.anchor.is_none_or(|known| known > anchor)
        {
            node.anchor = Some(anchor);
            at = node.parent;
        }
    }

    /// All paths from a node have ended, and it depends on no other: what is needed in the
    /// rounds from it goes round until nothing is new.
    fn settle_rounds(&mut self, anchor: usize) {
        let first = self.edges.partition_point(|edge| edge.anchor < anchor);
        let edges = self.edges.split_off(first);
        let mut settled = Settled::New;
        while settled == Settled::New {
            settled = Settled::Known;
            for edge in &edges {
                let needed = self.nodes.get(edge.to).map(|node| &node.needed);
                let needs = needed.map(|needed| needed.in_state(&edge.state));
                let (needs, depth) = (needs.unwrap_or_default(), edge.state.depth());
                let new = self.trace_back(&edge.history, edge.node, needs, depth);
                if new == Settled::New {
                    settled = new;
                }
            }
        }
    }

    /// A path from this node has ended.
    fn close(&mut self, mut at: Option<usize>) {
        while let Some(node) = at.and_then(|at| self.nodes.get_mut(at)) {
            node.open -= 1;
            if node.open > 0 {
                return;
            }
            let (here, parent) = (at, node.parent);
            if let Some(here) = here.filter(|_| node.anchor.is_none()) {
                self.settle_rounds(here);
            }
            at = parent;
        }
    }

    /// The branches on the way, in the order of execution.
    fn steps(&self, mut trail: Option<usize>) -> Vec<Step> {
        let mut steps = Vec::new();
        while let Some(branch) = trail.and_then(|at| self.branches.get(at)) {
            steps.push(branch.step);
            trail = branch.before;
        }
        steps.reverse();
        steps
    }

    fn too_complex(&self) -> Box<Rejection> {
        let message = format!(
            "BPF program is too large. Processed {} insn",
            self.stats.processed
        );
        let refused = Rejection::new(Code::TooComplex, message)
            .label("here the limit of one million instructions was reached");
        let loops = self.env.cfg.loops().iter();
        let busiest = loops.max_by_key(|&&slot| self.checkpoints.get(slot).map_or(0, Vec::len));
        match busiest {
            Some(&slot) => refused
                .because(Place::at(slot), "this loop goes round the most")
                .help("let a counter with a constant bound end the loop"),
            None => refused,
        }
    }
}

fn endless(slot: usize) -> Box<Rejection> {
    let message = format!("infinite loop detected at insn {slot}");
    Rejection::new(Code::InfiniteLoop, message)
        .label("comes back here with nothing changed")
        .help("change something in the loop that its end depends on, such as a counter")
}

/// Whether an instruction that was executed has to say something about stacks: stores also if
/// they wrote elsewhere.
fn may_touch_stack(insn: &Insn, notes: &Notes) -> bool {
    let stores = matches!(
        insn.sem(),
        Sem::Store { .. } | Sem::StoreRelease { .. } | Sem::Atomic { .. }
    );
    stores || !notes.touched.is_empty()
}

fn is_jump(insn: &Insn) -> bool {
    matches!(
        insn.sem(),
        Sem::Jump { .. }
            | Sem::Ja
            | Sem::Gotol
            | Sem::Gotox
            | Sem::MayGoto
            | Sem::Call(_)
            | Sem::Exit
    )
}
