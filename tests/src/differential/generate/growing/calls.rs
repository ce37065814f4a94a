//! Sprouts that call: helpers, functions of the program, callbacks.
//!
//! Read before: `memory.rs`. Read next: `around.rs`.

use ebpf_asm::insn::Reg::{self, *};
use ebpf_asm::insn::{Fields, Insn};
use ebpf_asm::isa::{Imm64, Sem, Size};
use ebpf_asm::prog_type::ProgType;
use ebpf_asm::program::Reference;

use super::grower::Grower;
use super::scene::{MAPS, call};

pub(super) fn helper_call(g: &mut Grower) {
    const HELPERS: [&str; 4] = [
        "get_prandom_u32",
        "ktime_get_ns",
        "get_smp_processor_id",
        "get_numa_node_id",
    ];
    match g.chance.below(8) {
        // What moves the packet.
        0 => {
            let name = match g.prog_type {
                ProgType::Xdp => "xdp_adjust_head",
                _ => "skb_pull_data",
            };
            g.a.mov(R1, R6).mov(R2, 0);
            call(g.a, name);
        }
        _ => call(g.a, g.chance.pick(&HELPERS)),
    }
    if g.chance.percent(40) {
        let to = g.chance.pick(&[R7, R8, R9]);
        g.a.mov(to, R0);
    }
}

pub(super) fn helper_memory(g: &mut Grower) {
    let (memory, word, size) = (g.reg(), g.word(), g.chance.pick(&[1, 4, 8, 16, 17]));
    let pointer = |g: &mut Grower, to: Reg| {
        match g.chance.percent(60) {
            true => g.a.mov(to, R10).add(to, i32::from(word)),
            false => g.a.mov(to, memory),
        };
    };
    let sized = |g: &mut Grower, to: Reg| {
        match g.chance.percent(60) {
            true => g.a.mov(to, size),
            false => {
                let from = g.reg();
                g.a.mov(to, from)
            }
        };
    };
    match g.chance.below(3) {
        0 => {
            pointer(g, R3);
            g.a.mov(R2, R10).add(R2, -8);
            let map = g.chance.pick(&MAPS);
            g.a.ld_reference(R1, Reference::Map(map)).mov(R4, 0);
            call(g.a, "map_update_elem");
        }
        1 => {
            pointer(g, R3);
            sized(g, R4);
            g.a.mov(R1, 0).mov(R2, 0).mov(R5, 0);
            call(g.a, "csum_diff");
        }
        _ => {
            pointer(g, R3);
            sized(g, R4);
            g.a.mov(R1, R6).mov(R2, 0);
            let name = match g.prog_type {
                ProgType::Xdp => "xdp_load_bytes",
                _ => "skb_load_bytes",
            };
            call(g.a, name);
        }
    }
}

/// Gives a function a place on the stack or what a register holds, and what another holds.
pub(super) fn call_local(g: &mut Grower) {
    match g.chance.percent(60) {
        true => stack_address_in(g, R1),
        false => {
            let from = g.reg();
            g.a.mov(R1, from);
        }
    }
    if g.chance.percent(60) {
        let from = g.reg();
        g.a.mov(R2, from);
    }
    g.a.call_local(g.outside.function);
    if g.chance.percent(40) {
        let to = g.chance.pick(&[R7, R8, R9]);
        g.a.mov(to, R0);
    }
}

pub(super) fn stack_address_in(g: &mut Grower, to: Reg) {
    let at = g.word();
    g.a.mov(to, R10).add(to, i32::from(at));
}

/// A function of few instructions, which grows as the program does.
pub(super) fn local(g: &mut Grower) {
    g.a.mov(R6, R1);
    for reg in [R7, R8, R9] {
        match g.chance.below(3) {
            0 => g.a.mov(reg, R1),
            1 => g.a.mov(reg, R2),
            _ => g.a.mov(reg, 1),
        };
    }
    match g.chance.below(5) {
        0 => g.a.ldx(Size::DW, R0, R1, 0),
        1 => g.a.st(Size::DW, R1, 0, R2).mov(R0, 0),
        2 => g.a.st(Size::W, R1, 0, 7).ldx(Size::W, R0, R1, 0),
        3 => g.a.mov(R0, R2),
        _ => g.a.mov(R0, 0),
    };
    g.a.exit();
}

pub(super) fn call_back(g: &mut Grower) {
    // With 0 rounds no path leads to the function, which is refused.
    let rounds = g.chance.pick(&[1, 1, 3, 3, 1000, 0]);
    g.a.mov(R1, rounds);
    if let Some(row) = Sem::LoadImm64(Imm64::Code).row() {
        let fields = Fields {
            dst: R2,
            ..Fields::default()
        };
        g.a.insn_to(Insn::new(row, fields), g.outside.function);
    }
    stack_address_in(g, R3);
    g.a.mov(R4, 0);
    call(g.a, "loop");
}

pub(super) fn called_back(g: &mut Grower) {
    g.a.mov(R6, R2).mov(R7, R1).mov(R8, 0).mov(R9, R2);
    match g.chance.below(3) {
        0 => g.a.ldx(Size::DW, R8, R2, 0),
        1 => {
            g.a.ldx(Size::DW, R8, R2, 0)
                .add(R8, 1)
                .st(Size::DW, R2, 0, R8)
        }
        _ => g.a.mov(R1, 0),
    };
    g.a.mov(R0, 0).exit();
}
