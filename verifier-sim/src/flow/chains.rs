//! The chains of calls from a function on, followed in the kernel's order: the first that is too
//! long, or needs more stack than there is, is what it names.
//!
//! Programs that trace have *private stacks* since Linux 6.13: each of their functions whose frame
//! has 64 bytes or more gets memory of its own, as long as none does tail calls. But functions that
//! are called later, or catch exceptions, are on the stack of whatever is interrupted; what these
//! call is there too, also when the program calls it (observed on Linux 6.18).
//!
//! Read before: `depth.rs`. Read next: `reach.rs`.

use crate::call::tail_call::tail_call_in;
use crate::codes::Code;
use crate::diag::{Checked, Place, Rejection};
use crate::env::Env;
use crate::flow::cfg::Cfg;
use crate::flow::depth::{Depths, MAX_CALL_FRAMES, to_shorten};
use crate::value::stack::STACK_SIZE;
use ebpf_asm::isa::{Callee, Sem};
use ebpf_asm::prog_type::{AttachType, ProgType};

/// How much a chain may need, in bytes.
const MOST: usize = STACK_SIZE as usize;

/// What the frames before a function that does tail calls may not reach, in bytes: the programs
/// which they lead to have no idea of them.
const MAX_BEFORE_TAIL_CALL: usize = 256;

/// From how many bytes on a function gets a stack of its own.
const LEAST_PRIVATE: usize = 64;

/// What the chains of calls from a function on need, with the function itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Chains {
    /// The most bytes of all frames.
    pub(super) bytes: usize,
    /// The most bytes of those frames that are on one stack.
    together: usize,
    /// The most bytes of those before a function that does tail calls, if there is one.
    before_tail_call: Option<usize>,
    /// How many functions the longest chain has.
    longest: usize,
}

impl Chains {
    /// These chains behind `first`, those of a function alone.
    fn behind(self, first: Chains) -> Chains {
        let before = self.before_tail_call.map(|bytes| first.together + bytes);
        Chains {
            bytes: first.bytes + self.bytes,
            together: first.together + self.together,
            before_tail_call: first.before_tail_call.max(before),
            longest: first.longest + self.longest,
        }
    }

    /// The worst of both.
    fn or(self, other: Chains) -> Chains {
        Chains {
            bytes: self.bytes.max(other.bytes),
            together: self.together.max(other.together),
            before_tail_call: self.before_tail_call.max(other.before_tail_call),
            longest: self.longest.max(other.longest),
        }
    }
}

/// Where the frame of a function is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stack {
    /// With those of its callers, for all that is known.
    Any,
    /// With those of its callers.
    Shared,
    /// On its own.
    Private,
}

/// A walk through chains of calls. A function is followed once, and again only where its chains do
/// not fit any more, to find what is too much. Those that come back to themselves never end, and
/// are refused at the ninth.
pub(super) struct Walk<'w> {
    depths: &'w Depths,
    cfg: &'w Cfg<'w>,
    /// The functions that begin chains besides the program, by their slots.
    later: &'w [usize],
    stacks: Vec<Stack>,
    /// What the chains from each function on need that was followed to all ends.
    known: Vec<Option<Chains>>,
    /// The functions that are active, by their indexes, and where each is named.
    active: Vec<(usize, usize)>,
    /// Whether it is the program that is followed, and has private stacks.
    gives_stacks: bool,
}

impl<'w> Walk<'w> {
    pub(super) fn new(depths: &'w Depths, cfg: &'w Cfg<'w>, later: &'w [usize]) -> Walk<'w> {
        Walk {
            depths,
            cfg,
            later,
            stacks: vec![Stack::Any; cfg.functions().len()],
            known: vec![None; cfg.functions().len()],
            active: Vec::new(),
            gives_stacks: false,
        }
    }

    /// Whether a function begins chains of its own.
    pub(super) fn is_later(&self, index: usize) -> bool {
        let function = self.depths.range(self.cfg, index).start;
        self.later.contains(&function)
    }

    /// Gives stacks of their own to all functions that are big enough and can have them.
    pub(super) fn give_private_stacks(&mut self) {
        for (index, stack) in self.stacks.iter_mut().enumerate() {
            if *stack == Stack::Any && self.depths.frame(index) >= LEAST_PRIVATE {
                *stack = Stack::Private;
            }
        }
        self.known.fill(None);
        self.gives_stacks = true;
    }

    /// What the chains need that begin with a function.
    pub(super) fn begin(&mut self, index: usize) -> Checked<Chains> {
        self.active = vec![(self.depths.range(self.cfg, index).start, index)];
        self.follow(index, 0)
    }

    /// What the chains from a function on need, behind active ones that take `above` bytes.
    fn follow(&mut self, index: usize, above: usize) -> Checked<Chains> {
        let (depths, cfg) = (self.depths, self.cfg);
        let tail_call = tail_call_in(cfg, depths.range(cfg, index));
        if let Some(slot) = tail_call.filter(|_| above >= MAX_BEFORE_TAIL_CALL) {
            return Err(too_large_for_tail_call(slot, above));
        }
        let first = Chains {
            bytes: depths.frame(index),
            together: self.shared_frame(index).unwrap_or(0),
            before_tail_call: tail_call.map(|_| 0),
            longest: 1,
        };
        let bytes = above + first.together;
        match (self.stacks.get(index), first.bytes) {
            // Also a frame that is wholly its own has an end.
            (Some(Stack::Private), frame) if frame > MOST => {
                return Err(frame_too_large(index, frame));
            }
            _ if bytes > MOST => return Err(self.too_large(bytes)),
            _ => {}
        }
        let mut worst = Chains::default();
        for (slot, function) in depths.named_by(cfg, index) {
            let Some(callee) = depths.index(function) else {
                continue;
            };
            let later = self.is_later(callee);
            if later && tail_call_in(cfg, depths.range(cfg, callee)).is_some() {
                return Err(tail_call_later(slot));
            }
            // Of what is called later only the address is taken, mostly.
            if !later || calls(cfg, slot) {
                worst = worst.or(self.call(slot, callee, bytes)?);
            }
        }
        let chains = worst.behind(first);
        if let Some(entry) = self.known.get_mut(index) {
            *entry = Some(chains);
        }
        Ok(chains)
    }

    fn call(&mut self, slot: usize, callee: usize, above: usize) -> Checked<Chains> {
        if let Some(stack) = self.stacks.get_mut(callee).filter(|_| !self.gives_stacks) {
            *stack = Stack::Shared;
        }
        let active = self.active.len();
        if active >= MAX_CALL_FRAMES {
            return Err(too_long());
        }
        let known = self.known.get(callee).copied().flatten();
        let fits = |chains: &Chains| {
            let before = chains.before_tail_call.map(|bytes| above + bytes);
            active + chains.longest <= MAX_CALL_FRAMES
                && above + chains.together <= MOST
                && before.is_none_or(|bytes| bytes < MAX_BEFORE_TAIL_CALL)
        };
        if let Some(chains) = known.filter(fits) {
            return Ok(chains);
        }
        self.active.push((slot, callee));
        let chains = self.follow(callee, above)?;
        self.active.pop();
        Ok(chains)
    }

    /// The bytes of the frame of a function, if it is with those of its callers.
    fn shared_frame(&self, index: usize) -> Option<usize> {
        match self.stacks.get(index) {
            Some(Stack::Private) => None,
            _ => Some(self.depths.frame(index)),
        }
    }

    /// That there is no room for the last of the active functions.
    fn too_large(&self, bytes: usize) -> Box<Rejection> {
        let calls = self.active.len();
        let message = format!("combined stack size of {calls} calls is {bytes}. Too large");
        let refused = Rejection::new(Code::StackDepth, message)
            .help("keep what is large in a map, as in the value of a percpu_array");
        let Some((&(begin, first), others)) = self.active.split_first() else {
            return refused;
        };
        let has = match self.shared_frame(first) {
            Some(frame) => format!("has a frame of {frame} bytes"),
            None => "has a stack of its own".to_owned(),
        };
        let mut refused = refused.label(format!(
            "{has}; those of a chain of calls have {MOST} at most together"
        ));
        refused.slot = begin;
        others.iter().fold(refused, |refused, &(slot, index)| {
            let part = match self.shared_frame(index) {
                Some(frame) => format!("the function named here has {frame} more"),
                None => "the function named here has a stack of its own".to_owned(),
            };
            refused.because(Place::at(slot), part)
        })
    }
}

/// Whether deep frames of the program's functions are not on the stack of its thread. Observed on
/// Linux 6.18; since when, from the kernel's history.
pub(super) fn has_private_stacks(env: &Env<'_>) -> bool {
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
        .label("this function is called later, and goes on in another program")
        .help("do the tail call in the program itself");
    refused.slot = slot;
    refused
}

fn frame_too_large(index: usize, bytes: usize) -> Box<Rejection> {
    let message = format!("stack size of subprog {index} is {bytes}. Too large");
    Rejection::new(Code::StackDepth, message)
        .label(format!("a function has {MOST} bytes of stack"))
        .help("keep what is large in a map, as in the value of a percpu_array")
}

fn too_large_for_tail_call(slot: usize, bytes: usize) -> Box<Rejection> {
    let message = format!(
        "tail_calls are not allowed when call stack of previous frames is {bytes} bytes. Too large"
    );
    let mut refused = Rejection::new(Code::TailCall, message).label(format!(
        "the functions that are active here take {bytes} bytes of stack"
    ))
    .help(
        "256 bytes are allowed before a tail call: do it in the program itself, or keep what is \
         large in a map",
    );
    refused.slot = slot;
    refused
}

fn too_long() -> Box<Rejection> {
    let message = format!("the call stack of {MAX_CALL_FRAMES} frames is too deep !");
    Rejection::new(Code::CallDepth, message)
        .label("functions call each other in longer chains, whether or not the calls are made")
        .help(to_shorten())
}
