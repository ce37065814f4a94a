//! Constructs whose functions others call, and functions that are verified on their own.
//!
//! Read before: `arenas.rs`. Read next: `numbers.rs`.

use ebpf_asm::assembler::{Label, Source};
use ebpf_asm::insn::Reg::{self, *};
use ebpf_asm::insn::{Fields, Insn};
use ebpf_asm::isa::{Cond, Imm64, Sem, Size, Width};
use ebpf_asm::program::Reference;

use super::state::{Holds, State};
use super::types::{POINT, Role};
use super::{Generator, maps, queues};

/// A function has this many constructs of its own, at most.
const MOST_CONSTRUCTS: usize = 3;

impl Generator {
    /// A function that will be written, with what it is given.
    pub(super) fn callback(&mut self, state: State, role: Role) -> Label {
        let label = self.a.label();
        self.typed = true;
        self.functions.push((label, state, role));
        label
    }

    /// The address of a function.
    pub(super) fn code(&mut self, to: Reg, label: Label) {
        if let Some(row) = Sem::LoadImm64(Imm64::Code).row() {
            let fields = Fields {
                dst: to,
                ..Fields::default()
            };
            self.a.insn_to(Insn::new(row, fields), label);
        }
    }
}

/// What a callback is handed on: nothing, or memory of the caller's.
pub(super) fn handed_on(g: &mut Generator, to: Reg) -> Holds {
    if g.chance.percent(40) {
        g.a.mov(to, 0);
        return Holds::Number(Some(0));
    }
    if g.slip() {
        // Not of the stack.
        maps::direct_address(g, to);
        return Holds::Value(maps::GLOBALS, 16);
    }
    g.a.st(Size::DW, R10, -64, 1).mov(to, R10).add(to, -64);
    g.state.set_word(7, Holds::Number(None));
    Holds::Value(maps::ARRAY, 8)
}

/// `bpf_loop`.
pub(super) fn rounds(g: &mut Generator) {
    if g.functions.len() >= 3 {
        return;
    }
    let rounds = g.chance.pick(&[0, 1, 2, 10, 1000]);
    g.a.mov(R1, rounds);
    if g.chance.percent(20) {
        let number = g.number();
        g.a.mov(R1, number);
    }
    let handed = handed_on(g, R3);
    let mut state = State::entry(Holds::Number(None));
    state.set(R2, handed);
    let callback = g.callback(state, Role::Callback);
    g.code(R2, callback);
    let flags = g.or_wrong(0, &[1]);
    g.a.mov(R4, flags);
    g.helper_call("loop");
    g.state.set(R0, Holds::Number(None));
    for word in 0..16 {
        g.state.set_word(word, Holds::Nothing);
    }
}

/// `bpf_for_each_map_elem`.
pub(super) fn elements(g: &mut Generator) {
    if g.functions.len() >= 3 {
        return;
    }
    let map = g
        .chance
        .pick(&[maps::ARRAY, maps::HASH, maps::PER_CPU, maps::LRU]);
    let map = g.or_wrong(map as i32, &[maps::RING as i32, maps::PROGRAMS as i32]) as usize;
    g.a.ld_reference(R1, Reference::Map(map));
    let handed = handed_on(g, R3);
    let mut state = State::entry(Holds::Other);
    state.set(R2, Holds::Other);
    state.set(R3, Holds::Value(map, 16));
    state.set(R4, handed);
    let callback = g.callback(state, Role::Callback);
    g.code(R2, callback);
    g.a.mov(R4, 0);
    g.helper_call("for_each_map_elem");
    g.state.set(R0, Holds::Number(None));
    for word in 0..16 {
        g.state.set_word(word, Holds::Nothing);
    }
}

/// A function that the kernel verifies on its own, by the types of what it takes.
pub(super) fn global(g: &mut Generator) {
    if g.functions.len() >= 3 {
        return;
    }
    let role = g.chance.pick(&[
        Role::GlobalNumber,
        Role::GlobalPoint,
        Role::GlobalPointThere,
        Role::GlobalContext,
    ]);
    let first = match role {
        Role::GlobalNumber => {
            let number = g.number();
            g.a.mov(R1, number);
            Holds::Number(None)
        }
        Role::GlobalContext => {
            let Some(ctx) = g.holding(|holds| holds == Holds::Ctx) else {
                return;
            };
            g.a.mov(R1, ctx);
            Holds::Ctx
        }
        _ => {
            point(g);
            Holds::Value(maps::GLOBALS, POINT)
        }
    };
    let label = g.callback(State::entry(first), role);
    g.a.call_local(label);
    g.state.clobber();
    g.state.set(R0, Holds::Number(None));
}

/// A pointer to a `struct point` in R1.
fn point(g: &mut Generator) {
    match g.chance.below(4) {
        0 => {
            g.a.st(Size::DW, R10, -64, 1).st(Size::DW, R10, -56, 1);
            g.state.set_word(6, Holds::Nothing);
            g.state.set_word(7, Holds::Nothing);
            let at = g.or_wrong(-64, &[-56, -60]);
            g.a.mov(R1, R10).add(R1, at);
        }
        1 => maps::direct_address(g, R1),
        2 => {
            maps::look_up(g);
            if g.chance.percent(50) {
                let out = g.out;
                g.a.jump(Cond::Jeq, Width::W64, R0, Source::Imm(0), out);
            }
            g.a.mov(R1, R0);
        }
        _ => {
            g.a.mov(R1, 0);
        }
    }
}

/// The first instructions of a function of some roles, and how many constructs follow at most.
pub(super) fn enter(g: &mut Generator, role: Role) -> usize {
    match role {
        // The point may be null.
        Role::GlobalPoint if !g.slip() => {
            let out = g.out;
            g.a.jump(Cond::Jeq, Width::W64, R1, Source::Imm(0), out);
        }
        Role::Record => queues::record(g),
        Role::Less => {
            // What is compared stands before the nodes.
            g.a.ldx(Size::DW, R3, R1, -8).ldx(Size::DW, R4, R2, -8);
            let less = g.a.label();
            g.a.jump(Cond::Jlt, Width::W64, R3, Source::Reg(R4), less)
                .bind(less);
            return usize::from(g.slip());
        }
        _ => {}
    }
    MOST_CONSTRUCTS
}
