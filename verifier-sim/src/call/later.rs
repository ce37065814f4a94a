//! Functions of the program that are called later, on their own: by a timer, or a work queue.
//!
//! Nothing of the program's state is left when they run. So each is followed from its beginning
//! with a stack of its own, as often as a path sets it. It is handed the map, a key and the
//! value that the timer is in, and returns 0.
//!
//! Described in bpf-helpers(7), `bpf_timer_set_callback`; as observed on Linux 6.18.
//!
//! Read before: `callback.rs`. Read next: `path/explore.rs`.

use crate::call::argument::Arguments;
use crate::call::invoke::ARGUMENTS;
use crate::call::returns::found;
use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::flow::registers::RegSet;
use crate::step::machine::{Flow, Machine, not_modelled};
use crate::value::reg::{Kind, RegState};
use crate::value::state::{Entered, State};
use ebpf_asm::insn::Reg;
use std::ops::RangeInclusive;

/// How a function is called later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CalledBy {
    /// A timer, whose callback must not sleep.
    Timer,
    /// A work queue, whose callback may sleep.
    Workqueue,
    /// A task on its way to user space: the callback may sleep, and return what it likes.
    Task,
}

impl CalledBy {
    /// What the function may return.
    fn results(self) -> RangeInclusive<i64> {
        match self {
            CalledBy::Timer | CalledBy::Workqueue => 0..=0,
            CalledBy::Task => i64::from(i32::MIN)..=i64::from(i32::MAX),
        }
    }
}

impl Machine<'_, '_> {
    /// `bpf_timer_set_callback`, whose arguments are checked.
    pub(crate) fn set_timer(&mut self, next: usize, arguments: &Arguments<'_>) -> Checked<Flow> {
        let (Some(function), Some(map)) = (arguments.callback, arguments.map_index) else {
            return Err(not_modelled("a timer without function"));
        };
        let state = self.entered_later(function, map, CalledBy::Timer);
        Ok(Flow::Later {
            next,
            function,
            state,
        })
    }

    /// The state at the beginning of a function that is called later for a field of a map's
    /// values.
    pub(crate) fn entered_later(&mut self, function: usize, map: u32, by: CalledBy) -> Box<State> {
        let mut state = Box::new(State::entry(function));
        state.in_sleepable = by != CalledBy::Timer;
        let before = match self.state.frame().entered {
            Entered::Later { entries, .. } => entries,
            Entered::Call | Entered::Callback(_) => 0,
        };
        state.frame_mut().entered = Entered::Later {
            results: by.results(),
            entries: before.saturating_add(1),
        };
        let handed = [Kind::Map(map), Kind::MapKey(map), Kind::MapValue(map)];
        for (reg, kind) in ARGUMENTS.into_iter().zip(handed) {
            state.set_reg(reg, RegState::pointer(kind).made(self.here()));
        }
        self.notes.later.push(function);
        state
    }

    /// The end of a function that was called later, which may return one of these results.
    pub(crate) fn exit_later(&mut self, results: &RangeInclusive<i64>) -> Checked<Flow> {
        let result = *self.read_reg(Reg::R0)?;
        self.check_leak(Reg::R0, &result, "leaks addr as return value")?;
        self.check_later_result(Reg::R0, &result, results)?;
        Ok(Flow::End)
    }

    /// That the number in a register, with which such a function ends, is one of its results.
    pub(crate) fn check_later_result(
        &mut self,
        reg: Reg,
        result: &RegState,
        results: &RangeInclusive<i64>,
    ) -> Checked {
        self.need(reg);
        let range = result.scalar.bounds.s64;
        let inside = results.contains(&range.min) && results.contains(&range.max);
        if result.is_scalar() && inside {
            return Ok(());
        }
        let (least, most) = (results.start(), results.end());
        let (number, what) = (reg.number(), found(result));
        let wanted = match result.is_scalar() {
            true => format!(" should have been in [{least}, {most}]"),
            false => String::new(),
        };
        let message = format!("At async callback return the register R{number} {what}{wanted}");
        Err(Rejection::new(Code::CallbackResult, message)
            .label("is no result for a function that is called later")
            .because(result.origin.made, "the result comes from here")
            .help("return 0"))
    }
}

/// That nothing is needed of what a function that is called later was handed: pointers, which the
/// kernel asks for where it goes back from a number that was made of them to the beginning. It takes
/// that for a fault of its own (Linux 6.18).
pub(crate) fn check_handed(state: &State, at_beginning: RegSet) -> Checked {
    let first = state.frame_of(0);
    let is_later = first.is_some_and(|first| matches!(first.entered, Entered::Later { .. }));
    let handed = at_beginning.iter().filter(|reg| ARGUMENTS.contains(reg));
    let regs = handed.fold(0u16, |regs, reg| regs | 1 << reg.number());
    if !is_later || regs == 0 {
        return Ok(());
    }
    let message = format!("verifier bug: backtracking call unexpected regs {regs:x}");
    Err(Rejection::new(Code::ArgumentType, message)
        .label("what is checked here was made of a pointer that the function was handed")
        .help("make no number of the difference of such pointers, and compare none with one"))
}
