//! What is put into a program that grows.
//!
//! Registers are drawn without a look at what they hold: whether that is right, the simulator
//! says.
//!
//! Read before: `scene.rs`. Read next: `../../campaign.rs`.

use std::ops::Range;

use ebpf_asm::assembler::{Assembler, Label, Source};
use ebpf_asm::insn::Reg::{self, *};
use ebpf_asm::insn::{Fields, Insn};
use ebpf_asm::isa::{AluOp, AtomicOp, Callee, Cond, Imm64, Sem, Size, Swap, Width};
use ebpf_asm::load_flags::BPF_F_TEST_STATE_FREQ;
use ebpf_asm::prog_type::ProgType;
use ebpf_asm::program::Reference;

use super::super::{Generated, maps, types};
use super::graft::{Arrive, Outside, Places, Scion, functions, further, graft, wrap};
use super::scene::{MAPS, call, field, lookup, packet_fields, weighted};
use crate::differential::reach::is_second;
use crate::differential::{Chance, row::Row};
use crate::kernel_types;

/// How a sprout is put in.
#[derive(Clone, Copy)]
enum Form {
    /// In one place.
    One(fn(&mut Grower)),
    /// Around some instructions: before them, and behind them.
    Around(fn(&mut Grower), fn(&mut Grower)),
    /// With a function, new or there already.
    Call(fn(&mut Grower)),
    /// With a new function that `bpf_loop` calls back.
    Callback(fn(&mut Grower)),
}

/// The sprouts with their names and weights.
const SPROUTS: [(&str, u32, Form); 29] = [
    ("grown: moves", 10, Form::One(moves)),
    ("grown: arithmetic with constants", 12, Form::One(constant)),
    ("grown: arithmetic with registers", 10, Form::One(registers)),
    ("grown: spills", 8, Form::One(spill)),
    (
        "grown: constants on the stack",
        2,
        Form::One(stack_constant),
    ),
    ("grown: fills", 10, Form::One(fill)),
    ("grown: loads", 9, Form::One(load)),
    ("grown: stores of constants", 4, Form::One(store_constant)),
    ("grown: stores", 3, Form::One(store)),
    ("grown: atomics", 3, Form::One(atomic)),
    ("grown: lookups", 3, Form::One(look_up)),
    ("grown: addresses of map values", 2, Form::One(direct)),
    ("grown: fields of the context", 2, Form::One(context)),
    ("grown: packets behind a check", 3, Form::One(packet)),
    ("grown: pointers moved by a number", 3, Form::One(variable)),
    ("grown: numbers that share a bound", 3, Form::One(linked)),
    ("grown: addresses of the stack", 3, Form::One(stack_address)),
    ("grown: helpers", 3, Form::One(helper_call)),
    ("grown: helpers with memory", 3, Form::One(helper_memory)),
    (
        "grown: comparisons with constants",
        11,
        Form::One(compare_constant),
    ),
    (
        "grown: comparisons of registers",
        7,
        Form::One(compare_registers),
    ),
    ("grown: loops", 2, Form::Around(count_head, count_tail)),
    (
        "grown: may_goto",
        1,
        Form::Around(may_goto_head, may_goto_tail),
    ),
    (
        "grown: iterations",
        2,
        Form::Around(iterate_head, iterate_tail),
    ),
    ("grown: records", 2, Form::Around(reserve, submit)),
    ("grown: sections", 1, Form::Around(enter, leave)),
    ("grown: negations and byte swaps", 2, Form::One(swap)),
    ("grown: functions", 3, Form::Call(call_local)),
    ("grown: callbacks", 1, Form::Callback(call_back)),
];

/// The names of all sprouts.
pub const NAMES: [&str; SPROUTS.len()] = {
    let mut names = [""; SPROUTS.len()];
    let mut at = 0;
    while at < SPROUTS.len() {
        names[at] = SPROUTS[at].0;
        at += 1;
    }
    names
};

/// The registers that are drawn from: all but the context's and the frame's.
const REGS: [Reg; 9] = [R0, R1, R2, R3, R4, R5, R7, R8, R9];

/// The words of the stack that are used.
const WORDS: [i16; 4] = [-16, -24, -32, -40];

/// Where iterations and counters lie: nothing else is put there, so that few loops are endless.
const OBJECTS: [i16; 6] = [-72, -80, -88, -96, -104, -112];

const CONSTANTS: [i32; 26] = [
    0,
    0,
    0,
    1,
    1,
    2,
    4,
    5,
    8,
    13,
    14,
    15,
    16,
    20,
    63,
    64,
    127,
    128,
    255,
    256,
    65535,
    -1,
    -8,
    -129,
    i32::MAX,
    i32::MIN,
];

/// Instructions at which a loop ends, at most, after it begins.
const BODY: usize = 8;

/// What a sprout is made with.
struct Grower<'g> {
    a: &'g mut Assembler,
    chance: &'g mut Chance,
    prog_type: ProgType,
    outside: Outside,
    mark: Label,
    /// What both halves of a loop draw from, so that they fit.
    shared: Chance,
}

/// A program with one or two sprouts more.
pub(super) fn sprouted(parent: &Generated, chance: &mut Chance) -> Option<Generated> {
    let mut made = sprout(parent, chance)?;
    if chance.below(3) == 0 {
        made = sprout(&made, chance)?;
    }
    Some(made)
}

fn sprout(parent: &Generated, chance: &mut Chance) -> Option<Generated> {
    let (name, _, form) = weighted(chance, &SPROUTS, |(_, weight, _)| *weight);
    let states = parent.row.prog_flags & BPF_F_TEST_STATE_FREQ != 0;
    if states && matches!(form, Form::Around(..) | Form::Callback(_)) {
        return None;
    }
    let mut made = parent.clone();
    let row = &mut made.row;
    let place = place(row, chance);
    let shared = Chance::new(chance.number());
    let mut scion = |make: fn(&mut Grower)| {
        let (shared, prog_type) = (shared.clone(), parent.prog_type);
        Scion::new(|a, outside, mark| {
            make(&mut Grower {
                a,
                chance,
                prog_type,
                outside,
                mark,
                shared,
            });
        })
    };
    match form {
        Form::One(make) => {
            let scion = scion(make)?;
            *row = graft(row, place.at, &scion, place.arrive, place.places);
        }
        Form::Around(head, tail) => {
            let (head, tail) = (scion(head)?, scion(tail)?);
            *row = wrap(row, place.around, (&head, &tail), place.places);
        }
        Form::Call(make) => {
            let caller = scion(make)?;
            let new = scion(local)?;
            let mut places = place.places;
            let known = functions(row);
            places.function = match known.get(1..) {
                Some(others) if !others.is_empty() && chance.percent(40) => chance.pick(others),
                _ => append(row, &new, "local"),
            };
            *row = graft(row, place.at, &caller, place.arrive, places);
        }
        Form::Callback(make) => {
            let caller = scion(make)?;
            let new = scion(called_back)?;
            let mut places = place.places;
            places.function = append(row, &new, "callback");
            *row = graft(row, place.at, &caller, place.arrive, places);
        }
    }
    made.constructs.push(name);
    made.constructs.sort_unstable();
    made.constructs.dedup();
    Some(made)
}

/// Puts a function behind all others, and says where it begins.
fn append(row: &mut Row, function: &Scion, name: &str) -> usize {
    let first = row.slots.len();
    *row = graft(row, first, function, Arrive::After, Places::default());
    if !row.functions.is_empty()
        && let Some(id) = types::function(name)
    {
        row.functions.push((first, id.0));
    }
    first
}

/// Where a sprout goes.
struct Place {
    at: usize,
    arrive: Arrive,
    /// For a loop.
    around: Range<usize>,
    places: Places,
}

fn place(row: &Row, chance: &mut Chance) -> Place {
    let firsts = functions(row);
    let function = match chance.below(4) {
        0 => chance.below(firsts.len()),
        _ => 0,
    };
    let first = firsts[function];
    let end = firsts.get(function + 1).copied();
    let out = end_of(row, first..end.unwrap_or(row.slots.len()));
    let begins = |at: &usize| !is_second(&row.slots, *at);
    let inner: Vec<usize> = (first..=out).filter(begins).collect();
    let any = chance.pick(&inner);
    let (at, arrive) = match chance.below(3) {
        0 => (any, chance.pick(&[Arrive::Before, Arrive::After])),
        _ => (out, Arrive::After),
    };
    let insns = chance.below(5);
    let later = 1 + chance.below(4);
    Place {
        at,
        arrive,
        around: any..further(row, any, 1 + insns * BODY / 4, out),
        places: Places {
            later: further(row, at, later, out),
            out,
            function: 0,
        },
    }
}

/// Where the last exit of a function begins: `r0 = number; exit`, or `exit`.
fn end_of(row: &Row, function: Range<usize>) -> usize {
    let sem = |slot: usize| {
        let known = row
            .slots
            .get(slot)
            .filter(|_| !is_second(&row.slots, slot))?;
        Insn::decode(*known, None).ok()
    };
    let is_exit = |slot: &usize| sem(*slot).is_some_and(|insn| insn.sem() == Sem::Exit);
    let Some(exit) = function.clone().rev().find(is_exit) else {
        return function.start;
    };
    let is_mov = |insn: Insn| matches!(insn.sem(), Sem::Mov { .. }) && insn.dst() == R0;
    match exit.checked_sub(1).filter(|slot| function.contains(slot)) {
        Some(before) if sem(before).is_some_and(is_mov) => before,
        _ => exit,
    }
}

impl Grower<'_> {
    fn reg(&mut self) -> Reg {
        self.chance.pick(&REGS)
    }

    /// What is read of or written to: mostly a register that calls leave alone.
    fn base(&mut self) -> Reg {
        match self.chance.below(5) {
            0 => R10,
            1 | 2 => self.reg(),
            _ => self.chance.pick(&[R0, R7, R8, R9]),
        }
    }

    fn number(&mut self) -> i32 {
        self.chance.pick(&CONSTANTS)
    }

    fn word(&mut self) -> i16 {
        self.chance.pick(&WORDS)
    }

    fn width(&mut self) -> Width {
        self.chance
            .pick(&[Width::W64, Width::W64, Width::W64, Width::W32])
    }

    /// A size, and a place on the stack that it divides, mostly the lower end of a word.
    fn part(&mut self) -> (Size, i16) {
        let size = self.chance.pick(&[
            Size::DW,
            Size::DW,
            Size::DW,
            Size::W,
            Size::W,
            Size::H,
            Size::B,
        ]);
        let bytes = size.bytes() as i16;
        let within = match self.chance.below(3) {
            0 => self.chance.below((8 / bytes) as usize) as i16 * bytes,
            _ => 0,
        };
        (size, self.word() + within)
    }

    fn offset(&mut self) -> i16 {
        self.chance
            .pick(&[0, 0, 0, 1, 2, 4, 4, 8, 8, 12, 13, -1, -4, -8])
    }

    fn kfunc(&mut self, name: &str) {
        self.insn(
            Sem::Call(Callee::Kfunc),
            Fields {
                imm: kernel_types::function(name).unwrap_or(i32::MAX),
                ..Fields::default()
            },
        );
    }

    fn insn(&mut self, sem: Sem, fields: Fields) {
        if let Some(row) = sem.row() {
            self.a.insn(Insn::new(row, fields));
        }
    }

    /// Where jumps go.
    fn to(&mut self) -> Label {
        match self.chance.percent(50) {
            true => self.outside.out,
            false => self.outside.later,
        }
    }
}

fn moves(g: &mut Grower) {
    let (to, from) = (g.reg(), g.reg());
    match g.chance.below(10) {
        0..=4 => g.a.mov(to, from),
        5 | 6 => g.a.mov32(to, from),
        7 => {
            let size = g.chance.pick(&[Size::B, Size::H, Size::W]);
            g.a.movsx(Width::W64, size, to, from)
        }
        8 => {
            let size = g.chance.pick(&[Size::B, Size::H]);
            g.a.movsx(Width::W32, size, to, from)
        }
        _ => {
            let number = g.number();
            g.a.mov(to, number)
        }
    };
}

fn constant(g: &mut Grower) {
    let (to, width) = (g.reg(), g.width());
    let op = match g.chance.percent(60) {
        true => g
            .chance
            .pick(&[AluOp::Add, AluOp::Add, AluOp::Sub, AluOp::And]),
        false => g.chance.pick(&AluOp::ALL),
    };
    let number = match op {
        AluOp::Lsh | AluOp::Rsh | AluOp::Arsh => {
            let bits = [1, 2, 3, 8, 16, 24, 31, 32, 48, 56, 63];
            g.chance.pick(&bits) % width.bits() as i32
        }
        _ => g.number(),
    };
    g.a.alu(op, width, to, Source::Imm(number));
}

fn swap(g: &mut Grower) {
    let (to, width) = (g.reg(), g.width());
    if g.chance.percent(40) {
        g.a.neg(width, to);
        return;
    }
    let swap = g.chance.pick(&[Swap::Le, Swap::Be, Swap::Bswap]);
    let size = g.chance.pick(&[Size::H, Size::W, Size::DW]);
    g.a.byte_swap(swap, size, to);
}

fn registers(g: &mut Grower) {
    let (to, from, width) = (g.reg(), g.reg(), g.width());
    let op = match g.chance.percent(60) {
        true => g.chance.pick(&[AluOp::Add, AluOp::Add, AluOp::Sub]),
        false => g.chance.pick(&AluOp::ALL),
    };
    g.a.alu(op, width, to, Source::Reg(from));
}

fn spill(g: &mut Grower) {
    let ((size, at), reg) = (g.part(), g.reg());
    g.a.st(size, R10, at, reg);
}

fn stack_constant(g: &mut Grower) {
    let ((size, at), number) = (g.part(), g.number());
    g.a.st(size, R10, at, number);
}

fn fill(g: &mut Grower) {
    let ((size, at), to) = (g.part(), g.reg());
    match size != Size::DW && g.chance.percent(50) {
        true => g.a.ldxsx(size, to, R10, at),
        false => g.a.ldx(size, to, R10, at),
    };
}

fn load(g: &mut Grower) {
    let (to, from, at) = (g.reg(), g.base(), g.offset());
    let size = g.chance.pick(&Size::ALL);
    match size != Size::DW && g.chance.percent(30) {
        true => g.a.ldxsx(size, to, from, at),
        false => g.a.ldx(size, to, from, at),
    };
}

fn store_constant(g: &mut Grower) {
    let (to, at, number) = (g.base(), g.offset(), g.number());
    let size = g.chance.pick(&Size::ALL);
    g.a.st(size, to, at, number);
}

fn store(g: &mut Grower) {
    let (to, at, from) = (g.base(), g.offset(), g.reg());
    let size = g.chance.pick(&Size::ALL);
    g.a.st(size, to, at, from);
}

fn atomic(g: &mut Grower) {
    let (base, reg) = (g.base(), g.reg());
    let size = g.chance.pick(&[Size::W, Size::DW]);
    let at = match base {
        R10 => g.word(),
        _ => g.chance.pick(&[0, 4, 8]),
    };
    match g.chance.below(6) {
        0 | 1 => {
            let size = g.chance.pick(&Size::ALL);
            let (sem, dst, src) = match g.chance.percent(50) {
                true => (Sem::LoadAcquire { size }, reg, base),
                false => (Sem::StoreRelease { size }, base, reg),
            };
            let fields = Fields {
                dst,
                src,
                offset: at,
                ..Fields::default()
            };
            g.insn(sem, fields);
        }
        _ => {
            let op = g.chance.pick(&AtomicOp::ALL);
            g.a.atomic(op, size, base, at, reg);
        }
    }
}

fn look_up(g: &mut Grower) {
    let (map, to) = (g.chance.pick(&MAPS), g.chance.pick(&[R7, R8, R9]));
    lookup(g.a, map, to);
    if g.chance.percent(50) {
        g.a.jeq(to, 0, g.outside.out);
    }
}

fn direct(g: &mut Grower) {
    let (to, map) = (g.reg(), g.chance.pick(&[maps::GLOBALS, maps::CONSTANTS]));
    let offset = g.chance.pick(&[0, 4, 8]);
    g.a.ld_reference(to, Reference::MapValue { map, offset });
}

fn context(g: &mut Grower) {
    let (to, at) = (g.reg(), field(g.chance, g.prog_type));
    g.a.ldx(Size::W, to, R6, at);
}

fn packet(g: &mut Grower) {
    let (start, end, over) = (g.reg(), g.reg(), g.reg());
    let (data, data_end) = packet_fields(g.prog_type);
    g.a.ldx(Size::W, start, R6, data);
    g.a.ldx(Size::W, end, R6, data_end);
    g.a.mov(over, start);
    let by = g.chance.pick(&[1, 2, 8, 14, 16, 34]);
    g.a.add(over, by);
    compare_ends(g, over, end);
}

/// Goes on if `over` is not behind the end of the packet, in one of the ways to say it.
fn compare_ends(g: &mut Grower, over: Reg, end: Reg) {
    let (out, later) = (g.outside.out, g.outside.later);
    match g.chance.below(6) {
        0 | 1 => g.a.jgt(over, end, out),
        2 => g.a.jge(over, end, out),
        3 => g.a.jlt(end, over, out),
        4 => g.a.jle(end, over, out),
        _ => g.a.jle(over, end, later),
    };
}

fn variable(g: &mut Grower) {
    let (pointer, number) = (g.reg(), g.reg());
    let width = g.width();
    match g.chance.below(4) {
        0 => {
            let mask = g.chance.pick(&[1, 3, 7, 8, 15, 0xff]);
            g.a.alu(AluOp::And, width, number, Source::Imm(mask));
        }
        1 => {
            let (most, out) = (g.chance.pick(&[3, 7, 8, 12, 15]), g.outside.out);
            g.a.jump(Cond::Jgt, width, number, Source::Imm(most), out);
        }
        2 => {
            let (bits, out) = (g.chance.pick(&[60, 61, 56]), g.outside.out);
            g.a.rsh(number, bits);
            if g.chance.percent(30) {
                g.a.jeq(number, 0, out);
            }
        }
        _ => {}
    }
    match g.chance.percent(90) {
        true => g.a.add(pointer, number),
        false => g.a.sub(pointer, number),
    };
}

fn linked(g: &mut Grower) {
    let (to, from) = (g.reg(), g.reg());
    match g.chance.percent(80) {
        true => g.a.mov(to, from),
        false => g.a.mov32(to, from),
    };
    if g.chance.percent(60) {
        let (width, by) = (g.width(), g.chance.pick(&[1, 2, 4, 8, -1, -4, 100]));
        g.a.alu(AluOp::Add, width, to, Source::Imm(by));
    }
    let (cond, width, number) = (g.chance.pick(&Cond::ALL), g.width(), g.number());
    let (of, label) = (g.chance.pick(&[to, from]), g.to());
    g.a.jump(cond, width, of, Source::Imm(number), label);
}

fn stack_address(g: &mut Grower) {
    let (to, at) = (g.reg(), g.word());
    g.a.mov(to, R10);
    if g.chance.percent(80) {
        g.a.add(to, i32::from(at));
    }
}

fn helper_call(g: &mut Grower) {
    const NAMES: [&str; 4] = [
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
        _ => call(g.a, g.chance.pick(&NAMES)),
    }
    if g.chance.percent(40) {
        let to = g.chance.pick(&[R7, R8, R9]);
        g.a.mov(to, R0);
    }
}

fn helper_memory(g: &mut Grower) {
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

fn cond(g: &mut Grower) -> Cond {
    match g.chance.percent(60) {
        true => g.chance.pick(&Cond::ALL),
        false => g.chance.pick(&[Cond::Jeq, Cond::Jne]),
    }
}

fn compare_constant(g: &mut Grower) {
    let (cond, width, reg, number, to) = (cond(g), g.width(), g.reg(), g.number(), g.to());
    g.a.jump(cond, width, reg, Source::Imm(number), to);
}

fn compare_registers(g: &mut Grower) {
    let (cond, width, reg, with, to) = (cond(g), g.width(), g.reg(), g.reg(), g.to());
    g.a.jump(cond, width, reg, Source::Reg(with), to);
}

/// The counter of a loop: in a register, or on the stack.
fn counter(g: &mut Grower) -> Result<Reg, i16> {
    match g.shared.percent(25) {
        true => Ok(g.shared.pick(&[R7, R8, R9])),
        false => Err(g.shared.pick(&OBJECTS)),
    }
}

fn count_head(g: &mut Grower) {
    match counter(g) {
        Ok(reg) => g.a.mov(reg, 0),
        Err(at) => g.a.st(Size::DW, R10, at, 0),
    };
    g.a.bind(g.mark);
}

fn count_tail(g: &mut Grower) {
    let counter = counter(g);
    let rounds = g.shared.pick(&[2, 2, 3, 4]);
    let reg = counter.unwrap_or(R1);
    if let Err(at) = counter {
        g.a.ldx(Size::DW, R1, R10, at);
    }
    g.a.add(reg, 1);
    if let Err(at) = counter {
        g.a.st(Size::DW, R10, at, R1);
    }
    g.a.jlt(reg, rounds, g.outside.other);
}

fn may_goto_head(g: &mut Grower) {
    g.a.bind(g.mark);
    if let Some(row) = Sem::MayGoto.row() {
        g.a.insn_to(Insn::new(row, Fields::default()), g.outside.other);
    }
}

fn may_goto_tail(g: &mut Grower) {
    g.a.ja(g.outside.other).bind(g.mark);
}

fn iterate_head(g: &mut Grower) {
    let (at, rounds) = (g.shared.pick(&OBJECTS), g.shared.pick(&[0, 1, 4, 1000]));
    g.a.mov(R1, R10).add(R1, i32::from(at));
    g.a.mov(R2, 0).mov(R3, rounds);
    g.kfunc("bpf_iter_num_new");
    g.a.bind(g.mark).mov(R1, R10).add(R1, i32::from(at));
    g.kfunc("bpf_iter_num_next");
    g.a.jeq(R0, 0, g.outside.other);
    if g.chance.percent(40) {
        let to = g.chance.pick(&[R7, R8, R9]);
        g.a.ldx(Size::W, to, R0, 0);
    }
}

fn iterate_tail(g: &mut Grower) {
    let at = g.shared.pick(&OBJECTS);
    g.a.ja(g.outside.other);
    g.a.bind(g.mark).mov(R1, R10).add(R1, i32::from(at));
    g.kfunc("bpf_iter_num_destroy");
}

/// Where a record of a ring buffer is kept.
const RECORDS: [Reg; 3] = [R7, R8, R9];

fn reserve(g: &mut Grower) {
    let to = g.shared.pick(&RECORDS);
    g.a.ld_reference(R1, Reference::Map(maps::RING));
    g.a.mov(R2, 16).mov(R3, 0);
    call(g.a, "ringbuf_reserve");
    g.a.mov(to, R0);
    // Without a record there is nothing to submit.
    g.a.jeq(to, 0, g.outside.other);
}

fn submit(g: &mut Grower) {
    let from = g.shared.pick(&RECORDS);
    let name = g.chance.pick(&["ringbuf_submit", "ringbuf_discard"]);
    g.a.mov(R1, from).mov(R2, 0);
    call(g.a, name);
    g.a.bind(g.mark);
}

/// What opens a section, and what closes it.
const SECTIONS: [(&str, &str); 2] = [
    ("bpf_rcu_read_lock", "bpf_rcu_read_unlock"),
    ("bpf_preempt_disable", "bpf_preempt_enable"),
];

fn enter(g: &mut Grower) {
    let (open, _) = g.shared.pick(&SECTIONS);
    g.kfunc(open);
}

fn leave(g: &mut Grower) {
    let (_, close) = g.shared.pick(&SECTIONS);
    g.kfunc(close);
}

/// Gives a function a place on the stack or what a register holds, and what another holds.
fn call_local(g: &mut Grower) {
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

fn stack_address_in(g: &mut Grower, to: Reg) {
    let at = g.word();
    g.a.mov(to, R10).add(to, i32::from(at));
}

/// A function of few instructions, which grows as the program does.
fn local(g: &mut Grower) {
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

fn call_back(g: &mut Grower) {
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

fn called_back(g: &mut Grower) {
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
