//! Constructs that call.

use ebpf_asm::assembler::Source;
use ebpf_asm::insn::Reg::*;
use ebpf_asm::isa::{Cond, Size, Width};
use ebpf_asm::prog_type::ProgType;
use ebpf_asm::program::Reference;

use super::numbers::bound_to;
use super::state::{Holds, State};
use super::types::Role;
use super::{Generator, maps};

pub(super) fn tail(g: &mut Generator) {
    let Some(ctx) = g.holding(|holds| holds == Holds::Ctx) else {
        return;
    };
    if g.inside_function && !g.slip() {
        return;
    }
    let map = if g.slip() {
        maps::ARRAY
    } else {
        maps::PROGRAMS
    };
    g.a.mov(R1, ctx).ld_reference(R2, Reference::Map(map));
    let index = g.chance.pick(&[0, 1, 2]);
    g.a.mov(R3, index);
    let id = g.helper("tail_call");
    g.call(id);
    g.state.set(R0, Holds::Nothing);
}

pub(super) fn plain(g: &mut Generator) {
    const NAMES: [&str; 5] = [
        "ktime_get_ns",
        "get_prandom_u32",
        "get_smp_processor_id",
        "get_numa_node_id",
        "ktime_get_boot_ns",
    ];
    if g.chance.percent(25) && g.prog_type == ProgType::Xdp || g.slip() {
        let Some(ctx) = g.holding(|holds| holds == Holds::Ctx) else {
            return;
        };
        let by = g.chance.pick(&[-8, 8, 0]);
        g.a.mov(R1, ctx).mov(R2, by);
        let id = g.helper("xdp_adjust_head");
        g.call(id);
        g.state.packet_moved();
        return;
    }
    let name = g.chance.pick(&NAMES);
    let id = g.helper(name);
    g.call(id);
}

/// Helpers that fill or read memory of a size that varies.
pub(super) fn sized(g: &mut Generator) {
    let size = g.kept();
    let room = g.chance.pick(&[8, 16, 32, 64]);
    let varies = g.chance.percent(60);
    if varies {
        g.unknown(size);
        bound_to(g, size, room);
        if g.chance.percent(50) {
            let out = g.out;
            g.a.jump(Cond::Jeq, Width::W64, size, Source::Imm(0), out);
        }
    } else {
        let exact = g.or_wrong(room, &[room + 1, 0, -1]);
        g.a.mov(size, exact);
        g.state.set(size, Holds::Number(Some(room as u32)));
    }
    let at = g.or_wrong(-room, &[-room + 8, 0, -520]);
    for word in 0..8 {
        g.state.set_word(word, Holds::Nothing);
    }
    match g.prog_type {
        ProgType::SchedCls | ProgType::SocketFilter | ProgType::CgroupSkb
            if g.chance.percent(70) =>
        {
            let Some(ctx) = g.holding(|holds| holds == Holds::Ctx) else {
                return;
            };
            g.a.mov(R1, ctx)
                .mov(R2, 0)
                .mov(R3, R10)
                .add(R3, at)
                .mov(R4, size);
            let id = g.helper("skb_load_bytes");
            g.call(id);
        }
        ProgType::Xdp | ProgType::SchedCls => {
            initialise(g, room);
            g.a.mov(R1, 0)
                .mov(R2, 0)
                .mov(R3, R10)
                .add(R3, at)
                .mov(R4, size)
                .mov(R5, 0);
            let id = g.helper("csum_diff");
            g.call(id);
        }
        ProgType::Tracepoint | ProgType::RawTracepoint | ProgType::Kprobe | ProgType::PerfEvent => {
            g.a.mov(R1, R10).add(R1, at).mov(R2, size).mov(R3, 0);
            let id = g.helper("probe_read_kernel");
            g.call(id);
        }
        _ => {
            initialise(g, room);
            g.a.mov(R1, R10).add(R1, at).mov(R2, size);
            let id = g.helper("trace_printk");
            g.call(id);
        }
    }
}

/// Writes the bytes of the stack that a helper will read.
fn initialise(g: &mut Generator, room: i32) {
    if g.chance.percent(80) {
        for word in 1..=room / 8 {
            g.a.st(Size::DW, R10, (-8 * word) as i16, 0);
        }
    }
}

/// A function that gets a number, a piece of the stack, or a value of a map.
pub(super) fn local(g: &mut Generator) {
    if g.functions.len() >= 3 {
        return;
    }
    let label = g.a.label();
    let first = match g.chance.below(4) {
        0 => {
            let number = g.number();
            g.a.mov(R1, number);
            Holds::Number(None)
        }
        1 => {
            g.a.st(Size::DW, R10, -64, 1).mov(R1, R10).add(R1, -64);
            g.state.set_word(7, Holds::Number(None));
            // Of the caller's frame: as memory of eight bytes.
            Holds::Value(maps::ARRAY, 8)
        }
        2 => {
            maps::direct_address(g, R1);
            Holds::Value(maps::ARRAY, 16)
        }
        _ => {
            let Some(ctx) = g.holding(|holds| holds == Holds::Ctx) else {
                return;
            };
            g.a.mov(R1, ctx);
            Holds::Ctx
        }
    };
    let mut entry = State::entry(first);
    // One that is there: to make one may take a call, which takes R1.
    let two = g.holding(|holds| matches!(holds, Holds::Number(_)));
    if let Some(two) = two.filter(|two| *two != R1 && g.chance.percent(60)) {
        g.a.mov(R2, two);
        entry.set(R2, Holds::Number(None));
    }
    g.a.call_local(label);
    g.state.clobber();
    g.state.set(R0, Holds::Number(None));
    g.functions.push((label, entry, Role::Static));
    if g.chance.percent(20) {
        g.a.call_local(label);
    }
}
