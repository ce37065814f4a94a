//! Constructs on locks that may fail.
//!
//! Read before: `collections.rs`. Read next: `kernels_own.rs`.

use ebpf_asm::assembler::Source;
use ebpf_asm::insn::Reg::{self, *};
use ebpf_asm::isa::{Cond, Size, Width};

use super::objects::taken;
use super::{Generator, maps};

/// The functions that take and give back, and whether they keep the state of interrupts on the
/// stack.
const LOCKS: [(&str, &str, bool); 2] = [
    ("bpf_res_spin_lock", "bpf_res_spin_unlock", false),
    (
        "bpf_res_spin_lock_irqsave",
        "bpf_res_spin_unlock_irqrestore",
        true,
    ),
];

/// A value behind a lock that may fail, perhaps with another one behind it.
pub(super) fn lock(g: &mut Generator) {
    let done = g.a.label();
    maps::found(g, maps::GUARDED);
    let value = taken(g, done);
    g.reserved.push(value);
    held(g, value, 1);
    g.reserved.pop();
    g.a.bind(done);
    g.forget();
}

fn held(g: &mut Generator, value: Reg, more: u32) {
    let kind = g.chance.pick(&LOCKS);
    let (take, give, remembers) = kind;
    let at = g.room(8);
    let failed = g.a.label();
    arguments(g, value, remembers, at);
    g.kfunc(take);
    if !g.slip() {
        g.a.jump(Cond::Jne, Width::W64, R0, Source::Imm(0), failed);
    }
    guarded(g, value);
    if more > 0 && g.chance.percent(30) {
        second(g, more);
    }
    if g.slip() || g.chance.percent(10) {
        g.inside(1);
    }
    let give = match g.slip() {
        true => LOCKS[0].1,
        false => give,
    };
    if !g.slip() {
        arguments(g, value, remembers, at);
        g.kfunc(give);
    }
    g.a.bind(failed);
}

/// Another lock while one is held.
fn second(g: &mut Generator, more: u32) {
    let none = g.a.label();
    if g.slip() {
        maps::found(g, maps::GUARDED);
        let value = taken(g, none);
        held(g, value, more - 1);
    } else {
        // Looking a value up is not for those who hold a lock.
        let value = g.kept();
        maps::value_address(g, value, maps::GUARDED_ONE);
        g.reserved.push(value);
        held(g, value, more - 1);
        g.reserved.pop();
    }
    g.a.bind(none);
}

fn arguments(g: &mut Generator, value: Reg, remembers: bool, at: i32) {
    let lock = g.or_wrong(0, &[8, 4]);
    g.a.mov(R1, value);
    if lock != 0 {
        g.a.add(R1, lock);
    }
    if remembers {
        g.place(R2, at);
    }
}

/// What the lock guards.
fn guarded(g: &mut Generator, value: Reg) {
    for _ in 0..g.chance.below(3) {
        let at = g.or_wrong(8, &[0, 4, 12, 16]) as i16;
        if g.chance.percent(50) {
            g.a.st(Size::DW, value, at, 1);
        } else {
            g.a.ldx(Size::DW, R2, value, at);
        }
    }
}
