//! Sprouts of registers and numbers: moves, arithmetic, bounds, comparisons.
//!
//! Read before: `grower.rs`. Read next: `memory.rs`.

use ebpf_asm::assembler::Source;
use ebpf_asm::isa::{AluOp, Cond, Size, Swap, Width};

use super::grower::Grower;

pub(super) fn moves(g: &mut Grower) {
    let (to, from) = (g.reg(), g.reg());
    match g.chance.below(10) {
        0..=4 => g.a.mov(to, from),
        5 | 6 => g.a.mov32(to, from),
        7 => {
            let size = g.chance.pick(&[Size::B, Size::H, Size::W]);
            g.a.movsx(Width::W64, size, to, from)
        }
        8 => {
            let size = g.chance.pick(&[Size::B, Size::H]);
            g.a.movsx(Width::W32, size, to, from)
        }
        _ => {
            let number = g.number();
            g.a.mov(to, number)
        }
    };
}

pub(super) fn constant(g: &mut Grower) {
    let (to, width) = (g.reg(), g.width());
    let op = match g.chance.percent(60) {
        true => g
            .chance
            .pick(&[AluOp::Add, AluOp::Add, AluOp::Sub, AluOp::And]),
        false => g.chance.pick(&AluOp::ALL),
    };
    let number = match op {
        AluOp::Lsh | AluOp::Rsh | AluOp::Arsh => {
            let bits = [1, 2, 3, 8, 16, 24, 31, 32, 48, 56, 63];
            g.chance.pick(&bits) % width.bits() as i32
        }
        _ => g.number(),
    };
    g.a.alu(op, width, to, Source::Imm(number));
}

pub(super) fn swap(g: &mut Grower) {
    let (to, width) = (g.reg(), g.width());
    if g.chance.percent(40) {
        g.a.neg(width, to);
        return;
    }
    let swap = g.chance.pick(&[Swap::Le, Swap::Be, Swap::Bswap]);
    let size = g.chance.pick(&[Size::H, Size::W, Size::DW]);
    g.a.byte_swap(swap, size, to);
}

pub(super) fn registers(g: &mut Grower) {
    let (to, from, width) = (g.reg(), g.reg(), g.width());
    let op = match g.chance.percent(60) {
        true => g.chance.pick(&[AluOp::Add, AluOp::Add, AluOp::Sub]),
        false => g.chance.pick(&AluOp::ALL),
    };
    g.a.alu(op, width, to, Source::Reg(from));
}

pub(super) fn variable(g: &mut Grower) {
    let (pointer, number) = (g.reg(), g.reg());
    let width = g.width();
    match g.chance.below(4) {
        0 => {
            let mask = g.chance.pick(&[1, 3, 7, 8, 15, 0xff]);
            g.a.alu(AluOp::And, width, number, Source::Imm(mask));
        }
        1 => {
            let (most, out) = (g.chance.pick(&[3, 7, 8, 12, 15]), g.outside.out);
            g.a.jump(Cond::Jgt, width, number, Source::Imm(most), out);
        }
        2 => {
            let (bits, out) = (g.chance.pick(&[60, 61, 56]), g.outside.out);
            g.a.rsh(number, bits);
            if g.chance.percent(30) {
                g.a.jeq(number, 0, out);
            }
        }
        _ => {}
    }
    match g.chance.percent(90) {
        true => g.a.add(pointer, number),
        false => g.a.sub(pointer, number),
    };
}

pub(super) fn linked(g: &mut Grower) {
    let (to, from) = (g.reg(), g.reg());
    match g.chance.percent(80) {
        true => g.a.mov(to, from),
        false => g.a.mov32(to, from),
    };
    if g.chance.percent(60) {
        let (width, by) = (g.width(), g.chance.pick(&[1, 2, 4, 8, -1, -4, 100]));
        g.a.alu(AluOp::Add, width, to, Source::Imm(by));
    }
    let (cond, width, number) = (g.chance.pick(&Cond::ALL), g.width(), g.number());
    let (of, label) = (g.chance.pick(&[to, from]), g.to());
    g.a.jump(cond, width, of, Source::Imm(number), label);
}

pub(super) fn cond(g: &mut Grower) -> Cond {
    match g.chance.percent(60) {
        true => g.chance.pick(&Cond::ALL),
        false => g.chance.pick(&[Cond::Jeq, Cond::Jne]),
    }
}

pub(super) fn compare_constant(g: &mut Grower) {
    let (cond, width, reg, number, to) = (cond(g), g.width(), g.reg(), g.number(), g.to());
    g.a.jump(cond, width, reg, Source::Imm(number), to);
}

pub(super) fn compare_registers(g: &mut Grower) {
    let (cond, width, reg, with, to) = (cond(g), g.width(), g.reg(), g.reg(), g.to());
    g.a.jump(cond, width, reg, Source::Reg(with), to);
}
