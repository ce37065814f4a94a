//! Constructs on maps.

use ebpf_asm::assembler::Source;
use ebpf_asm::insn::Reg::{self, *};
use ebpf_asm::isa::{Cond, Size, Width};
use ebpf_asm::map_flags::{BPF_F_MMAPABLE, BPF_F_RDONLY_PROG};
use ebpf_asm::map_type::MapType;
use ebpf_asm::object::{Data, DataKind, Map};
use ebpf_asm::program::Reference;

use super::numbers::bound_to;
use super::state::Holds;
use super::{Generator, types};
use crate::differential::Chance;

pub(super) const ARRAY: usize = 0;
pub(super) const HASH: usize = 1;
pub(super) const PER_CPU: usize = 2;
pub(super) const LRU: usize = 3;
pub(super) const PROGRAMS: usize = 4;
pub(super) const RING: usize = 5;
pub(super) const GLOBALS: usize = 6;
pub(super) const CONSTANTS: usize = 7;
const OUTER: usize = 8;
pub(super) const LOCKED: usize = 9;
pub(super) const LOCKED_ARRAY: usize = 10;
pub(super) const TIMED: usize = 11;
pub(super) const KEEPING: usize = 12;
pub(super) const COLLECTED: usize = 13;
pub(super) const GUARDED: usize = 14;
pub(super) const GUARDED_ONE: usize = 15;
pub(super) const WORKED: usize = 16;
pub(super) const USER_RING: usize = 17;
pub(super) const ARENA: usize = 18;
pub(super) const SPREAD: usize = 19;

/// Where the arena lies in user space: loaders leave a gap like this.
const ARENA_ADDRESS: u64 = 1 << 44;

/// Bytes of a value of any of the maps.
const VALUE: i32 = 16;

/// All maps; those that are not used are left out of the row.
pub(super) fn all(chance: &mut Chance) -> Vec<Map> {
    let plain = |name: &str, map_type, max_entries| Map {
        key_size: 4,
        value_size: VALUE as u32,
        max_entries,
        ..Map::new(name, map_type)
    };
    let bytes = (0..VALUE).map(|_| chance.below(20) as u8).collect();
    vec![
        plain("array", MapType::Array, 4),
        plain("hash", MapType::Hash, 4),
        plain("per_cpu", MapType::PercpuArray, 2),
        plain("lru", MapType::LruHash, 8),
        Map {
            value_size: 4,
            ..plain("programs", MapType::ProgArray, 2)
        },
        Map {
            max_entries: 4096,
            ..Map::new("ring", MapType::Ringbuf)
        },
        plain("globals", MapType::Array, 1),
        Map {
            data: Some(Data {
                kind: DataKind::Rodata,
                bytes,
                variables: Vec::new(),
                addresses: Vec::new(),
            }),
            map_flags: BPF_F_RDONLY_PROG,
            ..plain("constants", MapType::Array, 1)
        },
        Map {
            value_size: 4,
            inner: Some(Box::new(plain("", MapType::Array, 2))),
            ..plain("outer", MapType::ArrayOfMaps, 2)
        },
        typed("locked", MapType::Hash, VALUE as u32),
        typed("locked", MapType::Array, VALUE as u32),
        typed("timed", MapType::Array, 32),
        typed("keeping", MapType::Array, VALUE as u32),
        typed("collected", MapType::Array, 56),
        typed("guarded", MapType::Hash, VALUE as u32),
        Map {
            max_entries: 1,
            ..typed("guarded", MapType::Array, VALUE as u32)
        },
        typed("worked", MapType::Array, 32),
        Map {
            max_entries: 4096,
            ..Map::new("user_ring", MapType::UserRingbuf)
        },
        Map {
            max_entries: 100,
            map_flags: BPF_F_MMAPABLE,
            map_extra: ARENA_ADDRESS,
            ..Map::new("pages", MapType::Arena)
        },
        typed("spread", MapType::Array, VALUE as u32),
    ]
}

/// A map whose values are structures of this name.
fn typed(name: &str, map_type: MapType, value_size: u32) -> Map {
    Map {
        key_size: 4,
        value_size,
        max_entries: 4,
        value_type: types::structure(name),
        ..Map::new(format!("{name}_{map_type}"), map_type)
    }
}

/// Looks up a value of a map by a constant key.
pub(super) fn found(g: &mut Generator, map: usize) {
    g.a.st(Size::W, R10, -64, 1);
    g.state.set_word(7, Holds::Nothing);
    g.a.mov(R2, R10).add(R2, -64);
    g.a.ld_reference(R1, Reference::Map(map));
    g.helper_call("map_lookup_elem");
}

/// Puts a key on the stack and its address into R2, and the map into R1.
fn arguments(g: &mut Generator, map: usize) {
    let slot: i16 = -64 - 4 * g.chance.below(2) as i16;
    if !g.slip() {
        if g.chance.percent(70) {
            let key = g.chance.pick(&[0, 1, 3, 4, 100]);
            g.a.st(Size::W, R10, slot, key);
        } else {
            let key = g.number();
            g.a.st(Size::W, R10, slot, key);
        }
    }
    g.state.set_word(7, Holds::Nothing);
    g.state.set_word(8, Holds::Nothing);
    let at = g.or_wrong(i32::from(slot), &[-2, 4, -514, -80]);
    g.a.mov(R2, R10).add(R2, at);
    g.a.ld_reference(R1, Reference::Map(map));
}

/// Looks a value up in any map that has values.
pub(super) fn look_up(g: &mut Generator) -> usize {
    let map = g.chance.pick(&[ARRAY, HASH, HASH, PER_CPU, LRU, GLOBALS]);
    arguments(g, map);
    let id = g.helper("map_lookup_elem");
    g.call(id);
    g.state.set(R0, Holds::ValueOrNull(map));
    map
}

/// Leaves if R0 is null, in one of the ways there are; gives a register with the value.
fn check_null(g: &mut Generator, map: usize) -> Reg {
    let out = g.out;
    let holds = Holds::Value(map, VALUE);
    let inside = g.a.label();
    let value = match g.chance.below(7) {
        0..=2 => {
            g.a.jump(Cond::Jeq, Width::W64, R0, Source::Imm(0), out);
            R0
        }
        3 => {
            g.a.jump(Cond::Jne, Width::W64, R0, Source::Imm(0), inside)
                .ja(out)
                .bind(inside);
            R0
        }
        // What is found out of a copy holds for the other.
        4 => {
            let copy = g.kept();
            g.a.mov(copy, R0);
            let checked = if g.chance.percent(50) { copy } else { R0 };
            g.a.jump(Cond::Jeq, Width::W64, checked, Source::Imm(0), out);
            g.state.set(copy, holds);
            copy
        }
        5 => {
            let copy = g.kept();
            g.a.st(Size::DW, R10, -72, R0);
            g.a.jump(Cond::Jeq, Width::W64, R0, Source::Imm(0), out);
            g.a.ldx(Size::DW, copy, R10, -72);
            g.state.set_word(8, holds);
            g.state.set(copy, holds);
            copy
        }
        _ => {
            let zero = g.kept();
            g.a.mov(zero, 0);
            g.state.set(zero, Holds::Number(Some(0)));
            g.a.jump(Cond::Jeq, Width::W64, R0, Source::Reg(zero), out);
            R0
        }
    };
    g.state.set(R0, holds);
    value
}

fn touch(g: &mut Generator, base: Reg, left: i32) {
    let size = g.chance.pick(&[Size::B, Size::H, Size::W, Size::DW]);
    let last = (left - size.bytes() as i32).max(0);
    let at = g.chance.between(0, last);
    let at = g.or_wrong(at, &[last + 1, -1, 16, 4096]);
    if g.chance.percent(50) {
        let reg = g.number();
        if reg != base && g.state.of(base) != Holds::Nothing {
            g.a.st(size, base, at as i16, reg);
        }
    } else {
        let to = g.target();
        g.a.ldx(size, to, base, at as i16);
        g.state.set(to, Holds::Number(None));
    }
}

pub(super) fn lookup(g: &mut Generator) {
    let known = g.holding(|holds| matches!(holds, Holds::Value(..)));
    if let (Some(base), true) = (known, g.chance.percent(30)) {
        if let Holds::Value(_, left) = g.state.of(base) {
            touch(g, base, left);
        }
        return;
    }
    let map = look_up(g);
    let base = if g.slip() { R0 } else { check_null(g, map) };
    let kept = if g.chance.percent(40) { g.kept() } else { base };
    if kept != base {
        g.a.mov(kept, base);
        let holds = g.state.of(base);
        g.state.set(kept, holds);
    }
    touch(g, kept, VALUE);
}

pub(super) fn variable(g: &mut Generator) {
    let index = g.kept();
    let map = look_up(g);
    let base = check_null(g, map);
    if base == index {
        return;
    }
    if g.chance.percent(50) {
        any_number(g, index, base);
    } else {
        g.a.ldx(Size::W, index, base, 0);
    }
    g.state.set(index, Holds::Number(None));
    let size = g.chance.pick(&[Size::B, Size::H, Size::W, Size::DW]);
    bound_to(g, index, VALUE - size.bytes() as i32);
    let by = if g.chance.percent(20) {
        g.or_wrong(0, &[1, 4])
    } else {
        0
    };
    let holds = Holds::Value(map, VALUE);
    if g.state.of(base) != holds {
        return;
    }
    if g.chance.percent(15) {
        g.a.sub(base, index).add(base, index);
    }
    g.a.add(base, index);
    if by != 0 {
        g.a.add(base, by);
    }
    g.state.set(base, Holds::Other);
    if g.chance.percent(50) {
        g.a.st(size, base, 0, 1);
    } else {
        let to = g.target();
        g.a.ldx(size, to, base, 0);
        g.state.set(to, Holds::Number(None));
    }
}

fn any_number(g: &mut Generator, index: Reg, base: Reg) {
    if g.state.of(R6) == Holds::Ctx && base != R6 {
        super::packets::any_field(g, index);
    } else {
        g.a.ldx(Size::H, index, base, 0);
    }
}

/// The address of 16 bytes of globals.
pub(super) fn direct_address(g: &mut Generator, to: Reg) {
    value_address(g, to, GLOBALS);
}

/// The address of the one value of an array.
pub(super) fn value_address(g: &mut Generator, to: Reg, map: usize) {
    g.a.ld_reference(to, Reference::MapValue { map, offset: 0 });
}

pub(super) fn direct(g: &mut Generator) {
    let map = g.chance.pick(&[GLOBALS, CONSTANTS]);
    let base = g.target();
    let offset = g.chance.pick(&[0, 0, 4, 8, 12]);
    let offset = g.or_wrong(offset, &[16, 15, 1 << 30]) as u32;
    g.a.ld_reference(base, Reference::MapValue { map, offset });
    let left = VALUE - offset as i32;
    g.state.set(base, Holds::Value(map, left));
    if map == GLOBALS || g.slip() {
        touch(g, base, left.max(1));
        return;
    }
    // A frozen constant is known: it decides branches and bounds indexes.
    let size = g
        .chance
        .pick(&[Size::B, Size::B, Size::H, Size::W, Size::DW]);
    if size.bytes() as i32 > left {
        return;
    }
    let index = g.kept();
    if index == base {
        return;
    }
    g.a.ldx(size, index, base, 0);
    g.state.set(index, Holds::Number(None));
    if size == Size::B && g.chance.percent(50) {
        let globals = g.target();
        if globals == index {
            return;
        }
        direct_address(g, globals);
        if g.chance.percent(50) {
            g.a.and(index, 15);
        }
        g.a.add(globals, index).ldx(Size::B, R0, globals, 0);
        g.state.set(globals, Holds::Nothing);
        g.state.set(R0, Holds::Number(Some(255)));
    }
}

pub(super) fn inner(g: &mut Generator) {
    arguments(g, OUTER);
    let id = g.helper("map_lookup_elem");
    g.call(id);
    if !g.slip() {
        let out = g.out;
        g.a.jump(Cond::Jeq, Width::W64, R0, Source::Imm(0), out);
    }
    g.a.st(Size::W, R10, -64, 0);
    g.a.mov(R1, R0).mov(R2, R10).add(R2, -64);
    g.call(id);
    g.state.set(R0, Holds::ValueOrNull(ARRAY));
    let base = if g.slip() { R0 } else { check_null(g, ARRAY) };
    touch(g, base, VALUE);
}

pub(super) fn update(g: &mut Generator) {
    let map = g.chance.pick(&[ARRAY, HASH, PER_CPU, LRU]);
    let deletes = g.chance.percent(30);
    if !deletes && !g.slip() {
        for word in 0..VALUE / 8 {
            g.a.st(Size::DW, R10, (-VALUE + 8 * word) as i16, word);
        }
        g.state.set_word(0, Holds::Nothing);
        g.state.set_word(1, Holds::Nothing);
    }
    arguments(g, map);
    if deletes {
        let id = g.helper("map_delete_elem");
        g.call(id);
        return;
    }
    let at = g.or_wrong(-VALUE, &[-8, 0]);
    g.a.mov(R3, R10).add(R3, at).mov(R4, 0);
    let id = g.helper("map_update_elem");
    g.call(id);
}

pub(super) fn ringbuf(g: &mut Generator) {
    if g.chance.percent(30) {
        g.a.st(Size::DW, R10, -16, 1).st(Size::DW, R10, -8, 1);
        g.state.set_word(0, Holds::Nothing);
        g.state.set_word(1, Holds::Nothing);
        g.a.ld_reference(R1, Reference::Map(RING));
        g.a.mov(R2, R10).add(R2, -16);
        let size = g.or_wrong(16, &[0, 17, -1]);
        g.a.mov(R3, size).mov(R4, 0);
        let id = g.helper("ringbuf_output");
        g.call(id);
        return;
    }
    let size = g.chance.pick(&[8, 16, 24]);
    g.a.ld_reference(R1, Reference::Map(RING))
        .mov(R2, size)
        .mov(R3, 0);
    let id = g.helper("ringbuf_reserve");
    g.call(id);
    let (record, done) = (g.kept(), g.a.label());
    if !g.slip() {
        // Leaving is right too: null needs not be given back.
        g.a.jump(Cond::Jeq, Width::W64, R0, Source::Imm(0), done);
    }
    g.a.mov(record, R0);
    g.state.set(R0, Holds::Nothing);
    g.state.set(record, Holds::Other);
    let at = g.chance.between(0, size / 8 - 1) * 8;
    let at = g.or_wrong(at, &[size, -8, size - 4]);
    g.a.st(Size::DW, record, at as i16, 7);
    if !g.slip() {
        g.a.mov(R1, record).mov(R2, 0);
        let name = g.chance.pick(&["ringbuf_submit", "ringbuf_discard"]);
        let id = g.helper(name);
        g.call(id);
        if g.slip() {
            g.a.ldx(Size::B, R2, record, 0);
        }
    }
    g.a.bind(done);
    g.state.clobber();
    g.state.set(record, Holds::Nothing);
}
