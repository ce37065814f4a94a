//! Callbacks: functions of the program that a helper calls, any number of times.
//!
//! `bpf_loop` and its like take the address of a function. A call of such a helper goes two
//! ways: on behind it, as if the function had been called often enough, and into the function.
//! Where that ends, execution is back at the call, with everything that the function has
//! changed outside of it; `flow/rounds.rs` says when that has an end.
//!
//! Described in bpf-helpers(7); what callbacks are handed and may return was observed on Linux
//! 6.18.
//!
//! Read before: `argument/mod.rs`. Read next: `later.rs`.

use crate::call::argument::Arguments;
use crate::call::invoke::ARGUMENTS;
use crate::call::returns::found;
use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::memory::region::{FixedOffset, changed_pointer};
use crate::path::notes::LoopCall;
use crate::step::alu::describe;
use crate::step::machine::{Machine, not_modelled};
use crate::value::btf_ptr::{BtfPtr, Marks};
use crate::value::reg::{Kind, RegState};
use crate::value::state::{Entered, Frame, State};
use ebpf_asm::btf::Linkage;
use ebpf_asm::helper::{CallbackOf, DynptrType};
use ebpf_asm::insn::{Insn, Reg};
use ebpf_asm::isa::KernelVersion;
use std::ops::RangeInclusive;

/// To go on, or to stop.
const GO_ON_OR_STOP: RangeInclusive<i64> = 0..=1;

/// Since when a function is not followed that is called no time: Linux 6.1 follows it, 6.12 does not.
const NO_ROUND: KernelVersion = (6, 12);

impl Machine<'_, '_> {
    /// The address of a function of the program: one with a type, which nobody else can call.
    pub(crate) fn function_address(&mut self, insn: &Insn) -> Checked<RegState> {
        let slot = self.target(insn)?;
        let function = self.env.program.functions.iter().find(|f| f.slot == slot);
        let Some(function) = function.filter(|function| function.type_id.is_some()) else {
            return Err(Rejection::new(Code::Callback, "missing btf func_info")
                .label("takes the address of a function whose type is not known")
                .help("compile with -g, so that the object has BTF"));
        };
        if function.linkage != Linkage::Static {
            return Err(
                Rejection::new(Code::Callback, "callback function not static")
                    .label(format!("'{}' is global", function.name))
                    .help("declare the function static"),
            );
        }
        let taken = (self.slot, slot);
        if !self.notes.addresses.contains(&taken) {
            self.notes.addresses.push(taken);
        }
        let slot = u32::try_from(slot).map_err(|_| not_modelled("so many instructions"))?;
        Ok(RegState::pointer(Kind::Func(slot)))
    }

    /// The state in the function that a helper is about to call, if it calls it once more.
    pub(crate) fn callback(
        &mut self,
        callback: CallbackOf,
        arguments: &Arguments<'_>,
    ) -> Checked<Option<Box<State>>> {
        let function = arguments.callback;
        let function = function.ok_or_else(|| not_modelled("a callback without function"))?;
        let rounds = self.state.frame().called_back;
        if callback == CallbackOf::Loop {
            self.need_flags(function);
            let most = *self.state.reg(Reg::R1);
            if !most.is_scalar() {
                return Err(no_number_of_rounds(&most));
            }
            self.need(Reg::R1);
            let least = u64::from(!self.env.config.since(NO_ROUND));
            let most = self.state.reg(Reg::R1).scalar.bounds.u64.max.max(least);
            if u64::from(rounds) >= most {
                self.state.frame_mut().called_back = 0;
                return Ok(None);
            }
        }
        let handed = self.handed(callback, arguments)?;
        self.called_back(function, handed).map(Some)
    }

    /// That the flags of a loop are 0 matters as long as the kernel can write the loop out in the
    /// place of the call: it does if they are always, and the function is always the same. As
    /// observed on Linux 6.18.
    fn need_flags(&mut self, function: usize) {
        let slot = self.slot;
        let known = self.notes.loops.iter().position(|call| call.slot == slot);
        let before = known.and_then(|at| self.notes.loops.get(at));
        if before.is_some_and(|call| call.written_out.is_none()) {
            return;
        }
        let same = before.is_none_or(|call| call.written_out == Some(function));
        let flagless = self.state.reg(Reg::R4).as_constant() == Some(0);
        if flagless {
            self.need(Reg::R4);
        }
        let now = LoopCall {
            slot,
            written_out: (flagless && same).then_some(function),
        };
        match known.and_then(|at| self.notes.loops.get_mut(at)) {
            Some(entry) => *entry = now,
            None => self.notes.loops.push(now),
        }
    }

    /// The state in a function that is called back with these arguments.
    pub(crate) fn called_back(
        &mut self,
        function: usize,
        handed: [RegState; 5],
    ) -> Checked<Box<State>> {
        self.check_depth()?;
        if !self.notes.called_back.contains(&function) {
            self.notes.called_back.push(function);
        }
        let mut inside = Box::new(self.state.clone());
        inside.callbacks += 1;
        inside.frame_mut().called_back += 1;
        let mut frame = Frame::new(self.state.depth() + 1, function, self.slot);
        frame.entered = Entered::Callback(GO_ON_OR_STOP);
        for (reg, value) in ARGUMENTS.into_iter().zip(handed) {
            if let Some(entry) = frame.regs.get_mut(reg.index()) {
                *entry = value.into();
            }
        }
        inside.push(frame);
        self.state.frame_mut().called_back = 0;
        Ok(inside)
    }

    /// What a callback finds in R1 to R5.
    fn handed(
        &mut self,
        callback: CallbackOf,
        arguments: &Arguments<'_>,
    ) -> Checked<[RegState; 5]> {
        let nothing = RegState::NOT_INIT;
        let (handed_on, first) = (*self.state.reg(Reg::R3), *self.state.reg(Reg::R1));
        let place = self.here();
        let made = |value: RegState| value.made(place);
        Ok(match callback {
            CallbackOf::Loop => [
                made(RegState::unknown()),
                handed_on,
                nothing,
                nothing,
                nothing,
            ],
            CallbackOf::UserRecord => {
                let mut record = made(RegState::pointer(Kind::Dynptr(DynptrType::Local)));
                record.id = self.new_id();
                [record, handed_on, nothing, nothing, nothing]
            }
            CallbackOf::MapElem => {
                let map = arguments.map_index;
                let map = map.ok_or_else(|| not_modelled("elements without map"))?;
                [
                    first,
                    made(RegState::pointer(Kind::MapKey(map))),
                    made(RegState::pointer(Kind::MapValue(map))),
                    handed_on,
                    nothing,
                ]
            }
            CallbackOf::MemoryArea => {
                let (task, handed_on) = (first, *self.state.reg(Reg::R4));
                let area = self.env.kernel.record("vm_area_struct");
                let area = area.ok_or_else(|| not_modelled("structures named vm_area_struct"))?;
                let area = BtfPtr::kernel(area, Marks::NONE);
                let area = made(RegState::pointer(Kind::Btf(area)));
                [task, area, handed_on, nothing, nothing]
            }
        })
    }

    /// That R0, which a callback returns here, is one of the results that its helper knows.
    pub(crate) fn check_callback_result(
        &mut self,
        result: &RegState,
        allowed: &RangeInclusive<i64>,
    ) -> Checked {
        if !result.is_scalar() {
            return Err(
                Rejection::new(Code::CallbackResult, "R0 not a scalar value")
                    .label(format!("a callback returns '{}'", result.type_name()))
                    .because(result.origin.made, "the result comes from here")
                    .help("return a number"),
            );
        }
        self.need(Reg::R0);
        let range = result.scalar.bounds.s64;
        if allowed.contains(&range.min) && allowed.contains(&range.max) {
            return Ok(());
        }
        let (least, most) = (allowed.start(), allowed.end());
        let message = format!(
            "At callback return the register R0 {} should have been in [{least}, {most}]",
            found(result)
        );
        Err(Rejection::new(Code::CallbackResult, message)
            .label(format!("R0 is {}", describe(&result.scalar)))
            .because(result.origin.made, "the result comes from here")
            .help("return 0 to go on, or 1 to stop"))
    }
}

/// The kernel takes a pointer there for a fault of its own (Linux 6.18), and its first words say
/// so.
fn no_number_of_rounds(most: &RegState) -> Box<Rejection> {
    let held = most.in_words();
    Rejection::new(Code::ArgumentType, "verifier bug: backtracking misuse")
        .label(format!("R1 is {held}, and not how often to call back"))
        .because(most.origin.made, "R1 is made here")
        .help("hand over how often in R1, the function in R2, its context in R3 and 0 in R4")
}

/// The function that a register holds the address of, by its first slot.
pub(crate) fn function(value: &RegState) -> Option<usize> {
    match value.kind {
        Kind::Func(function) => usize::try_from(function).ok(),
        _ => None,
    }
}

/// That the address of a function is that of its beginning.
pub(crate) fn check_whole_function(reg: Reg, value: &RegState) -> Checked {
    let Some(message) = changed_pointer(reg, value, FixedOffset::Refused) else {
        return Ok(());
    };
    Err(Rejection::new(Code::Callback, message)
        .label("is not the beginning of the function")
        .because(value.origin.made, "the address is made here")
        .help("hand over the function as it is named"))
}
