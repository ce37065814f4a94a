//! Arithmetic, moves and byte swaps: RFC 9669 sections 4.1 and 4.2, and the cast between
//! address spaces, which is a move too.

use super::*;

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

pub(super) const ALU_ROWS: [[Row; 4]; 13] = [
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

pub(super) const MOV_ROWS: [Row; 4] = mov(spellings!("", "=", ""));

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

pub(super) const UNARY_ROWS: [Row; 16] = [
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

pub(super) const CAST_ROWS: [Row; 2] = [
    addr_space_cast(Cast::ToKernel, 1, "{d} = addr_space_cast({s}, 0, 1)"),
    addr_space_cast(Cast::ToArena, 1 << 16, "{d} = addr_space_cast({s}, 1, 0)"),
];
