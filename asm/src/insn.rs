//! One instruction: a row of the table with its free fields filled in, and its bytes.
//!
//! An [`Insn`] that exists obeys its row, so that it can always be encoded; bytes that no
//! row allows are a [`DecodeError`] that names the field. Both directions (`insn/codec.rs`)
//! read [`crate::isa::ISA`] and know no opcode themselves.
//!
//! Read before: `isa.rs`. Read next: `insn/codec.rs`, `assembler/mod.rs`.

mod codec;
mod error;
mod slot;

pub(crate) use codec::decode_noting;
pub use codec::{decode_all, encode_all};
pub use error::{DecodeError, FieldName, ProgramDecodeError};
pub use slot::Slot;

use crate::isa::{Fetched, Field, Row, Sem, row_at};
use std::fmt;

/// A register, R0 to R10.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(
    missing_docs,
    reason = "RFC 9669 section 2 and the calling convention name them"
)]
pub enum Reg {
    R0,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R7,
    R8,
    R9,
    R10,
}

impl Reg {
    /// All registers in order; R10, the read-only frame pointer, last.
    pub const ALL: [Reg; 11] = [
        Reg::R0,
        Reg::R1,
        Reg::R2,
        Reg::R3,
        Reg::R4,
        Reg::R5,
        Reg::R6,
        Reg::R7,
        Reg::R8,
        Reg::R9,
        Reg::R10,
    ];

    /// The register of this number; `None` above 10.
    #[inline]
    pub const fn new(number: u8) -> Option<Reg> {
        Some(match number {
            0 => Reg::R0,
            1 => Reg::R1,
            2 => Reg::R2,
            3 => Reg::R3,
            4 => Reg::R4,
            5 => Reg::R5,
            6 => Reg::R6,
            7 => Reg::R7,
            8 => Reg::R8,
            9 => Reg::R9,
            10 => Reg::R10,
            _ => return None,
        })
    }

    /// The register's number, 0 to 10.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The register's number as an index.
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.number())
    }
}

/// One instruction of 8 or 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Insn {
    imm: i32,
    next_imm: i32,
    offset: i16,
    /// The index of the row: an index is shorter than an address, and programs are long.
    row: u16,
    dst: Reg,
    src: Reg,
}

/// The contents of an instruction's fields; what the row fixes is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fields {
    /// The destination register.
    pub dst: Reg,
    /// The source register.
    pub src: Reg,
    /// The 16-bit offset: bytes for memory, slots for jumps.
    pub offset: i16,
    /// The immediate.
    pub imm: i32,
    /// The second immediate of a 16-byte instruction.
    pub next_imm: i32,
}

impl Default for Fields {
    /// R0 and zeros.
    fn default() -> Fields {
        Fields {
            dst: Reg::R0,
            src: Reg::R0,
            offset: 0,
            imm: 0,
            next_imm: 0,
        }
    }
}

impl Insn {
    /// The instruction of `row` with `fields`. A field that the row fixes keeps the row's
    /// value, whatever `fields` says; where it wants the number of a register, the nearest is
    /// taken.
    #[inline]
    pub fn new(row: &'static Row, fields: Fields) -> Insn {
        let number = |rule, free| match rule {
            Field::Any | Field::Jump => free,
            Field::Is(n) => n,
            Field::RegNumber => free.clamp(1, 10),
            Field::Zero | Field::Reg => 0,
        };
        let register = |rule, free| match rule {
            Field::Reg => free,
            _ => Reg::R0,
        };
        Insn {
            row: row.index,
            dst: register(row.dst, fields.dst),
            src: register(row.src, fields.src),
            // What a row fixes fits: a test goes over the table.
            offset: number(row.offset, i32::from(fields.offset)) as i16,
            imm: number(row.imm, fields.imm),
            next_imm: number(row.next_imm.unwrap_or(Field::Zero), fields.next_imm),
        }
    }

    /// The table's row for the instruction.
    #[inline]
    pub fn row(&self) -> &'static Row {
        row_at(self.row)
    }

    /// Whether it is the row's.
    pub(crate) fn is_of(&self, row: &Row) -> bool {
        self.row == row.index
    }

    /// What the instruction does.
    pub fn sem(&self) -> Sem {
        self.row().sem
    }

    /// The register that receives what was in memory, if this is an atomic operation that fetches it.
    pub fn fetches_into(&self) -> Option<Reg> {
        let Sem::Atomic { op, .. } = self.sem() else {
            return None;
        };
        Some(match op.fetches_into()? {
            Fetched::Src => self.src,
            Fetched::R0 => Reg::R0,
        })
    }

    /// `dst_reg`; R0 where the instruction has none.
    pub fn dst(&self) -> Reg {
        self.dst
    }

    /// `src_reg`; R0 where the instruction has none.
    pub fn src(&self) -> Reg {
        self.src
    }

    /// `offset`: bytes for memory, slots for jumps.
    pub fn offset(&self) -> i16 {
        self.offset
    }

    /// `imm`.
    pub fn imm(&self) -> i32 {
        self.imm
    }

    /// The `imm` of the second slot; 0 for 8-byte instructions.
    pub fn next_imm(&self) -> i32 {
        self.next_imm
    }

    /// The 64-bit immediate: `next_imm` above, `imm` below.
    pub fn imm64(&self) -> u64 {
        u64::from(self.next_imm as u32) << 32 | u64::from(self.imm as u32)
    }

    /// How many slots of 8 bytes the instruction takes: 1 or 2.
    pub fn slots(&self) -> usize {
        self.row().slots()
    }

    /// The free contents of the fields.
    pub fn fields(&self) -> Fields {
        Fields {
            dst: self.dst,
            src: self.src,
            offset: self.offset,
            imm: self.imm,
            next_imm: self.next_imm,
        }
    }

    /// How far a jump, local call or code address reaches, in slots from the end of the
    /// instruction's first slot; `None` for all else.
    pub fn distance(&self) -> Option<i32> {
        match (self.row().offset, self.row().imm) {
            (Field::Jump, _) => Some(i32::from(self.offset)),
            (_, Field::Jump) => Some(self.imm),
            _ => None,
        }
    }

    /// The instruction with another [`distance`](Insn::distance); `None` if that does not
    /// fit the field, or the instruction has none.
    #[must_use]
    pub fn with_distance(mut self, distance: i32) -> Option<Insn> {
        match (self.row().offset, self.row().imm) {
            (Field::Jump, _) => self.offset = i16::try_from(distance).ok()?,
            (_, Field::Jump) => self.imm = distance,
            _ => return None,
        }
        Some(self)
    }

    /// The instruction with another `imm` and `next_imm`, as far as the row leaves them free.
    #[must_use]
    pub fn with_imm(self, imm: i32, next_imm: i32) -> Insn {
        Insn::new(
            self.row(),
            Fields {
                imm,
                next_imm,
                ..self.fields()
            },
        )
    }
}

impl fmt::Debug for Insn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}
