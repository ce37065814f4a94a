//! Programs of a few constructs each, in the manner of the kernel's own verifier tests.
//!
//! The generator knows about each register what a programmer would: a number and its
//! bound, a pointer into the packet and how much of it is proven. What it makes from that is
//! meant to be accepted. In five of ten programs it slips now and then: a check is left out, a
//! bound is off by one, a register is the wrong one. About 55 of 100 programs are accepted.
//!
//! The distribution, all of it by the seed and the program's number alone:
//!
//! - The program type, by the weights of [`PROG_TYPES`].
//! - Slips: none in five of ten programs, three in a hundred choices in four, twelve in one.
//! - Constructs: one to nine, each by the weights of [`Construct::TABLE`] (those that other
//!   program types alone can have are drawn again, in nine of ten cases). Some hold others, three
//!   deep at most; each function that is called has up to three of its own.
//! - Numbers: half of the constants are 0 to 64, the others lie near the ends of the widths.
//! - Types of functions go with the program where a construct needs them, and in one of ten
//!   other programs. The license is the GPL in 95 of 100.
//!
//! Each construct is in one of a hundred programs at least: the test among the tests counts.
//!
//! Read next: `state.rs`, `types.rs`, then the constructs: `sections.rs`, `objects.rs`, `views.rs`,
//! `collections.rs`, `resilient.rs`, `kernels_own.rs`, `queues.rs`, `arenas.rs`, `callbacks.rs`,
//! `numbers.rs`, `memory.rs`, `packets.rs`, `maps.rs`, `flow.rs`, `calls.rs`; `loops.rs`, programs of
//! nothing but loops that lie in one another; and `growing/`, programs that grow from accepted ones.

mod arenas;
mod callbacks;
mod calls;
mod collections;
mod flow;
pub mod growing;
mod kernels_own;
pub mod loops;
mod maps;
mod memory;
mod numbers;
mod objects;
mod packets;
mod queues;
mod resilient;
mod sections;
mod state;
mod types;
mod views;

use ebpf_asm::assembler::{Assembler, Label};
use ebpf_asm::helper;
use ebpf_asm::insn::Reg::{self, *};
use ebpf_asm::insn::{Fields, Insn};
use ebpf_asm::isa::{Callee, Sem};
use ebpf_asm::object::Object;
use ebpf_asm::prog_type::ProgType;

use super::Chance;
use super::row::Row;
use crate::kernel_types;
use state::{Holds, State};
use types::Role;

/// The program types with their weights.
pub const PROG_TYPES: [(ProgType, &str, u32); 17] = [
    (ProgType::Xdp, "xdp", 30),
    (ProgType::SchedCls, "tc", 26),
    (ProgType::SocketFilter, "socket", 18),
    (ProgType::CgroupSkb, "cgroup_skb/egress", 8),
    (ProgType::Tracepoint, "tracepoint", 6),
    (ProgType::RawTracepoint, "raw_tp", 6),
    (ProgType::Kprobe, "kprobe", 6),
    (ProgType::PerfEvent, "perf_event", 4),
    (ProgType::SchedAct, "action", 2),
    (ProgType::LwtXmit, "lwt_xmit", 2),
    (ProgType::SkSkb, "sk_skb", 2),
    (ProgType::CgroupSockAddr, "cgroup/connect4", 2),
    (ProgType::SockOps, "sockops", 2),
    (ProgType::SkLookup, "sk_lookup", 2),
    (ProgType::CgroupDevice, "cgroup/dev", 1),
    (ProgType::CgroupSysctl, "cgroup/sysctl", 1),
    (ProgType::Syscall, "syscall", 3),
];

/// The types that trace, for which locks and timers are not.
const TRACING: [ProgType; 4] = [
    ProgType::Tracepoint,
    ProgType::RawTracepoint,
    ProgType::Kprobe,
    ProgType::PerfEvent,
];

/// The types that may have objects of their own, and throw.
const OWNERS: [ProgType; 9] = [
    ProgType::Xdp,
    ProgType::SchedCls,
    ProgType::Tracepoint,
    ProgType::PerfEvent,
    ProgType::Syscall,
    ProgType::CgroupSkb,
    ProgType::CgroupSockAddr,
    ProgType::CgroupDevice,
    ProgType::CgroupSysctl,
];

/// The types that may have masks of CPUs.
const MASKERS: [ProgType; 4] = [
    ProgType::Tracepoint,
    ProgType::RawTracepoint,
    ProgType::PerfEvent,
    ProgType::Syscall,
];

macro_rules! constructs {
    ($($name:ident $weight:literal $text:literal $make:path,)*) => {
        /// What programs are made of.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(usize)]
        pub enum Construct {
            $(#[doc = $text] $name,)*
        }

        impl Construct {
            /// All of them with their weights.
            pub const TABLE: &'static [(Construct, u32)] = &[$((Construct::$name, $weight),)*];

            /// Those of which the interpreter does not model all.
            pub const NOT_RUN: [Construct; 13] = [
                Construct::Views,
                Construct::Push,
                Construct::Pop,
                Construct::Peek,
                Construct::Sort,
                Construct::Remove,
                Construct::Counted,
                Construct::Mask,
                Construct::PerCpu,
                Construct::Texts,
                Construct::Drain,
                Construct::Work,
                Construct::Arena,
            ];

            /// What it is, in words.
            #[must_use]
            pub fn text(self) -> &'static str {
                match self {
                    $(Construct::$name => $text,)*
                }
            }

            /// Whether programs of the type can have it at all.
            fn fits(self, prog_type: ProgType) -> bool {
                let has = |types: &[ProgType]| types.contains(&prog_type);
                match self {
                    Construct::Packet
                    | Construct::PacketVariable
                    | Construct::PacketEnd => packets::has_packet(prog_type),
                    Construct::Meta => has(&[ProgType::Xdp, ProgType::SchedCls]),
                    Construct::LoadAbs => has(&packets::LEGACY),
                    Construct::Lock | Construct::Resilient => {
                        !has(&TRACING) && !has(&[ProgType::SocketFilter])
                    }
                    Construct::Timer | Construct::Work => !has(&TRACING),
                    Construct::Own
                    | Construct::Exchange
                    | Construct::Throw
                    | Construct::PerCpu
                    | Construct::Counted => has(&OWNERS),
                    Construct::Push
                    | Construct::Pop
                    | Construct::Peek
                    | Construct::Sort
                    | Construct::Remove => has(&OWNERS) && !has(&TRACING),
                    Construct::Mask => has(&MASKERS),
                    Construct::Socket => {
                        has(&[ProgType::Xdp, ProgType::SchedCls, ProgType::SchedAct])
                    }
                    Construct::PacketSocket => has(&packets::LEGACY),
                    _ => true,
                }
            }

            fn make(self, generator: &mut Generator) {
                match self {
                    $(Construct::$name => $make(generator),)*
                }
            }
        }
    };
}

constructs! {
    Alu 14 "arithmetic on numbers, all operations" numbers::alu,
    Move 8 "moves, constants, sign extension" numbers::moves,
    Swap 2 "byte swaps" numbers::swaps,
    Bound 8 "comparisons that bound a number" numbers::bound,
    Linked 6 "numbers that share a bound" numbers::linked,
    Branch 9 "branches that join again" flow::branch,
    Decided 3 "branches that are never taken" flow::decided,
    Loop 4 "loops" flow::bounded_loop,
    Trap 7 "ways that join where one of them is unsafe" flow::trap,
    Dead 1 "code that nothing reaches" flow::unreachable,
    Spill 9 "spills and fills of all sizes" memory::spill,
    StackVariable 4 "the stack at a variable offset" memory::variable_stack,
    PointerArithmetic 4 "arithmetic on pointers" memory::arithmetic,
    PointerCompare 3 "comparisons of pointers" memory::compare,
    Leak 2 "pointers stored where they can be seen" memory::leak,
    Atomic 4 "atomic operations" memory::atomic,
    Context 6 "fields of the context" packets::context,
    Packet 10 "the packet, behind a comparison" packets::direct,
    PacketVariable 6 "the packet at a variable offset" packets::variable,
    PacketEnd 2 "at the end of the packet and beyond" packets::end,
    Meta 2 "metadata before the packet" packets::meta,
    LoadAbs 2 "LD_ABS and LD_IND" packets::legacy,
    Lookup 11 "map lookups and null checks" maps::lookup,
    ValueVariable 7 "map values at a variable offset" maps::variable,
    DirectValue 5 "addresses of map values, frozen constants" maps::direct,
    MapInMap 2 "maps in maps" maps::inner,
    MapUpdate 4 "updates and deletions" maps::update,
    Ringbuf 4 "ring buffer records" maps::ringbuf,
    TailCall 2 "tail calls" calls::tail,
    Helper 5 "helpers of numbers" calls::plain,
    HelperMemory 6 "helpers with memory and size" calls::sized,
    Subprogram 6 "functions of the program" calls::local,
    Ordered 3 "loads that acquire and stores that release" memory::ordered,
    LoadSigned 3 "loads that extend the sign" memory::signed,
    Callback 5 "bpf_loop" callbacks::rounds,
    Elements 4 "bpf_for_each_map_elem" callbacks::elements,
    Global 5 "functions verified on their own" callbacks::global,
    MayGoto 4 "may_goto" sections::may_goto,
    Iteration 5 "open-coded iterators" sections::iteration,
    Section 5 "sections of RCU, preemption and interrupts" sections::section,
    Throw 4 "exceptions" sections::throw,
    Lock 5 "spin locks" objects::lock,
    Timer 4 "timers" objects::timer,
    Own 4 "objects of the program's own" objects::own,
    Exchange 4 "pointers exchanged with map values" objects::exchange,
    KeptRead 3 "pointers read from map values" objects::kept_read,
    Dynptr 6 "dynptrs" objects::dynptr,
    Socket 4 "sockets looked up" objects::socket,
    PacketSocket 4 "the socket of a packet" objects::packet_socket,
    Views 4 "clones and parts of dynptrs" views::views,
    Push 4 "objects put into lists" collections::push,
    Pop 4 "objects taken out of lists" collections::pop,
    Peek 4 "objects looked at in lists" collections::peek,
    Sort 4 "objects put into trees" collections::sort,
    Remove 4 "objects taken out of trees" collections::remove,
    Resilient 4 "locks that may fail" resilient::lock,
    Counted 4 "tasks and cgroups acquired" kernels_own::counted,
    Mask 4 "masks of CPUs" kernels_own::mask,
    PerCpu 4 "objects of which each CPU has one" kernels_own::per_cpu,
    Texts 3 "texts compared and searched" kernels_own::texts,
    Drain 4 "records of user space" queues::drain,
    Work 4 "work queues" queues::work,
    Arena 4 "arenas" arenas::arena,
}

/// A program and what it is made of.
#[derive(Debug, Clone)]
pub struct Generated {
    /// The program.
    pub row: Row,
    /// Its type.
    pub prog_type: ProgType,
    /// Its constructs in words, each once.
    pub constructs: Vec<&'static str>,
}

impl Generated {
    /// Whether the interpreter models all that the program is made of.
    #[must_use]
    pub fn is_modelled(&self) -> bool {
        let not_run = Construct::NOT_RUN.map(Construct::text);
        !self.constructs.iter().any(|text| not_run.contains(text))
    }
}

/// A program that is being made.
struct Generator {
    chance: Chance,
    a: Assembler,
    prog_type: ProgType,
    state: State,
    /// Where the program ends early.
    out: Label,
    /// How often in a hundred it slips.
    slips: u32,
    /// How deep constructs stand in one another.
    depth: u32,
    /// Constructs that are left to make.
    budget: u32,
    /// Functions that are called and not yet written, with what they are given.
    functions: Vec<(Label, State, Role)>,
    /// What the functions that are written are, in order.
    roles: Vec<Role>,
    /// Whether the functions have types.
    typed: bool,
    /// Registers that hold what must be given back.
    reserved: Vec<Reg>,
    /// Where on the stack the last object lies that lives for some time.
    objects: i32,
    /// Whether a function that is no program is written.
    inside_function: bool,
    used: Vec<Construct>,
}

/// The program of a seed and a number.
#[must_use]
pub fn program(seed: u64, number: u64) -> Option<Generated> {
    let mut chance = Chance::new(seed ^ number.wrapping_mul(0xd134_2543_de82_ef95));
    for _ in 0..8 {
        chance.number();
    }
    let total: u32 = PROG_TYPES.iter().map(|(_, _, weight)| weight).sum();
    let mut at = chance.below(total as usize) as u32;
    let mut of = PROG_TYPES[0];
    for one in PROG_TYPES {
        if at < one.2 {
            of = one;
            break;
        }
        at -= one.2;
    }
    let (prog_type, section, _) = of;
    let slips = match chance.below(10) {
        0..=4 => 0,
        5..=8 => 3,
        _ => 12,
    };
    let mut a = Assembler::new("generated");
    let out = a.label();
    let budget = 1 + chance.below(9) as u32;
    let mut generator = Generator {
        chance,
        a,
        prog_type,
        state: State::entry(Holds::Ctx),
        out,
        slips,
        depth: 0,
        budget,
        functions: Vec::new(),
        roles: vec![Role::Program],
        typed: false,
        reserved: Vec::new(),
        objects: -80,
        inside_function: false,
        used: Vec::new(),
    };
    generator.main();
    let mut program = generator.a.finish(section).ok()?;
    program.prog_type = prog_type;
    if generator.typed || generator.chance.percent(10) {
        types::give(&mut program, &generator.roles);
    }
    let license = if generator.chance.percent(95) {
        "GPL"
    } else {
        "MIT"
    };
    let object = Object {
        license: license.to_owned(),
        maps: maps::all(&mut generator.chance),
        programs: vec![program],
        btf: types::btf(),
        ..Object::default()
    };
    let program = object.programs.first()?;
    let row = Row::of(&object, program);
    let mut constructs = generator.used;
    constructs.sort_unstable();
    constructs.dedup();
    Some(Generated {
        row,
        prog_type,
        constructs: constructs.into_iter().map(Construct::text).collect(),
    })
}

impl Generator {
    fn main(&mut self) {
        self.a.mov(R6, R1);
        self.state.set(R6, Holds::Ctx);
        for reg in [R0, R7, R8] {
            if self.chance.percent(60) {
                self.constant(reg);
            }
        }
        self.steps();
        self.end();
        while let Some((label, state, role)) = self.functions.pop() {
            self.function(label, state, role);
        }
    }

    fn function(&mut self, label: Label, state: State, role: Role) {
        self.inside_function = true;
        self.roles.push(role);
        self.a.function(label, role.name());
        self.a.bind(label);
        self.out = self.a.label();
        self.state = state;
        self.objects = -80;
        let most = callbacks::enter(self, role);
        self.budget = self.chance.below(most + 1) as u32;
        self.constant(R0);
        self.steps();
        self.end_of(role);
    }

    /// The end of a function: what callbacks return is asked for.
    fn end_of(&mut self, role: Role) {
        let most = match role {
            Role::Callback | Role::Record | Role::Less => 1,
            Role::Timer | Role::Later => 0,
            _ => return self.end(),
        };
        let value = self.chance.between(0, most);
        let value = self.or_wrong(value, &[2, -1]);
        self.a.bind(self.out).mov(R0, value).exit();
    }

    /// `out: r0 = number; exit`.
    fn end(&mut self) {
        if self.slip() {
            // R0 as it is: perhaps nothing, perhaps a pointer.
            self.a.bind(self.out).exit();
            return;
        }
        if self.chance.percent(8) && matches!(self.state.of(R0), Holds::Number(_)) {
            self.a.exit();
        }
        let value = self.chance.below(3) as i32;
        self.a.bind(self.out).mov(R0, value).exit();
    }

    fn steps(&mut self) {
        while self.budget > 0 {
            self.budget -= 1;
            let total: u32 = Construct::TABLE.iter().map(|(_, weight)| weight).sum();
            let mut at = self.chance.below(total as usize) as u32;
            for &(construct, weight) in Construct::TABLE {
                if at >= weight {
                    at -= weight;
                    continue;
                }
                if !construct.fits(self.prog_type) && self.chance.percent(90) {
                    self.budget += 1;
                    break;
                }
                self.used.push(construct);
                construct.make(self);
                break;
            }
        }
    }

    /// Constructs inside of another.
    fn nested(&mut self, most: u32) {
        if self.depth >= 3 || self.budget == 0 {
            return;
        }
        self.depth += 1;
        let rest = self.budget;
        self.budget = (1 + self.chance.below(most as usize) as u32).min(rest);
        let given = self.budget;
        self.steps();
        self.budget = rest - given;
        self.depth -= 1;
    }

    /// Whether to do it wrong this time.
    fn slip(&mut self) -> bool {
        let slips = self.slips;
        self.chance.percent(slips)
    }

    /// A number that nothing is wrong with, or on a slip one that is.
    fn or_wrong(&mut self, right: i32, wrong: &[i32]) -> i32 {
        if self.slip() {
            self.chance.pick(wrong)
        } else {
            right
        }
    }

    /// A register that may be overwritten.
    fn target(&mut self) -> Reg {
        const FREE: [Reg; 9] = [R0, R1, R2, R3, R4, R5, R7, R8, R9];
        self.free(&FREE)
    }

    /// A register that calls leave alone and that may be overwritten.
    fn kept(&mut self) -> Reg {
        self.free(&[R7, R8, R9])
    }

    /// One of some registers that is not reserved, if any is not.
    fn free(&mut self, of: &[Reg]) -> Reg {
        let free: Vec<Reg> = of
            .iter()
            .copied()
            .filter(|reg| !self.reserved.contains(reg))
            .collect();
        self.chance.pick(if free.is_empty() { of } else { &free })
    }

    /// A register that holds what is wanted, or on a slip any one.
    fn holding(&mut self, wanted: impl Fn(Holds) -> bool) -> Option<Reg> {
        if self.slip() {
            return Some(Reg::ALL[self.chance.below(11)]);
        }
        let all: Vec<Reg> = Reg::ALL[..10]
            .iter()
            .copied()
            .filter(|&reg| wanted(self.state.of(reg)))
            .collect();
        (!all.is_empty()).then(|| self.chance.pick(&all))
    }

    /// A register that holds a number, made if there is none.
    fn number(&mut self) -> Reg {
        match self.holding(|holds| matches!(holds, Holds::Number(_))) {
            Some(reg) if self.chance.percent(85) => reg,
            _ => {
                let reg = self.target();
                self.unknown(reg);
                reg
            }
        }
    }

    /// Makes a register a number that the verifier knows nothing of.
    fn unknown(&mut self, reg: Reg) {
        match self.chance.below(4) {
            0 | 1 if self.state.of(R6) == Holds::Ctx => packets::any_field(self, reg),
            0..=2 => {
                let id = helper::by_name("get_prandom_u32").map_or(7, |helper| helper.id);
                self.call(id);
                if reg != R0 {
                    self.a.mov(reg, R0);
                    self.state.set(reg, Holds::Number(None));
                }
            }
            _ => self.constant(reg),
        }
    }

    fn constant(&mut self, reg: Reg) {
        let number = self.chance.corner();
        let small = self.chance.percent(50);
        let value = self.chance.between(0, 64);
        match (small, self.chance.percent(40)) {
            (true, _) => self.a.mov(reg, value),
            (_, true) => self.a.ld_imm64(reg, number),
            _ => self.a.mov(reg, number as i32),
        };
        self.state
            .set(reg, Holds::Number(small.then_some(value as u32)));
    }

    /// A call that leaves a number in R0.
    fn call(&mut self, id: i32) {
        self.a.call(id);
        self.state.clobber();
        self.state.set(R0, Holds::Number(None));
    }

    /// A call of the helper of this name.
    fn helper_call(&mut self, name: &str) {
        let id = self.helper(name);
        self.call(id);
        self.state.set(R0, Holds::Nothing);
    }

    /// A call of a function of the kernel.
    fn kfunc(&mut self, name: &str) {
        if let Some(row) = Sem::Call(Callee::Kfunc).row() {
            let fields = Fields {
                imm: kernel_types::function(name).unwrap_or(i32::MAX),
                ..Fields::default()
            };
            self.a.insn(Insn::new(row, fields));
        }
        self.state.clobber();
    }

    /// The id of a helper.
    fn helper(&self, name: &str) -> i32 {
        helper::by_name(name).map_or(i32::MAX, |helper| helper.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_program() {
        let line = |number| program(1, number).map(|made| made.row.line(0));
        assert!(line(3).is_some());
        assert_eq!(line(3), line(3));
        assert_ne!(line(3), line(4));
    }
}
