//! The exploration: every path, depth first, until each has ended or is covered by another.
//!
//! Of two ways the one that goes on is followed first, and the other one left for later.
//!
//! Described in the kernel's `Documentation/bpf/verifier.rst`, "Pruning" and "Loops".
//!
//! Read before: `step/machine.rs`, `checkpoints.rs`, `flow/reach.rs`, `given_back.rs`. Read next:
//! `verify.rs`.

use crate::call::argument::of_two_maps;
use crate::call::global::no_such_function;
use crate::call::later::check_handed;
use crate::codes::Code;
use crate::diag::{Checked, Place, Rejection, Step};
use crate::env::Env;
use crate::flow::depth::Depths;
use crate::flow::reach::Followed;
use crate::load::exception::{check_catcher_type, check_throws};
use crate::memory::mem::AddressKind;
use crate::path::checkpoints::{Checkpoints, Seen};
use crate::path::history::GoesOn;
use crate::path::live_stack::LiveStack;
use crate::path::notes::Notes;
use crate::path::precision::Needs;
use crate::path::speculation::check_speculation;
use crate::path::tree::{Position, Tree};
use crate::path::ways::{Way, Ways};
use crate::report::watch::{Event, Watch};
use crate::step::machine::{Flow, Machine, not_modelled};
use crate::value::reg::{Kind, RegState};
use crate::value::state::State;
use crate::warning::Warning;
use ebpf_asm::insn::{Insn, Reg};
use ebpf_asm::isa::{KernelVersion, Sem};

/// The most instructions that the kernel follows, over all paths.
const MAX_PROCESSED: u64 = 1_000_000;

/// The release with which `bpf_loop` came.
const BPF_LOOP: KernelVersion = (5, 17);

/// The most branches that may wait.
const MAX_PENDING: usize = 8192;

/// What an exploration took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Instructions followed, over all paths.
    pub processed: u64,
    /// The most checkpoints that a state was compared with in vain. As in the kernel, whose figure
    /// this is, they are those at its instruction and others with the same hash.
    pub max_states_per_insn: u64,
    /// Checkpoints made.
    pub total_states: u64,
    /// The most states kept at once.
    pub peak_states: u64,
    /// The stack that the deepest chain of calls needs, in bytes.
    pub stack_depth: usize,
}

/// A path, as far as it was followed.
pub(crate) struct Path {
    pub(crate) state: Box<State>,
    pub(crate) slot: usize,
    /// Where it is in the tree.
    pub(crate) position: Position,
    /// The branches that led there.
    pub(crate) way: Option<Way>,
    /// How many notes the kernel would have taken since the last checkpoint, to go back over
    /// the path.
    pub(crate) notes: u32,
    /// The active function in [`LiveStack`], if it is known since the last call or return.
    activation: Option<usize>,
    /// If it begins in a function that is called back: by which call.
    called_back: Option<usize>,
    /// If it begins in a function that the kernel calls later: by which call that was set.
    pub(crate) set_at: Option<usize>,
}

/// What an exploration has come to.
pub(crate) struct Explorer<'e, 'a, 'w> {
    pub(crate) env: &'e Env<'a>,
    /// Who is told what happens, and how far it goes.
    pub(crate) watch: Watch<'e, 'w>,
    pending: Vec<Path>,
    pub(crate) ways: Ways,
    pub(crate) tree: Tree,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) live_stack: LiveStack,
    depths: Depths,
    last_id: u32,
    notes: Notes,
    address_kinds: Vec<AddressKind>,
    /// Whether a path ended in a throw.
    pub(crate) throws: bool,
    /// Whether a path led to each slot.
    seen: Vec<bool>,
    pub(crate) stats: Stats,
}

/// Follows all paths of a program, and tells the watcher. Gives what that took, and what is to be
/// warned of by the order of slots; a refusal says what it took until then.
pub(crate) fn explore<'e>(
    env: &'e Env<'_>,
    watch: Watch<'e, '_>,
) -> Checked<(Stats, Vec<Warning>)> {
    let mut explorer = Explorer::new(env, watch);
    let followed = explorer.follow_program();
    let stats = Stats {
        peak_states: explorer.tree.held.most,
        ..explorer.stats
    };
    match followed {
        Ok(()) => Ok((stats, explorer.notes.into_warnings())),
        Err(refused) => Err(Box::new(Rejection { stats, ..*refused })),
    }
}

/// A path leads to a call of the function with the number 0.
fn calls_nothing() -> Box<Rejection> {
    let message = "invalid kernel function call not eliminated in verifier pass";
    Rejection::new(Code::UnknownKfunc, message)
        .label("a path leads here, and no function of the kernel has the number 0")
        .help("call it only where its address is not 0: it is weak, and this kernel has none")
}

/// What is refused of an instruction that is not the last one that was followed.
fn refuse_at(slot: usize, mut refused: Box<Rejection>) -> Checked {
    refused.slot = slot;
    Err(refused)
}

/// Since when global functions are verified only if a path calls them: from the kernel's history,
/// and as observed on Linux 6.1 and 6.12.
const WHEN_CALLED: KernelVersion = (6, 8);

impl<'e, 'a, 'w> Explorer<'e, 'a, 'w> {
    /// Before the first path.
    fn new(env: &'e Env<'a>, watch: Watch<'e, 'w>) -> Explorer<'e, 'a, 'w> {
        Explorer {
            env,
            watch,
            pending: Vec::new(),
            ways: Ways::default(),
            tree: Tree::new(env.cfg.slot_count()),
            checkpoints: Checkpoints::new(env.stops.count(), env.cfg.slot_count()),
            live_stack: LiveStack::new(),
            depths: Depths::new(&env.cfg, env.config),
            last_id: 0,
            notes: Notes::default(),
            address_kinds: vec![AddressKind::Unknown; env.cfg.slot_count()],
            throws: false,
            seen: vec![false; env.cfg.slot_count()],
            stats: Stats::default(),
        }
    }

    /// Follows all paths of a program and its functions, and judges what they have in common.
    fn follow_program(&mut self) -> Checked {
        let env = self.env;
        let mut program = State::entry(0);
        program.set_reg(Reg::R1, RegState::pointer(Kind::Ctx));
        program.in_sleepable = env.is_sleepable();
        self.follow_all(0, program)?;
        self.notes.called.extend(env.exception_callback);
        if !env.config.since(WHEN_CALLED) {
            let all = env.globals.iter().map(|global| global.slot);
            self.notes.called.extend(all);
        }
        self.follow_globals()?;
        let fastcalls = env.fastcalls.without(&self.notes.breaks_fastcalls);
        self.depths.shrink(&fastcalls);
        let notes = &self.notes;
        let mut begin_chains = notes.later.clone();
        begin_chains.extend(env.exception_callback);
        self.stats.stack_depth = self.depths.check(env, &begin_chains)?;
        check_throws(env, [notes.called_back.as_slice(), &notes.later].concat())?;
        if let Some(slot) = notes.called_nothing {
            return refuse_at(slot, calls_nothing());
        }
        if let Some(slot) = notes.of_two_maps {
            return refuse_at(slot, of_two_maps());
        }
        let seen = |slot| self.has_seen(slot);
        let followed = Followed {
            cfg: &env.cfg,
            config: env.config,
            addresses: &self.address_kinds,
            loops: &notes.loops,
            fastcalls: &fastcalls,
            seen,
        };
        followed.check_reach()?;
        let depths = &self.depths;
        depths.check_addresses(&notes.addresses, self.throws, seen)?;
        depths.check_catcher(env.exception_callback)?;
        check_speculation(env, &self.notes)?;
        Ok(())
    }

    /// Follows all paths from the first instruction of a function.
    fn follow_all(&mut self, function: usize, state: State) -> Checked {
        self.add(function, Box::new(state), None)?;
        while let Some(path) = self.pending.pop() {
            self.follow(path)?;
        }
        Ok(())
    }

    /// Adds a path that begins at a function, which was set at a call if the kernel calls it later.
    fn add(&mut self, function: usize, state: Box<State>, set_at: Option<usize>) -> Checked {
        if self.pending.len() >= MAX_PENDING {
            return Err(too_many_branches());
        }
        self.pending.push(Path {
            state,
            slot: function,
            position: self.tree.from(None),
            way: None,
            notes: 0,
            activation: None,
            called_back: None,
            set_at,
        });
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
            if Some(slot) == env.exception_callback {
                check_catcher_type(env, slot)?;
            }
            let global = env.global(slot).ok_or_else(|| no_such_function(slot))?;
            let mut state = global.entry(&mut self.last_id)?;
            state.in_sleepable = env.is_sleepable();
            self.ways.clear();
            self.tree.clear();
            self.checkpoints.clear();
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
        path.position = self.tree.from(path.position.node);
        if let Some(call) = path.called_back {
            self.went_on(call, GoesOn::InCallback);
        }
        let mut slot = path.slot;
        let ended = loop {
            match self.advance(&mut path) {
                Ok(Seen::New) => slot = path.slot,
                Ok(Seen::Covered) => break self.close(&path),
                Err(refused) => break Err(refused),
            }
        };
        ended.map_err(|refused| self.explain(refused, &path, slot))
    }

    /// Says of a refusal where it is, how a path led there, and why.
    fn explain(&self, refused: Box<Rejection>, path: &Path, slot: usize) -> Box<Rejection> {
        let env = self.env;
        let used = env.cfg.uses(slot).touched().iter();
        let mut refused = env.explain(refused, used.map(|reg| *path.state.reg(reg)));
        refused.slot = slot;
        refused.path = self.ways.steps(path.way);
        env.explain_kept(refused)
    }

    /// Closes what ends with a path.
    fn close(&mut self, path: &Path) -> Checked {
        self.depths.note(&path.state);
        let activation = self.activation(path);
        self.live_stack.end(self.env, activation);
        self.tree.close(&self.env.cfg, path.position.node)
    }

    /// Looks at the checkpoints and executes one instruction. A path that has ended counts as
    /// covered.
    fn advance(&mut self, path: &mut Path) -> Checked<Seen> {
        self.stats.processed += 1;
        self.checkpoints.since.insns += 1;
        if self.stats.processed > MAX_PROCESSED {
            return Err(self.too_complex());
        }
        let env = self.env;
        let Some(insn) = env.cfg.insn(path.slot) else {
            return Err(not_modelled("a place where no instruction begins"));
        };
        if let Some(stop) = env.stops.number(path.slot)
            && self.look(path, stop)? == Seen::Covered
        {
            self.tell(&Event::Covered { slot: path.slot });
            return Ok(Seen::Covered);
        }
        if let Some(seen) = self.seen.get_mut(path.slot) {
            *seen = true;
        }
        let sem = insn.sem();
        self.checkpoints.since.jumps += u64::from(is_of_jump_class(sem));
        if matches!(sem, Sem::Exit) {
            self.depths.note(&path.state);
        }
        self.tell(&Event::Reached {
            slot: path.slot,
            insn,
        });
        let before = self.snapshot(&path.state);
        let flow = self.execute(path, insn, sem)?;
        self.check_end(path.slot)?;
        self.tell_step(path.slot, insn, before, &path.state, &flow);
        self.go_on(path, flow)
    }

    /// The active function of a path in [`LiveStack`].
    fn activation(&mut self, path: &Path) -> usize {
        match path.activation {
            Some(known) => known,
            None => self.live_stack.active(&self.env.cfg, &path.state),
        }
    }

    /// Executes one instruction, and keeps what it has to say.
    fn execute(&mut self, path: &mut Path, insn: &Insn, sem: Sem) -> Checked<Flow> {
        let (env, depth) = (self.env, path.state.depth());
        let activation = self.activation(path);
        self.notes.clear();
        env.cfg.check_version(path.slot, env.config)?;
        let flow = Machine {
            env,
            state: &mut path.state,
            slot: path.slot,
            last_id: &mut self.last_id,
            notes: &mut self.notes,
            address_kinds: &mut self.address_kinds,
        }
        .step(insn)?;
        let notes = &self.notes;
        if may_touch_stack(sem, notes) {
            self.live_stack.note(activation, path.slot, &notes.touched);
        }
        if path.state.depth() < depth {
            self.live_stack.end(env, activation);
        }
        path.activation = (path.state.depth() == depth).then_some(activation);
        path.notes += u32::from(env.stops.is_entered(path.slot) || notes.is_kept());
        if !notes.needs.is_empty() {
            self.need(path, self.notes.needs.clone(), depth)?;
        }
        self.tree.history.push(path.slot, &self.notes);
        Ok(flow)
    }

    /// Whether a path led to a slot, or to the instruction that it is the second slot of.
    fn has_seen(&self, slot: usize) -> bool {
        let begins = |slot: &usize| self.env.cfg.insn(*slot).is_some();
        let begin = (slot.saturating_sub(1)..=slot).rev().find(begins);
        begin.is_some_and(|begin| self.seen.get(begin).copied().unwrap_or(false))
    }

    /// Goes on behind an instruction.
    fn go_on(&mut self, path: &mut Path, flow: Flow) -> Checked<Seen> {
        let slot = path.slot;
        match flow {
            Flow::To(next) => path.slot = next,
            Flow::End => return self.ended(path).map(|()| Seen::Covered),
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
                self.fork(path, caller, stay, stay_state)?;
                self.went_on(slot, GoesOn::InCaller);
            }
            Flow::CallBack {
                next,
                function,
                inside,
            } => {
                self.fork(path, next, function, inside)?;
                if let Some(inside) = self.pending.last_mut() {
                    inside.called_back = Some(slot);
                }
            }
            Flow::Again {
                next,
                again,
                mut state,
            } => {
                // The checkpoint made here is of this round.
                self.widen(&mut state, slot, path.position.node);
                self.fork(path, next, again, state)?;
            }
            Flow::Later {
                next,
                function,
                state,
            } => {
                path.slot = next;
                return self.add(function, state, Some(slot)).map(|()| Seen::New);
            }
            Flow::Back(to) => {
                self.widen(&mut path.state, to, None);
                path.slot = to;
            }
        }
        Ok(Seen::New)
    }

    /// Notes that execution went on elsewhere than behind the instruction at `slot`.
    fn went_on(&mut self, slot: usize, elsewhere: GoesOn) {
        self.tree.history.went_on(slot, elsewhere);
    }

    /// Marks where on the way the numbers came from that are needed at its end. `depth` is that
    /// of the function that needs them.
    pub(crate) fn need(&mut self, path: &Path, needs: Needs, depth: u8) -> Checked {
        let now = self.tree.now(path.position);
        let traced = self.tree.trace_back(&self.env.cfg, now, needs, depth)?;
        check_handed(&path.state, traced.at_beginning)
    }

    /// Leaves the jump for later and goes on behind it.
    fn fork(&mut self, path: &mut Path, next: usize, jump: usize, state: Box<State>) -> Checked {
        if self.pending.len() >= MAX_PENDING {
            return Err(too_many_branches());
        }
        self.tree.grow(&mut path.position, None, 2);
        let (before, slot) = (path.way, path.slot);
        let mut branch = |to| self.ways.add(Step { slot, to }, before);
        let (taken, passed) = (branch(jump), branch(next));
        let same_function = path.state.depth() == state.depth();
        self.pending.push(Path {
            state,
            slot: jump,
            position: path.position,
            way: taken,
            notes: path.notes,
            activation: path.activation.filter(|_| same_function),
            called_back: None,
            set_at: None,
        });
        path.way = passed;
        path.slot = next;
        Ok(())
    }

    fn too_complex(&self) -> Box<Rejection> {
        let message = format!(
            "BPF program is too large. Processed {} insn",
            self.stats.processed
        );
        let refused = Rejection::new(Code::TooComplex, message)
            .label("here the limit of one million instructions was reached");
        let loops = self.env.loop_heads.iter();
        match loops.max_by_key(|&&slot| self.kept_at(slot)) {
            Some(&slot) => refused
                .because(Place::at(slot), "this loop goes round the most")
                .help(match self.env.config.since(BPF_LOOP) {
                    true => {
                        "bound the loop by a small constant, or let bpf_loop run its body, which is then \
                         verified once"
                    }
                    false => "bound the loop by a small constant",
                }),
            None => refused,
        }
    }
}

fn too_many_branches() -> Box<Rejection> {
    let message = format!("The sequence of {} jumps is too complex.", MAX_PENDING + 1);
    Rejection::new(Code::TooManyBranches, message)
        .label("one branch more than may wait")
        .help(
            "let fewer conditions lead apart: combine them as numbers and compare once, look the \
             answer up in a table, or move a part into a function with global linkage",
        )
}

/// Whether an instruction that was executed has to say something about stacks: stores also if
/// they wrote elsewhere.
fn may_touch_stack(sem: Sem, notes: &Notes) -> bool {
    let stores = matches!(
        sem,
        Sem::Store { .. } | Sem::StoreRelease { .. } | Sem::Atomic { .. }
    );
    stores || !notes.touched.is_empty()
}

/// Whether the kernel counts it among the jumps: what has their class, calls too.
fn is_of_jump_class(sem: Sem) -> bool {
    matches!(
        sem,
        Sem::Jump { .. }
            | Sem::Ja
            | Sem::Gotol
            | Sem::Gotox
            | Sem::MayGoto
            | Sem::Call(_)
            | Sem::Exit
    )
}
