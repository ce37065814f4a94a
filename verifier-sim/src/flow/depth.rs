//! Chains of calls: at most 8 functions active at once, and at most 512 bytes of stack for
//! all their frames together.
//!
//! Calls count here whether or not any path makes them. Observed on Linux 6.18 with the JIT
//! compiler: a frame takes as many bytes as its function reaches down, rounded up to 16; and on
//! Linux 6.1, where it takes at least 32.
//!
//! Read before: `cfg.rs`, `value/state.rs`, `fastcall.rs`. Read next: `chains.rs`.

use crate::codes::Code;
use crate::config::Config;
use crate::diag::{Checked, Place, Rejection};
use crate::env::Env;
use crate::flow::cfg::Cfg;
use crate::flow::chains::{Walk, has_private_stacks};
use crate::flow::fastcall::Kept;
use crate::step::machine::not_modelled;
use crate::value::state::State;
use ebpf_asm::isa::KernelVersion;

/// Frames are rounded up to this many bytes, and to twice as many by older kernels: observed on
/// Linux 6.1, 6.12 and 6.18.
fn frame_align(config: &Config) -> usize {
    match config.since((6, 12)) {
        true => 16,
        false => 32,
    }
}

/// Since when a frame that nothing is put into takes nothing: observed on Linux 6.1 and 6.12.
const EMPTY_FRAMES: KernelVersion = (6, 12);

/// How deep each function reaches into its frame, in bytes.
#[derive(Debug)]
pub(crate) struct Depths {
    functions: Vec<Depth>,
    /// What frames are rounded up to, in bytes.
    align: usize,
    /// What each takes at least, before it is rounded up.
    least: usize,
}

#[derive(Debug, Clone, Copy)]
struct Depth {
    function: usize,
    bytes: usize,
    /// Whether a path leads into it.
    entered: bool,
}

/// The longest chain that is allowed.
pub(crate) const MAX_CALL_FRAMES: usize = 8;

/// What to do about a chain that is longer.
pub(crate) fn to_shorten() -> String {
    format!(
        "functions cannot call themselves, and calls go {MAX_CALL_FRAMES} deep at most: inline \
         some, or write a loop"
    )
}

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
            least: usize::from(!config.since(EMPTY_FRAMES)),
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
    pub(super) fn index(&self, function: usize) -> Option<usize> {
        let found = self
            .functions
            .binary_search_by_key(&function, |depth| depth.function);
        found.ok()
    }

    /// That no chain of calls is too long or needs too much; gives what the deepest needs. Of
    /// the functions that are called `later` (so is the one that catches exceptions) each begins a
    /// chain of its own, and continues none by having its address taken.
    pub(crate) fn check(&self, env: &Env<'_>, later: &[usize]) -> Checked<usize> {
        let mut walk = Walk::new(self, &env.cfg, later);
        let mut deepest = 0;
        // As in the kernel, from the last on: the program's own is the last.
        for index in (1..self.functions.len()).rev() {
            if walk.is_later(index) {
                deepest = walk.begin(index)?.bytes.max(deepest);
            }
        }
        if has_private_stacks(env) {
            walk.give_private_stacks();
        }
        deepest = walk.begin(0)?.bytes.max(deepest);
        Ok(deepest)
    }

    /// The bytes that the frame of a function takes.
    pub(super) fn frame(&self, index: usize) -> usize {
        let depth = self.functions.get(index).map_or(0, |depth| depth.bytes);
        depth.max(self.least).next_multiple_of(self.align)
    }

    /// The functions that a function names, and where.
    pub(super) fn named_by<'c>(
        &'c self,
        cfg: &'c Cfg<'_>,
        index: usize,
    ) -> impl Iterator<Item = (usize, usize)> + 'c {
        let slots = self.range(cfg, index);
        slots.filter_map(|slot| Some((slot, cfg.named(slot)?)))
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
    pub(super) fn range(&self, cfg: &Cfg<'_>, index: usize) -> std::ops::Range<usize> {
        let at = |index: usize| self.functions.get(index).map(|depth| depth.function);
        at(index).unwrap_or(0)..at(index + 1).unwrap_or(cfg.slot_count())
    }
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
