//! Kernel functions that have a function of the program called later: by a work queue, or in a
//! task.
//!
//! Messages as observed on Linux 6.18.
//!
//! Read before: `call/later.rs`, `kfunc/argument.rs`. Read next: `kfunc/object.rs`.

use super::Kfunc;
use super::argument::{Found, Passed};
use super::table::Does;
use crate::call::callback::{check_whole_function, function};
use crate::codes::Code;
use crate::diag::{Checked, Rejection};
use crate::step::machine::{Flow, Machine, not_modelled};
use crate::types::special::SpecialKind;
use crate::value::reg::{Kind, RegState};
use ebpf_asm::insn::Reg;

impl<'a> Machine<'_, 'a> {
    /// That a register points to the work queue, or to the work for a task, of a map's value.
    pub(super) fn check_work(
        &self,
        passed: Passed,
        kind: SpecialKind,
        found: &mut Found<'a>,
    ) -> Checked {
        let Passed { index, reg, value } = passed;
        let Kind::MapValue(map) = value.kind else {
            return Err(no_map_value(index, reg, &value));
        };
        if value.may_be_null() {
            return Err(no_map_value(index, reg, &value));
        }
        self.check_special_place(reg, &value, kind)?;
        found.plain.map_index = Some(map);
        found.plain.map_uid = value.map_uid;
        Ok(())
    }

    /// That a register holds a map, and the one that an argument before points into.
    pub(super) fn check_kfunc_map(&self, passed: Passed, found: &mut Found<'a>) -> Checked {
        let Passed { reg, value, .. } = passed;
        let number = reg.number();
        let Kind::Map(map) = value.kind else {
            let message = format!("pointer in R{number} isn't map pointer");
            return Err(Rejection::new(Code::ArgumentType, message)
                .label(format!("R{number} is {}", value.in_words()))
                .help("hand over the map in whose value the field is (&map in C)"));
        };
        let Some(first) = found.plain.map_index else {
            // Nothing that the map could be compared with.
            return Ok(());
        };
        let specials = self.specials(map)?;
        if specials.is_empty() {
            return Err(not_modelled("a map without special fields here"));
        }
        let later =
            |kind: SpecialKind| matches!(kind, SpecialKind::Workqueue | SpecialKind::TaskWork);
        // The kernel compares only maps that have such a field themselves.
        let compared = specials.iter().any(|special| later(special.kind));
        let same = (map, value.map_uid) == (first, found.plain.map_uid);
        if same || !compared {
            return Ok(());
        }
        // The kernel's words are of the fields that this map has, not of the call.
        let has_tasks = specials
            .iter()
            .any(|special| special.kind == SpecialKind::TaskWork);
        let (what, field, with) = match has_tasks {
            true => ("bpf_task_work", 2, 3),
            false => ("workqueue", 1, 2),
        };
        let message = format!(
            "{what} pointer in R{field} map_uid={} doesn't match map pointer in R{with} map_uid={}",
            found.plain.map_uid, value.map_uid
        );
        Err(Rejection::new(Code::SpecialField, message)
            .label("is another map than the one that the field is in")
            .help("hand over the map in whose value the field is"))
    }

    /// That a register holds the address of a function.
    pub(super) fn check_kfunc_callback(&self, passed: Passed, found: &mut Found<'a>) -> Checked {
        let Passed { index, reg, value } = passed;
        found.plain.callback = function(&value);
        if found.plain.callback.is_none() {
            let message = format!("arg{index} expected pointer to func");
            return Err(Rejection::new(Code::Callback, message)
                .label(format!("R{} is {}", reg.number(), value.in_words()))
                .help("hand over a static function of the program, to be called later"));
        }
        check_whole_function(reg, &value)
    }

    /// The state at the beginning of what a call has called later, if it has something.
    pub(super) fn called_later(
        &mut self,
        kfunc: &Kfunc<'a>,
        found: &Found<'a>,
        next: usize,
    ) -> Checked<Option<Flow>> {
        let Some(Does::CallsLater(by)) = kfunc.row.does else {
            return Ok(None);
        };
        let (Some(function), Some(map)) = (found.plain.callback, found.plain.map_index) else {
            return Err(not_modelled("a call later of no function"));
        };
        let state = self.entered_later(function, map, by);
        Ok(Some(Flow::Later {
            next,
            function,
            state,
        }))
    }
}

fn no_map_value(index: usize, reg: Reg, value: &RegState) -> Box<Rejection> {
    let number = reg.number();
    let message = format!("arg#{index} doesn't point to a map value");
    Rejection::new(Code::SpecialField, message)
        .label(format!("R{number} is {}", value.in_words()))
        .because(value.origin.made, format!("R{number} is made here"))
        .help("hand over the address of the field in a map's value, which is compared with 0 first")
}
