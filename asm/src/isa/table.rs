//! The table: every form of every instruction, family by family in the order of RFC 9669.
//!
//! A family's rows are made by a function that says what they have in common; opcodes, as
//! in the RFC, are an operation's code or a mode, a size or an operand's source, and a class.

use super::Cond::*;
use super::Field::{Any, Is, Jump, Zero};
use super::{
    AluOp, AtomicOp, Callee, Cast, Cond, Cpu, Field, Group, Imm64, KernelVersion, Operand,
    PacketMode, Row, Sem, Size, Source, Swap, Width,
};

// Instruction classes, RFC 9669 section 3.
const LD: u8 = 0;
const LDX: u8 = 1;
const ST: u8 = 2;
const STX: u8 = 3;
const ALU: u8 = 4;
const JMP: u8 = 5;
const JMP32: u8 = 6;
const ALU64: u8 = 7;

// Operand sources, section 4; modes of memory access, section 5.
const K: u8 = 0x00;
const X: u8 = 0x08;
const IMM: u8 = 0x00;
const ABS: u8 = 0x20;
const IND: u8 = 0x40;
const MEM: u8 = 0x60;
const MEMSX: u8 = 0x80;
const ATOMIC: u8 = 0xc0;

/// The release that brought eBPF's verifier, and with it the oldest rows.
const FIRST: KernelVersion = (3, 18);

/// The size bits of a load's or store's opcode, section 5.
const fn size_bits(size: Size) -> u8 {
    match size {
        Size::W => 0x00,
        Size::H => 0x08,
        Size::B => 0x10,
        Size::DW => 0x18,
    }
}

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

/// The four rows of a binary operation.
const fn alu(code: u8, name: &'static str, op: AluOp, texts: [&'static str; 4]) -> [Row; 4] {
    let mut rows = [row(0, name, "", Sem::Exit); 4];
    let mut n = 0;
    while n < 4 {
        let (width, operand) = FORMS[n];
        let opcode = code | form_bits(FORMS[n], ALU, ALU64);
        let group = match (op, width) {
            (AluOp::Mul | AluOp::Div | AluOp::Mod | AluOp::Sdiv | AluOp::Smod, Width::W32) => {
                Group::Divmul32
            }
            (AluOp::Mul | AluOp::Div | AluOp::Mod | AluOp::Sdiv | AluOp::Smod, Width::W64) => {
                Group::Divmul64
            }
            (_, Width::W32) => Group::Base32,
            (_, Width::W64) => Group::Base64,
        };
        let sem = Sem::Alu { op, width, operand };
        let base = row(opcode, name, texts[n], sem)
            .dst()
            .operand(operand)
            .rfc("4.1", group);
        rows[n] = match (op, width) {
            (AluOp::Sdiv | AluOp::Smod, _) => base.offset(Is(1)).cpu(Cpu::V4, (6, 6)),
            // Linux 5.0 taught its interpreter this one; before, the verifier refused it.
            (AluOp::Arsh, Width::W32) => base.cpu(Cpu::V3, (5, 0)),
            (_, Width::W32) => base.cpu(Cpu::V3, FIRST),
            (_, Width::W64) => base,
        };
        n += 1;
    }
    rows
}

const ALU_ROWS: [[Row; 4]; 13] = [
    alu(0x00, "ADD", AluOp::Add, spellings!("", "+=", "")),
    alu(0x10, "SUB", AluOp::Sub, spellings!("", "-=", "")),
    alu(0x20, "MUL", AluOp::Mul, spellings!("", "*=", "")),
    alu(0x30, "DIV", AluOp::Div, spellings!("", "/=", "")),
    alu(0x30, "SDIV", AluOp::Sdiv, spellings!("", "s/=", "")),
    alu(0x40, "OR", AluOp::Or, spellings!("", "|=", "")),
    alu(0x50, "AND", AluOp::And, spellings!("", "&=", "")),
    alu(0x60, "LSH", AluOp::Lsh, spellings!("", "<<=", "")),
    alu(0x70, "RSH", AluOp::Rsh, spellings!("", ">>=", "")),
    alu(0x90, "MOD", AluOp::Mod, spellings!("", "%=", "")),
    alu(0x90, "SMOD", AluOp::Smod, spellings!("", "s%=", "")),
    alu(0xa0, "XOR", AluOp::Xor, spellings!("", "^=", "")),
    alu(0xc0, "ARSH", AluOp::Arsh, spellings!("", "s>>=", "")),
];

/// The four rows of a plain move.
const fn mov(texts: [&'static str; 4]) -> [Row; 4] {
    let mut rows = [row(0, "MOV", "", Sem::Exit); 4];
    let mut n = 0;
    while n < 4 {
        let (width, operand) = FORMS[n];
        let (group, cpu) = match width {
            Width::W32 => (Group::Base32, Cpu::V3),
            Width::W64 => (Group::Base64, Cpu::V1),
        };
        let opcode = 0xb0 | form_bits(FORMS[n], ALU, ALU64);
        rows[n] = row(opcode, "MOV", texts[n], Sem::Mov { width, operand })
            .dst()
            .operand(operand)
            .rfc("4.1", group)
            .cpu(cpu, FIRST);
        n += 1;
    }
    rows
}

const MOV_ROWS: [Row; 4] = mov(spellings!("", "=", ""));

/// A move that extends the sign of the low `from` of the source.
const fn movsx(width: Width, from: Size, text: &'static str) -> Row {
    let (class, group) = match width {
        Width::W32 => (ALU, Group::Base32),
        Width::W64 => (ALU64, Group::Base64),
    };
    row(0xb0 | class | X, "MOVSX", text, Sem::Movsx { width, from })
        .dst()
        .src(Field::Reg)
        .offset(Is(from.bytes() as i32 * 8))
        .rfc("4.1", group)
        .cpu(Cpu::V4, (6, 6))
}

/// A byte swap of the low `size` of a register, section 4.2.
const fn swap(swap: Swap, size: Size, text: &'static str) -> Row {
    let (opcode, name) = match swap {
        Swap::Le => (0xd0 | ALU | K, "LE"),
        Swap::Be => (0xd0 | ALU | X, "BE"),
        Swap::Bswap => (0xd0 | ALU64 | K, "BSWAP"),
    };
    let base = row(opcode, name, text, Sem::ByteSwap { swap, size })
        .dst()
        .imm(Is(size.bytes() as i32 * 8))
        .rfc("4.2", base_of(size));
    match swap {
        Swap::Bswap => base.cpu(Cpu::V4, (6, 6)),
        _ => base,
    }
}

const UNARY_ROWS: [Row; 16] = [
    row(
        0x80 | ALU64,
        "NEG",
        "{d} = -{d}",
        Sem::Neg { width: Width::W64 },
    )
    .dst()
    .rfc("4.1", Group::Base64),
    row(
        0x80 | ALU,
        "NEG",
        "{wd} = -{wd}",
        Sem::Neg { width: Width::W32 },
    )
    .dst()
    .rfc("4.1", Group::Base32)
    .cpu(Cpu::V3, FIRST),
    movsx(Width::W64, Size::B, "{d} = (s8){s}"),
    movsx(Width::W64, Size::H, "{d} = (s16){s}"),
    movsx(Width::W64, Size::W, "{d} = (s32){s}"),
    movsx(Width::W32, Size::B, "{wd} = (s8){ws}"),
    movsx(Width::W32, Size::H, "{wd} = (s16){ws}"),
    swap(Swap::Le, Size::H, "{d} = le16 {d}"),
    swap(Swap::Le, Size::W, "{d} = le32 {d}"),
    swap(Swap::Le, Size::DW, "{d} = le64 {d}"),
    swap(Swap::Be, Size::H, "{d} = be16 {d}"),
    swap(Swap::Be, Size::W, "{d} = be32 {d}"),
    swap(Swap::Be, Size::DW, "{d} = be64 {d}"),
    swap(Swap::Bswap, Size::H, "{d} = bswap16 {d}"),
    swap(Swap::Bswap, Size::W, "{d} = bswap32 {d}"),
    swap(Swap::Bswap, Size::DW, "{d} = bswap64 {d}"),
];

/// The four rows of a conditional jump, section 4.3.
const fn jump(code: u8, name: &'static str, cond: Cond, texts: [&'static str; 4]) -> [Row; 4] {
    let mut rows = [row(0, name, "", Sem::Exit); 4];
    let mut n = 0;
    while n < 4 {
        let (width, operand) = FORMS[n];
        let opcode = code | form_bits(FORMS[n], JMP32, JMP);
        let group = match width {
            Width::W32 => Group::Base32,
            Width::W64 => Group::Base64,
        };
        let (cpu, since) = match (width, cond) {
            (Width::W32, _) => (Cpu::V3, (5, 1)),
            (Width::W64, Jlt | Jle | Jslt | Jsle) => (Cpu::V2, (4, 14)),
            (Width::W64, _) => (Cpu::V1, FIRST),
        };
        let sem = Sem::Jump {
            cond,
            width,
            operand,
        };
        rows[n] = row(opcode, name, texts[n], sem)
            .dst()
            .operand(operand)
            .offset(Jump)
            .rfc("4.3", group)
            .cpu(cpu, since);
        n += 1;
    }
    rows
}

const JUMP_ROWS: [[Row; 4]; 11] = [
    jump(0x10, "JEQ", Jeq, spellings!("if ", "==", " goto {j}")),
    jump(0x20, "JGT", Jgt, spellings!("if ", ">", " goto {j}")),
    jump(0x30, "JGE", Jge, spellings!("if ", ">=", " goto {j}")),
    jump(0x40, "JSET", Jset, spellings!("if ", "&", " goto {j}")),
    jump(0x50, "JNE", Jne, spellings!("if ", "!=", " goto {j}")),
    jump(0x60, "JSGT", Jsgt, spellings!("if ", "s>", " goto {j}")),
    jump(0x70, "JSGE", Jsge, spellings!("if ", "s>=", " goto {j}")),
    jump(0xa0, "JLT", Jlt, spellings!("if ", "<", " goto {j}")),
    jump(0xb0, "JLE", Jle, spellings!("if ", "<=", " goto {j}")),
    jump(0xc0, "JSLT", Jslt, spellings!("if ", "s<", " goto {j}")),
    jump(0xd0, "JSLE", Jsle, spellings!("if ", "s<=", " goto {j}")),
];

const FLOW_ROWS: [Row; 9] = [
    row(JMP, "JA", "goto {j}", Sem::Ja)
        .offset(Jump)
        .rfc("4.3", Group::Base32),
    row(JMP32, "JA", "gotol {ji}", Sem::Gotol)
        .imm(Jump)
        .rfc("4.3", Group::Base32)
        .cpu(Cpu::V4, (6, 6)),
    // The jump tables of Linux 6.19; RFC 9669 does not have it.
    row(JMP | X, "GOTOX", "gotox {d}", Sem::Gotox)
        .dst()
        .cpu(Cpu::V4, (6, 19)),
    row(0x80 | JMP, "CALL", "call {h}", Sem::Call(Callee::Helper))
        .imm(Any)
        .rfc("4.3.1", Group::Base32),
    row(0x80 | JMP, "CALL", "call {f}", Sem::Call(Callee::Local))
        .src(Is(1))
        .imm(Jump)
        .rfc("4.3.2", Group::Base32)
        .cpu(Cpu::V1, (4, 16)),
    row(
        0x80 | JMP,
        "CALL",
        "call kfunc({i}, {n})",
        Sem::Call(Callee::Kfunc),
    )
    .src(Is(2))
    .offset(Any)
    .imm(Any)
    .rfc("4.3.1", Group::Base32)
    .cpu(Cpu::V1, (5, 13)),
    // LLVM emits it for calls through pointers at every -mcpu; up to version 18 it put the
    // register into `imm`, which is no form of this row. RFC 9669 has no such call.
    row(
        0x80 | JMP | X,
        "CALLX",
        "callx {d}",
        Sem::Call(Callee::Register),
    )
    .dst()
    .compilers_only(),
    row(0x90 | JMP, "EXIT", "exit", Sem::Exit).rfc("4.3", Group::Base32),
    row(0xe0 | JMP, "JCOND", "may_goto {j}", Sem::MayGoto)
        .offset(Jump)
        .cpu(Cpu::V1, (6, 9)),
];

/// A plain load, section 5.1.
const fn load(size: Size, text: &'static str) -> Row {
    row(LDX | MEM | size_bits(size), "LDX", text, Sem::Load { size })
        .dst()
        .src(Field::Reg)
        .offset(Any)
        .rfc("5.1", base_of(size))
}

/// A sign-extending load, section 5.2.
const fn load_sx(size: Size, text: &'static str) -> Row {
    row(
        LDX | MEMSX | size_bits(size),
        "LDXSX",
        text,
        Sem::LoadSx { size },
    )
    .dst()
    .src(Field::Reg)
    .offset(Any)
    .rfc("5.2", Group::Base64)
    .cpu(Cpu::V4, (6, 6))
}

/// A store of a number (ST) or of a register (STX), section 5.1.
const fn store(size: Size, operand: Operand, text: &'static str) -> Row {
    let (class, name) = match operand {
        Operand::Imm => (ST, "ST"),
        Operand::Reg => (STX, "STX"),
    };
    let sem = Sem::Store { size, operand };
    row(class | MEM | size_bits(size), name, text, sem)
        .dst()
        .operand(operand)
        .offset(Any)
        .rfc("5.1", base_of(size))
}

const MEMORY_ROWS: [Row; 15] = [
    load(Size::B, "{d} = *(u8 *)({s} {o})"),
    load(Size::H, "{d} = *(u16 *)({s} {o})"),
    load(Size::W, "{d} = *(u32 *)({s} {o})"),
    load(Size::DW, "{d} = *(u64 *)({s} {o})"),
    load_sx(Size::B, "{d} = *(s8 *)({s} {o})"),
    load_sx(Size::H, "{d} = *(s16 *)({s} {o})"),
    load_sx(Size::W, "{d} = *(s32 *)({s} {o})"),
    store(Size::B, Operand::Imm, "*(u8 *)({d} {o}) = {i}"),
    store(Size::H, Operand::Imm, "*(u16 *)({d} {o}) = {i}"),
    store(Size::W, Operand::Imm, "*(u32 *)({d} {o}) = {i}"),
    store(Size::DW, Operand::Imm, "*(u64 *)({d} {o}) = {i}"),
    store(Size::B, Operand::Reg, "*(u8 *)({d} {o}) = {s}"),
    store(Size::H, Operand::Reg, "*(u16 *)({d} {o}) = {s}"),
    store(Size::W, Operand::Reg, "*(u32 *)({d} {o}) = {s}"),
    store(Size::DW, Operand::Reg, "*(u64 *)({d} {o}) = {s}"),
];

/// The `imm` bit of atomic operations that return the old value, section 5.3.
const FETCH: i32 = 0x01;

/// An atomic operation, section 5.3; `imm` selects it.
const fn atomic(size: Size, op: AtomicOp, imm: i32, text: &'static str) -> Row {
    let group = match size {
        Size::DW => Group::Atomic64,
        _ => Group::Atomic32,
    };
    let (cpu, since) = match op {
        AtomicOp::Add => (Cpu::V1, FIRST),
        _ => (Cpu::V3, (5, 12)),
    };
    row(
        STX | ATOMIC | size_bits(size),
        "ATOMIC",
        text,
        Sem::Atomic { op, size },
    )
    .dst()
    .src(Field::Reg)
    .offset(Any)
    .imm(Is(imm))
    .rfc("5.3", group)
    .cpu(cpu, since)
}

/// The atomic operations of one size, given the spellings of the size and of its registers.
macro_rules! atomics {
    ($size:expr, $mem:literal, $src:literal, $xchg:literal, $r0:literal) => {
        [
            atomics!(@ $size, Add, 0x00, "lock *(", $mem, " *)({d} {o}) += ", $src),
            atomics!(@ $size, Or, 0x40, "lock *(", $mem, " *)({d} {o}) |= ", $src),
            atomics!(@ $size, And, 0x50, "lock *(", $mem, " *)({d} {o}) &= ", $src),
            atomics!(@ $size, Xor, 0xa0, "lock *(", $mem, " *)({d} {o}) ^= ", $src),
            atomics!(@ $size, FetchAdd, FETCH,
                $src, " = atomic_fetch_add((", $mem, " *)({d} {o}), ", $src, ")"),
            atomics!(@ $size, FetchOr, 0x40 | FETCH,
                $src, " = atomic_fetch_or((", $mem, " *)({d} {o}), ", $src, ")"),
            atomics!(@ $size, FetchAnd, 0x50 | FETCH,
                $src, " = atomic_fetch_and((", $mem, " *)({d} {o}), ", $src, ")"),
            atomics!(@ $size, FetchXor, 0xa0 | FETCH,
                $src, " = atomic_fetch_xor((", $mem, " *)({d} {o}), ", $src, ")"),
            atomics!(@ $size, Xchg, 0xe0 | FETCH, $src, " = xchg", $xchg, "({d} {o}, ", $src, ")"),
            atomics!(@ $size, Cmpxchg, 0xf0 | FETCH,
                $r0, " = cmpxchg", $xchg, "({d} {o}, ", $r0, ", ", $src, ")"),
        ]
    };
    (@ $size:expr, $op:ident, $imm:expr, $($text:literal),*) => {
        atomic($size, AtomicOp::$op, $imm, concat!($($text),*))
    };
}

const ATOMIC_ROWS: [[Row; 10]; 2] = [
    atomics!(Size::DW, "u64", "{s}", "_64", "r0"),
    atomics!(Size::W, "u32", "{ws}", "32_32", "w0"),
];

/// A form of the 16-byte instruction, section 5.4; `src_reg` selects it.
const fn load_imm64(src: i32, kind: Imm64, text: &'static str, since: KernelVersion) -> Row {
    let base = row(
        LD | IMM | size_bits(Size::DW),
        "LD_IMM64",
        text,
        Sem::LoadImm64(kind),
    )
    .dst()
    .rfc("5.4", Group::Base64)
    .cpu(Cpu::V1, since);
    let base = match src {
        0 => base,
        _ => base.src(Is(src)),
    };
    match kind {
        Imm64::Value | Imm64::MapValueFd | Imm64::MapValueIdx | Imm64::Variable => {
            base.imm(Any).next_imm(Any)
        }
        Imm64::MapFd | Imm64::MapIdx => base.imm(Any).next_imm(Zero),
        Imm64::Code => base.imm(Jump).next_imm(Zero),
    }
}

const WIDE_ROWS: [Row; 7] = [
    load_imm64(0, Imm64::Value, "{d} = {i64} ll", FIRST),
    load_imm64(1, Imm64::MapFd, "{d} = map_by_fd({i})", FIRST),
    load_imm64(
        2,
        Imm64::MapValueFd,
        "{d} = map_val(map_by_fd({i})) + {ni}",
        (5, 2),
    ),
    load_imm64(3, Imm64::Variable, "{d} = var_addr({i}, {ni})", (5, 10)),
    load_imm64(4, Imm64::Code, "{d} = code_addr({ji})", (5, 13)),
    load_imm64(5, Imm64::MapIdx, "{d} = map_by_idx({i})", (5, 14)),
    load_imm64(
        6,
        Imm64::MapValueIdx,
        "{d} = map_val(map_by_idx({i})) + {ni}",
        (5, 14),
    ),
];

/// A legacy load from the packet, section 5.5.
const fn load_packet(mode: PacketMode, size: Size, text: &'static str) -> Row {
    let (bits, name) = match mode {
        PacketMode::Abs => (ABS, "LD_ABS"),
        PacketMode::Ind => (IND, "LD_IND"),
    };
    let base = row(
        LD | bits | size_bits(size),
        name,
        text,
        Sem::LoadPacket { mode, size },
    )
    .imm(Any)
    .rfc("5.5", Group::Packet);
    match mode {
        PacketMode::Abs => base,
        PacketMode::Ind => base.src(Field::Reg),
    }
}

const PACKET_ROWS: [Row; 6] = [
    load_packet(PacketMode::Abs, Size::B, "r0 = *(u8 *)skb[{i}]"),
    load_packet(PacketMode::Abs, Size::H, "r0 = *(u16 *)skb[{i}]"),
    load_packet(PacketMode::Abs, Size::W, "r0 = *(u32 *)skb[{i}]"),
    load_packet(PacketMode::Ind, Size::B, "r0 = *(u8 *)skb[{s} {pi}]"),
    load_packet(PacketMode::Ind, Size::H, "r0 = *(u16 *)skb[{s} {pi}]"),
    load_packet(PacketMode::Ind, Size::W, "r0 = *(u32 *)skb[{s} {pi}]"),
];

/// `BPF_LOAD_ACQ`, an `imm` of the atomic opcodes (Linux 6.15).
const fn load_acquire(size: Size, text: &'static str) -> Row {
    row(
        STX | ATOMIC | size_bits(size),
        "LOAD_ACQ",
        text,
        Sem::LoadAcquire { size },
    )
    .dst()
    .src(Field::Reg)
    .offset(Any)
    .imm(Is(0x100))
    .cpu(Cpu::V4, (6, 15))
}

/// `BPF_STORE_REL`, an `imm` of the atomic opcodes (Linux 6.15).
const fn store_release(size: Size, text: &'static str) -> Row {
    row(
        STX | ATOMIC | size_bits(size),
        "STORE_REL",
        text,
        Sem::StoreRelease { size },
    )
    .dst()
    .src(Field::Reg)
    .offset(Any)
    .imm(Is(0x110))
    .cpu(Cpu::V4, (6, 15))
}

/// `BPF_ADDR_SPACE_CAST`, an `offset` of the 64-bit move (Linux 6.9): `imm` holds the
/// address space of the result in its upper half and that of the source in its lower.
const fn addr_space_cast(cast: Cast, imm: i32, text: &'static str) -> Row {
    row(
        0xb0 | ALU64 | X,
        "ADDR_SPACE_CAST",
        text,
        Sem::AddrSpaceCast(cast),
    )
    .dst()
    .src(Field::Reg)
    .offset(Is(1))
    .imm(Is(imm))
    .cpu(Cpu::V1, (6, 9))
}

const LINUX_ROWS: [Row; 10] = [
    load_acquire(Size::B, "{wd} = load_acquire((u8 *)({s} {o}))"),
    load_acquire(Size::H, "{wd} = load_acquire((u16 *)({s} {o}))"),
    load_acquire(Size::W, "{wd} = load_acquire((u32 *)({s} {o}))"),
    load_acquire(Size::DW, "{d} = load_acquire((u64 *)({s} {o}))"),
    store_release(Size::B, "store_release((u8 *)({d} {o}), {ws})"),
    store_release(Size::H, "store_release((u16 *)({d} {o}), {ws})"),
    store_release(Size::W, "store_release((u32 *)({d} {o}), {ws})"),
    store_release(Size::DW, "store_release((u64 *)({d} {o}), {s})"),
    addr_space_cast(Cast::ToKernel, 1, "{d} = addr_space_cast({s}, 0, 1)"),
    addr_space_cast(Cast::ToArena, 1 << 16, "{d} = addr_space_cast({s}, 1, 0)"),
];

/// All families, in the order of RFC 9669.
const FAMILIES: &[&[Row]] = &[
    ALU_ROWS.as_flattened(),
    &MOV_ROWS,
    &UNARY_ROWS,
    JUMP_ROWS.as_flattened(),
    &FLOW_ROWS,
    &MEMORY_ROWS,
    ATOMIC_ROWS.as_flattened(),
    &WIDE_ROWS,
    &PACKET_ROWS,
    &LINUX_ROWS,
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
    let mut rows = [MOV_ROWS[0]; COUNT];
    let (mut n, mut family) = (0, 0);
    while family < FAMILIES.len() {
        let mut member = 0;
        while member < FAMILIES[family].len() {
            rows[n] = FAMILIES[family][member];
            n += 1;
            member += 1;
        }
        family += 1;
    }
    rows
};
