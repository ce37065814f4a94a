//! Constructs on what comes from user space, and on work that is done later.
//!
//! Read before: `kernels_own.rs`. Read next: `arenas.rs`.

use ebpf_asm::assembler::Source;
use ebpf_asm::insn::Reg::*;
use ebpf_asm::isa::{Cond, Size, Width};
use ebpf_asm::program::Reference;

use super::objects::taken;
use super::state::{Holds, State};
use super::types::Role;
use super::{Generator, callbacks, maps};

/// Records of a user ring buffer, each handed to a function of the program.
pub(super) fn drain(g: &mut Generator) {
    if g.functions.len() >= 3 {
        return;
    }
    let map = g.or_wrong(maps::USER_RING as i32, &[maps::RING as i32]) as usize;
    let handed = callbacks::handed_on(g, R3);
    let mut state = State::entry(Holds::Other);
    state.set(R2, handed);
    let callback = g.callback(state, Role::Record);
    g.a.ld_reference(R1, Reference::Map(map));
    g.code(R2, callback);
    let flags = g.or_wrong(0, &[1, 8]);
    g.a.mov(R4, flags);
    g.helper_call("user_ringbuf_drain");
    g.state.set(R0, Holds::Number(None));
    for word in 0..16 {
        g.state.set_word(word, Holds::Nothing);
    }
}

/// The first instructions of a function that is handed a record: it is a dynptr.
pub(super) fn record(g: &mut Generator) {
    let kept = g.kept();
    g.a.mov(kept, R1);
    if g.chance.percent(70) {
        let len = g.chance.pick(&[1, 4, 8]);
        g.a.mov(R3, R1).mov(R1, R10).add(R1, -8).mov(R2, len);
        g.a.mov(R4, 0).mov(R5, 0);
        g.helper_call("dynptr_read");
    } else {
        let len = g.or_wrong(8, &[0, 9]);
        g.a.mov(R2, 0).mov(R3, len);
        g.helper_call("dynptr_data");
        let none = g.a.label();
        if !g.slip() {
            g.a.jump(Cond::Jeq, Width::W64, R0, Source::Imm(0), none);
        }
        let writes = g.slip();
        match writes {
            true => g.a.st(Size::DW, R0, 0, 1),
            false => g.a.ldx(Size::DW, R1, R0, 0),
        };
        g.a.bind(none);
    }
    if g.slip() {
        g.a.ldx(Size::DW, R1, kept, 0);
    }
    g.state.clobber();
    g.state.set(kept, Holds::Nothing);
    g.state.set_word(0, Holds::Nothing);
}

/// A work queue in a map value: made ready, given a function, started.
pub(super) fn work(g: &mut Generator) {
    let done = g.a.label();
    maps::found(g, maps::WORKED);
    let value = taken(g, done);
    let at_work = |g: &mut Generator| {
        let at = g.or_wrong(8, &[0, 16]);
        g.a.mov(R1, value).add(R1, at);
    };
    g.typed = true;
    if g.chance.percent(80) {
        at_work(g);
        // Linux 6.18 falls over a null where the values of the other map have no special field.
        let map = g.or_wrong(maps::WORKED as i32, &[maps::TIMED as i32]);
        g.a.ld_reference(R2, Reference::Map(map as usize))
            .mov(R3, 0);
        g.kfunc("bpf_wq_init");
    }
    if g.chance.percent(70) && g.functions.len() < 3 {
        let mut state = State::entry(Holds::Other);
        state.set(R3, Holds::Value(maps::WORKED, 8));
        let callback = g.callback(state, Role::Later);
        at_work(g);
        g.code(R2, callback);
        g.a.mov(R3, 0).mov(R4, 0);
        g.kfunc("bpf_wq_set_callback_impl");
    }
    if g.chance.percent(60) {
        at_work(g);
        g.a.mov(R2, 0);
        g.kfunc("bpf_wq_start");
    }
    g.a.bind(done);
    g.forget();
}
