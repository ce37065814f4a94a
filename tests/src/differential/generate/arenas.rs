//! Constructs on the arena: memory that a program shares with user space.
//!
//! Read before: `queues.rs`. Read next: `callbacks.rs`.

use ebpf_asm::assembler::Source;
use ebpf_asm::insn::Reg::{self, *};
use ebpf_asm::insn::{Fields, Insn};
use ebpf_asm::isa::{AluOp, AtomicOp, Cast, Cond, Sem, Size, Width};
use ebpf_asm::prog_type::ProgType;
use ebpf_asm::program::Reference;

use super::state::Holds;
use super::{Generator, maps};

fn cast(g: &mut Generator, dst: Reg, src: Reg, cast: Cast) {
    if let Some(row) = Sem::AddrSpaceCast(cast).row() {
        let fields = Fields {
            dst,
            src,
            ..Fields::default()
        };
        g.a.insn(Insn::new(row, fields));
    }
}

/// An address in the arena, of a page or of any number, and what is done there.
pub(super) fn arena(g: &mut Generator) {
    let base = g.kept();
    if g.slip() && g.chance.percent(30) {
        // No arena goes with the program, perhaps.
        g.a.mov(base, 0);
    } else {
        g.a.ld_reference(R1, Reference::Map(maps::ARENA));
        page(g, base);
    }
    let is_right = g.or_wrong(1, &[0]) == 1;
    if !g.slip() {
        let which = match is_right {
            true => Cast::ToKernel,
            false => Cast::ToArena,
        };
        cast(g, base, base, which);
    }
    g.reserved.push(base);
    for _ in 0..1 + g.chance.below(4) {
        at(g, base);
    }
    g.reserved.pop();
    g.state.set(base, Holds::Other);
    if g.chance.percent(20) {
        free(g, base);
    }
}

/// The address of a page, or of nothing.
fn page(g: &mut Generator, base: Reg) {
    let sleeps = g.prog_type == ProgType::Syscall;
    if sleeps && g.chance.percent(80) || g.slip() {
        let count = g.or_wrong(1, &[0, 1000]);
        g.a.mov(R2, 0).mov(R3, count).mov(R4, -1).mov(R5, 0);
        g.kfunc("bpf_arena_alloc_pages");
        g.a.mov(base, R0);
        return;
    }
    match g.chance.below(3) {
        0 => {
            let number = g.number();
            g.a.mov(base, number);
        }
        1 => {
            g.a.mov(base, R1);
        }
        _ => {
            let number = g.chance.corner() as i32;
            g.a.mov(base, number);
        }
    }
}

fn free(g: &mut Generator, base: Reg) {
    if g.prog_type != ProgType::Syscall && !g.slip() {
        return;
    }
    g.a.ld_reference(R1, Reference::Map(maps::ARENA))
        .mov(R2, base)
        .mov(R3, 1);
    g.kfunc("bpf_arena_free_pages");
}

/// One thing done with an address in the arena.
fn at(g: &mut Generator, base: Reg) {
    let size = g.chance.pick(&Size::ALL);
    let offset = g.chance.pick(&[0, 8, -8, 100, 4096]);
    match g.chance.below(11) {
        0 | 1 => {
            g.a.st(size, base, offset, 1);
        }
        2 | 3 => {
            let to = g.target();
            g.a.ldx(size, to, base, offset);
            g.state.set(to, Holds::Number(None));
            if g.chance.percent(30) && size == Size::DW {
                cast(g, to, to, Cast::ToKernel);
                g.state.set(to, Holds::Other);
            }
        }
        4 => {
            let by = g.number();
            let op = g
                .chance
                .pick(&[AluOp::Add, AluOp::Sub, AluOp::Xor, AluOp::Lsh]);
            let width = g.chance.pick(&[Width::W64, Width::W64, Width::W32]);
            if by != base {
                g.a.alu(op, width, base, Source::Reg(by));
            }
        }
        5 => {
            let op = g
                .chance
                .pick(&[AluOp::Add, AluOp::Sub, AluOp::And, AluOp::Mul]);
            let width = g.chance.pick(&[Width::W64, Width::W64, Width::W32]);
            g.a.alu(op, width, base, Source::Imm(16));
        }
        6 => atomic(g, base, offset),
        7 => spilled(g, base),
        8 => {
            let skip = g.a.label();
            let cond = g.chance.pick(&Cond::ALL);
            g.a.jump(cond, Width::W64, base, Source::Imm(0), skip)
                .bind(skip);
        }
        9 => {
            let to = g.target();
            g.a.mov(to, base);
            cast(g, to, to, Cast::ToArena);
            g.state.set(to, Holds::Number(None));
        }
        _ => {
            let to = g.target();
            let narrow = g.chance.pick(&[Size::B, Size::H, Size::W]);
            g.a.ldxsx(narrow, to, base, offset);
            g.state.set(to, Holds::Number(None));
        }
    }
}

fn atomic(g: &mut Generator, base: Reg, offset: i16) {
    let op = g.chance.pick(&AtomicOp::ALL);
    let size = g.chance.pick(&[Size::W, Size::DW]);
    let src = g.number();
    if op == AtomicOp::Cmpxchg {
        g.a.mov(R0, 1);
    }
    g.a.atomic(op, size, base, offset, src);
    if op.fetches_into().is_some() {
        let into: Reg = if op == AtomicOp::Cmpxchg { R0 } else { src };
        g.state.set(into, Holds::Number(None));
    }
}

fn spilled(g: &mut Generator, base: Reg) {
    let back = g.chance.pick(&[Size::DW, Size::DW, Size::DW, Size::W]);
    g.a.st(Size::DW, R10, -72, base);
    g.state.set_word(8, Holds::Nothing);
    let to = g.target();
    g.a.ldx(back, to, R10, -72);
    g.state.set(to, Holds::Nothing);
    if back == Size::DW && g.chance.percent(50) {
        g.a.ldx(Size::W, to, to, 0);
        g.state.set(to, Holds::Number(None));
    }
}
