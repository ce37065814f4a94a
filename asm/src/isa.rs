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

mod table;

pub use table::ISA;

use Cond::*;
use table::COUNT;

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
    /// The least instruction set version (`-mcpu`) with which compilers emit the row; `V1`
    /// also for what they emit with any, though no kernel of that time has it.
    pub cpu: Cpu,
    /// The first Linux release whose verifier accepts the row; `None` if none does.
    pub since: Option<KernelVersion>,
    /// Who defines the row.
    pub source: Source,
}

impl Row {
    /// The slots of 8 bytes that the instruction takes: 1 or 2.
    pub const fn slots(&self) -> usize {
        if self.next_imm.is_some() { 2 } else { 1 }
    }
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
    /// A distance in 8-byte slots, counted from the end of the instruction's first slot.
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
    /// The kernel function with BTF id `imm`; `offset` is the index of the module's BTF in
    /// the load's `fd_array` (0: vmlinux).
    Kfunc,
    /// The function whose address is in `dst`: `callx`.
    Register,
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
    /// Adds 32-bit arithmetic and jumps, and the atomics beside the plain addition. The
    /// kernel has had 32-bit arithmetic from the first; compilers emit it from here on.
    V3,
    /// Adds sign extension, signed division, `bswap`, the long jump, load-acquire and
    /// store-release.
    V4,
}

impl Cpu {
    /// All versions, oldest first.
    pub const ALL: [Cpu; 4] = [Cpu::V1, Cpu::V2, Cpu::V3, Cpu::V4];
}

impl std::fmt::Display for Cpu {
    /// As `-mcpu` takes it: `v1`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Cpu::V1 => "v1",
            Cpu::V2 => "v2",
            Cpu::V3 => "v3",
            Cpu::V4 => "v4",
        })
    }
}

/// Who defines a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// This section of RFC 9669.
    Rfc9669(&'static str),
    /// Only the Linux kernel, since the release in [`Row::since`].
    Linux,
    /// Only compilers, which emit it although no kernel takes it.
    Compilers,
}

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
    fn every_rfc_row_has_a_group_and_no_other_has() {
        for row in &ISA {
            let rfc = matches!(row.source, Source::Rfc9669(_));
            assert_eq!(row.group.is_some(), rfc, "{row:?}");
        }
    }
}
