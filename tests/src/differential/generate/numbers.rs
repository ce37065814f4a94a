//! Constructs on numbers.

use ebpf_asm::assembler::Source;
use ebpf_asm::insn::Reg;
use ebpf_asm::isa::{AluOp, Cond, Size, Swap, Width};

use super::Generator;
use super::state::Holds;

pub(super) fn width(g: &mut Generator) -> Width {
    g.chance.pick(&[Width::W64, Width::W64, Width::W32])
}

pub(super) fn alu(g: &mut Generator) {
    for _ in 0..=g.chance.below(3) {
        let dst = g.number();
        if g.chance.percent(6) {
            let width = width(g);
            g.a.neg(width, dst);
            g.state.set(dst, Holds::Number(None));
            continue;
        }
        let (op, width) = (g.chance.pick(&AluOp::ALL), width(g));
        let is_shift = matches!(op, AluOp::Lsh | AluOp::Rsh | AluOp::Arsh);
        let divides = matches!(op, AluOp::Div | AluOp::Sdiv | AluOp::Mod | AluOp::Smod);
        let src = if g.chance.percent(40) {
            Source::Reg(g.number())
        } else if is_shift {
            let bits = width.bits() as i32;
            let count = g.chance.between(0, bits - 1);
            Source::Imm(g.or_wrong(count, &[bits, -1, 64]))
        } else if divides {
            let by = g.chance.corner() as i32;
            let by = if by == 0 { 3 } else { by };
            Source::Imm(g.or_wrong(by, &[0]))
        } else if g.chance.percent(50) {
            Source::Imm(g.chance.between(0, 255))
        } else {
            Source::Imm(g.chance.corner() as i32)
        };
        g.a.alu(op, width, dst, src);
        let bound = match (op, src) {
            (AluOp::And, Source::Imm(mask)) if mask >= 0 => Some(mask as u32),
            (AluOp::Mod, Source::Imm(by)) if by > 0 => Some(by as u32 - 1),
            (AluOp::Rsh, Source::Imm(count))
                if width == Width::W64 && (33..64).contains(&count) =>
            {
                Some((u64::MAX >> count) as u32)
            }
            _ => None,
        };
        g.state.set(dst, Holds::Number(bound));
    }
}

pub(super) fn moves(g: &mut Generator) {
    let dst = g.target();
    match g.chance.below(6) {
        0 => g.constant(dst),
        1 => {
            let src = g.number();
            let (width, from) = match g.chance.below(5) {
                0 => (Width::W64, Size::B),
                1 => (Width::W64, Size::H),
                2 => (Width::W64, Size::W),
                3 => (Width::W32, Size::B),
                _ => (Width::W32, Size::H),
            };
            g.a.movsx(width, from, dst, src);
            g.state.set(dst, Holds::Number(None));
        }
        2 => {
            let src = g.number();
            g.a.mov32(dst, src);
            let holds = g.state.of(src);
            g.state.set(dst, holds);
        }
        _ => {
            if let Some(src) = g.holding(|holds| holds != Holds::Nothing) {
                g.a.mov(dst, src);
                let holds = g.state.of(src);
                g.state.set(dst, holds);
            }
        }
    }
}

pub(super) fn swaps(g: &mut Generator) {
    let dst = g.number();
    let swap = g.chance.pick(&[Swap::Le, Swap::Be, Swap::Bswap]);
    let size = g.chance.pick(&[Size::H, Size::W, Size::DW]);
    g.a.byte_swap(swap, size, dst);
    g.state
        .set(dst, Holds::Number((size == Size::H).then_some(0xffff)));
}

/// Makes a number at most `most`, in one of the ways there are.
pub(super) fn bound_to(g: &mut Generator, reg: Reg, most: i32) {
    let limit = g.or_wrong(most, &[most + 1, most + 8, -1, 0x7fff_ffff]);
    let out = g.out;
    let width = width(g);
    match g.chance.below(9) {
        0 | 1 => {
            let mask = (limit as u32).checked_add(1).map_or(limit, |next| {
                let below = if next.is_power_of_two() {
                    next
                } else {
                    next.next_power_of_two() / 2
                };
                below.wrapping_sub(1) as i32
            });
            g.a.and(reg, mask);
        }
        2 => {
            g.a.jump(Cond::Jgt, width, reg, Source::Imm(limit), out);
            fix_width(g, reg, width);
        }
        3 => {
            g.a.jump(
                Cond::Jge,
                width,
                reg,
                Source::Imm(limit.wrapping_add(1)),
                out,
            );
            fix_width(g, reg, width);
        }
        4 => {
            let (inside, signed) = (g.a.label(), g.chance.percent(50));
            if signed && !g.slip() {
                g.a.jump(Cond::Jslt, width, reg, Source::Imm(0), out);
            }
            let cond = if signed { Cond::Jsle } else { Cond::Jle };
            g.a.jump(cond, width, reg, Source::Imm(limit), inside)
                .ja(out)
                .bind(inside);
            fix_width(g, reg, width);
        }
        5 => {
            let other = if reg == Reg::R9 { Reg::R8 } else { Reg::R9 };
            g.a.mov(other, limit);
            g.state.set(other, Holds::Number(Some(limit as u32)));
            let inside = g.a.label();
            g.a.jump(Cond::Jge, width, other, Source::Reg(reg), inside)
                .ja(out)
                .bind(inside);
            fix_width(g, reg, width);
        }
        6 => {
            g.a.alu(
                AluOp::Mod,
                width,
                reg,
                Source::Imm(limit.max(0).saturating_add(1)),
            );
        }
        7 => {
            g.a.jump(Cond::Jsgt, Width::W64, reg, Source::Imm(limit), out);
            let least = g.or_wrong(0, &[-1, -8]);
            g.a.jump(Cond::Jslt, Width::W64, reg, Source::Imm(least), out);
        }
        _ => {
            let zeros = (limit.max(0) as u32 + 1).leading_zeros() + 1;
            let zeros = if limit < 0 { 31 } else { zeros.min(31) };
            g.a.alu(AluOp::Rsh, Width::W32, reg, Source::Imm(zeros as i32));
        }
    }
    g.state.set(reg, Holds::Number(Some(most.max(0) as u32)));
}

/// After a comparison of the low half the upper half is cleared, or else nothing is known.
fn fix_width(g: &mut Generator, reg: Reg, width: Width) {
    if width == Width::W32 && !g.slip() {
        g.a.mov32(reg, reg);
    }
}

pub(super) fn bound(g: &mut Generator) {
    let reg = g.number();
    if reg == Reg::R10 {
        return;
    }
    let most = g.chance.pick(&[1, 3, 7, 8, 15, 31, 63, 100, 255, 65535]);
    bound_to(g, reg, most);
}

/// A copy, perhaps moved by a constant, and a bound on one of both.
pub(super) fn linked(g: &mut Generator) {
    let (from, to) = (g.kept(), g.target());
    if from == to {
        return;
    }
    g.unknown(from);
    if g.chance.percent(50) {
        let mask = g.chance.pick(&[0xff, 0xffff, 0xf, 0x3f]);
        g.a.and(from, mask);
    }
    if g.chance.percent(80) {
        g.a.mov(to, from);
    } else {
        g.a.mov32(to, from);
    }
    let moved = g.chance.percent(40);
    if moved {
        let by = g.chance.pick(&[1, 2, 4, 8, -1, -4]);
        let width = width(g);
        g.a.alu(AluOp::Add, width, to, Source::Imm(by));
    }
    let most = g.chance.pick(&[3, 7, 8, 12, 15]);
    let bounded = if g.chance.percent(50) { from } else { to };
    g.state.set(from, Holds::Number(None));
    g.state.set(to, Holds::Number(None));
    if bounded.index() < 6 && g.chance.percent(30) {
        // A condition of any kind, of which less is known.
        let (cond, width) = (g.chance.pick(&Cond::ALL), width(g));
        let out = g.out;
        g.a.jump(cond, width, bounded, Source::Imm(most), out);
        return;
    }
    let out = g.out;
    g.a.jump(Cond::Jgt, Width::W64, bounded, Source::Imm(most), out);
    let known = Holds::Number(Some((most + 8) as u32));
    g.state.set(bounded, known);
    if !moved {
        g.state.set(from, known);
        g.state.set(to, known);
    }
}
