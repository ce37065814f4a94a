//! Constructs on the stack and on pointers in general.

use ebpf_asm::assembler::Source;
use ebpf_asm::insn::Reg::{self, *};
use ebpf_asm::insn::{Fields, Insn};
use ebpf_asm::isa::{AluOp, AtomicOp, Cond, Sem, Size, Width};

use super::Generator;
use super::numbers::bound_to;
use super::state::Holds;

/// How far up the words reach that constructs use at fixed places, in bytes.
const WORDS: i32 = 128;

pub(super) fn spill(g: &mut Generator) {
    let index = g.chance.below(6);
    let offset = -8 * (index as i32 + 1);
    match g.chance.below(7) {
        // A whole register, and back.
        0 | 1 => {
            let Some(reg) = g.holding(|holds| holds != Holds::Nothing) else {
                return;
            };
            let at = g.or_wrong(offset, &[offset + 4, offset + 1, 0, -516, -512]);
            g.a.st(Size::DW, R10, at as i16, reg);
            let holds = g.state.of(reg);
            g.state.set_word(index, holds);
        }
        2 | 3 => {
            if g.state.word(index) == Holds::Nothing && !g.slip() {
                return;
            }
            let reg = g.target();
            g.a.ldx(Size::DW, reg, R10, offset as i16);
            let holds = g.state.word(index);
            g.state.set(reg, holds);
        }
        // Parts.
        4 | 5 => {
            let reg = g.number();
            let size = g.chance.pick(&[Size::B, Size::H, Size::W, Size::DW]);
            let bytes = size.bytes() as i32;
            let within = g.chance.below((8 / bytes) as usize) as i32 * bytes;
            if g.chance.percent(20) {
                let value = g.chance.corner() as i32;
                g.a.st(size, R10, (offset + within) as i16, value);
            } else {
                g.a.st(size, R10, (offset + within) as i16, reg);
            }
            let whole = if size == Size::DW {
                g.state.of(reg)
            } else {
                Holds::Nothing
            };
            g.state.set_word(index, whole);
            let back = g.chance.pick(&[Size::B, Size::H, Size::W, size]);
            let less = if back.bytes() <= size.bytes() {
                back
            } else {
                size
            };
            let more = (bytes - less.bytes() as i32) / less.bytes() as i32;
            let shift = g.chance.between(0, more.max(0)) * less.bytes() as i32;
            let at = g.or_wrong(offset + within + shift, &[offset + within + shift + 1]);
            let to = g.target();
            if g.chance.percent(30) && less != Size::DW {
                g.a.ldxsx(less, to, R10, at as i16);
            } else {
                g.a.ldx(less, to, R10, at as i16);
            }
            let most = match less {
                Size::B => Some(255),
                Size::H => Some(65535),
                _ => None,
            };
            g.state.set(to, Holds::Number(most));
        }
        // What was never written, which root may read.
        _ => {
            let to = g.target();
            let size = g.chance.pick(&[Size::B, Size::W, Size::DW]);
            if g.state.word(index).is_pointer() && size != Size::DW && !g.slip() {
                return;
            }
            g.a.ldx(size, to, R10, offset as i16);
            let holds = if size == Size::DW {
                g.state.word(index)
            } else {
                Holds::Nothing
            };
            g.state.set(to, holds);
        }
    }
}

pub(super) fn variable_stack(g: &mut Generator) {
    let index = g.kept();
    g.unknown(index);
    let (room, size) = (
        g.chance.pick(&[8, 16, 32]),
        g.chance.pick(&[Size::B, Size::H, Size::W, Size::DW]),
    );
    let bytes = size.bytes() as i32;
    bound_to(g, index, room - bytes);
    let base = g.target();
    if base == index {
        return;
    }
    if size != Size::B && g.chance.percent(80) {
        g.a.and(index, !(bytes - 1));
    }
    let start = g.chance.pick(&[-64, -48, -room, -512]);
    let start = g.or_wrong(start, &[-room + 1, -516]);
    if g.chance.percent(50) {
        g.a.mov(base, R10).add(base, start).add(base, index);
    } else {
        g.a.mov(base, R10).add(base, index).add(base, start);
    }
    for word in 0..8 {
        if g.state.word(word).is_pointer() || g.chance.percent(100) {
            g.state.set_word(word, Holds::Nothing);
        }
    }
    if g.chance.percent(60) {
        let reg = g.number();
        g.a.st(size, base, 0, reg);
    } else {
        if g.chance.percent(60) {
            for word in 1..=room / 8 {
                g.a.st(Size::DW, R10, (start + 8 * (word - 1)).max(-512) as i16, 0);
            }
        }
        let to = g.target();
        g.a.ldx(size, to, base, 0);
        g.state.set(to, Holds::Number(None));
    }
    if g.state.of(base) != Holds::Number(None) {
        g.state.set(base, Holds::Nothing);
    }
}

pub(super) fn arithmetic(g: &mut Generator) {
    let Some(pointer) =
        g.holding(|holds| matches!(holds, Holds::Packet(_) | Holds::Value(..) | Holds::Stack(_)))
    else {
        return;
    };
    let dst = g.target();
    g.a.mov(dst, pointer);
    let by = g.chance.between(-32, 64);
    let holds = g.state.of(pointer);
    let moved = match holds {
        Holds::Packet(proven) => Holds::Packet(proven - by),
        Holds::Value(map, left) if by >= 0 => Holds::Value(map, left - by),
        Holds::Stack(at) => Holds::Stack(at + by),
        _ => Holds::Other,
    };
    g.state.set(dst, moved);
    match g.chance.below(10) {
        0..=4 => {
            g.a.add(dst, by);
        }
        5 => {
            g.a.sub(dst, by.wrapping_neg());
        }
        6 => {
            let number = g.number();
            if number != dst && number != R10 {
                g.a.and(number, 7).add(dst, number);
                g.state.set(number, Holds::Number(Some(7)));
            }
            g.state.set(dst, Holds::Other);
        }
        7 => {
            let number = g.number();
            g.a.sub(dst, number);
            g.state.set(dst, Holds::Other);
        }
        8 => {
            // The distance of two pointers is a number.
            let other = g.holding(|one| one == holds).unwrap_or(pointer);
            g.a.sub(dst, other);
            g.state.set(dst, Holds::Number(None));
        }
        _ => {
            let op = g.chance.pick(&[
                AluOp::And,
                AluOp::Or,
                AluOp::Xor,
                AluOp::Mul,
                AluOp::Lsh,
                AluOp::Add,
            ]);
            let width = g.chance.pick(&[Width::W32, Width::W64]);
            g.a.alu(op, width, dst, Source::Imm(by & 31));
            g.state.set(
                dst,
                if width == Width::W32 {
                    Holds::Number(None)
                } else {
                    Holds::Nothing
                },
            );
        }
    }
}

pub(super) fn compare(g: &mut Generator) {
    let Some(pointer) = g.holding(Holds::is_pointer) else {
        return;
    };
    let skip = g.a.label();
    let cond = g.chance.pick(&Cond::ALL);
    match g.chance.below(4) {
        0 => {
            let with = g.chance.pick(&[0, 0, 1, 5]);
            g.a.jump(cond, Width::W64, pointer, Source::Imm(with), skip);
        }
        1 => {
            let other = g.number();
            g.a.jump(cond, Width::W64, pointer, Source::Reg(other), skip);
        }
        2 => {
            let other = g.holding(Holds::is_pointer).unwrap_or(pointer);
            g.a.jump(cond, Width::W64, pointer, Source::Reg(other), skip);
        }
        _ => {
            let width = g.chance.pick(&[Width::W64, Width::W32]);
            let cond = g.chance.pick(&[Cond::Jeq, Cond::Jne]);
            g.a.jump(cond, width, pointer, Source::Imm(0), skip);
        }
    }
    let before = g.state.clone();
    g.nested(1);
    g.a.bind(skip);
    g.state.join(&before);
}

pub(super) fn leak(g: &mut Generator) {
    let Some(pointer) = g.holding(Holds::is_pointer) else {
        return;
    };
    match g.chance.below(4) {
        0 => {
            let base = g.holding(|holds| matches!(holds, Holds::Value(_, left) if left >= 8));
            if let Some(base) = base {
                g.a.st(Size::DW, base, 0, pointer);
            }
        }
        1 => {
            let base = g.holding(|holds| matches!(holds, Holds::Packet(proven) if proven >= 8));
            if let Some(base) = base {
                g.a.st(Size::DW, base, 0, pointer);
            }
        }
        2 => {
            // A part of a pointer, which is a number.
            g.a.st(Size::DW, R10, -128, pointer);
            let to = g.target();
            g.a.ldx(Size::W, to, R10, -128);
            g.state.set(to, Holds::Number(None));
        }
        _ => {
            g.a.mov(R0, pointer);
            let holds = g.state.of(pointer);
            g.state.set(R0, holds);
        }
    }
}

pub(super) fn atomic(g: &mut Generator) {
    let (op, size) = (
        g.chance.pick(&AtomicOp::ALL),
        g.chance.pick(&[Size::W, Size::DW]),
    );
    let bytes = size.bytes() as i32;
    let src = g.number();
    let value = g.holding(|holds| matches!(holds, Holds::Value(_, left) if left >= 8));
    let (base, offset) = match value {
        Some(base) if g.chance.percent(50) => (base, g.or_wrong(0, &[8, -8, 1, 64])),
        _ => {
            let offset = -bytes * g.chance.between(1, WORDS / 8);
            if g.chance.percent(70) {
                g.a.st(size, R10, offset as i16, 1);
            }
            let index = ((-offset + 7) / 8 - 1) as usize;
            g.state.set_word(index, Holds::Nothing);
            (R10, g.or_wrong(offset, &[offset + 1, 0, -520]))
        }
    };
    if op == AtomicOp::Cmpxchg && !matches!(g.state.of(R0), Holds::Number(_)) && !g.slip() {
        if base == R0 {
            return;
        }
        g.a.mov(R0, 1);
    }
    g.a.atomic(op, size, base, offset as i16, src);
    if op.fetches_into().is_some() {
        let into: Reg = if op == AtomicOp::Cmpxchg { R0 } else { src };
        g.state.set(into, Holds::Number(None));
    }
}

/// A load that acquires, or a store that releases.
pub(super) fn ordered(g: &mut Generator) {
    let size = g.chance.pick(&Size::ALL);
    let bytes = size.bytes() as i32;
    let (loads, other) = (g.chance.percent(50), g.number());
    let value = g.holding(|holds| matches!(holds, Holds::Value(_, left) if left >= 8));
    let (base, offset) = match value {
        Some(base) if g.chance.percent(60) => (base, g.or_wrong(0, &[8, -8, 1, 64])),
        _ => {
            g.a.st(Size::DW, R10, -8, 1);
            g.state.set_word(0, Holds::Nothing);
            let place = -bytes * g.chance.between(1, 8 / bytes);
            (R10, g.or_wrong(place, &[place + 1, 0, -520]))
        }
    };
    let sem = match loads {
        true => Sem::LoadAcquire { size },
        false => Sem::StoreRelease { size },
    };
    let (dst, src) = match loads {
        true => (g.target(), base),
        false => (base, other),
    };
    let Some(row) = sem.row() else { return };
    g.a.insn(Insn::new(
        row,
        Fields {
            dst,
            src,
            offset: offset as i16,
            ..Fields::default()
        },
    ));
    if loads {
        g.state.set(dst, Holds::Number(None));
    }
}

/// A load that extends the sign, of anything that can be read.
pub(super) fn signed(g: &mut Generator) {
    let size = g.chance.pick(&[Size::B, Size::H, Size::W]);
    let bytes = size.bytes() as i32;
    let known = g.holding(|holds| match holds {
        Holds::Value(_, left) | Holds::Packet(left) => left >= bytes,
        Holds::Ctx => true,
        _ => false,
    });
    let to = g.target();
    match known {
        Some(base) if g.chance.percent(70) => {
            let at = g.or_wrong(0, &[bytes, -1, 16]);
            g.a.ldxsx(size, to, base, at as i16);
        }
        _ => {
            let number = g.number();
            g.a.st(Size::DW, R10, -16, number);
            g.state.set_word(1, Holds::Nothing);
            let at = -16 + bytes * g.chance.between(0, 8 / bytes - 1);
            let at = g.or_wrong(at, &[at + 1, -18]);
            g.a.ldxsx(size, to, R10, at as i16);
        }
    }
    g.state.set(to, Holds::Number(None));
    if g.chance.percent(40) {
        bound_to(g, to, 15);
    }
}
