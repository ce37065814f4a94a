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
//! Read before: `isa/sem.rs`. Read next: `insn.rs`.

mod form;
mod lookup;
mod opcode;
mod sem;
mod table;

pub use lookup::rows_of;
pub(crate) use lookup::{Pattern, Second, pattern_of, row_at};
pub use opcode::OpcodePart;
pub use sem::{
    AluOp, AtomicOp, Callee, Cast, Cond, Fetched, Imm64, Operand, PacketMode, Sem, Size, Swap,
    Width,
};
pub use table::ISA;

/// A kernel release, `(major, minor)`.
pub type KernelVersion = (u8, u8);

/// Everything known about one form of one instruction.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Where it stands in the table.
    pub(crate) index: u16,
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
    /// The number of a register, 1 to 10, in a field that is none for registers. R0 is left
    /// to the row that has the register in its own field: its bytes are the same.
    RegNumber,
    /// Any number that fits.
    Any,
    /// A distance in 8-byte slots, counted from the end of the instruction's first slot.
    Jump,
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
    fn opcodes_have_every_row_once() {
        let found: usize = (0..=255).map(|opcode| rows_of(opcode).count()).sum();
        assert_eq!(found, ISA.len());
    }

    #[test]
    fn every_rfc_row_has_a_group_and_no_other_has() {
        for row in &ISA {
            let rfc = matches!(row.source, Source::Rfc9669(_));
            assert_eq!(row.group.is_some(), rfc, "{row:?}");
        }
    }
}
