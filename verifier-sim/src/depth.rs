//! Chains of calls: at most 8 functions active at once, and at most 512 bytes of stack for
//! all their frames together.
//!
//! Calls count here whether or not any path makes them. Observed on Linux 6.18 with the JIT
//! compiler: a frame takes as many bytes as its function reaches down, rounded up to 16.
//!
//! Read before: `cfg.rs`, `state.rs`. Read next: `explore.rs`.

use crate::cfg::Cfg;
use crate::codes::Code;
use crate::diag::{Checked, Place, Rejection};
use crate::stack::STACK_SIZE;
use crate::state::State;
use crate::tail_call::tail_call_in;
use ebpf_asm::isa::{Callee, Sem};

/// Frames are rounded up to this many bytes.
const FRAME_ALIGN: usize = 16;

/// How deep each function reaches into its frame, in bytes.
#[derive(Debug)]
pub(crate) struct Depths(Vec<Depth>);

#[derive(Debug, Clone, Copy)]
struct Depth {
    function: usize,
    bytes: usize,
    /// Whether a path leads into it.
    entered: bool,
}

/// What the chains of calls from a function on need, with the function itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Chains {
    /// The most bytes of stack.
    bytes: usize,
    /// How many functions the chain with the most bytes has.
    frames: usize,
    /// How many functions the longest chain has.
    longest: usize,
}

impl Chains {
    /// The chains of `own` bytes and then these.
    fn behind(self, own: usize) -> Chains {
        Chains {
            bytes: own + self.bytes,
            frames: 1 + self.frames,
            longest: 1 + self.longest,
        }
    }

    /// The worst of both.
    fn or(self, other: Chains) -> Chains {
        let bytes = match (self.bytes, self.frames) >= (other.bytes, other.frames) {
            true => self,
            false => other,
        };
        Chains {
            longest: self.longest.max(other.longest),
            ..bytes
        }
    }
}

/// What the frames before a function that does tail calls may not reach, in bytes.
const MAX_BEFORE_TAIL_CALL: usize = 256;

/// The longest chain that is allowed.
pub(crate) const MAX_CALL_FRAMES: usize = 8;

impl Depths {
    /// Nothing yet.
    pub(crate) fn new(cfg: &Cfg<'_>) -> Depths {
        let zero = |&function: &usize| Depth {
            function,
            bytes: 0,
            entered: false,
        };
        Depths(cfg.functions().iter().map(zero).collect())
    }

    /// Notes how deep the active functions of a state have gone.
    pub(crate) fn note(&mut self, state: &State) {
        for frame in state.frames() {
            if let Some(depth) = self
                .index(frame.function)
                .and_then(|index| self.0.get_mut(index))
            {
                depth.bytes = depth.bytes.max(frame.stack.depth());
                depth.entered = true;
            }
        }
    }

    /// The index of the function that begins in a slot.
    fn index(&self, function: usize) -> Option<usize> {
        let found = self
            .0
            .binary_search_by_key(&function, |depth| depth.function);
        found.ok()
    }

    /// That no chain of calls is too long or needs too much; gives what the deepest needs. Of
    /// the functions that are called `later` each begins a chain of its own, and continues none
    /// by having its address taken.
    pub(crate) fn check(&self, cfg: &Cfg<'_>, later: &[usize]) -> Checked<usize> {
        let mut known = vec![None; self.0.len()];
        let mut deepest = 0;
        for &first in [0].iter().chain(later) {
            deepest = deepest.max(self.check_chains(cfg, first, later, &mut known)?);
        }
        self.check_tail_calls(cfg)?;
        Ok(deepest)
    }

    /// The same for the chains from one function on.
    fn check_chains(
        &self,
        cfg: &Cfg<'_>,
        first: usize,
        later: &[usize],
        known: &mut [Option<Chains>],
    ) -> Checked<usize> {
        let deepest = self.chains_from(cfg, first, 1, later, known)?;
        if deepest.bytes <= STACK_SIZE as usize {
            return Ok(deepest.bytes);
        }
        let message = format!(
            "combined stack size of {} calls is {}. Too large",
            deepest.frames, deepest.bytes
        );
        Err(Rejection::new(Code::StackDepth, message).label(format!(
            "the frames of a chain of calls together have {STACK_SIZE} bytes"
        )))
    }

    /// What the chains from a function on need, `active` functions being so with it. Each
    /// function is looked at once; those that come back to themselves never end, and are
    /// refused at the ninth.
    fn chains_from(
        &self,
        cfg: &Cfg<'_>,
        function: usize,
        active: usize,
        later: &[usize],
        known: &mut [Option<Chains>],
    ) -> Checked<Chains> {
        let index = self.index(function).unwrap_or(0);
        let found = known.get(index).copied().flatten();
        if active + found.map_or(1, |chains| chains.longest) > MAX_CALL_FRAMES + 1 {
            return Err(too_long());
        }
        if let Some(chains) = found {
            return Ok(chains);
        }
        let own = self.0.get(index).map_or(0, |depth| depth.bytes);
        let mut worst = Chains::default();
        for slot in self.range(cfg, index) {
            let Some(callee) = cfg.named(slot) else {
                continue;
            };
            if later.contains(&callee) {
                if tail_call_in(cfg, cfg.function_range(callee)).is_some() {
                    return Err(tail_call_later(slot));
                }
                if !calls(cfg, slot) {
                    continue;
                }
            }
            worst = worst.or(self.chains_from(cfg, callee, active + 1, later, known)?);
        }
        let chains = worst.behind(own.next_multiple_of(FRAME_ALIGN));
        if let Some(entry) = known.get_mut(index) {
            *entry = Some(chains);
        }
        Ok(chains)
    }
}

impl Depths {
    /// That what is active before a function that does tail calls leaves room for programs
    /// which have no idea of it. The chains of calls are known to end.
    fn check_tail_calls(&self, cfg: &Cfg<'_>) -> Checked {
        let mut before = vec![0; self.0.len()];
        let callers = 0..self.0.len();
        let calls = callers.flat_map(|caller| {
            let callees = self.callees(cfg, caller);
            callees.map(move |callee| (caller, callee))
        });
        let calls: Vec<(usize, usize)> = calls.collect();
        // A function's callers are settled before it after as many rounds as chains are long.
        for _ in 0..MAX_CALL_FRAMES {
            for &(caller, callee) in &calls {
                let above = before.get(caller).copied().unwrap_or(0);
                let own = self.0.get(caller).map_or(0, |depth| depth.bytes);
                if let Some(entry) = before.get_mut(callee) {
                    *entry = (above + own.next_multiple_of(FRAME_ALIGN)).max(*entry);
                }
            }
        }
        for (index, bytes) in before.into_iter().enumerate() {
            if bytes < MAX_BEFORE_TAIL_CALL {
                continue;
            }
            if let Some(slot) = tail_call_in(cfg, self.range(cfg, index)) {
                let message = format!(
                    "tail_calls are not allowed when call stack of previous frames is {bytes} \
                     bytes. Too large"
                );
                let mut refused = Rejection::new(Code::TailCall, message).label(format!(
                    "the functions that are active here take {bytes} bytes of stack"
                ));
                refused.slot = slot;
                return Err(refused);
            }
        }
        Ok(())
    }

    /// That the addresses which are taken of functions lead somewhere. Functions that no path
    /// leads into are taken out; behind them another function may come to stand in their place, or
    /// none, which the kernel takes for a fault of its own (Linux 6.18).
    pub(crate) fn check_addresses(&self, taken: &[(usize, usize)]) -> Checked {
        let entered = || self.0.iter().filter(|depth| depth.entered);
        if entered().count() <= 1 {
            return Ok(());
        }
        let lost = taken
            .iter()
            .find(|(_, function)| entered().all(|depth| depth.function < *function));
        let Some(&(slot, function)) = lost else {
            return Ok(());
        };
        let message = "verifier bug: No program to jit at insn";
        let mut refused = Rejection::new(Code::Callback, message)
            .label("no path leads here, and the function's address is taken")
            .because(Place::at(slot), "it is taken here")
            .help("leave the function out, or let it be called");
        refused.slot = function;
        Err(refused)
    }

    /// The slots of a function.
    fn range(&self, cfg: &Cfg<'_>, index: usize) -> std::ops::Range<usize> {
        let at = |index: usize| self.0.get(index).map(|depth| depth.function);
        at(index).unwrap_or(0)..at(index + 1).unwrap_or(cfg.slot_count())
    }

    /// The indexes of the functions that a function calls.
    fn callees<'c>(&'c self, cfg: &'c Cfg<'_>, caller: usize) -> impl Iterator<Item = usize> + 'c {
        let slots = self.range(cfg, caller);
        slots.filter_map(|slot| self.index(cfg.named(slot)?))
    }
}

/// Whether the instruction that names a function calls it.
fn calls(cfg: &Cfg<'_>, slot: usize) -> bool {
    cfg.insn(slot)
        .is_some_and(|insn| insn.sem() == Sem::Call(Callee::Local))
}

/// A function that is called later does not leave for another program: the kernel takes that
/// for a fault of its own (Linux 6.18), and its first words say so.
fn tail_call_later(slot: usize) -> Box<Rejection> {
    let message = "verifier bug: subprog has tail_call and async cb";
    let mut refused = Rejection::new(Code::TailCall, message)
        .label("this function is called later, and goes on in another program");
    refused.slot = slot;
    refused
}

fn too_long() -> Box<Rejection> {
    let message = format!("the call stack of {MAX_CALL_FRAMES} frames is too deep !");
    Rejection::new(Code::CallDepth, message)
        .label("functions call each other in longer chains, whether or not the calls are made")
}
