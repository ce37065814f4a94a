//! Programs of loops that lie in one another, in each way: counted, with the counter in a
//! register or on the stack, iterations, `may_goto`, functions that `bpf_loop` calls back, and
//! functions with loops of their own.
//!
//! What the verifiers follow of such programs depends on what they keep of each round, so that
//! the instructions that they followed are compared, not only the verdicts. Most programs are
//! meant to be accepted; some come to the limit of a million instructions.
//!
//! The distribution, all of it by the seed and the program's number alone: 4 to 16 statements by
//! the weights of `STATEMENTS`, loops up to four deep in a function and functions up to three;
//! rounds by `ROUNDS`.
//!
//! Read before: `types.rs`. Read next: `growing/mod.rs`.

use ebpf_asm::assembler::{Assembler, Label, Source};
use ebpf_asm::helper;
use ebpf_asm::insn::Reg::{self, *};
use ebpf_asm::insn::{Fields, Insn};
use ebpf_asm::isa::{Callee, Cond, Imm64, Sem, Size, Width};
use ebpf_asm::object::Object;
use ebpf_asm::prog_type::ProgType;

use super::Generated;
use super::types::{self, Role};
use crate::differential::{Chance, row::Row};
use crate::kernel_types;

/// What a statement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Statement {
    Alu,
    Spill,
    Fill,
    Random,
    Index,
    Branch,
    Leave,
    Through,
    Counted,
    CountedOnStack,
    Iteration,
    MayGoto,
    Callback,
    Function,
}

impl Statement {
    /// What it is in words, if it is a loop or makes one.
    fn text(self) -> Option<&'static str> {
        Some(match self {
            Statement::Counted => "loops that count in a register",
            Statement::CountedOnStack => "loops that count on the stack",
            Statement::Iteration => "iterations",
            Statement::MayGoto => "may_goto",
            Statement::Callback => "callbacks",
            Statement::Function => "functions",
            Statement::Leave => "loops that are left early",
            _ => return None,
        })
    }
}

/// The statements with their weights.
const STATEMENTS: [(Statement, u32); 14] = [
    (Statement::Alu, 8),
    (Statement::Spill, 5),
    (Statement::Fill, 4),
    (Statement::Random, 4),
    (Statement::Index, 6),
    (Statement::Branch, 7),
    (Statement::Leave, 4),
    (Statement::Through, 3),
    (Statement::Counted, 5),
    (Statement::CountedOnStack, 3),
    (Statement::Iteration, 9),
    (Statement::MayGoto, 5),
    (Statement::Callback, 4),
    (Statement::Function, 4),
];

/// How often counted loops go round: many rounds are rare, since what they take is multiplied.
const ROUNDS: [i32; 10] = [2, 2, 3, 3, 4, 5, 7, 10, 20, 36];

/// Loops in one another in one function, and functions.
const DEEPEST: u32 = 4;
const DEEPEST_CALL: u32 = 3;

/// The registers for numbers.
const NUMBERS: [Reg; 4] = [R6, R7, R8, R9];

/// Words of the stack for numbers; below them bytes that are written at an index, then
/// iterations and counters.
const WORDS: i16 = 4;
const BYTES: i32 = -64;
const OBJECTS: i16 = -64;

/// A function that is called and not yet written, and how many lead to it.
type Called = (Label, Role, u32);

struct Maker {
    chance: Chance,
    a: Assembler,
    functions: Vec<Called>,
    roles: Vec<Role>,
    /// Statements that are left to make.
    budget: u32,
    /// Loops that the next statement is in, and functions.
    depth: u32,
    calls: u32,
    /// Registers that hold counters, or what a callback is handed.
    reserved: Vec<Reg>,
    /// What the function is handed, if it is called back.
    handed: Option<Reg>,
    /// Where on the stack the last iteration or counter lies.
    objects: i16,
    /// Where the innermost loop is left.
    leave: Option<Label>,
    used: Vec<&'static str>,
}

/// The program of a seed and a number.
#[must_use]
pub fn program(seed: u64, number: u64) -> Option<Generated> {
    let mut chance = Chance::new(seed ^ number.wrapping_mul(0xd134_2543_de82_ef95));
    for _ in 0..8 {
        chance.number();
    }
    let budget = 4 + chance.below(13) as u32;
    let mut maker = Maker {
        chance,
        a: Assembler::new("generated"),
        functions: Vec::new(),
        roles: vec![Role::Program],
        budget,
        depth: 0,
        calls: 0,
        reserved: Vec::new(),
        handed: None,
        objects: OBJECTS - 16,
        leave: None,
        used: Vec::new(),
    };
    maker.body(Role::Program);
    while let Some((label, role, calls)) = maker.functions.pop() {
        maker.function(label, role, calls);
    }
    let mut program = maker.a.finish("xdp").ok()?;
    program.prog_type = ProgType::Xdp;
    types::give(&mut program, &maker.roles);
    let object = Object {
        license: "GPL".to_owned(),
        programs: vec![program],
        btf: types::btf(),
        ..Object::default()
    };
    let row = Row::of(&object, object.programs.first()?);
    maker.used.sort_unstable();
    maker.used.dedup();
    Some(Generated {
        row,
        prog_type: ProgType::Xdp,
        constructs: maker.used,
    })
}

impl Maker {
    fn function(&mut self, label: Label, role: Role, calls: u32) {
        self.roles.push(role);
        self.a.function(label, role.name());
        self.a.bind(label);
        self.calls = calls;
        self.reserved.clear();
        self.handed = None;
        self.leave = None;
        self.objects = OBJECTS - 16;
        self.budget = 1 + self.chance.below(5) as u32;
        self.body(role);
    }

    /// All of a function.
    fn body(&mut self, role: Role) {
        if role == Role::Callback {
            self.a.mov(R9, R2);
            self.reserved.push(R9);
            self.handed = Some(R9);
        }
        for reg in NUMBERS {
            if self.handed != Some(reg) {
                let value = self.chance.between(0, 3);
                self.a.mov(reg, value);
            }
        }
        if role == Role::Callback && self.chance.percent(30) {
            self.a.mov(R6, R1);
        }
        for word in 1..=WORDS {
            if self.chance.percent(70) {
                self.a.st(Size::DW, R10, -8 * word, 0);
            }
        }
        while self.budget > 0 {
            self.statements();
        }
        match role {
            Role::Callback if self.chance.percent(30) => {
                let number = self.any();
                self.a.mov(R0, number).and(R0, 1).exit()
            }
            Role::Program | Role::Callback => self.a.mov(R0, 0).exit(),
            _ => {
                let number = self.any();
                self.a.mov(R0, number).exit()
            }
        };
    }

    fn statements(&mut self) {
        for _ in 0..1 + self.chance.below(3) {
            if self.budget == 0 {
                return;
            }
            self.budget -= 1;
            self.statement();
        }
    }

    fn statement(&mut self) {
        let total: u32 = STATEMENTS.iter().map(|(_, weight)| weight).sum();
        let mut at = self.chance.below(total as usize) as u32;
        for (statement, weight) in STATEMENTS {
            if at < weight {
                self.used.extend(statement.text());
                return self.make(statement);
            }
            at -= weight;
        }
    }

    fn make(&mut self, statement: Statement) {
        match statement {
            Statement::Alu => self.alu(),
            Statement::Spill => {
                let (word, number) = (self.word(), self.any());
                self.a.st(Size::DW, R10, word, number);
            }
            Statement::Fill => {
                if let Some(to) = self.free() {
                    let word = self.word();
                    self.a.ldx(Size::DW, to, R10, word);
                }
            }
            Statement::Random => self.random(),
            Statement::Index => self.index(),
            Statement::Branch => self.branch(),
            Statement::Leave => {
                if let Some(leave) = self.leave {
                    self.compare(leave);
                }
            }
            Statement::Through => self.through(),
            _ if self.depth >= DEEPEST => {}
            Statement::Counted => self.counted(),
            Statement::CountedOnStack => self.counted_on_stack(),
            Statement::Iteration => self.iteration(),
            Statement::MayGoto => self.may_goto(),
            Statement::Callback => self.callback(),
            Statement::Function => self.local(),
        }
    }

    /// A register with a number that may be changed.
    fn free(&mut self) -> Option<Reg> {
        let free = NUMBERS.iter().filter(|reg| !self.reserved.contains(reg));
        let free: Vec<Reg> = free.copied().collect();
        (!free.is_empty()).then(|| self.chance.pick(&free))
    }

    /// A register with a number.
    fn any(&mut self) -> Reg {
        let numbers = NUMBERS.iter().filter(|&&reg| self.handed != Some(reg));
        let numbers: Vec<Reg> = numbers.copied().collect();
        self.chance.pick(&numbers)
    }

    fn word(&mut self) -> i16 {
        -8 * (1 + self.chance.below(WORDS as usize) as i16)
    }

    fn room(&mut self) -> i16 {
        self.objects -= 8;
        self.objects
    }

    fn alu(&mut self) {
        let Some(to) = self.free() else { return };
        let from = self.any();
        match self.chance.below(6) {
            0 | 1 => self.a.add(to, 1),
            2 => self.a.add(to, from),
            3 => self.a.and(to, 15),
            4 => self.a.mov(to, from),
            _ => {
                let value = self.chance.between(0, 9);
                self.a.mov(to, value)
            }
        };
    }

    fn random(&mut self) {
        let Some(to) = self.free() else { return };
        self.helper("get_prandom_u32");
        self.a.mov(to, R0);
        if self.chance.percent(40) {
            self.a.and(to, 7);
        }
    }

    /// Writes a byte of the stack at a number, mostly behind a check.
    fn index(&mut self) {
        let (number, skip) = (self.any(), self.a.label());
        if self.chance.percent(80) {
            self.a.jgt(number, 15, skip);
        }
        self.a.mov(R2, R10).add(R2, BYTES - 16).add(R2, number);
        self.a.st(Size::B, R2, 0, 1).bind(skip);
    }

    fn compare(&mut self, to: Label) {
        let number = self.any();
        let conds = [Cond::Jeq, Cond::Jne, Cond::Jgt, Cond::Jslt];
        let (cond, with) = (self.chance.pick(&conds), self.chance.between(0, 9));
        self.a.jump(cond, Width::W64, number, Source::Imm(with), to);
    }

    fn branch(&mut self) {
        let (other, join) = (self.a.label(), self.a.label());
        self.compare(other);
        self.statements();
        if self.chance.percent(40) {
            self.a.ja(join).bind(other);
            self.statements();
            self.a.bind(join);
        } else {
            self.a.bind(other).bind(join);
        }
    }

    /// Counts in what a callback is handed.
    fn through(&mut self) {
        let Some(handed) = self.handed else { return };
        self.a.ldx(Size::DW, R1, handed, 0);
        if self.chance.percent(70) {
            self.a.add(R1, 1).st(Size::DW, handed, 0, R1);
        }
        if let Some(to) = self.free() {
            self.a.mov(to, R1);
        }
    }

    /// What is in a loop.
    fn round(&mut self, leave: Label) {
        self.depth += 1;
        let outer = self.leave.replace(leave);
        self.statements();
        self.leave = outer;
        self.depth -= 1;
    }

    fn counted(&mut self) {
        let Some(counter) = self.free() else { return };
        let rounds = self.chance.pick(&ROUNDS);
        let (head, done) = (self.a.label(), self.a.label());
        self.a.mov(counter, 0).bind(head);
        let at_top = self.chance.percent(50);
        if at_top {
            self.a.jge(counter, rounds, done);
        }
        self.reserved.push(counter);
        self.round(done);
        self.reserved.pop();
        self.a.add(counter, 1);
        match at_top {
            true => self.a.ja(head),
            false => self.a.jlt(counter, rounds, head),
        };
        self.a.bind(done);
    }

    fn counted_on_stack(&mut self) {
        let (at, rounds) = (self.room(), self.chance.pick(&ROUNDS));
        let (head, done) = (self.a.label(), self.a.label());
        self.a.st(Size::DW, R10, at, 0).bind(head);
        self.round(done);
        self.a.ldx(Size::DW, R1, R10, at).add(R1, 1);
        self.a.st(Size::DW, R10, at, R1).jlt(R1, rounds, head);
        self.a.bind(done);
        self.objects += 8;
    }

    fn iteration(&mut self) {
        let at = self.room();
        let end = self.chance.pick(&[0, 1, 4, 10, 1000]);
        self.a.mov(R2, 0).mov(R3, end);
        self.a.mov(R1, R10).add(R1, i32::from(at));
        self.kfunc("bpf_iter_num_new");
        let (head, done) = (self.a.label(), self.a.label());
        self.a.bind(head).mov(R1, R10).add(R1, i32::from(at));
        self.kfunc("bpf_iter_num_next");
        self.a.jeq(R0, 0, done);
        if let Some(to) = self.free()
            && self.chance.percent(50)
        {
            self.a.ldx(Size::W, to, R0, 0);
        }
        self.round(done);
        self.a.ja(head);
        self.a.bind(done).mov(R1, R10).add(R1, i32::from(at));
        self.kfunc("bpf_iter_num_destroy");
        self.objects += 8;
    }

    fn may_goto(&mut self) {
        let (head, done) = (self.a.label(), self.a.label());
        self.a.bind(head);
        if let Some(row) = Sem::MayGoto.row() {
            let insn = Insn::new(row, Fields::default());
            self.a.insn_to(insn, done);
        }
        self.round(done);
        self.a.ja(head).bind(done);
    }

    fn callback(&mut self) {
        if self.calls >= DEEPEST_CALL || self.functions.len() >= 3 {
            return;
        }
        let (label, word) = (self.a.label(), self.word());
        self.functions.push((label, Role::Callback, self.calls + 1));
        if self.chance.percent(80) {
            self.a.st(Size::DW, R10, word, 0);
        }
        let rounds = self.chance.pick(&[0, 1, 3, 10, 1000]);
        self.a.mov(R1, rounds);
        if let Some(row) = Sem::LoadImm64(Imm64::Code).row() {
            let fields = Fields {
                dst: R2,
                ..Fields::default()
            };
            self.a.insn_to(Insn::new(row, fields), label);
        }
        self.a.mov(R3, R10).add(R3, i32::from(word)).mov(R4, 0);
        self.helper("loop");
    }

    fn local(&mut self) {
        if self.calls >= DEEPEST_CALL || self.functions.len() >= 3 {
            return;
        }
        let label = self.a.label();
        self.functions.push((label, Role::Static, self.calls + 1));
        for _ in 0..1 + self.chance.below(2) {
            let number = self.any();
            self.a.mov(R1, number).call_local(label);
            if let Some(to) = self.free() {
                self.a.mov(to, R0);
            }
        }
    }

    fn helper(&mut self, name: &str) {
        let id = helper::by_name(name).map_or(i32::MAX, |helper| helper.id);
        self.a.call(id);
    }

    fn kfunc(&mut self, name: &str) {
        if let Some(row) = Sem::Call(Callee::Kfunc).row() {
            let fields = Fields {
                imm: kernel_types::function(name).unwrap_or(i32::MAX),
                ..Fields::default()
            };
            self.a.insn(Insn::new(row, fields));
        }
    }
}
