//! Liveness of the stack: which slots an instruction and what follows it may still read.
//!
//! What nothing will read cannot change the verdict, so a state that was followed to all its
//! ends is compared without such slots (`prune.rs`). Unlike registers (`flow/live.rs`), slots are
//! read at places that are known only when the instruction is executed, and in the frames of
//! callers too. So each executed instruction says what it read and what it wrote whole, and
//! from that liveness is computed backwards over the graph: for every function as often as it
//! is active at different places, since its arguments decide what it reads.
//!
//! It is asked only of states from which every path has ended; then all that follows them was
//! executed and has said what it read.
//!
//! A call writes what the called function writes of its callers' frames on every way to its end.
//! That is found out whenever a path or a function ends, for the function that is active there and
//! for those that called it, from what was executed till then; later it may become less, not more.
//! So a slot does not count that is written on one way of a branch while the other way still waits;
//! nor one that is written behind a call, if something was done with a stack before the call. And
//! what was live in a loop when a path ended stays live, though the way out of the loop writes it:
//! the instructions of the loop keep it alive for each other. Observed on Linux 6.18.
//!
//! Read before: `flow/live.rs`, `flow/edges.rs`, `value/state.rs`. Read next: `history.rs`.

use crate::call::tail_call::is_tail_call;
use crate::env::Env;
use crate::flow::cfg::Cfg;
use crate::flow::depth::MAX_CALL_FRAMES;
use crate::flow::highest_first::HighestFirst;
use crate::value::state::State;
use ebpf_asm::insn::Insn;
use ebpf_asm::isa::{Callee, Sem};
use std::collections::BTreeMap;
use std::ops::Range;

/// What one instruction did with the stack, a bit for each slot of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Touched {
    /// The frame, by its depth in the chain of calls.
    pub(crate) depth: u8,
    /// Slots of which it read something.
    pub(crate) read: u64,
    /// Slots that it wrote whole.
    pub(crate) written: u64,
}

/// What is known of an instruction for one frame.
#[derive(Debug, Clone, Copy, Default)]
struct Slots {
    /// Read at some time.
    read: u64,
    /// Written whole each time.
    written: u64,
    /// Written whole by the function that is called here, each time.
    written_by_callee: u64,
    /// May be read here or later.
    live: u64,
    /// Written whole on every way from here to the function's end.
    certain: u64,
}

/// A function as it is active behind one chain of calls.
#[derive(Debug)]
struct Activation {
    /// The activation that called it, and the slot of the call.
    caller: Option<(usize, usize)>,
    /// The slots of the function.
    code: Range<usize>,
    /// For each frame from the outermost on, each instruction of the function.
    frames: Vec<Vec<Slots>>,
    /// What the function wrote of each of its callers' frames, the outermost first, whenever that
    /// was found out; `None` if it never was.
    wrote: Option<Vec<u64>>,
    /// Which instructions were executed.
    executed: Vec<bool>,
    /// Instructions whose liveness may have changed, by their places in the function.
    stale: HighestFirst,
}

/// The liveness of all stacks.
#[derive(Debug)]
pub(crate) struct LiveStack {
    activations: Vec<Activation>,
    /// Activations by that of the caller, the place of the call, and the function.
    known: BTreeMap<(Option<usize>, usize, usize), usize>,
    /// Activations with something stale.
    stale: Vec<usize>,
}

impl LiveStack {
    /// Nothing was executed yet.
    pub(crate) fn new() -> LiveStack {
        LiveStack {
            activations: Vec::new(),
            known: BTreeMap::new(),
            stale: Vec::new(),
        }
    }

    /// The activation of each active function of a state, the outermost first.
    fn chain(&mut self, cfg: &Cfg<'_>, state: &State) -> [usize; MAX_CALL_FRAMES] {
        let mut chain = [0; MAX_CALL_FRAMES];
        let mut caller = None;
        for (at, frame) in chain.iter_mut().zip(state.frames()) {
            *at = self.activation(cfg, caller, frame.called_at(), frame.function);
            caller = Some(*at);
        }
        chain
    }

    fn activation(
        &mut self,
        cfg: &Cfg<'_>,
        caller: Option<usize>,
        call: usize,
        function: usize,
    ) -> usize {
        let next = self.activations.len();
        let entry = self.known.entry((caller, call, function));
        let at = *entry.or_insert(next);
        if at == next {
            let outer = caller.and_then(|caller| self.activations.get(caller));
            let depth = outer.map_or(0, |outer| outer.frames.len());
            let code = cfg.function_range(function);
            self.activations.push(Activation {
                caller: caller.map(|caller| (caller, call)),
                frames: vec![vec![Slots::default(); code.len()]; depth + 1],
                wrote: None,
                executed: vec![false; code.len()],
                stale: HighestFirst::new(code.len()),
                code,
            });
        }
        at
    }

    /// The activation of the innermost function of a state.
    pub(crate) fn active(&mut self, cfg: &Cfg<'_>, state: &State) -> usize {
        let innermost = usize::from(state.depth());
        let chain = self.chain(cfg, state);
        chain.get(innermost).copied().unwrap_or_default()
    }

    /// Notes what the instruction at `slot` has done in an activation.
    pub(crate) fn note(&mut self, at: usize, slot: usize, touched: &[Touched]) {
        let Some(activation) = self.activations.get_mut(at) else {
            return;
        };
        if activation.note(slot, touched) && !self.stale.contains(&at) {
            self.stale.push(at);
        }
    }

    /// Notes that a path or the innermost function ends in an activation: what is new there and in
    /// its callers counts from now on.
    pub(crate) fn end(&mut self, env: &Env<'_>, at: usize) {
        // Where nothing leads back and nothing is called it is the same whenever it is found out.
        if env.components.is_empty() && env.cfg.functions().len() == 1 {
            return;
        }
        let mut next = Some(at);
        while let Some(at) = next {
            let Some(activation) = self.activations.get_mut(at) else {
                return;
            };
            next = activation.caller.map(|(caller, _)| caller);
            let Some(stale) = self.stale.iter().position(|&stale| stale == at) else {
                continue;
            };
            self.stale.swap_remove(stale);
            activation.refresh(env);
            activation.commit(env);
            self.hand_to_caller(at);
        }
    }

    /// The slots of each frame, the outermost first, that may be read from a state on.
    pub(crate) fn live(
        &mut self,
        env: &Env<'_>,
        state: &State,
        slot: usize,
    ) -> [u64; MAX_CALL_FRAMES] {
        self.refresh(env);
        let chain = self.chain(&env.cfg, state);
        let mut live = [0; MAX_CALL_FRAMES];
        // Where each function goes on: behind or at its call of the next, the innermost at `slot`.
        let returns = state.frames().skip(1).map(|frame| frame.return_to);
        let places = returns.chain([slot]);
        // Each may read its own frame and those of its callers.
        for (depth, (at, place)) in chain.into_iter().zip(places).enumerate() {
            for (frame, live) in live.iter_mut().enumerate().take(depth + 1) {
                *live |= self.live_at(at, place, frame);
            }
        }
        live
    }

    fn live_at(&self, at: usize, slot: usize, depth: usize) -> u64 {
        let activation = self.activations.get(at);
        activation.map_or(0, |activation| activation.slots(slot, depth).live)
    }

    /// Computes what may have changed since the last time.
    fn refresh(&mut self, env: &Env<'_>) {
        while let Some(at) = self.stale.pop() {
            let Some(activation) = self.activations.get_mut(at) else {
                continue;
            };
            activation.refresh(env);
            if activation.wrote.is_some() {
                activation.commit(env);
            }
            self.hand_to_caller(at);
        }
    }

    /// What a function reads and writes of its callers' frames, they do where they call it.
    fn hand_to_caller(&mut self, at: usize) {
        let Some(activation) = self.activations.get(at) else {
            return;
        };
        let Some((caller, call)) = activation.caller else {
            return;
        };
        let touched = activation.touched_of_callers();
        if let Some(caller_activation) = self.activations.get_mut(caller)
            && caller_activation.touch_in_call(call, &touched)
            && !self.stale.contains(&caller)
        {
            self.stale.push(caller);
        }
    }
}

impl Activation {
    fn slots(&self, slot: usize, depth: usize) -> Slots {
        let index = slot.checked_sub(self.code.start);
        let frame = self.frames.get(depth);
        let found = frame.and_then(|frame| frame.get(index?));
        found.copied().unwrap_or_default()
    }

    /// Notes what an instruction did; says whether that is new.
    fn note(&mut self, slot: usize, touched: &[Touched]) -> bool {
        let Some(index) = slot.checked_sub(self.code.start) else {
            return false;
        };
        let Some(executed) = self.executed.get_mut(index) else {
            return false;
        };
        let first = !std::mem::replace(executed, true);
        let mut new = false;
        for (depth, frame) in (0u8..).zip(&mut self.frames) {
            let Some(known) = frame.get_mut(index) else {
                continue;
            };
            let own = touched.iter().filter(|touched| touched.depth == depth);
            let (read, written) = own.fold((0, 0), |(read, written), touched| {
                (read | touched.read, written | touched.written)
            });
            let written = if first {
                written
            } else {
                known.written & written
            };
            new |= known.read | read != known.read || known.written != written;
            known.read |= read;
            known.written = written;
        }
        if new {
            self.stale.insert(index);
        }
        new
    }

    /// Keeps what the function writes of its callers' frames, as far as it always did. Functions
    /// that are called back may not be called at all.
    fn commit(&mut self, env: &Env<'_>) {
        let is_call = |insn: &Insn| insn.sem() == Sem::Call(Callee::Local);
        let call = self.caller.and_then(|(_, call)| env.cfg.insn(call));
        if !call.is_some_and(is_call) {
            return;
        }
        let entry = self.code.start;
        let outer = 0..self.frames.len() - 1;
        let now = outer.map(|frame| self.slots(entry, frame).certain);
        let wrote = match &self.wrote {
            None => now.collect(),
            Some(before) => now.zip(before).map(|(now, before)| now & before).collect(),
        };
        self.wrote = Some(wrote);
    }

    /// What the function reads and writes of its callers' frames.
    fn touched_of_callers(&self) -> Vec<Touched> {
        let entry = self.code.start;
        let outer = 0..self.frames.len() - 1;
        let wrote = |frame: usize| self.wrote.as_ref()?.get(frame).copied();
        (0u8..)
            .zip(outer)
            .map(|(depth, frame)| Touched {
                depth,
                read: self.slots(entry, frame).live,
                written: wrote(frame).unwrap_or(0),
            })
            .collect()
    }

    /// Notes what the function called at a place reads and writes; says whether that is new.
    fn touch_in_call(&mut self, call: usize, touched: &[Touched]) -> bool {
        let Some(index) = call.checked_sub(self.code.start) else {
            return false;
        };
        let mut new = false;
        for touched in touched {
            let frame = self.frames.get_mut(usize::from(touched.depth));
            if let Some(known) = frame.and_then(|frame| frame.get_mut(index)) {
                new |= known.read | touched.read != known.read
                    || known.written_by_callee != touched.written;
                known.read |= touched.read;
                known.written_by_callee = touched.written;
            }
        }
        if new {
            self.stale.insert(index);
        }
        new
    }

    /// Computes liveness backwards from what is stale, until nothing changes.
    fn refresh(&mut self, env: &Env<'_>) {
        let begin = self.code.start;
        let inside = |to: Option<usize>| to?.checked_sub(begin);
        while let Some(mut here) = self.stale.pop() {
            let [on, jump] = env.cfg.successors(begin + here);
            let mut changed = self.update(env, here, [inside(on), inside(jump)]);
            while changed && here > 0 && env.stops.is_straight(begin + here) {
                here -= 1;
                self.stale.remove(here);
                changed = self.update_straight(here);
            }
            if changed {
                let from = env.before.of(&env.cfg, begin + here);
                let inside = from.filter(|from| self.code.contains(from));
                inside.for_each(|from| self.stale.insert(from - begin));
            }
        }
    }

    /// Computes what is live and certain at one place, by what is at those that execution goes to
    /// from there; says whether that is new.
    fn update(&mut self, env: &Env<'_>, here: usize, next: [Option<usize>; 2]) -> bool {
        let ends_here = may_end(env, self.code.start + here);
        let mut changed = false;
        for frame in &mut self.frames {
            let after = next.map(|to| frame.get(to?).copied());
            let live_after = after.iter().flatten().fold(0, |all, next| all | next.live);
            let certain_after = match after {
                _ if ends_here => 0,
                [None, None] => 0,
                [Some(next), None] | [None, Some(next)] => next.certain,
                [Some(on), Some(jump)] => on.certain & jump.certain,
            };
            if let Some(known) = frame.get_mut(here) {
                changed |= known.update(live_after, certain_after);
            }
        }
        changed
    }

    /// The same at a place from which execution goes to the next and nowhere else.
    fn update_straight(&mut self, here: usize) -> bool {
        let mut changed = false;
        for frame in &mut self.frames {
            if let Some([known, next]) = frame.get_mut(here..here + 2) {
                changed |= known.update(next.live, next.certain);
            }
        }
        changed
    }
}

impl Slots {
    /// Computes what is live and certain before the instruction by what is behind it; says whether
    /// that is new.
    fn update(&mut self, live_after: u64, certain_after: u64) -> bool {
        let written = self.written | self.written_by_callee;
        let live = live_after & !written | self.read;
        let certain = certain_after | written;
        let changed = live != self.live || certain != self.certain;
        self.live = live;
        self.certain = certain;
        changed
    }
}

/// Whether a function may end at an instruction that it also goes on behind: at a tail call.
fn may_end(env: &Env<'_>, slot: usize) -> bool {
    env.cfg.insn(slot).is_some_and(is_tail_call)
}
