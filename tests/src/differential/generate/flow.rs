//! Constructs of control flow.

use ebpf_asm::assembler::Source;
use ebpf_asm::insn::Reg::{self, *};
use ebpf_asm::isa::{Cond, Size, Width};

use super::numbers::width;
use super::state::Holds;
use super::{Generator, maps};

/// A comparison of a number, with either operand.
fn compare(g: &mut Generator, to: ebpf_asm::assembler::Label) {
    let (reg, cond, width) = (g.number(), g.chance.pick(&Cond::ALL), width(g));
    let with = match g.chance.below(3) {
        0 => Source::Reg(g.number()),
        1 => Source::Imm(g.chance.between(-1, 64)),
        _ => Source::Imm(g.chance.corner() as i32),
    };
    g.a.jump(cond, width, reg, with, to);
}

pub(super) fn branch(g: &mut Generator) {
    let (other, join) = (g.a.label(), g.a.label());
    compare(g, other);
    let before = g.state.clone();
    g.nested(3);
    if g.chance.percent(50) {
        match g.chance.percent(15) {
            true => g.a.gotol(join),
            false => g.a.ja(join),
        };
        g.a.bind(other);
        let first = std::mem::replace(&mut g.state, before);
        g.nested(2);
        g.state.join(&first);
        g.a.bind(join);
    } else {
        g.a.bind(other).bind(join);
        g.state.join(&before);
    }
}

/// A condition that constants decide; behind it stands what would be refused.
pub(super) fn decided(g: &mut Generator) {
    let reg = g.target();
    let value = g.chance.between(0, 64);
    let skip = g.a.label();
    match g.chance.below(3) {
        0 => {
            g.a.mov(reg, value);
            let with = g.or_wrong(value, &[value + 1]);
            g.a.jump(Cond::Jeq, Width::W64, reg, Source::Imm(with), skip);
        }
        1 => {
            g.unknown(reg);
            g.a.and(reg, value);
            let cond = g.chance.pick(&[Cond::Jle, Cond::Jsle]);
            let with = g.or_wrong(value, &[value - 1]);
            g.a.jump(cond, Width::W64, reg, Source::Imm(with), skip);
        }
        _ => {
            g.unknown(reg);
            g.a.or(reg, 8);
            let with = g.or_wrong(8, &[4]);
            let width = width(g);
            g.a.jump(Cond::Jset, width, reg, Source::Imm(with), skip);
        }
    }
    g.state.set(reg, Holds::Number(Some(64)));
    let bad = g.chance.below(3);
    match bad {
        0 => g.a.ldx(Size::DW, R0, R10, 8),
        1 => g.a.mov(R0, R10).st(Size::B, R0, 0, 0),
        _ => g.a.ldx(Size::B, R0, reg, 0),
    };
    g.a.bind(skip);
    g.state.set(R0, Holds::Nothing);
    if reg == R0 {
        g.state.set(R0, Holds::Number(Some(64)));
    }
}

pub(super) fn bounded_loop(g: &mut Generator) {
    let counter = g.kept();
    let rounds = g.chance.pick(&[2, 4, 7, 16, 40]);
    let (head, done) = (g.a.label(), g.a.label());
    g.a.mov(counter, 0).bind(head);
    g.state.set(counter, Holds::Number(Some(rounds as u32)));
    let before = g.state.clone();
    // What the body changes is not known at its beginning.
    g.state.join(&{
        let mut any = before.clone();
        for reg in [R0, R1, R2, R3, R4, R5] {
            any.set(reg, Holds::Nothing);
        }
        any
    });
    if g.chance.percent(30) {
        let width = width(g);
        g.a.jump(Cond::Jge, width, counter, Source::Imm(rounds), done);
    }
    match g.chance.below(4) {
        0 => {
            let sum = g.kept();
            if sum != counter && matches!(g.state.of(sum), Holds::Number(_)) {
                g.a.add(sum, counter);
                g.state.set(sum, Holds::Number(None));
            }
        }
        1 => {
            g.reserved.push(counter);
            g.nested(1);
            g.reserved.pop();
        }
        2 => {
            g.a.mov(R2, R10).add(R2, -64).add(R2, counter);
            let top = rounds > 40;
            g.a.st(Size::B, R2, if top { 64 } else { 0 }, counter);
            g.state.set(R2, Holds::Nothing);
        }
        _ => {
            g.a.mov(R1, counter);
            g.state.set(R1, Holds::Number(Some(rounds as u32)));
        }
    }
    let cond = g.chance.pick(&[Cond::Jlt, Cond::Jslt, Cond::Jne]);
    // What never comes to its end is followed a million instructions far, unless nothing
    // changes: rarely.
    let wrong: &[i32] = match cond {
        Cond::Jne => &[0],
        _ => &[0, 0, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, -1],
    };
    let step = g.or_wrong(1, wrong);
    g.a.add(counter, step);
    let back = if g.chance.percent(90) {
        Width::W64
    } else {
        Width::W32
    };
    g.a.jump(cond, back, counter, Source::Imm(rounds), head)
        .bind(done);
    // Registers may have lost what they held.
    let after = before;
    g.state.join(&after);
    for reg in [R0, R1, R2, R3, R4, R5] {
        g.state.set(reg, Holds::Nothing);
    }
    g.state.set(counter, Holds::Number(Some(rounds as u32)));
}

/// A number is small on one way and large on another. The ways join, and join again behind
/// comparisons that have nothing to do with it, before it is used as an offset: states that
/// are alike but for it must not be taken for one another.
pub(super) fn trap(g: &mut Generator) {
    let index = g.kept();
    let (other, join) = (g.a.label(), g.a.label());
    let (small, large) = (
        g.chance.pick(&[0, 1, 4, 8]),
        g.chance.pick(&[15, 16, 24, 32, 100]),
    );
    let safe = !g.slip();
    let second = if safe {
        g.chance.pick(&[0, 2, 3, 7])
    } else {
        large
    };
    let choose = g.number();
    let (first, second) = if g.chance.percent(50) {
        (small, second)
    } else {
        (second, small)
    };
    g.a.jump(Cond::Jeq, Width::W64, choose, Source::Imm(0), other);
    if choose == index {
        return trap_end(g, index, other, join);
    }
    let by_stack = g.chance.percent(35);
    let word = -8 * (1 + g.chance.below(4) as i16);
    let set = |g: &mut Generator, value: i32| {
        if by_stack && g.chance.percent(30) {
            g.a.st(Size::DW, R10, word, value);
        } else {
            g.a.mov(index, value);
            if by_stack {
                g.a.st(Size::DW, R10, word, index);
            }
        }
    };
    set(g, first);
    g.a.ja(join).bind(other);
    set(g, second);
    g.a.bind(join);
    g.state.set_word((-word / 8 - 1) as usize, Holds::Nothing);
    if by_stack {
        g.a.ldx(Size::DW, index, R10, word);
    }
    g.state.set(index, Holds::Number(Some(8)));
    // Places where states are compared.
    for _ in 0..g.chance.below(4) {
        let (pass, with) = (g.a.label(), g.chance.between(0, 9));
        let reg = g.number();
        if reg == index || reg == R10 {
            continue;
        }
        g.a.jump(Cond::Jgt, Width::W64, reg, Source::Imm(with), pass);
        match g.chance.below(4) {
            0 => {
                g.a.mov(R1, index);
            }
            1 => {
                g.a.mov(R1, 0).add(R1, index);
            }
            2 => {
                g.a.st(Size::DW, R10, -48, index);
            }
            _ => {
                g.a.mov(R1, 1);
            }
        }
        if g.state.of(R1) != Holds::Number(None) {
            g.state.set(R1, Holds::Nothing);
        }
        g.a.bind(pass);
    }
    let copy = if g.chance.percent(40) {
        g.kept()
    } else {
        index
    };
    if copy != index {
        g.a.mov(copy, index);
        g.state.set(copy, Holds::Number(Some(8)));
    }
    use_index(g, copy);
}

fn trap_end(
    g: &mut Generator,
    index: Reg,
    other: ebpf_asm::assembler::Label,
    join: ebpf_asm::assembler::Label,
) {
    g.a.mov(index, 4).bind(other).bind(join);
    g.state.set(index, Holds::Number(None));
}

/// Memory of 16 bytes at the number in `index`.
fn use_index(g: &mut Generator, index: Reg) {
    match g.chance.below(3) {
        0 => {
            g.a.mov(R2, R10).add(R2, -16).add(R2, index);
            g.a.st(Size::B, R2, 0, 1);
            g.state.set_word(0, Holds::Nothing);
            g.state.set_word(1, Holds::Nothing);
        }
        1 => {
            maps::direct_address(g, R2);
            g.a.add(R2, index).ldx(Size::B, R3, R2, 0);
            g.state.set(R3, Holds::Number(Some(255)));
        }
        _ => {
            let done = g.a.label();
            g.a.mov(R2, R10).add(R2, -16);
            g.a.jump(Cond::Jgt, Width::W64, index, Source::Imm(14), done);
            g.a.add(R2, index).st(Size::B, R2, 1, 1).bind(done);
            g.state.set_word(0, Holds::Nothing);
            g.state.set_word(1, Holds::Nothing);
        }
    }
    g.state.set(R2, Holds::Nothing);
}

pub(super) fn unreachable(g: &mut Generator) {
    let over = g.a.label();
    g.a.ja(over);
    if g.slip() || g.chance.percent(10) {
        g.a.mov(R0, 1);
    }
    g.a.bind(over);
}
