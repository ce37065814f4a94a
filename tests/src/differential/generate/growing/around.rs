//! Sprouts around some instructions: loops, iterations, records, sections. What stands before and what
//! stands behind them draw the same from [`Grower::shared`].
//!
//! Read before: `calls.rs`. Read next: `sprouts.rs`.

use ebpf_asm::insn::Reg::{self, *};
use ebpf_asm::insn::{Fields, Insn};
use ebpf_asm::isa::{Sem, Size};
use ebpf_asm::program::Reference;

use super::super::maps;
use super::grower::{Grower, OBJECTS};
use super::scene::call;

/// The counter of a loop: in a register, or on the stack.
pub(super) fn counter(g: &mut Grower) -> Result<Reg, i16> {
    match g.shared.percent(25) {
        true => Ok(g.shared.pick(&[R7, R8, R9])),
        false => Err(g.shared.pick(&OBJECTS)),
    }
}

pub(super) fn count_head(g: &mut Grower) {
    match counter(g) {
        Ok(reg) => g.a.mov(reg, 0),
        Err(at) => g.a.st(Size::DW, R10, at, 0),
    };
    g.a.bind(g.mark);
}

pub(super) fn count_tail(g: &mut Grower) {
    let counter = counter(g);
    let rounds = g.shared.pick(&[2, 2, 3, 4]);
    let reg = counter.unwrap_or(R1);
    if let Err(at) = counter {
        g.a.ldx(Size::DW, R1, R10, at);
    }
    g.a.add(reg, 1);
    if let Err(at) = counter {
        g.a.st(Size::DW, R10, at, R1);
    }
    g.a.jlt(reg, rounds, g.outside.other);
}

pub(super) fn may_goto_head(g: &mut Grower) {
    g.a.bind(g.mark);
    if let Some(row) = Sem::MayGoto.row() {
        g.a.insn_to(Insn::new(row, Fields::default()), g.outside.other);
    }
}

pub(super) fn may_goto_tail(g: &mut Grower) {
    g.a.ja(g.outside.other).bind(g.mark);
}

pub(super) fn iterate_head(g: &mut Grower) {
    let (at, rounds) = (g.shared.pick(&OBJECTS), g.shared.pick(&[0, 1, 4, 1000]));
    g.a.mov(R1, R10).add(R1, i32::from(at));
    g.a.mov(R2, 0).mov(R3, rounds);
    g.kfunc("bpf_iter_num_new");
    g.a.bind(g.mark).mov(R1, R10).add(R1, i32::from(at));
    g.kfunc("bpf_iter_num_next");
    g.a.jeq(R0, 0, g.outside.other);
    if g.chance.percent(40) {
        let to = g.chance.pick(&[R7, R8, R9]);
        g.a.ldx(Size::W, to, R0, 0);
    }
}

pub(super) fn iterate_tail(g: &mut Grower) {
    let at = g.shared.pick(&OBJECTS);
    g.a.ja(g.outside.other);
    g.a.bind(g.mark).mov(R1, R10).add(R1, i32::from(at));
    g.kfunc("bpf_iter_num_destroy");
}

/// Where a record of a ring buffer is kept.
const RECORDS: [Reg; 3] = [R7, R8, R9];

pub(super) fn reserve(g: &mut Grower) {
    let to = g.shared.pick(&RECORDS);
    g.a.ld_reference(R1, Reference::Map(maps::RING));
    g.a.mov(R2, 16).mov(R3, 0);
    call(g.a, "ringbuf_reserve");
    g.a.mov(to, R0);
    // Without a record there is nothing to submit.
    g.a.jeq(to, 0, g.outside.other);
}

pub(super) fn submit(g: &mut Grower) {
    let from = g.shared.pick(&RECORDS);
    let name = g.chance.pick(&["ringbuf_submit", "ringbuf_discard"]);
    g.a.mov(R1, from).mov(R2, 0);
    call(g.a, name);
    g.a.bind(g.mark);
}

/// What opens a section, and what closes it.
const SECTIONS: [(&str, &str); 2] = [
    ("bpf_rcu_read_lock", "bpf_rcu_read_unlock"),
    ("bpf_preempt_disable", "bpf_preempt_enable"),
];

pub(super) fn enter(g: &mut Grower) {
    let (open, _) = g.shared.pick(&SECTIONS);
    g.kfunc(open);
}

pub(super) fn leave(g: &mut Grower) {
    let (_, close) = g.shared.pick(&SECTIONS);
    g.kfunc(close);
}
