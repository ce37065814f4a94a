//! The instruction set: one table, [`ISA`], with a row for every form of every instruction.
//!
//! A row states the opcode, what each field of the instruction may hold, how the
//! instruction is spelled, what it means ([`Sem`]), its conformance group, and who defines
//! it since when. Encoding, decoding, printing, parsing and the verifier's dispatch derive
//! from it; nothing else in the workspace knows an opcode.
//!
//! Sources: RFC 9669 "BPF Instruction Set Architecture" and its IANA registry; for rows
//! marked [`Source::Linux`] the kernel's `Documentation/bpf` and `include/uapi/linux/bpf.h`.
//!
//! Read before: nothing. Read next: `insn.rs`.

use Cond::*;
use Field::{Any, Is, Jump, Zero};

/// A kernel release, `(major, minor)`.
pub type KernelVersion = (u8, u8);

/// Everything known about one form of one instruction.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The operation's name as in RFC 9669, e.g. `MOVSX`; forms of one operation share it.
    pub name: &'static str,
    /// The first byte of the encoding.
    pub opcode: u8,
    /// What `dst_reg` may hold.
    pub dst: Field,
    /// What `src_reg` may hold.
    pub src: Field,
    /// What the 16-bit `offset` may hold.
    pub offset: Field,
    /// What the 32-bit `imm` may hold.
    pub imm: Field,
    /// What the `next_imm` of a 16-byte instruction may hold; `None` for 8-byte ones.
    pub next_imm: Option<Field>,
    /// The spelling, with the placeholders that [`crate::text`] documents.
    pub text: &'static str,
    /// The meaning. No two rows mean the same.
    pub sem: Sem,
    /// The RFC 9669 conformance group; `None` for what only Linux defines.
    pub group: Option<Group>,
    /// The instruction set version that compilers know the row by (`-mcpu`).
    pub cpu: Cpu,
    /// The first Linux release whose verifier accepts the row.
    pub since: KernelVersion,
    /// Who defines the row.
    pub source: Source,
}

/// What one field of an encoded instruction may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// Unused: must be zero.
    Zero,
    /// Selects the row: must be this number.
    Is(i32),
    /// A register, R0 to R10.
    Reg,
    /// Any number that fits.
    Any,
    /// A distance in 8-byte slots, counted from the end of the instruction.
    Jump,
}

/// The width of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Width {
    /// 32 bits; results are zero-extended to 64.
    W32,
    /// 64 bits.
    W64,
}

impl Width {
    /// The width in bits.
    pub const fn bits(self) -> u32 {
        match self {
            Width::W32 => 32,
            Width::W64 => 64,
        }
    }
}

/// The size of a memory access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Size {
    /// 1 byte.
    B,
    /// 2 bytes.
    H,
    /// 4 bytes.
    W,
    /// 8 bytes.
    DW,
}

impl Size {
    /// All sizes, ascending.
    pub const ALL: [Size; 4] = [Size::B, Size::H, Size::W, Size::DW];

    /// The size in bytes.
    pub const fn bytes(self) -> u32 {
        match self {
            Size::B => 1,
            Size::H => 2,
            Size::W => 4,
            Size::DW => 8,
        }
    }

    /// The size of `bytes` bytes, if instructions have it.
    pub const fn of_bytes(bytes: u32) -> Option<Size> {
        match bytes {
            1 => Some(Size::B),
            2 => Some(Size::H),
            4 => Some(Size::W),
            8 => Some(Size::DW),
            _ => None,
        }
    }
}

/// Where the second operand comes from: RFC 9669's K and X.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operand {
    /// `imm`, sign-extended.
    Imm,
    /// `src_reg`.
    Reg,
}

/// Binary arithmetic, RFC 9669 section 4.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are RFC 9669's own")]
pub enum AluOp {
    Add,
    Sub,
    Mul,
    Div,
    Sdiv,
    Or,
    And,
    Lsh,
    Rsh,
    Mod,
    Smod,
    Xor,
    Arsh,
}

/// The byte swaps, RFC 9669 section 4.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Swap {
    /// Between host and little-endian order; truncates to the width.
    Le,
    /// Between host and big-endian order; truncates to the width.
    Be,
    /// Swaps unconditionally; truncates to the width.
    Bswap,
}

/// The conditions of conditional jumps, RFC 9669 section 4.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are RFC 9669's own")]
pub enum Cond {
    Jeq,
    Jgt,
    Jge,
    Jset,
    Jne,
    Jsgt,
    Jsge,
    Jlt,
    Jle,
    Jslt,
    Jsle,
}

impl Cond {
    /// The condition that holds exactly when this one does not; `Jset` has none.
    pub const fn negated(self) -> Option<Cond> {
        Some(match self {
            Jeq => Jne,
            Jne => Jeq,
            Jgt => Jle,
            Jle => Jgt,
            Jge => Jlt,
            Jlt => Jge,
            Jsgt => Jsle,
            Jsle => Jsgt,
            Jsge => Jslt,
            Jslt => Jsge,
            Jset => return None,
        })
    }

    /// The condition with its operands exchanged: `a < b` is `b > a`.
    pub const fn swapped(self) -> Cond {
        match self {
            Jgt => Jlt,
            Jlt => Jgt,
            Jge => Jle,
            Jle => Jge,
            Jsgt => Jslt,
            Jslt => Jsgt,
            Jsge => Jsle,
            Jsle => Jsge,
            same @ (Jeq | Jne | Jset) => same,
        }
    }

    /// Whether the condition holds between two numbers of `width`; for 32 bits the upper
    /// halves are ignored.
    pub const fn holds(self, width: Width, a: u64, b: u64) -> bool {
        let (a, b, sa, sb) = match width {
            Width::W64 => (a, b, a as i64, b as i64),
            Width::W32 => (
                a as u32 as u64,
                b as u32 as u64,
                a as i32 as i64,
                b as i32 as i64,
            ),
        };
        match self {
            Jeq => a == b,
            Jne => a != b,
            Jgt => a > b,
            Jge => a >= b,
            Jlt => a < b,
            Jle => a <= b,
            Jset => a & b != 0,
            Jsgt => sa > sb,
            Jsge => sa >= sb,
            Jslt => sa < sb,
            Jsle => sa <= sb,
        }
    }
}

/// The atomic operations, RFC 9669 section 5.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AtomicOp {
    /// Adds `src_reg` to memory.
    Add,
    /// Ors `src_reg` into memory.
    Or,
    /// Ands `src_reg` into memory.
    And,
    /// Xors `src_reg` into memory.
    Xor,
    /// As `Add`; `src_reg` receives the old value.
    FetchAdd,
    /// As `Or`; `src_reg` receives the old value.
    FetchOr,
    /// As `And`; `src_reg` receives the old value.
    FetchAnd,
    /// As `Xor`; `src_reg` receives the old value.
    FetchXor,
    /// Exchanges memory and `src_reg`.
    Xchg,
    /// Stores `src_reg` if memory equals R0; R0 receives the old value.
    Cmpxchg,
}

impl AtomicOp {
    /// The register that receives the old value, if one does.
    pub const fn fetches_into(self) -> Option<Fetched> {
        match self {
            AtomicOp::Add | AtomicOp::Or | AtomicOp::And | AtomicOp::Xor => None,
            AtomicOp::Cmpxchg => Some(Fetched::R0),
            _ => Some(Fetched::Src),
        }
    }
}

/// Where an atomic operation leaves the old value of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fetched {
    /// In `src_reg`.
    Src,
    /// In R0.
    R0,
}

/// What the 64-bit immediate of `LD_IMM64` is, RFC 9669 section 5.4 (its `src_reg`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Imm64 {
    /// The number itself.
    Value,
    /// The map that file descriptor `imm` names.
    MapFd,
    /// The address of byte `next_imm` in the first value of the map that `imm` names.
    MapValueFd,
    /// The address of a platform variable; on Linux BTF type id `imm` of the kernel, or of
    /// the module whose BTF file descriptor is `next_imm`.
    Variable,
    /// The address of the program's own instruction at distance `imm`.
    Code,
    /// The map at index `imm` of the load's `fd_array`.
    MapIdx,
    /// As `MapValueFd`, with an index instead of a descriptor.
    MapValueIdx,
}

/// Whom a `CALL` calls, RFC 9669 section 4.3.2 (its `src_reg`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Callee {
    /// The helper function with the static id `imm`.
    Helper,
    /// The program's own function at distance `imm`.
    Local,
    /// The kernel function with BTF id `imm`; `offset` selects the module's BTF (0: vmlinux).
    Kfunc,
}

/// How a packet load finds its address, RFC 9669 section 5.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PacketMode {
    /// `imm` bytes into the packet.
    Abs,
    /// `src_reg + imm` bytes into the packet.
    Ind,
}

/// What an instruction does, apart from the contents of its free fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sem {
    /// `dst = dst op operand`.
    Alu {
        /// The operation.
        op: AluOp,
        /// How many bits take part.
        width: Width,
        /// The second operand.
        operand: Operand,
    },
    /// `dst = -dst`.
    Neg {
        /// How many bits take part.
        width: Width,
    },
    /// `dst = operand`.
    Mov {
        /// How many bits are copied; the rest is zero.
        width: Width,
        /// What is copied.
        operand: Operand,
    },
    /// `dst = (signed)src`.
    Movsx {
        /// How far the sign is extended; the rest is zero.
        width: Width,
        /// The part of `src` that is read.
        from: Size,
    },
    /// `dst = swap(dst)`.
    ByteSwap {
        /// Which swap.
        swap: Swap,
        /// 16 (`H`), 32 (`W`) or 64 (`DW`) bits.
        size: Size,
    },
    /// `if dst cond operand, pc += offset`.
    Jump {
        /// The condition.
        cond: Cond,
        /// How many bits are compared.
        width: Width,
        /// What `dst` is compared with.
        operand: Operand,
    },
    /// `pc += offset`.
    Ja,
    /// `pc += imm`: the jump of the long reach.
    Gotol,
    /// Calls a function.
    Call(Callee),
    /// Returns R0.
    Exit,
    /// `dst = *(size *)(src + offset)`, zero-extended.
    Load {
        /// How much is read.
        size: Size,
    },
    /// `dst = *(signed size *)(src + offset)`, sign-extended to 64 bits.
    LoadSx {
        /// How much is read.
        size: Size,
    },
    /// `*(size *)(dst + offset) = operand`.
    Store {
        /// How much is written.
        size: Size,
        /// What is written.
        operand: Operand,
    },
    /// An atomic read, modify and write of `*(size *)(dst + offset)`.
    Atomic {
        /// The operation.
        op: AtomicOp,
        /// `W` or `DW`.
        size: Size,
    },
    /// `dst = imm64`: the 16-byte instruction.
    LoadImm64(Imm64),
    /// `r0 = ntoh(*(size *)(packet + ..))`; leaves the program with 0 if out of bounds.
    LoadPacket {
        /// How the address is made.
        mode: PacketMode,
        /// How much is read.
        size: Size,
    },
    /// A load with acquire ordering, zero-extended.
    LoadAcquire {
        /// How much is read.
        size: Size,
    },
    /// A store with release ordering.
    StoreRelease {
        /// How much is written.
        size: Size,
    },
    /// `dst = (cast)src` between the kernel's address space (0) and an arena's (1).
    AddrSpaceCast(Cast),
    /// Jumps if the loop budget that the verifier put in place is used up, else falls through.
    MayGoto,
}

/// The direction of an address space cast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cast {
    /// From the arena's (1) to the kernel's (0).
    ToKernel,
    /// From the kernel's (0) to the arena's (1).
    ToArena,
}

/// The conformance groups of RFC 9669 section 2.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are RFC 9669's own")]
pub enum Group {
    Base32,
    Base64,
    Divmul32,
    Divmul64,
    Atomic32,
    Atomic64,
    Packet,
}

/// The versions of the instruction set that compilers name by `-mcpu`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cpu {
    /// The first.
    V1,
    /// Adds `<` and `<=`.
    V2,
    /// Adds 32-bit arithmetic and jumps, and the fetching atomics.
    V3,
    /// Adds sign extension, signed division, `bswap` and the long jump.
    V4,
}

/// Who defines a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// This section of RFC 9669.
    Rfc9669(&'static str),
    /// Only the Linux kernel, since the release in [`Row::since`].
    Linux,
}

/// An opcode that no row defines, yet has a name and a plan.
#[derive(Debug, Clone, Copy)]
pub struct Reserved {
    /// The opcode.
    pub opcode: u8,
    /// What the field calls it.
    pub name: &'static str,
    /// What it stands for.
    pub meaning: &'static str,
}

/// Opcodes that are refused by name.
pub const RESERVED: &[Reserved] = &[
    Reserved {
        opcode: 0x0d,
        name: "gotox",
        meaning: "a jump to the address in a register",
    },
    Reserved {
        opcode: 0x8d,
        name: "callx",
        meaning: "a call of the address in a register",
    },
];

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
        since: (3, 18),
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

    const fn cpu(mut self, cpu: Cpu, since: KernelVersion) -> Row {
        self.cpu = cpu;
        self.since = since;
        self
    }

    /// The slots of 8 bytes that the instruction takes: 1 or 2.
    pub const fn slots(&self) -> usize {
        if self.next_imm.is_some() { 2 } else { 1 }
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
        rows[n] = match op {
            AluOp::Sdiv | AluOp::Smod => base.offset(Is(1)).cpu(Cpu::V4, (6, 6)),
            _ => base,
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
        let group = match width {
            Width::W32 => Group::Base32,
            Width::W64 => Group::Base64,
        };
        let opcode = 0xb0 | form_bits(FORMS[n], ALU, ALU64);
        rows[n] = row(opcode, "MOV", texts[n], Sem::Mov { width, operand })
            .dst()
            .operand(operand)
            .rfc("4.1", group);
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
    .rfc("4.1", Group::Base32),
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
            (Width::W64, _) => (Cpu::V1, (3, 18)),
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

const FLOW_ROWS: [Row; 7] = [
    row(JMP, "JA", "goto {j}", Sem::Ja)
        .offset(Jump)
        .rfc("4.3", Group::Base32),
    row(JMP32, "JA", "gotol {ji}", Sem::Gotol)
        .imm(Jump)
        .rfc("4.3", Group::Base32)
        .cpu(Cpu::V4, (6, 6)),
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
    row(0x90 | JMP, "EXIT", "exit", Sem::Exit).rfc("4.3", Group::Base32),
    row(0xe0 | JMP, "JCOND", "may_goto {j}", Sem::MayGoto)
        .offset(Jump)
        .cpu(Cpu::V4, (6, 9)),
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
        AtomicOp::Add => (Cpu::V1, (3, 18)),
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
    load_imm64(0, Imm64::Value, "{d} = {i64} ll", (3, 18)),
    load_imm64(1, Imm64::MapFd, "{d} = map_by_fd({i})", (3, 18)),
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
    .cpu(Cpu::V4, (6, 9))
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

const COUNT: usize = {
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

/// The end of a chain in [`FIRST`] and [`NEXT`].
const NONE: u16 = u16::MAX;

/// For each opcode the first row that has it; [`NEXT`] leads to the others.
static FIRST: [u16; 256] = CHAINS.0;
static NEXT: [u16; COUNT] = CHAINS.1;

const CHAINS: ([u16; 256], [u16; COUNT]) = {
    let (mut first, mut next) = ([NONE; 256], [NONE; COUNT]);
    let mut n = COUNT;
    while n > 0 {
        n -= 1;
        let opcode = ISA[n].opcode as usize;
        next[n] = first[opcode];
        first[opcode] = n as u16;
    }
    (first, next)
};

/// The rows that share `opcode`.
pub fn rows_of(opcode: u8) -> impl Iterator<Item = &'static Row> + Clone {
    let mut at = FIRST[usize::from(opcode)];
    std::iter::from_fn(move || {
        let row = ISA.get(usize::from(at))?;
        at = NEXT[usize::from(at)];
        Some(row)
    })
}

impl Sem {
    /// The row that means this, if there is one: not every combination exists
    /// (there is no 64-bit sign extension of 64 bits, nor an atomic byte).
    pub fn row(self) -> Option<&'static Row> {
        ISA.iter().find(|row| row.sem == self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_two_rows_mean_the_same_or_are_spelled_the_same() {
        let meanings: HashSet<Sem> = ISA.iter().map(|row| row.sem).collect();
        let spellings: HashSet<&str> = ISA.iter().map(|row| row.text).collect();
        assert_eq!(meanings.len(), ISA.len());
        assert_eq!(spellings.len(), ISA.len());
    }

    #[test]
    fn rows_of_one_opcode_differ_in_a_selecting_field() {
        for row in &ISA {
            let same = |other: &&Row| {
                other.src == row.src && other.offset == row.offset && other.imm == row.imm
            };
            assert_eq!(rows_of(row.opcode).filter(same).count(), 1, "{row:?}");
        }
    }

    #[test]
    fn chains_hold_every_row_once() {
        let chained: usize = (0..=255).map(|opcode| rows_of(opcode).count()).sum();
        assert_eq!(chained, ISA.len());
    }

    #[test]
    fn reserved_opcodes_have_no_row() {
        for reserved in RESERVED {
            assert_eq!(rows_of(reserved.opcode).count(), 0, "{}", reserved.name);
        }
    }

    #[test]
    fn every_rfc_row_has_a_group_and_no_other_has() {
        for row in &ISA {
            let rfc = matches!(row.source, Source::Rfc9669(_));
            assert_eq!(row.group.is_some(), rfc, "{row:?}");
        }
    }
}
