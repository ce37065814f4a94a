//! Constructs on several dynptrs of the same bytes: clones, parts, copies.
//!
//! Read before: `objects.rs`. Read next: `collections.rs`.

use ebpf_asm::assembler::Source;
use ebpf_asm::insn::Reg::*;
use ebpf_asm::isa::{Cond, Size, Width};
use ebpf_asm::program::Reference;

use super::objects::give_record_back;
use super::state::Holds;
use super::{Generator, maps};

/// A dynptr of globals or of a record, cloned; what is done with both; and the record given back.
pub(super) fn views(g: &mut Generator) {
    let (first, clone) = (g.room(16), g.room(16));
    let is_record = g.chance.percent(40);
    let size = g.or_wrong(16, &[17, -1]);
    let name = if is_record {
        g.a.ld_reference(R1, Reference::Map(maps::RING));
        "ringbuf_reserve_dynptr"
    } else {
        maps::direct_address(g, R1);
        "dynptr_from_mem"
    };
    g.a.mov(R2, size).mov(R3, 0);
    g.place(R4, first);
    g.helper_call(name);
    g.place(R1, first);
    g.place(R2, clone);
    g.kfunc("bpf_dynptr_clone");
    for _ in 0..1 + g.chance.below(3) {
        with_both(g, first, clone);
    }
    if is_record && !g.slip() {
        let which = g.chance.pick(&[first, clone]);
        give_record_back(g, which);
        if g.slip() {
            with_both(g, first, clone);
        }
    }
    g.forget();
}

fn with_both(g: &mut Generator, first: i32, clone: i32) {
    let which = g.chance.pick(&[first, clone]);
    match g.chance.below(6) {
        0 => {
            g.place(R1, which);
            let end = g.chance.pick(&[8, 4, 20]);
            g.a.mov(R2, 0).mov(R3, end);
            g.kfunc("bpf_dynptr_adjust");
        }
        1 => {
            g.place(R1, first);
            g.place(R3, clone);
            g.a.mov(R2, 0).mov(R4, 0).mov(R5, 8);
            g.kfunc("bpf_dynptr_copy");
        }
        2 => {
            g.place(R1, which);
            g.a.mov(R2, 0).mov(R3, 4).mov(R4, 1);
            g.kfunc("bpf_dynptr_memset");
        }
        // The whole again, over a view that is not needed any more.
        3 => {
            g.place(R1, first);
            g.place(R2, clone);
            g.kfunc("bpf_dynptr_clone");
        }
        _ => slice(g, which),
    }
    g.state.clobber();
}

/// A slice, which lives on while a call is made, or not if it is that of a clone gone over.
fn slice(g: &mut Generator, which: i32) {
    let none = g.a.label();
    g.place(R1, which);
    g.a.mov(R2, 0).mov(R3, R10).add(R3, -8).mov(R4, 8);
    g.kfunc("bpf_dynptr_slice_rdwr");
    if !g.slip() {
        g.a.jump(Cond::Jeq, Width::W64, R0, Source::Imm(0), none);
    }
    let at = g.or_wrong(0, &[8, -1, 1]) as i16;
    g.a.st(Size::DW, R0, at, 1).bind(none);
    g.state.set_word(0, Holds::Nothing);
}
