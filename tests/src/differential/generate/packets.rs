//! Constructs on the context and the packet.

use ebpf_asm::assembler::Source;
use ebpf_asm::insn::Reg::{self, *};
use ebpf_asm::isa::{Cond, Size, Width};
use ebpf_asm::prog_type::ProgType;

use super::Generator;
use super::numbers::bound_to;
use super::state::Holds;

/// Where a program type has `data`, `data_end` and `data_meta`: offsets in `struct xdp_md` and
/// `struct __sk_buff` of `linux/bpf.h`.
fn fields(prog_type: ProgType) -> Option<(i16, i16, Option<i16>)> {
    match prog_type {
        ProgType::Xdp => Some((0, 4, Some(8))),
        ProgType::SchedCls => Some((76, 80, Some(140))),
        ProgType::SchedAct => Some((76, 80, Some(140))),
        ProgType::CgroupSkb | ProgType::LwtXmit | ProgType::SkSkb => Some((76, 80, None)),
        _ => None,
    }
}

/// Whether programs of the type read packets.
pub(super) fn has_packet(prog_type: ProgType) -> bool {
    fields(prog_type).is_some()
}

/// The types that have `struct __sk_buff`, and load from the packet as classic BPF does.
pub(super) const LEGACY: [ProgType; 4] = [
    ProgType::SchedCls,
    ProgType::SchedAct,
    ProgType::SocketFilter,
    ProgType::CgroupSkb,
];

/// The register that holds the context.
fn ctx(g: &mut Generator) -> Option<Reg> {
    g.holding(|holds| holds == Holds::Ctx)
}

/// Loads a number from the context.
pub(super) fn any_field(g: &mut Generator, to: Reg) {
    let (offset, size) = match g.prog_type {
        ProgType::Xdp => (g.chance.pick(&[12, 16]), Size::W),
        ProgType::SchedCls
        | ProgType::SchedAct
        | ProgType::SocketFilter
        | ProgType::CgroupSkb
        | ProgType::LwtXmit
        | ProgType::SkSkb => (g.chance.pick(&[0, 4, 8, 16, 20, 40]), Size::W),
        ProgType::CgroupSockAddr => (g.chance.pick(&[0, 4, 24, 28, 32]), Size::W),
        ProgType::SockOps => (g.chance.pick(&[0, 20, 24, 28, 64]), Size::W),
        ProgType::SkLookup => (g.chance.pick(&[8, 12, 16, 40, 44]), Size::W),
        ProgType::CgroupDevice => (g.chance.pick(&[0, 4, 8]), Size::W),
        ProgType::CgroupSysctl => (g.chance.pick(&[0, 4]), Size::W),
        ProgType::Tracepoint => (g.chance.pick(&[8, 16, 24]), Size::DW),
        _ => (g.chance.pick(&[0, 8, 16, 24]), Size::DW),
    };
    g.a.ldx(size, to, R6, offset);
    g.state.set(to, Holds::Number(None));
}

pub(super) fn context(g: &mut Generator) {
    let Some(base) = ctx(g) else { return };
    let to = g.target();
    let word = match g.prog_type {
        ProgType::Xdp => g.chance.pick(&[12, 16]),
        ProgType::SchedCls
        | ProgType::SchedAct
        | ProgType::SocketFilter
        | ProgType::CgroupSkb
        | ProgType::LwtXmit
        | ProgType::SkSkb => g.chance.pick(&[
            0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60, 64,
        ]),
        ProgType::CgroupSockAddr
        | ProgType::SockOps
        | ProgType::SkLookup
        | ProgType::CgroupDevice
        | ProgType::CgroupSysctl => 4 * g.chance.between(0, 9),
        _ => 8 * g.chance.between(0, 12),
    };
    let wide = super::TRACING.contains(&g.prog_type) || g.prog_type == ProgType::Syscall;
    let (offset, size) = match g.chance.below(10) {
        0 => (word, g.chance.pick(&[Size::B, Size::H])),
        1 => (
            word + g.chance.between(1, 3),
            g.chance.pick(&[Size::B, Size::H]),
        ),
        2 if g.slip() => (
            g.chance.between(-4, 240),
            g.chance.pick(&[Size::B, Size::H, Size::W, Size::DW]),
        ),
        _ => (word, if wide { Size::DW } else { Size::W }),
    };
    let narrow_refused = g.prog_type == ProgType::Xdp && size != Size::W;
    if narrow_refused && !g.slip() {
        return;
    }
    if g.chance.percent(15) {
        let writes = match g.prog_type {
            ProgType::SchedCls => g.chance.pick(&[8, 12, 32, 48, 52, 64]),
            _ => g.chance.pick(&[48, 52, 56, 60, 64]),
        };
        let reg = g.number();
        if fields(g.prog_type).is_some() || g.slip() {
            g.a.st(Size::W, base, writes as i16, reg);
        }
        return;
    }
    g.a.ldx(size, to, base, offset as i16);
    g.state.set(to, Holds::Number(None));
}

/// Loads `data` and `data_end` into two registers.
fn load(g: &mut Generator) -> Option<(Reg, Reg)> {
    let (begin, end, _) = fields(g.prog_type)?;
    let base = ctx(g)?;
    let (data, data_end) = (g.chance.pick(&[R7, R8, R2]), g.chance.pick(&[R3, R4, R9]));
    if base == data || base == data_end {
        return None;
    }
    g.a.ldx(Size::W, data, base, begin)
        .ldx(Size::W, data_end, base, end);
    g.state.set(data, Holds::Packet(0));
    g.state.set(data_end, Holds::PacketEnd);
    Some((data, data_end))
}

/// Proves `len` bytes behind `data`, in one of the ways there are.
fn prove(g: &mut Generator, data: Reg, data_end: Reg, len: i32) {
    let probe = R5;
    let out = g.out;
    if g.chance.percent(30) {
        g.a.mov(probe, len).add(probe, data);
    } else {
        g.a.mov(probe, data).add(probe, len);
    }
    let inside = g.a.label();
    let proven = match g.chance.below(10) {
        0..=3 => {
            g.a.jump(Cond::Jgt, Width::W64, probe, Source::Reg(data_end), out);
            len
        }
        4 => {
            g.a.jump(Cond::Jlt, Width::W64, data_end, Source::Reg(probe), out);
            len
        }
        5 => {
            g.a.jump(Cond::Jle, Width::W64, probe, Source::Reg(data_end), inside)
                .ja(out)
                .bind(inside);
            len
        }
        6 => {
            g.a.jump(Cond::Jge, Width::W64, data_end, Source::Reg(probe), inside)
                .ja(out)
                .bind(inside);
            len
        }
        7 => {
            g.a.jump(Cond::Jge, Width::W64, probe, Source::Reg(data_end), out);
            len + 1
        }
        8 => {
            g.a.jump(Cond::Jlt, Width::W64, probe, Source::Reg(data_end), inside)
                .ja(out)
                .bind(inside);
            len + 1
        }
        _ => {
            g.a.jump(Cond::Jgt, Width::W64, data_end, Source::Reg(probe), inside)
                .ja(out)
                .bind(inside);
            len + 1
        }
    };
    g.state.set(probe, Holds::Packet(proven - len));
    g.state.set(data, Holds::Packet(proven));
}

/// Reads or writes proven bytes.
fn touch(g: &mut Generator, base: Reg, proven: i32) {
    let size = g.chance.pick(&[Size::B, Size::H, Size::W, Size::DW]);
    let last = proven - size.bytes() as i32;
    if last < 0 && !g.slip() {
        return;
    }
    let at = g.chance.between(0, last.max(0));
    let at = g.or_wrong(at, &[last + 1, -1, proven]);
    let writes = g.prog_type != ProgType::CgroupSkb || g.slip();
    if g.chance.percent(25) && writes {
        let reg = g.number();
        if reg != base {
            g.a.st(size, base, at as i16, reg);
        }
        return;
    }
    let to = g.target();
    g.a.ldx(size, to, base, at as i16);
    let most = match size {
        Size::B => Some(255),
        Size::H => Some(65535),
        _ => None,
    };
    g.state.set(to, Holds::Number(most));
}

pub(super) fn direct(g: &mut Generator) {
    let known = g.holding(|holds| matches!(holds, Holds::Packet(proven) if proven > 0));
    if let (Some(base), true) = (known, g.chance.percent(40)) {
        if let Holds::Packet(proven) = g.state.of(base) {
            touch(g, base, proven);
        }
        return;
    }
    let Some((data, data_end)) = load(g) else {
        return;
    };
    let len = g.chance.pick(&[1, 2, 4, 8, 14, 20, 34, 54, 100]);
    if !g.slip() {
        prove(g, data, data_end, len);
    }
    for _ in 0..=g.chance.below(2) {
        let proven = match g.state.of(data) {
            Holds::Packet(proven) => proven,
            _ => return,
        };
        touch(g, data, proven.max(1));
    }
}

pub(super) fn variable(g: &mut Generator) {
    let Some((data, data_end)) = load(g) else {
        return;
    };
    let index = R4;
    if data_end == R4 {
        return;
    }
    if g.chance.percent(50) {
        prove(g, data, data_end, 14);
        g.a.ldx(Size::B, index, data, 0);
        if g.chance.percent(60) {
            g.a.and(index, 0xf).lsh(index, 2);
        }
    } else {
        any_field(g, index);
        let most = g.chance.pick(&[16, 60, 255, 4096, 65535]);
        bound_to(g, index, most);
    }
    let pointer = g.chance.pick(&[R2, R7, R8]);
    if pointer == data || g.state.of(data_end) != Holds::PacketEnd {
        return;
    }
    match g.chance.below(3) {
        0 => g.a.mov(pointer, index).add(pointer, data),
        1 => g.a.mov(pointer, data).add(pointer, 14).add(pointer, index),
        _ => g.a.mov(pointer, data).add(pointer, index),
    };
    g.state.set(index, Holds::Nothing);
    g.state.set(pointer, Holds::Packet(0));
    let len = g.chance.pick(&[1, 4, 8, 20]);
    if !g.slip() {
        prove(g, pointer, data_end, len);
    }
    touch(g, pointer, len);
    if let Holds::Packet(_) = g.state.of(pointer) {
        g.state.set(pointer, Holds::Packet(0));
    }
}

/// What a comparison with the end itself, or one byte beyond, tells.
pub(super) fn end(g: &mut Generator) {
    let Some((data, data_end)) = load(g) else {
        return;
    };
    let skip = g.a.label();
    let cond = g.chance.pick(&[
        Cond::Jeq,
        Cond::Jne,
        Cond::Jgt,
        Cond::Jge,
        Cond::Jlt,
        Cond::Jle,
    ]);
    let probe = R5;
    let len = g.chance.between(0, 4);
    g.a.mov(probe, data).add(probe, len);
    if g.chance.percent(50) {
        g.a.jump(cond, Width::W64, probe, Source::Reg(data_end), skip);
    } else {
        g.a.jump(cond, Width::W64, data_end, Source::Reg(probe), skip);
    }
    if g.chance.percent(50) {
        // Decided by what is known now.
        let again = g.chance.pick(&[Cond::Jgt, Cond::Jge, Cond::Jlt, Cond::Jle]);
        g.a.jump(again, Width::W64, probe, Source::Reg(data_end), skip);
    }
    if matches!(cond, Cond::Jgt | Cond::Jge) && len > 0 || g.slip() {
        g.a.ldx(Size::B, R0, data, 0);
        g.state.set(R0, Holds::Nothing);
    }
    g.a.bind(skip);
    g.state.set(probe, Holds::Packet(0));
    g.state.set(R0, Holds::Nothing);
}

pub(super) fn meta(g: &mut Generator) {
    let Some((begin, _, Some(meta))) = fields(g.prog_type) else {
        return;
    };
    let Some(base) = ctx(g) else { return };
    let (pointer, data) = (R2, R3);
    if base == pointer || base == data {
        return;
    }
    g.a.ldx(Size::W, pointer, base, meta)
        .ldx(Size::W, data, base, begin);
    g.a.mov(R4, pointer).add(R4, 4);
    let out = g.out;
    let cond = if g.slip() { Cond::Jge } else { Cond::Jgt };
    g.a.jump(cond, Width::W64, R4, Source::Reg(data), out);
    let at = g.or_wrong(0, &[1, 4, -4]);
    g.a.ldx(Size::W, R0, pointer, at as i16);
    g.state.set(pointer, Holds::Meta);
    g.state.set(data, Holds::Packet(0));
    g.state.set(R4, Holds::Other);
    g.state.set(R0, Holds::Number(None));
}

pub(super) fn legacy(g: &mut Generator) {
    if !LEGACY.contains(&g.prog_type) && !g.slip() {
        return;
    }
    let size = g.chance.pick(&[Size::B, Size::H, Size::W]);
    let at = g.chance.between(-4, 64);
    if g.chance.percent(60) {
        g.a.ld_abs(size, at);
    } else {
        let reg = g.number();
        g.a.ld_ind(size, reg, at);
    }
    g.state.clobber();
    g.state.set(R0, Holds::Number(None));
}
