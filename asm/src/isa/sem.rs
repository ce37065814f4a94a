//! What instructions do: the operations, widths, sizes and conditions, and [`Sem`], which
//! puts them together.
//!
//! Read before: nothing. Read next: `isa.rs`, whose rows each have one meaning.

use Cond::*;

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

impl AluOp {
    /// All operations.
    pub const ALL: [AluOp; 13] = [
        AluOp::Add,
        AluOp::Sub,
        AluOp::Mul,
        AluOp::Div,
        AluOp::Sdiv,
        AluOp::Or,
        AluOp::And,
        AluOp::Lsh,
        AluOp::Rsh,
        AluOp::Mod,
        AluOp::Smod,
        AluOp::Xor,
        AluOp::Arsh,
    ];
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
    /// All conditions.
    pub const ALL: [Cond; 11] = [
        Cond::Jeq,
        Cond::Jgt,
        Cond::Jge,
        Cond::Jset,
        Cond::Jne,
        Cond::Jsgt,
        Cond::Jsge,
        Cond::Jlt,
        Cond::Jle,
        Cond::Jslt,
        Cond::Jsle,
    ];

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
    /// All operations.
    pub const ALL: [AtomicOp; 10] = [
        AtomicOp::Add,
        AtomicOp::Or,
        AtomicOp::And,
        AtomicOp::Xor,
        AtomicOp::FetchAdd,
        AtomicOp::FetchOr,
        AtomicOp::FetchAnd,
        AtomicOp::FetchXor,
        AtomicOp::Xchg,
        AtomicOp::Cmpxchg,
    ];

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
    /// The kernel function with BTF id `imm`; `offset` is the index of the module's BTF in
    /// the load's `fd_array` (0: vmlinux).
    Kfunc,
    /// The function whose address is in `dst`: `callx`.
    Register,
    /// The function whose address is in the register that `imm` numbers: `callx` as LLVM
    /// wrote it up to version 18.
    NumberedRegister,
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
    /// `pc = dst`: the indirect jump.
    Gotox,
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
