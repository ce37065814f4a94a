//! The table: every form of every instruction, family by family in the order of RFC 9669.
//!
//! A family's rows are made by a function that says what they have in common; opcodes, as
//! in the RFC, are an operation's code or a mode, a size or an operand's source, and a class.

/// `$left $sign $right` in the four forms, with `$tail` behind.
macro_rules! spellings {
    ($head:literal, $sign:literal, $tail:literal) => {
        [
            concat!($head, "{d} ", $sign, " {i}", $tail),
            concat!($head, "{d} ", $sign, " {s}", $tail),
            concat!($head, "{wd} ", $sign, " {i}", $tail),
            concat!($head, "{wd} ", $sign, " {ws}", $tail),
        ]
    };
}

mod arithmetic;
mod atomic;
mod flow;
mod memory;

use super::Cond::*;
use super::Field::{Any, Is, Jump, RegNumber, Zero};
use super::opcode::{
    ABS, ALU, ALU64, ATOMIC, IMM, IND, JMP, JMP32, K, LD, LDX, MEM, MEMSX, ST, STX, X, size_bits,
};
use super::{
    AluOp, AtomicOp, Callee, Cast, Cond, Cpu, Field, Group, Imm64, KernelVersion, Operand,
    PacketMode, Row, Sem, Size, Source, Swap, Width,
};

/// The release that brought eBPF's verifier, and with it the oldest rows.
const FIRST: KernelVersion = (3, 18);

/// The group of an access of `size`: what needs 64-bit registers is in base64.
const fn base_of(size: Size) -> Group {
    match size {
        Size::DW => Group::Base64,
        _ => Group::Base32,
    }
}

/// A row whose fields are all zero and that is as old as eBPF; the methods say what differs.
const fn row(opcode: u8, name: &'static str, text: &'static str, sem: Sem) -> Row {
    Row {
        index: 0,
        name,
        opcode,
        dst: Zero,
        src: Zero,
        offset: Zero,
        imm: Zero,
        next_imm: None,
        text,
        sem,
        group: None,
        cpu: Cpu::V1,
        since: Some(FIRST),
        source: Source::Linux,
    }
}

impl Row {
    const fn dst(mut self) -> Row {
        self.dst = Field::Reg;
        self
    }

    const fn src(mut self, field: Field) -> Row {
        self.src = field;
        self
    }

    const fn offset(mut self, field: Field) -> Row {
        self.offset = field;
        self
    }

    const fn imm(mut self, field: Field) -> Row {
        self.imm = field;
        self
    }

    const fn next_imm(mut self, field: Field) -> Row {
        self.next_imm = Some(field);
        self
    }

    /// The second operand: a register or a number, by `operand`.
    const fn operand(self, operand: Operand) -> Row {
        match operand {
            Operand::Imm => self.imm(Any),
            Operand::Reg => self.src(Field::Reg),
        }
    }

    const fn rfc(mut self, section: &'static str, group: Group) -> Row {
        self.source = Source::Rfc9669(section);
        self.group = Some(group);
        self
    }

    /// No kernel takes the row.
    const fn compilers_only(mut self) -> Row {
        self.source = Source::Compilers;
        self.since = None;
        self
    }

    const fn cpu(mut self, cpu: Cpu, since: KernelVersion) -> Row {
        self.cpu = cpu;
        self.since = Some(since);
        self
    }
}

/// The four forms that operations on two operands have: 64 and 32 bits wide, with a number
/// and with a register.
const FORMS: [(Width, Operand); 4] = [
    (Width::W64, Operand::Imm),
    (Width::W64, Operand::Reg),
    (Width::W32, Operand::Imm),
    (Width::W32, Operand::Reg),
];

/// `class_32` or `class_64` with the operand's bit.
const fn form_bits(form: (Width, Operand), class_32: u8, class_64: u8) -> u8 {
    let class = match form.0 {
        Width::W32 => class_32,
        Width::W64 => class_64,
    };
    match form.1 {
        Operand::Imm => class | K,
        Operand::Reg => class | X,
    }
}

/// All families, in the order of RFC 9669; what only Linux defines comes last.
const FAMILIES: &[&[Row]] = &[
    arithmetic::ALU_ROWS.as_flattened(),
    &arithmetic::MOV_ROWS,
    &arithmetic::UNARY_ROWS,
    flow::JUMP_ROWS.as_flattened(),
    &flow::FLOW_ROWS,
    &memory::MEMORY_ROWS,
    atomic::ATOMIC_ROWS.as_flattened(),
    &memory::WIDE_ROWS,
    &memory::PACKET_ROWS,
    &atomic::ORDERED_ROWS,
    &arithmetic::CAST_ROWS,
];

pub(super) const COUNT: usize = {
    let (mut count, mut family) = (0, 0);
    while family < FAMILIES.len() {
        count += FAMILIES[family].len();
        family += 1;
    }
    count
};

/// Every form of every instruction.
pub static ISA: [Row; COUNT] = {
    let mut rows = [arithmetic::MOV_ROWS[0]; COUNT];
    let (mut n, mut family) = (0, 0);
    while family < FAMILIES.len() {
        let mut member = 0;
        while member < FAMILIES[family].len() {
            rows[n] = FAMILIES[family][member];
            rows[n].index = n as u16;
            n += 1;
            member += 1;
        }
        family += 1;
    }
    rows
};
