//! What is put into a program that grows, and where.
//!
//! Read before: `around.rs`. Read next: `../../campaign.rs`.

use std::ops::Range;

use ebpf_asm::insn::Insn;
use ebpf_asm::insn::Reg::R0;
use ebpf_asm::isa::Sem;
use ebpf_asm::load_flags::BPF_F_TEST_STATE_FREQ;

use super::super::{Generated, types};
use super::graft::{Arrive, Places, Scion, functions, further, graft, wrap};
use super::grower::Grower;
use super::scene::weighted;
use super::{around, calls, memory, numbers};
use crate::differential::reach::is_second;
use crate::differential::{Chance, row::Row};

/// How a sprout is put in.
#[derive(Clone, Copy)]
enum Form {
    /// In one place.
    One(fn(&mut Grower)),
    /// Around some instructions: before them, and behind them.
    Around(fn(&mut Grower), fn(&mut Grower)),
    /// With a function, new or there already.
    Call(fn(&mut Grower)),
    /// With a new function that `bpf_loop` calls back.
    Callback(fn(&mut Grower)),
}

/// The sprouts with their names and weights.
const SPROUTS: [(&str, u32, Form); 29] = [
    ("grown: moves", 10, Form::One(numbers::moves)),
    (
        "grown: arithmetic with constants",
        12,
        Form::One(numbers::constant),
    ),
    (
        "grown: arithmetic with registers",
        10,
        Form::One(numbers::registers),
    ),
    ("grown: spills", 8, Form::One(memory::spill)),
    (
        "grown: constants on the stack",
        2,
        Form::One(memory::stack_constant),
    ),
    ("grown: fills", 10, Form::One(memory::fill)),
    ("grown: loads", 9, Form::One(memory::load)),
    (
        "grown: stores of constants",
        4,
        Form::One(memory::store_constant),
    ),
    ("grown: stores", 3, Form::One(memory::store)),
    ("grown: atomics", 3, Form::One(memory::atomic)),
    ("grown: lookups", 3, Form::One(memory::look_up)),
    (
        "grown: addresses of map values",
        2,
        Form::One(memory::direct),
    ),
    (
        "grown: fields of the context",
        2,
        Form::One(memory::context),
    ),
    (
        "grown: packets behind a check",
        3,
        Form::One(memory::packet),
    ),
    (
        "grown: pointers moved by a number",
        3,
        Form::One(numbers::variable),
    ),
    (
        "grown: numbers that share a bound",
        3,
        Form::One(numbers::linked),
    ),
    (
        "grown: addresses of the stack",
        3,
        Form::One(memory::stack_address),
    ),
    ("grown: helpers", 3, Form::One(calls::helper_call)),
    (
        "grown: helpers with memory",
        3,
        Form::One(calls::helper_memory),
    ),
    (
        "grown: comparisons with constants",
        11,
        Form::One(numbers::compare_constant),
    ),
    (
        "grown: comparisons of registers",
        7,
        Form::One(numbers::compare_registers),
    ),
    (
        "grown: loops",
        2,
        Form::Around(around::count_head, around::count_tail),
    ),
    (
        "grown: may_goto",
        1,
        Form::Around(around::may_goto_head, around::may_goto_tail),
    ),
    (
        "grown: iterations",
        2,
        Form::Around(around::iterate_head, around::iterate_tail),
    ),
    (
        "grown: records",
        2,
        Form::Around(around::reserve, around::submit),
    ),
    (
        "grown: sections",
        1,
        Form::Around(around::enter, around::leave),
    ),
    (
        "grown: negations and byte swaps",
        2,
        Form::One(numbers::swap),
    ),
    ("grown: functions", 3, Form::Call(calls::call_local)),
    ("grown: callbacks", 1, Form::Callback(calls::call_back)),
];

/// The names of all sprouts.
pub const NAMES: [&str; SPROUTS.len()] = {
    let mut names = [""; SPROUTS.len()];
    let mut at = 0;
    while at < SPROUTS.len() {
        names[at] = SPROUTS[at].0;
        at += 1;
    }
    names
};

/// A loop is around so many instructions and one, at most.
const BODY: usize = 8;

/// A program with one or two sprouts more.
pub(super) fn sprouted(parent: &Generated, chance: &mut Chance) -> Option<Generated> {
    let mut made = sprout(parent, chance)?;
    if chance.below(3) == 0 {
        made = sprout(&made, chance)?;
    }
    Some(made)
}

fn sprout(parent: &Generated, chance: &mut Chance) -> Option<Generated> {
    let (name, _, form) = weighted(chance, &SPROUTS, |(_, weight, _)| *weight);
    let states = parent.row.prog_flags & BPF_F_TEST_STATE_FREQ != 0;
    if states && matches!(form, Form::Around(..) | Form::Callback(_)) {
        return None;
    }
    let mut made = parent.clone();
    let row = &mut made.row;
    let place = place(row, chance);
    let shared = Chance::new(chance.number());
    let mut scion = |make: fn(&mut Grower)| {
        let (shared, prog_type) = (shared.clone(), parent.prog_type);
        Scion::new(|a, outside, mark| {
            make(&mut Grower {
                a,
                chance,
                prog_type,
                outside,
                mark,
                shared,
            });
        })
    };
    match form {
        Form::One(make) => {
            let scion = scion(make)?;
            *row = graft(row, place.at, &scion, place.arrive, place.places);
        }
        Form::Around(head, tail) => {
            let (head, tail) = (scion(head)?, scion(tail)?);
            *row = wrap(row, place.around, (&head, &tail), place.places);
        }
        Form::Call(make) => {
            let caller = scion(make)?;
            let new = scion(calls::local)?;
            let mut places = place.places;
            let known = functions(row);
            places.function = match known.get(1..) {
                Some(others) if !others.is_empty() && chance.percent(40) => chance.pick(others),
                _ => append(row, &new, "local"),
            };
            *row = graft(row, place.at, &caller, place.arrive, places);
        }
        Form::Callback(make) => {
            let caller = scion(make)?;
            let new = scion(calls::called_back)?;
            let mut places = place.places;
            places.function = append(row, &new, "callback");
            *row = graft(row, place.at, &caller, place.arrive, places);
        }
    }
    made.constructs.push(name);
    made.constructs.sort_unstable();
    made.constructs.dedup();
    Some(made)
}

/// Puts a function behind all others, and says where it begins.
fn append(row: &mut Row, function: &Scion, name: &str) -> usize {
    let first = row.slots.len();
    *row = graft(row, first, function, Arrive::After, Places::default());
    if !row.functions.is_empty()
        && let Some(id) = types::function(name)
    {
        row.functions.push((first, id.0));
    }
    first
}

/// Where a sprout goes.
struct Place {
    at: usize,
    arrive: Arrive,
    /// For a loop.
    around: Range<usize>,
    places: Places,
}

fn place(row: &Row, chance: &mut Chance) -> Place {
    let firsts = functions(row);
    let function = match chance.below(4) {
        0 => chance.below(firsts.len()),
        _ => 0,
    };
    let first = firsts[function];
    let end = firsts.get(function + 1).copied();
    let out = end_of(row, first..end.unwrap_or(row.slots.len()));
    let begins = |at: &usize| !is_second(&row.slots, *at);
    let inner: Vec<usize> = (first..=out).filter(begins).collect();
    let any = chance.pick(&inner);
    let (at, arrive) = match chance.below(3) {
        0 => (any, chance.pick(&[Arrive::Before, Arrive::After])),
        _ => (out, Arrive::After),
    };
    let insns = chance.below(5);
    let later = 1 + chance.below(4);
    Place {
        at,
        arrive,
        around: any..further(row, any, 1 + insns * BODY / 4, out),
        places: Places {
            later: further(row, at, later, out),
            out,
            function: 0,
        },
    }
}

/// Where the last exit of a function begins: `r0 = number; exit`, or `exit`.
fn end_of(row: &Row, function: Range<usize>) -> usize {
    let sem = |slot: usize| {
        let known = row
            .slots
            .get(slot)
            .filter(|_| !is_second(&row.slots, slot))?;
        Insn::decode(*known, None).ok()
    };
    let is_exit = |slot: &usize| sem(*slot).is_some_and(|insn| insn.sem() == Sem::Exit);
    let Some(exit) = function.clone().rev().find(is_exit) else {
        return function.start;
    };
    let is_mov = |insn: Insn| matches!(insn.sem(), Sem::Mov { .. }) && insn.dst() == R0;
    match exit.checked_sub(1).filter(|slot| function.contains(slot)) {
        Some(before) if sem(before).is_some_and(is_mov) => before,
        _ => exit,
    }
}
