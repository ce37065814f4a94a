//! Constructs on what is acquired and given back, and on special fields of map values: own
//! objects, kept pointers, locks, timers, dynptrs, sockets.
//!
//! Read before: `sections.rs`. Read next: `views.rs`.

use ebpf_asm::assembler::Source;
use ebpf_asm::insn::Reg::{self, *};
use ebpf_asm::isa::{Cond, Size, Width};
use ebpf_asm::prog_type::ProgType;
use ebpf_asm::program::Reference;

use super::state::{Holds, State};
use super::types::{self, Role};
use super::{Generator, maps};

/// Moves R0 into a register that calls leave alone, and goes to `null` if it is null; on a
/// slip without asking.
pub(super) fn taken(g: &mut Generator, null: ebpf_asm::assembler::Label) -> Reg {
    if !g.slip() {
        g.a.jump(Cond::Jeq, Width::W64, R0, Source::Imm(0), null);
    }
    let kept = g.kept();
    g.a.mov(kept, R0);
    g.state.set(R0, Holds::Nothing);
    g.state.set(kept, Holds::Other);
    kept
}

/// Constructs while a register is reserved.
fn while_kept(g: &mut Generator, kept: Reg, most: u32) {
    g.reserved.push(kept);
    if g.chance.percent(50) {
        g.inside(most);
    }
    g.reserved.pop();
}

/// Makes an object of the program's own, a structure of this name; R0 has it or null.
pub(super) fn new_object(g: &mut Generator, name: &str) {
    let structure = types::structure(name).map_or(0, |id| id.0);
    g.typed = true;
    g.a.ld_imm64(R1, u64::from(structure)).mov(R2, 0);
    g.kfunc("bpf_obj_new_impl");
}

pub(super) fn drop_object(g: &mut Generator, object: Reg) {
    g.a.mov(R1, object).mov(R2, 0);
    g.kfunc("bpf_obj_drop_impl");
}

/// Reads or writes 8 bytes of something of 16.
fn touch(g: &mut Generator, base: Reg) {
    let at = g.chance.pick(&[0, 8]);
    let at = g.or_wrong(at, &[16, -8, 12, 4]) as i16;
    if g.chance.percent(50) {
        g.a.st(Size::DW, base, at, 3);
    } else {
        g.a.ldx(Size::DW, R1, base, at);
        g.state.set(R1, Holds::Number(None));
    }
}

/// An object of the program's own, dropped in the end.
pub(super) fn own(g: &mut Generator) {
    let done = g.a.label();
    new_object(g, "item");
    let object = taken(g, done);
    touch(g, object);
    while_kept(g, object, 2);
    if !g.slip() {
        drop_object(g, object);
        if g.slip() {
            touch(g, object);
        }
    }
    g.a.bind(done);
    g.forget();
}

/// An object put into a map value, and what was there taken out.
pub(super) fn exchange(g: &mut Generator) {
    let done = g.a.label();
    maps::found(g, maps::KEEPING);
    let value = taken(g, done);
    g.reserved.push(value);
    if g.chance.percent(40) {
        g.a.mov(R2, 0);
    } else {
        new_object(g, "item");
        let null = g.a.label();
        g.a.jump(Cond::Jne, Width::W64, R0, Source::Imm(0), null);
        g.a.bind(null).mov(R2, R0);
        if g.slip() {
            g.a.mov(R2, value);
        }
    }
    let at = g.or_wrong(8, &[0, 4, 16]);
    g.a.mov(R1, value).add(R1, at);
    g.helper_call("kptr_xchg");
    g.reserved.pop();
    let old = taken(g, done);
    touch(g, old);
    if !g.slip() {
        drop_object(g, old);
    }
    g.a.bind(done);
    g.forget();
}

/// A field of a map value that keeps a pointer, read as it is.
pub(super) fn kept_read(g: &mut Generator) {
    let done = g.a.label();
    maps::found(g, maps::KEEPING);
    let value = taken(g, done);
    g.a.ldx(Size::DW, R1, value, 8);
    if !g.slip() {
        g.a.jump(Cond::Jeq, Width::W64, R1, Source::Imm(0), done);
    }
    touch(g, R1);
    g.a.bind(done);
    g.forget();
}

/// A value behind its lock.
pub(super) fn lock(g: &mut Generator) {
    let done = g.a.label();
    let map = g.chance.pick(&[maps::LOCKED, maps::LOCKED_ARRAY]);
    maps::found(g, map);
    let value = taken(g, done);
    let at_lock = |g: &mut Generator| {
        let at = g.or_wrong(4, &[0, 8]);
        g.a.mov(R1, value).add(R1, at);
    };
    at_lock(g);
    g.helper_call("spin_lock");
    g.reserved.push(value);
    for _ in 0..g.chance.below(3) {
        let at = g.or_wrong(8, &[0, 4, 12, 16]) as i16;
        if g.chance.percent(50) {
            g.a.st(Size::DW, value, at, 1);
        } else {
            g.a.ldx(Size::DW, R2, value, at);
        }
    }
    if g.slip() || g.chance.percent(10) {
        g.inside(1);
    }
    g.reserved.pop();
    if !g.slip() {
        at_lock(g);
        g.helper_call("spin_unlock");
    }
    g.a.bind(done);
    g.forget();
}

/// A timer in a map value: made ready, given a function, started, ended.
pub(super) fn timer(g: &mut Generator) {
    let done = g.a.label();
    maps::found(g, maps::TIMED);
    let value = taken(g, done);
    let at_timer = |g: &mut Generator| {
        let at = g.or_wrong(8, &[0, 16]);
        g.a.mov(R1, value).add(R1, at);
    };
    g.typed = true;
    if g.chance.percent(80) {
        at_timer(g);
        let map = g.or_wrong(maps::TIMED as i32, &[maps::ARRAY as i32]);
        g.a.ld_reference(R2, Reference::Map(map as usize))
            .mov(R3, 1);
        g.helper_call("timer_init");
    }
    if g.chance.percent(70) && g.functions.len() < 3 {
        let mut state = State::entry(Holds::Other);
        state.set(R3, Holds::Value(maps::TIMED, 8));
        let callback = g.callback(state, Role::Timer);
        at_timer(g);
        g.code(R2, callback);
        g.helper_call("timer_set_callback");
    }
    if g.chance.percent(50) {
        at_timer(g);
        let flags = g.or_wrong(0, &[1, 7]);
        g.a.mov(R2, 1000).mov(R3, flags);
        g.helper_call("timer_start");
    } else if g.chance.percent(50) {
        at_timer(g);
        g.helper_call("timer_cancel");
    }
    g.a.bind(done);
    g.forget();
}

/// Where the bytes of a dynptr are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bytes {
    Value,
    Record,
    Packet,
}

/// A dynptr made, read, written, sliced, and ended where it must be.
pub(super) fn dynptr(g: &mut Generator) {
    let at = g.room(16);
    let bytes = g.chance.pick(&[Bytes::Value, Bytes::Record, Bytes::Packet]);
    let has_packet = matches!(
        g.prog_type,
        ProgType::Xdp | ProgType::SchedCls | ProgType::SocketFilter | ProgType::CgroupSkb
    );
    let bytes = match bytes {
        Bytes::Packet if !has_packet || g.state.of(R6) != Holds::Ctx => Bytes::Value,
        bytes => bytes,
    };
    let size = g.or_wrong(16, &[17, 64, -1]);
    match bytes {
        Bytes::Value => {
            maps::direct_address(g, R1);
            g.a.mov(R2, size).mov(R3, 0);
            g.place(R4, at);
            g.helper_call("dynptr_from_mem");
        }
        Bytes::Record => {
            g.a.ld_reference(R1, Reference::Map(maps::RING))
                .mov(R2, size)
                .mov(R3, 0);
            g.place(R4, at);
            g.helper_call("ringbuf_reserve_dynptr");
        }
        Bytes::Packet => {
            g.a.mov(R1, R6).mov(R2, 0);
            g.place(R3, at);
            g.kfunc(match g.prog_type {
                ProgType::Xdp => "bpf_dynptr_from_xdp",
                _ => "bpf_dynptr_from_skb",
            });
        }
    }
    for _ in 0..g.chance.below(3) {
        use_dynptr(g, at, bytes);
    }
    if g.chance.percent(30) {
        g.inside(1);
    }
    if bytes == Bytes::Record && !g.slip() {
        give_record_back(g, at);
        if g.slip() {
            use_dynptr(g, at, bytes);
        }
    }
    g.forget();
}

/// Submits or discards the record of the dynptr at an offset of the stack.
pub(super) fn give_record_back(g: &mut Generator, at: i32) {
    g.place(R1, at);
    g.a.mov(R2, 0);
    let name = g
        .chance
        .pick(&["ringbuf_submit_dynptr", "ringbuf_discard_dynptr"]);
    g.helper_call(name);
}

fn use_dynptr(g: &mut Generator, at: i32, bytes: Bytes) {
    let offset = g.chance.pick(&[0, 0, 4, 100]);
    let len = g.chance.pick(&[1, 4, 8]);
    match g.chance.below(6) {
        0 => {
            g.a.mov(R1, R10).add(R1, -8).mov(R2, len);
            g.place(R3, at);
            g.a.mov(R4, offset).mov(R5, 0);
            g.helper_call("dynptr_read");
        }
        1 => {
            g.a.st(Size::DW, R10, -8, 5);
            g.a.mov(R3, R10)
                .add(R3, -8)
                .mov(R2, offset)
                .mov(R4, len)
                .mov(R5, 0);
            g.place(R1, at);
            g.helper_call("dynptr_write");
        }
        2 if bytes != Bytes::Packet || g.slip() => {
            g.place(R1, at);
            g.a.mov(R2, offset).mov(R3, len);
            g.helper_call("dynptr_data");
            part(g, len);
        }
        3 | 4 => {
            let writes = g.chance.percent(40);
            g.place(R1, at);
            g.a.mov(R2, offset).mov(R3, R10).add(R3, -8).mov(R4, len);
            g.kfunc(match writes {
                true => "bpf_dynptr_slice_rdwr",
                false => "bpf_dynptr_slice",
            });
            part(g, len);
        }
        _ => {
            g.place(R1, at);
            let name = g.chance.pick(&[
                "bpf_dynptr_size",
                "bpf_dynptr_is_null",
                "bpf_dynptr_is_rdonly",
            ]);
            g.kfunc(name);
            g.state.set(R0, Holds::Number(None));
        }
    }
    g.state.set_word(0, Holds::Nothing);
}

/// What R0 points to, of so many bytes, or null.
fn part(g: &mut Generator, len: i32) {
    let null = g.a.label();
    if !g.slip() {
        g.a.jump(Cond::Jeq, Width::W64, R0, Source::Imm(0), null);
    }
    let at = g.or_wrong(len - 1, &[len, -1]) as i16;
    if g.chance.percent(40) {
        g.a.st(Size::B, R0, at, 1);
    } else {
        g.a.ldx(Size::B, R1, R0, at);
    }
    g.a.bind(null);
    g.state.set(R0, Holds::Nothing);
    g.state.set(R1, Holds::Nothing);
}

/// A socket looked up and given back.
pub(super) fn socket(g: &mut Generator) {
    if g.state.of(R6) != Holds::Ctx {
        return;
    }
    let done = g.a.label();
    for word in 1..=5 {
        g.a.st(Size::DW, R10, -8 * word, 0);
        g.state.set_word(word as usize - 1, Holds::Nothing);
    }
    let size = g.or_wrong(12, &[36, 0, 13, 48]);
    g.a.mov(R1, R6).mov(R2, R10).add(R2, -40).mov(R3, size);
    g.a.mov(R4, -1).mov(R5, 0);
    let name = g
        .chance
        .pick(&["sk_lookup_tcp", "sk_lookup_udp", "skc_lookup_tcp"]);
    g.helper_call(name);
    let socket = taken(g, done);
    socket_field(g, socket);
    while_kept(g, socket, 2);
    if g.chance.percent(30) {
        view(g, socket);
    }
    if !g.slip() {
        g.a.mov(R1, socket);
        g.helper_call("sk_release");
        if g.slip() {
            socket_field(g, socket);
        }
    }
    g.a.bind(done);
    g.forget();
}

fn socket_field(g: &mut Generator, socket: Reg) {
    let at = g.chance.pick(&[4, 4, 8, 0, 12, 16, 20, 44, 48, 72, 76]);
    let at = g.or_wrong(at, &[80, -4, 2]) as i16;
    g.a.ldx(Size::W, R1, socket, at);
    g.state.set(R1, Holds::Number(None));
}

/// Another view of a socket.
fn view(g: &mut Generator, socket: Reg) {
    let null = g.a.label();
    g.a.mov(R1, socket);
    let name = g
        .chance
        .pick(&["tcp_sock", "sk_fullsock", "skc_to_tcp_sock"]);
    g.helper_call(name);
    if !g.slip() {
        g.a.jump(Cond::Jeq, Width::W64, R0, Source::Imm(0), null);
    }
    let at = g.chance.pick(&[0, 4, 8]);
    g.a.ldx(Size::W, R1, R0, at).bind(null);
    g.state.set(R0, Holds::Nothing);
}

/// The socket of a packet.
pub(super) fn packet_socket(g: &mut Generator) {
    let skb = matches!(
        g.prog_type,
        ProgType::SchedCls | ProgType::SocketFilter | ProgType::CgroupSkb
    );
    if g.state.of(R6) != Holds::Ctx || !skb && !g.slip() {
        return;
    }
    let done = g.a.label();
    let socket = g.kept();
    g.a.ldx(Size::DW, socket, R6, 168);
    if !g.slip() {
        g.a.jump(Cond::Jeq, Width::W64, socket, Source::Imm(0), done);
    }
    if g.chance.percent(60) {
        let full = g.chance.percent(70);
        g.a.mov(R1, socket);
        g.helper_call(if full { "sk_fullsock" } else { "tcp_sock" });
        if !g.slip() {
            g.a.jump(Cond::Jeq, Width::W64, R0, Source::Imm(0), done);
        }
        g.a.mov(socket, R0);
    }
    socket_field(g, socket);
    g.a.bind(done);
    g.forget();
}
