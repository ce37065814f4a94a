//! Constructs on lists and trees, and on what is shared by several owners.
//!
//! What is put in is the list's or the tree's from then on, and only looked at while the lock is
//! held; what is taken out is the program's again, to be dropped.
//!
//! Read before: `objects.rs`. Read next: `resilient.rs`.

use ebpf_asm::assembler::{Label, Source};
use ebpf_asm::insn::Reg::{self, *};
use ebpf_asm::isa::{Cond, Size, Width};

use super::objects::{drop_object, new_object, taken};
use super::state::{Holds, State};
use super::types::Role;
use super::{Generator, maps};

/// Where the nodes lie in their structures.
const NODE: i32 = 8;

/// A list or tree in a `struct collected`, and what it holds.
struct Collection {
    at: i32,
    node: &'static str,
}

const LISTED: Collection = Collection {
    at: 8,
    node: "listed",
};
const SHARED: Collection = Collection {
    at: 24,
    node: "shared",
};
const SORTED: Collection = Collection {
    at: 40,
    node: "sorted",
};

/// The address of a collection in R1; on a slip of another one.
fn address(g: &mut Generator, value: Reg, of: &Collection) {
    let at = g.or_wrong(of.at, &[0, LISTED.at, SHARED.at, SORTED.at, of.at + 4]);
    g.a.mov(R1, value).add(R1, at);
}

/// Calls a function with the value's lock in R1.
fn call_with_lock(g: &mut Generator, value: Reg, name: &str) {
    let at = g.or_wrong(0, &[8]);
    g.a.mov(R1, value);
    if at != 0 {
        g.a.add(R1, at);
    }
    g.helper_call(name);
}

/// A map value with its lock taken, what is done with it, and the lock given back.
fn locked(g: &mut Generator, done: Label, inside: impl FnOnce(&mut Generator, Reg)) {
    maps::found(g, maps::COLLECTED);
    let value = taken(g, done);
    g.reserved.push(value);
    locked_value(g, value, inside);
    g.reserved.pop();
}

fn locked_value(g: &mut Generator, value: Reg, inside: impl FnOnce(&mut Generator, Reg)) {
    if !g.slip() {
        call_with_lock(g, value, "spin_lock");
    }
    inside(g, value);
    if !g.slip() {
        call_with_lock(g, value, "spin_unlock");
    }
}

/// Reads or writes what a node's structure has before the node; on a slip something else.
fn touch(g: &mut Generator, object: Reg, at: i32) {
    let at = g.or_wrong(at, &[at + 8, at - 8, at + 4, at + 64]) as i16;
    if g.chance.percent(60) {
        g.a.ldx(Size::DW, R2, object, at);
    } else {
        g.a.st(Size::DW, object, at, 3);
    }
    g.state.set(R2, Holds::Nothing);
}

/// An object made, if there is memory, and put into a collection; what is put is looked at then.
fn put(g: &mut Generator, of: &Collection, functions: &[&'static str]) {
    let done = g.a.label();
    new_object(g, of.node);
    let object = taken(g, done);
    g.reserved.push(object);
    let dropped = g.a.label();
    maps::found(g, maps::COLLECTED);
    let value = taken(g, dropped);
    g.reserved.push(value);
    let shares = of.node == "shared" && g.chance.percent(50);
    let other = shares.then(|| share(g, object));
    let late = g.chance.percent(20);
    locked_value(g, value, |g, value| {
        address(g, value, of);
        g.a.mov(R2, object).add(R2, NODE);
        insert(g, functions);
        if !late || g.slip() {
            touch(g, object, 0);
        }
    });
    if late && g.slip() {
        touch(g, object, 0);
    }
    if let Some(other) = other
        && !g.slip()
    {
        drop_object(g, other);
    }
    g.reserved.pop();
    g.reserved.pop();
    g.a.ja(done).bind(dropped);
    if !g.slip() {
        drop_object(g, object);
    }
    g.a.bind(done);
    g.forget();
}

/// One more owner of an object, in a word of the stack or a register.
fn share(g: &mut Generator, object: Reg) -> Reg {
    g.a.mov(R1, object).mov(R2, 0);
    g.kfunc("bpf_refcount_acquire_impl");
    let other = g.kept();
    g.a.mov(other, R0);
    g.state.set(other, Holds::Other);
    other
}

fn insert(g: &mut Generator, functions: &[&'static str]) {
    let name = g.chance.pick(functions);
    if name == "bpf_rbtree_add_impl" {
        let callback = g.callback(State::entry(Holds::Other), Role::Less);
        g.code(R3, callback);
        g.a.mov(R4, 0).mov(R5, 0);
    } else {
        g.a.mov(R3, 0).mov(R4, 0);
    }
    g.kfunc(name);
}

/// Something put into a list.
pub(super) fn push(g: &mut Generator) {
    let of = match g.chance.percent(50) {
        true => &LISTED,
        false => &SHARED,
    };
    put(
        g,
        of,
        &["bpf_list_push_front_impl", "bpf_list_push_back_impl"],
    );
}

/// Something put into a tree.
pub(super) fn sort(g: &mut Generator) {
    if g.functions.len() < 3 {
        put(g, &SORTED, &["bpf_rbtree_add_impl"]);
    }
}

/// What a list or a tree has at one of its ends, taken out and dropped.
pub(super) fn pop(g: &mut Generator) {
    let done = g.a.label();
    let object = g.kept();
    let of = match g.chance.percent(50) {
        true => &LISTED,
        false => &SHARED,
    };
    g.reserved.push(object);
    locked(g, done, |g, value| {
        address(g, value, of);
        let name = g.chance.pick(&["bpf_list_pop_front", "bpf_list_pop_back"]);
        g.kfunc(name);
        g.a.mov(object, R0);
    });
    g.reserved.pop();
    drop_taken(g, object, done);
}

/// Drops what was taken out, if it is not null.
fn drop_taken(g: &mut Generator, object: Reg, done: Label) {
    if !g.slip() {
        g.a.jump(Cond::Jeq, Width::W64, object, Source::Imm(0), done);
    }
    let back = g.or_wrong(-NODE, &[0, -16, NODE]);
    if g.chance.percent(50) {
        touch(g, object, -NODE);
    }
    g.a.add(object, back);
    if g.chance.percent(30) {
        g.reserved.push(object);
        g.inside(1);
        g.reserved.pop();
    }
    if !g.slip() {
        drop_object(g, object);
        if g.slip() {
            touch(g, object, 0);
        }
    }
    g.a.bind(done);
    g.forget();
}

/// What a tree has, found, looked at and taken out.
pub(super) fn remove(g: &mut Generator) {
    let done = g.a.label();
    let object = g.kept();
    g.reserved.push(object);
    locked(g, done, |g, value| {
        let none = g.a.label();
        g.a.mov(object, 0);
        address(g, value, &SORTED);
        let name = g.chance.pick(&["bpf_rbtree_first", "bpf_rbtree_root"]);
        g.kfunc(name);
        if !g.slip() {
            g.a.jump(Cond::Jeq, Width::W64, R0, Source::Imm(0), none);
        }
        if g.chance.percent(40) {
            touch(g, R0, -NODE);
        }
        if g.chance.percent(30) {
            address(g, value, &SORTED);
            g.a.mov(R2, R0);
            step(g, none);
        }
        if !g.slip() {
            g.a.mov(R2, R0);
            address(g, value, &SORTED);
            g.kfunc("bpf_rbtree_remove");
            g.a.mov(object, R0);
        }
        g.a.bind(none);
    });
    g.reserved.pop();
    drop_taken(g, object, done);
}

/// On to a child of the node in R2, if there is one.
fn step(g: &mut Generator, none: Label) {
    let name = g.chance.pick(&["bpf_rbtree_left", "bpf_rbtree_right"]);
    g.kfunc(name);
    if !g.slip() {
        g.a.jump(Cond::Jeq, Width::W64, R0, Source::Imm(0), none);
    }
}

/// What a list has at an end, looked at where it is.
pub(super) fn peek(g: &mut Generator) {
    let done = g.a.label();
    locked(g, done, |g, value| {
        let none = g.a.label();
        address(g, value, &LISTED);
        let name = g.chance.pick(&["bpf_list_front", "bpf_list_back"]);
        g.kfunc(name);
        if !g.slip() {
            g.a.jump(Cond::Jeq, Width::W64, R0, Source::Imm(0), none);
        }
        touch(g, R0, -NODE);
        g.a.bind(none);
    });
    g.a.bind(done);
    g.forget();
}
