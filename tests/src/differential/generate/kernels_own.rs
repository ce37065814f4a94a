//! Constructs on what is the kernel's own: tasks, cgroups, masks of CPUs, objects of which each
//! CPU has one, texts.
//!
//! Read before: `resilient.rs`. Read next: `queues.rs`.

use ebpf_asm::assembler::Source;
use ebpf_asm::insn::Reg::{self, *};
use ebpf_asm::isa::{Cond, Size, Width};

use super::objects::taken;
use super::state::Holds;
use super::{Generator, maps, types};

/// How a kind of object is had, had once more, and given back.
struct Counted {
    /// Gives one for a number in R1.
    from_number: &'static str,
    /// Gives the same once more.
    acquire: &'static str,
    release: &'static str,
    /// A field to read: its size, and how many bytes from the beginning.
    field: (Size, i32),
}

const COUNTED: [Counted; 2] = [
    Counted {
        from_number: "bpf_task_from_pid",
        acquire: "bpf_task_acquire",
        release: "bpf_task_release",
        field: (Size::W, 40),
    },
    Counted {
        from_number: "bpf_cgroup_from_id",
        acquire: "bpf_cgroup_acquire",
        release: "bpf_cgroup_release",
        field: (Size::DW, 0),
    },
];

fn give_back(g: &mut Generator, object: Reg, release: &str) {
    if g.slip() {
        return;
    }
    g.a.mov(R1, object);
    g.kfunc(release);
    if g.slip() {
        g.a.ldx(Size::DW, R1, object, 0);
    }
}

/// A task or a cgroup, acquired and given back.
pub(super) fn counted(g: &mut Generator) {
    let kind = g.chance.below(COUNTED.len());
    let of = &COUNTED[kind];
    let done = g.a.label();
    let wrong = &COUNTED[1 - kind];
    g.a.mov(R1, 1);
    g.kfunc(of.from_number);
    let object = taken(g, done);
    g.reserved.push(object);
    if g.chance.percent(50) {
        let (size, at) = of.field;
        let at = g.or_wrong(at, &[-4, 1 << 14]) as i16;
        g.a.ldx(size, R1, object, at);
        g.state.set(R1, Holds::Number(None));
    }
    if g.chance.percent(40) {
        once_more(g, object, of);
    }
    if g.chance.percent(40) {
        g.inside(1);
    }
    let release = match g.slip() {
        true => wrong.release,
        false => of.release,
    };
    give_back(g, object, release);
    g.reserved.pop();
    g.a.bind(done);
    g.forget();
}

/// The same object has one more owner for a while.
fn once_more(g: &mut Generator, object: Reg, of: &Counted) {
    let none = g.a.label();
    g.a.mov(R1, object);
    g.kfunc(of.acquire);
    let other = taken(g, none);
    give_back(g, other, of.release);
    g.a.bind(none);
    g.state.set(other, Holds::Nothing);
}

/// What is said of a mask, by functions that take it alone, or it and a CPU before it.
const OF_A_MASK: [(&str, bool); 8] = [
    ("bpf_cpumask_first", false),
    ("bpf_cpumask_empty", false),
    ("bpf_cpumask_weight", false),
    ("bpf_cpumask_setall", false),
    ("bpf_cpumask_clear", false),
    ("bpf_cpumask_set_cpu", true),
    ("bpf_cpumask_test_cpu", true),
    ("bpf_cpumask_test_and_clear_cpu", true),
];

/// A mask of CPUs.
pub(super) fn mask(g: &mut Generator) {
    let done = g.a.label();
    g.kfunc("bpf_cpumask_create");
    let mask = taken(g, done);
    g.reserved.push(mask);
    for _ in 0..g.chance.below(4) {
        let (name, takes_cpu) = g.chance.pick(&OF_A_MASK);
        let to = if takes_cpu { R2 } else { R1 };
        g.a.mov(R1, 0).mov(to, mask);
        g.kfunc(name);
        g.state.set(R0, Holds::Number(None));
    }
    if g.chance.percent(30) {
        let at = g.or_wrong(0, &[-8, 1 << 12]) as i16;
        g.a.ldx(Size::DW, R1, mask, at);
    }
    if g.slip() {
        g.a.st(Size::DW, mask, 0, 1);
    }
    give_back(g, mask, "bpf_cpumask_release");
    g.reserved.pop();
    g.a.bind(done);
    g.forget();
}

/// An object of which each CPU has one: made and dropped, or kept in a map value.
pub(super) fn per_cpu(g: &mut Generator) {
    let done = g.a.label();
    let item = types::structure("item").map_or(0, |id| id.0);
    g.typed = true;
    g.a.ld_imm64(R1, u64::from(item)).mov(R2, 0);
    let new = match g.slip() {
        true => "bpf_obj_new_impl",
        false => "bpf_percpu_obj_new_impl",
    };
    g.kfunc(new);
    let object = taken(g, done);
    g.reserved.push(object);
    if g.chance.percent(30) {
        g.inside(1);
    }
    if g.chance.percent(50) {
        exchange(g, object);
    }
    if !g.slip() {
        drop_per_cpu(g, object);
    }
    g.reserved.pop();
    g.a.bind(done);
    g.forget();
}

fn drop_per_cpu(g: &mut Generator, object: Reg) {
    g.a.mov(R1, object).mov(R2, 0);
    g.kfunc("bpf_percpu_obj_drop_impl");
}

/// Puts an object into a map value, and leaves in its register what was there, or goes on as if
/// it had been put nowhere.
fn exchange(g: &mut Generator, object: Reg) {
    let none = g.a.label();
    maps::found(g, maps::SPREAD);
    let value = taken(g, none);
    let at = g.or_wrong(8, &[0, 4]);
    g.a.mov(R1, value).add(R1, at).mov(R2, object);
    g.helper_call("kptr_xchg");
    g.a.mov(object, R0);
    if !g.slip() {
        g.a.jump(Cond::Jne, Width::W64, R0, Source::Imm(0), none);
    }
    // Nothing was there: then there is nothing to drop, but something to look at.
    g.a.mov(object, value);
    of_this_cpu(g, object);
    let out = g.out;
    g.a.mov(R0, 0).ja(out).bind(none);
}

/// What the value in a register keeps: the one of this CPU, or perhaps of another.
fn of_this_cpu(g: &mut Generator, value: Reg) {
    let none = g.a.label();
    let any = g.chance.percent(40);
    g.a.ldx(Size::DW, R1, value, 8);
    if !g.slip() {
        g.a.jump(Cond::Jeq, Width::W64, R1, Source::Imm(0), none);
    }
    g.a.mov(R2, 0);
    g.helper_call(if any { "per_cpu_ptr" } else { "this_cpu_ptr" });
    if any && !g.slip() {
        g.a.jump(Cond::Jeq, Width::W64, R0, Source::Imm(0), none);
    }
    let at = g.or_wrong(8, &[16, -8, 12]) as i16;
    if g.chance.percent(50) {
        g.a.st(Size::DW, R0, at, 1);
    } else {
        g.a.ldx(Size::DW, R1, R0, at);
    }
    g.a.bind(none);
}

/// What compares texts, or looks for something in them: how many texts they take, and whether a
/// number follows.
const OF_TEXTS: [(&str, u32, bool); 8] = [
    ("bpf_strlen", 1, false),
    ("bpf_strnlen", 1, true),
    ("bpf_strchr", 1, true),
    ("bpf_strrchr", 1, true),
    ("bpf_strcmp", 2, false),
    ("bpf_strcasecmp", 2, false),
    ("bpf_strspn", 2, false),
    ("bpf_strnstr", 2, true),
];

/// Texts in constants, globals or on the stack.
pub(super) fn texts(g: &mut Generator) {
    let (name, count, number) = g.chance.pick(&OF_TEXTS);
    for at in 0..count {
        text(g, [R1, R2][at as usize]);
    }
    if number {
        let to = [R2, R3][count as usize - 1];
        let value = g.chance.between(0, 100);
        g.a.mov(to, value);
    }
    g.kfunc(name);
    g.state.set(R0, Holds::Number(None));
}

fn text(g: &mut Generator, to: Reg) {
    match g.chance.below(4) {
        0 => maps::direct_address(g, to),
        1 => {
            g.a.st(Size::DW, R10, -64, 0x0041_4141)
                .mov(to, R10)
                .add(to, -64);
            g.state.set_word(7, Holds::Nothing);
        }
        2 if g.slip() => {
            g.a.mov(to, 0);
        }
        _ => maps::value_address(g, to, maps::CONSTANTS),
    }
}
