//! Chains of calls: at most 8 functions active at once, and at most 512 bytes of stack for
//! all their frames together.
//!
//! Calls count here whether or not any path makes them. Observed on Linux 6.18 with the JIT
//! compiler: a frame takes as many bytes as its function reaches down, rounded up to 16.
//!
//! Programs that trace have *private stacks* since Linux 6.13: what of their functions reaches 64
//! bytes down or more gets memory of its own, and the others are too small to need 512 together.
//! That is for what the program calls and what is called back while it runs, not for what is
//! called later; and not if any function does tail calls.
//!
//! Read before: `cfg.rs`, `value/state.rs`, `fastcall.rs`. Read next: `reach.rs`.

use crate::call::tail_call::tail_call_in;
use crate::codes::Code;
use crate::config::Config;
use crate::diag::{Checked, Place, Rejection};
use crate::env::Env;
use crate::flow::cfg::Cfg;
use crate::flow::fastcall::Kept;
use crate::step::machine::not_modelled;
use crate::value::stack::STACK_SIZE;
use crate::value::state::State;
use ebpf_asm::isa::{Callee, Sem};
use ebpf_asm::prog_type::{AttachType, ProgType};

/// Frames are rounded up to this many bytes, and to twice as many by older kernels: observed on
/// Linux 6.1, 6.12 and 6.18.
fn frame_align(config: &Config) -> usize {
    match config.since((6, 12)) {
        true => 16,
        false => 32,
    }
}

/// How deep each function reaches into its frame, in bytes.
#[derive(Debug)]
pub(crate) struct Depths {
    functions: Vec<Depth>,
    /// What frames are rounded up to, in bytes.
    align: usize,
}

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
    /// How many functions the longest chain has.
    longest: usize,
}

impl Chains {
    /// The chains of `own` bytes and then these.
    fn behind(self, own: usize) -> Chains {
        Chains {
            bytes: own + self.bytes,
            longest: 1 + self.longest,
        }
    }

    /// The worst of both.
    fn or(self, other: Chains) -> Chains {
        Chains {
            bytes: self.bytes.max(other.bytes),
            longest: self.longest.max(other.longest),
        }
    }
}

/// How much a chain may need, in bytes.
const MOST: usize = STACK_SIZE as usize;

/// What the frames before a function that does tail calls may not reach, in bytes.
const MAX_BEFORE_TAIL_CALL: usize = 256;

/// The longest chain that is allowed.
pub(crate) const MAX_CALL_FRAMES: usize = 8;

impl Depths {
    /// Nothing yet.
    pub(crate) fn new(cfg: &Cfg<'_>, config: &Config) -> Depths {
        let zero = |&function: &usize| Depth {
            function,
            bytes: 0,
            entered: false,
        };
        Depths {
            functions: cfg.functions().iter().map(zero).collect(),
            align: frame_align(config),
        }
    }

    /// Notes how deep the active functions of a state have gone.
    pub(crate) fn note(&mut self, state: &State) {
        for frame in state.frames() {
            if let Some(depth) = self
                .index(frame.function)
                .and_then(|index| self.functions.get_mut(index))
            {
                depth.bytes = depth.bytes.max(frame.stack.depth());
                depth.entered = true;
            }
        }
    }

    /// Notes how deep functions go of which something is taken out, whether or not a path leads
    /// into them.
    pub(crate) fn shrink(&mut self, fastcalls: &Kept<'_>) {
        for (function, bytes) in fastcalls.depths() {
            if let Some(depth) = self
                .index(function)
                .and_then(|index| self.functions.get_mut(index))
            {
                depth.bytes = bytes;
            }
        }
    }

    /// Whether a path leads into the function that begins in a slot.
    pub(crate) fn is_entered(&self, function: usize) -> bool {
        let depth = self
            .index(function)
            .and_then(|index| self.functions.get(index));
        depth.is_some_and(|depth| depth.entered)
    }

    /// The index of the function that begins in a slot.
    fn index(&self, function: usize) -> Option<usize> {
        let found = self
            .functions
            .binary_search_by_key(&function, |depth| depth.function);
        found.ok()
    }

    /// That no chain of calls is too long or needs too much; gives what the deepest needs. Of
    /// the functions that are called `later` each begins a chain of its own, and continues none
    /// by having its address taken.
    pub(crate) fn check(&self, env: &Env<'_>, later: &[usize]) -> Checked<usize> {
        let cfg = &env.cfg;
        let mut known = vec![None; self.functions.len()];
        let of_program = self.chains_from(cfg, 0, 1, later, &mut known)?;
        match has_private_stacks(env) {
            true => self.check_private()?,
            false => self.check_bytes(cfg, 0, of_program, later, &known)?,
        }
        let mut deepest = of_program.bytes;
        for &first in later {
            let chains = self.chains_from(cfg, first, 1, later, &mut known)?;
            self.check_bytes(cfg, first, chains, later, &known)?;
            deepest = deepest.max(chains.bytes);
        }
        self.check_tail_calls(cfg)?;
        Ok(deepest)
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
        let mut worst = Chains::default();
        for (slot, callee) in self.named_by(cfg, index) {
            if later.contains(&callee) && tail_call_in(cfg, cfg.function_range(callee)).is_some() {
                return Err(tail_call_later(slot));
            }
            if continues(cfg, (slot, callee), later) {
                worst = worst.or(self.chains_from(cfg, callee, active + 1, later, known)?);
            }
        }
        let chains = worst.behind(self.frame(index));
        if let Some(entry) = known.get_mut(index) {
            *entry = Some(chains);
        }
        Ok(chains)
    }

    /// That the chains from a function on do not need too much. The message has the first
    /// function, in the order of the calls, that there is no room for.
    fn check_bytes(
        &self,
        cfg: &Cfg<'_>,
        function: usize,
        chains: Chains,
        later: &[usize],
        known: &[Option<Chains>],
    ) -> Checked {
        if chains.bytes <= MOST {
            return Ok(());
        }
        let needs = |function: usize| {
            let chains = self.index(function).and_then(|index| *known.get(index)?);
            chains.map_or(0, |chains| chains.bytes)
        };
        let mut index = self.index(function).unwrap_or(0);
        let (mut calls, mut bytes) = (1, self.frame(index));
        let (own, mut parts) = (bytes, Vec::new());
        while bytes <= MOST {
            let too_deep = self.named_by(cfg, index).find(|&(slot, callee)| {
                continues(cfg, (slot, callee), later) && bytes + needs(callee) > MOST
            });
            let called = too_deep.and_then(|(slot, callee)| Some((slot, self.index(callee)?)));
            let Some((slot, next)) = called else {
                break;
            };
            let frame = self.frame(next);
            parts.push((slot, format!("the function named here has {frame} more")));
            (index, calls, bytes) = (next, calls + 1, bytes + self.frame(next));
        }
        let message = format!("combined stack size of {calls} calls is {bytes}. Too large");
        let refused = Rejection::new(Code::StackDepth, message)
            .label(format!(
                "has a frame of {own} bytes; those of a chain of calls have {MOST} at most together"
            ))
            .help("keep what is large in a map, as in the value of a percpu_array");
        Err(parts.into_iter().fold(refused, |refused, (slot, part)| {
            refused.because(Place::at(slot), part)
        }))
    }

    /// That each function has room on a stack of its own.
    fn check_private(&self) -> Checked {
        let mut frames = (0..self.functions.len()).map(|index| (index, self.frame(index)));
        let Some((index, bytes)) = frames.find(|(_, bytes)| *bytes > MOST) else {
            return Ok(());
        };
        let message = format!("stack size of subprog {index} is {bytes}. Too large");
        Err(Rejection::new(Code::StackDepth, message)
            .label(format!("a function has {MOST} bytes of stack")))
    }

    /// The bytes that the frame of a function takes.
    fn frame(&self, index: usize) -> usize {
        let depth = self.functions.get(index).map_or(0, |depth| depth.bytes);
        depth.next_multiple_of(self.align)
    }

    /// The functions that a function names, and where.
    fn named_by<'c>(
        &'c self,
        cfg: &'c Cfg<'_>,
        index: usize,
    ) -> impl Iterator<Item = (usize, usize)> + 'c {
        let slots = self.range(cfg, index);
        slots.filter_map(|slot| Some((slot, cfg.named(slot)?)))
    }
}

impl Depths {
    /// That what is active before a function that does tail calls leaves room for programs
    /// which have no idea of it. The chains of calls are known to end.
    fn check_tail_calls(&self, cfg: &Cfg<'_>) -> Checked {
        let mut before = vec![0; self.functions.len()];
        let callers = 0..self.functions.len();
        let calls = callers.flat_map(|caller| {
            let callees = self.callees(cfg, caller);
            callees.map(move |callee| (caller, callee))
        });
        let calls: Vec<(usize, usize)> = calls.collect();
        // A function's callers are settled before it after as many rounds as chains are long.
        for _ in 0..MAX_CALL_FRAMES {
            for &(caller, callee) in &calls {
                let above = before.get(caller).copied().unwrap_or(0);
                if let Some(entry) = before.get_mut(callee) {
                    *entry = (above + self.frame(caller)).max(*entry);
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

    /// That the addresses which are taken of functions lead somewhere. What no path leads to is
    /// taken out, run by run; then another function may stand where a run began, to which
    /// addresses from before it lead on. Others lead nowhere, which the kernel takes for a fault
    /// of its own (Linux 6.18); not so if the program is the only function that is left. What
    /// `throws` has another function of the kernel's making. `seen` says where paths lead.
    pub(crate) fn check_addresses(
        &self,
        taken: &[(usize, usize)],
        throws: bool,
        seen: impl Fn(usize) -> bool,
    ) -> Checked {
        let entered = || self.functions.iter().filter(|depth| depth.entered);
        if entered().count() <= 1 && !throws {
            return Ok(());
        }
        let leads = |&&(_, function): &&(usize, usize)| {
            let begins_run = function.checked_sub(1).is_none_or(&seen);
            let another = entered().any(|depth| depth.function > function);
            self.is_entered(function) || (begins_run && another)
        };
        let Some(&(slot, function)) = taken.iter().find(|one| !leads(one)) else {
            return Ok(());
        };
        let message = format!("verifier bug: No program to jit at insn {function} (subprog < 0)");
        let mut refused = Rejection::new(Code::Callback, message)
            .label("no path leads here, and the function's address is taken")
            .because(Place::at(slot), "it is taken here")
            .help("leave the function out, or let it be called");
        refused.slot = function;
        Err(refused)
    }

    /// That no function before the one which `catches` exceptions is taken out because no path
    /// leads to it: then the kernel finds another function there, or none (Linux 6.18).
    pub(crate) fn check_catcher(&self, catches: Option<usize>) -> Checked {
        let Some(catches) = catches else {
            return Ok(());
        };
        let mut before = self.functions.iter();
        let Some(taken_out) = before.find(|depth| !depth.entered && depth.function < catches)
        else {
            return Ok(());
        };
        let mut refused = not_modelled("an exception callback behind a function that is taken out")
            .because(Place::at(catches), "this catches exceptions")
            .help("leave the function out, or put it behind");
        refused.slot = taken_out.function;
        Err(refused)
    }

    /// The slots of a function.
    fn range(&self, cfg: &Cfg<'_>, index: usize) -> std::ops::Range<usize> {
        let at = |index: usize| self.functions.get(index).map(|depth| depth.function);
        at(index).unwrap_or(0)..at(index + 1).unwrap_or(cfg.slot_count())
    }

    /// The indexes of the functions that a function calls.
    fn callees<'c>(&'c self, cfg: &'c Cfg<'_>, caller: usize) -> impl Iterator<Item = usize> + 'c {
        let named = self.named_by(cfg, caller);
        named.filter_map(|(_, callee)| self.index(callee))
    }
}

/// Whether deep frames of the program's functions are not on the stack of its thread. Observed on
/// Linux 6.18; since when, from the kernel's history.
fn has_private_stacks(env: &Env<'_>) -> bool {
    let traces = match env.program.prog_type {
        ProgType::Kprobe | ProgType::Tracepoint | ProgType::RawTracepoint | ProgType::PerfEvent => {
            true
        }
        ProgType::Tracing => env.program.expected_attach_type != Some(AttachType::TraceIter),
        _ => false,
    };
    let tail_call = || tail_call_in(&env.cfg, 0..env.cfg.slot_count());
    traces && env.config.since((6, 13)) && tail_call().is_none()
}

/// Whether a chain goes on from a slot to the function that is named there: not if that is
/// called later, and its address is taken.
fn continues(cfg: &Cfg<'_>, (slot, named): (usize, usize), later: &[usize]) -> bool {
    !later.contains(&named) || calls(cfg, slot)
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

#[cfg(test)]
mod tests {
    use crate::{Code, Config, verify};
    use ebpf_asm::text::parse;

    /// A program that catches exceptions, and whose other function no path leads to.
    fn with_functions(functions: &str) -> Option<Code> {
        let text = format!(
            ".prog sched_cls program type_id=5\n r0 = 0\n if r0 == 0 goto out\n call lost\nout:\n \
             exit\n{functions}.btf\n\
             [1] INT 'int' size=4 encoding=SIGNED\n\
             [2] INT 'unsigned long long' size=8\n\
             [3] FUNC_PROTO '(anon)' ret_type_id=1\n\
             [4] FUNC_PROTO '(anon)' ret_type_id=1\n        'cookie' type_id=2\n\
             [5] FUNC 'program' type_id=3 linkage=global\n\
             [6] FUNC 'lost' type_id=3 linkage=static\n\
             [7] FUNC 'catches' type_id=4 linkage=global\n\
             [8] DECL_TAG 'exception_callback:catches' type_id=5 component_idx=-1\n"
        );
        let object = parse("catches", &text).unwrap();
        let verdict = verify(&object, &object.programs[0], &Config::default());
        verdict.rejection().map(|why| why.code)
    }

    #[test]
    fn what_is_taken_out_before_the_catcher_is_in_doubt() {
        let lost = ".func lost type_id=6\n r0 = 1\n exit\n";
        let catches = ".func catches type_id=7\n r0 = 2\n exit\n";
        assert_eq!(with_functions(&[catches, lost].concat()), None);
        let in_doubt = Some(Code::NotModelled);
        assert_eq!(with_functions(&[lost, catches].concat()), in_doubt);
    }
}
