//! What lineages begin with.
//!
//! Read before: `graft.rs`. Read next: `grower.rs`.

use ebpf_asm::assembler::Assembler;
use ebpf_asm::helper;
use ebpf_asm::insn::Reg::{self, *};
use ebpf_asm::isa::{Size, Width};
use ebpf_asm::load_flags::{BPF_F_ANY_ALIGNMENT, BPF_F_STRICT_ALIGNMENT, BPF_F_TEST_STATE_FREQ};
use ebpf_asm::object::Object;
use ebpf_asm::prog_type::ProgType;
use ebpf_asm::program::Reference;

use super::super::types::{self, Role};
use super::super::{Construct, Generated, loops, maps, program};
use crate::differential::{Chance, row::Row};

/// What a lineage begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scene {
    /// Map values, packets and numbers in registers, some words of the stack.
    Pointers,
    /// Numbers in registers and on the stack.
    Numbers,
    /// A program of constructs.
    Constructs,
    /// A program of loops.
    Loops,
}

/// The scenes with their weights.
const SCENES: [(Scene, u32); 4] = [
    (Scene::Pointers, 8),
    (Scene::Numbers, 5),
    (Scene::Constructs, 5),
    (Scene::Loops, 2),
];

/// The program types of the first two scenes with their weights.
const PROG_TYPES: [(ProgType, &str, u32); 4] = [
    (ProgType::SchedCls, "tc", 5),
    (ProgType::Xdp, "xdp", 3),
    (ProgType::CgroupSkb, "cgroup_skb/egress", 1),
    (ProgType::SocketFilter, "socket", 2),
];

/// The flags of the load of the first two scenes. [`BPF_F_TEST_STATE_FREQ`] is for programs
/// without loops alone (`sprouts.rs` looks at it as well): of one that the kernel follows for a
/// million instructions it would keep as many states, which take more memory than there is.
const FLAGS: [u32; 8] = [
    0,
    0,
    0,
    0,
    BPF_F_TEST_STATE_FREQ,
    BPF_F_TEST_STATE_FREQ,
    BPF_F_STRICT_ALIGNMENT,
    BPF_F_ANY_ALIGNMENT,
];

/// One of some things that have weights.
pub(super) fn weighted<T: Copy>(chance: &mut Chance, of: &[T], weight: impl Fn(&T) -> u32) -> T {
    let total: u32 = of.iter().map(&weight).sum();
    let mut at = chance.below(total as usize) as u32;
    for one in of {
        if at < weight(one) {
            return *one;
        }
        at -= weight(one);
    }
    of[0]
}

/// Where a program type has `data` and `data_end`.
pub(super) fn packet_fields(prog_type: ProgType) -> (i16, i16) {
    match prog_type {
        ProgType::Xdp => (0, 4),
        _ => (76, 80),
    }
}

/// A field of the context that is a number.
pub(super) fn field(chance: &mut Chance, prog_type: ProgType) -> i16 {
    match prog_type {
        ProgType::Xdp => chance.pick(&[12, 16]),
        _ => chance.pick(&[0, 4, 8, 16, 20, 40]),
    }
}

/// What a lineage begins with, if it is accepted.
pub(super) fn begin(chance: &mut Chance) -> Option<Generated> {
    let (scene, _) = weighted(chance, &SCENES, |(_, weight)| *weight);
    let (seed, number) = (chance.number(), chance.number());
    let mut made = match scene {
        Scene::Pointers => scene_of(chance, pointers, "(grown of pointers)")?,
        Scene::Numbers => scene_of(chance, numbers, "(grown of numbers)")?,
        Scene::Constructs => with_name(program(seed, number)?, "(grown of constructs)"),
        Scene::Loops => with_name(loops::program(seed, number)?, "(grown of loops)"),
    };
    if made.constructs.contains(&Construct::Work.text()) {
        // See `MUTATED` of `../../campaign.rs`.
        return None;
    }
    made.row.object.maps = maps::all(chance);
    made.row.object.btf = types::btf();
    Some(made)
}

fn with_name(mut made: Generated, name: &'static str) -> Generated {
    made.constructs.push(name);
    made
}

fn scene_of(
    chance: &mut Chance,
    make: fn(&mut Assembler, &mut Chance, ProgType),
    name: &'static str,
) -> Option<Generated> {
    let (prog_type, section, _) = weighted(chance, &PROG_TYPES, |(_, _, weight)| *weight);
    let mut a = Assembler::new("generated");
    a.mov(R6, R1);
    make(&mut a, chance, prog_type);
    a.mov(R0, 0).exit();
    let mut program = a.finish(section).ok()?;
    program.prog_type = prog_type;
    types::give(&mut program, &[Role::Program]);
    let object = Object {
        license: "GPL".to_owned(),
        btf: types::btf(),
        ..Object::default()
    };
    let mut row = Row::of(&object, &program);
    row.prog_flags = chance.pick(&FLAGS);
    Some(Generated {
        row,
        prog_type,
        constructs: vec![name],
    })
}

/// A map lookup with the key that is the stack's first word.
pub(super) fn lookup(a: &mut Assembler, map: usize, to: Reg) {
    a.mov(R2, R10).add(R2, -8);
    a.ld_reference(R1, Reference::Map(map));
    call(a, "map_lookup_elem");
    a.mov(to, R0);
}

pub(super) fn call(a: &mut Assembler, name: &str) {
    a.call(helper::by_name(name).map_or(i32::MAX, |helper| helper.id));
}

/// The maps that are looked up in.
pub(super) const MAPS: [usize; 5] = [
    maps::HASH,
    maps::ARRAY,
    maps::HASH,
    maps::LRU,
    maps::PER_CPU,
];

fn pointers(a: &mut Assembler, chance: &mut Chance, prog_type: ProgType) {
    let key = chance.pick(&[0, 1, 2]);
    a.st(Size::DW, R10, -8, key);
    for word in [-16, -24, -32, -40] {
        if chance.percent(50) {
            let value = chance.pick(&[0, 0, 7]);
            a.st(Size::DW, R10, word, value);
        }
    }
    let (data, data_end) = packet_fields(prog_type);
    for reg in [R7, R8, R9] {
        match chance.below(6) {
            0 | 1 => lookup(a, chance.pick(&MAPS), reg),
            2 if prog_type != ProgType::SocketFilter => {
                a.ldx(Size::W, reg, R6, data);
            }
            3 if prog_type != ProgType::SocketFilter => {
                a.ldx(Size::W, reg, R6, data_end);
            }
            4 => {
                a.ldx(Size::W, reg, R6, field(chance, prog_type));
                let mask = chance.pick(&[1, 7, 15, 63, 255, 65535]);
                a.and(reg, mask);
            }
            _ => {
                call(a, "get_prandom_u32");
                a.mov(reg, R0);
            }
        }
    }
}

fn numbers(a: &mut Assembler, chance: &mut Chance, prog_type: ProgType) {
    for word in 1..=8 {
        let value = chance.pick(&[0, 0, 1]);
        a.st(Size::DW, R10, -8 * word, value);
    }
    for reg in [R7, R8, R9] {
        if chance.percent(50) {
            a.ldx(Size::W, reg, R6, field(chance, prog_type));
        } else {
            call(a, "get_prandom_u32");
            a.mov(reg, R0);
        }
        if chance.percent(40) {
            let width = chance.pick(&[Width::W64, Width::W32]);
            let mask = chance.pick(&[0xff, 0xffff, 0x7f, 3, 15, 0x7fff_ffff]);
            a.alu(ebpf_asm::isa::AluOp::And, width, reg, mask.into());
        }
    }
    for reg in [R2, R3] {
        if chance.percent(80) {
            a.ldx(Size::W, reg, R6, field(chance, prog_type));
        } else {
            a.mov(reg, chance.corner() as i32);
        }
    }
}
