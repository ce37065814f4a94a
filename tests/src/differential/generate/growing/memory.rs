//! Sprouts of memory: the stack, values of maps, the context, packets.
//!
//! Read before: `numbers.rs`. Read next: `calls.rs`.

use ebpf_asm::insn::Fields;
use ebpf_asm::insn::Reg::{self, *};
use ebpf_asm::isa::{AtomicOp, Sem, Size};
use ebpf_asm::program::Reference;

use super::super::maps;
use super::grower::Grower;
use super::scene::{MAPS, field, lookup, packet_fields};

pub(super) fn spill(g: &mut Grower) {
    let ((size, at), reg) = (g.part(), g.reg());
    g.a.st(size, R10, at, reg);
}

pub(super) fn stack_constant(g: &mut Grower) {
    let ((size, at), number) = (g.part(), g.number());
    g.a.st(size, R10, at, number);
}

pub(super) fn fill(g: &mut Grower) {
    let ((size, at), to) = (g.part(), g.reg());
    match size != Size::DW && g.chance.percent(50) {
        true => g.a.ldxsx(size, to, R10, at),
        false => g.a.ldx(size, to, R10, at),
    };
}

pub(super) fn load(g: &mut Grower) {
    let (to, from, at) = (g.reg(), g.base(), g.offset());
    let size = g.chance.pick(&Size::ALL);
    match size != Size::DW && g.chance.percent(30) {
        true => g.a.ldxsx(size, to, from, at),
        false => g.a.ldx(size, to, from, at),
    };
}

pub(super) fn store_constant(g: &mut Grower) {
    let (to, at, number) = (g.base(), g.offset(), g.number());
    let size = g.chance.pick(&Size::ALL);
    g.a.st(size, to, at, number);
}

pub(super) fn store(g: &mut Grower) {
    let (to, at, from) = (g.base(), g.offset(), g.reg());
    let size = g.chance.pick(&Size::ALL);
    g.a.st(size, to, at, from);
}

pub(super) fn atomic(g: &mut Grower) {
    let (base, reg) = (g.base(), g.reg());
    let size = g.chance.pick(&[Size::W, Size::DW]);
    let at = match base {
        R10 => g.word(),
        _ => g.chance.pick(&[0, 4, 8]),
    };
    match g.chance.below(6) {
        0 | 1 => {
            let size = g.chance.pick(&Size::ALL);
            let (sem, dst, src) = match g.chance.percent(50) {
                true => (Sem::LoadAcquire { size }, reg, base),
                false => (Sem::StoreRelease { size }, base, reg),
            };
            let fields = Fields {
                dst,
                src,
                offset: at,
                ..Fields::default()
            };
            g.insn(sem, fields);
        }
        _ => {
            let op = g.chance.pick(&AtomicOp::ALL);
            g.a.atomic(op, size, base, at, reg);
        }
    }
}

pub(super) fn look_up(g: &mut Grower) {
    let (map, to) = (g.chance.pick(&MAPS), g.chance.pick(&[R7, R8, R9]));
    lookup(g.a, map, to);
    if g.chance.percent(50) {
        g.a.jeq(to, 0, g.outside.out);
    }
}

pub(super) fn direct(g: &mut Grower) {
    let (to, map) = (g.reg(), g.chance.pick(&[maps::GLOBALS, maps::CONSTANTS]));
    let offset = g.chance.pick(&[0, 4, 8]);
    g.a.ld_reference(to, Reference::MapValue { map, offset });
}

pub(super) fn context(g: &mut Grower) {
    let (to, at) = (g.reg(), field(g.chance, g.prog_type));
    g.a.ldx(Size::W, to, R6, at);
}

pub(super) fn packet(g: &mut Grower) {
    let (start, end, over) = (g.reg(), g.reg(), g.reg());
    let (data, data_end) = packet_fields(g.prog_type);
    g.a.ldx(Size::W, start, R6, data);
    g.a.ldx(Size::W, end, R6, data_end);
    g.a.mov(over, start);
    let by = g.chance.pick(&[1, 2, 8, 14, 16, 34]);
    g.a.add(over, by);
    compare_ends(g, over, end);
}

/// Goes on if `over` is not behind the end of the packet, in one of the ways to say it.
pub(super) fn compare_ends(g: &mut Grower, over: Reg, end: Reg) {
    let (out, later) = (g.outside.out, g.outside.later);
    match g.chance.below(6) {
        0 | 1 => g.a.jgt(over, end, out),
        2 => g.a.jge(over, end, out),
        3 => g.a.jlt(end, over, out),
        4 => g.a.jle(end, over, out),
        _ => g.a.jle(over, end, later),
    };
}

pub(super) fn stack_address(g: &mut Grower) {
    let (to, at) = (g.reg(), g.word());
    g.a.mov(to, R10);
    if g.chance.percent(80) {
        g.a.add(to, i32::from(at));
    }
}
