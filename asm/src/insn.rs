//! One instruction: a row of the table with its free fields filled in, and its bytes.
//!
//! An [`Insn`] that exists obeys its row, so that it can always be encoded; bytes that no
//! row allows are a [`DecodeError`] that names the field. Both directions read
//! [`crate::isa::ISA`] and know no opcode themselves.
//!
//! Read before: `isa.rs`. Read next: `assembler.rs`.

use crate::isa::{Field, Row, Sem, rows_of};
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
    pub fn new(number: u8) -> Option<Reg> {
        Reg::ALL.get(usize::from(number)).copied()
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
#[derive(Clone, Copy)]
pub struct Insn {
    row: &'static Row,
    dst: Reg,
    src: Reg,
    offset: i16,
    imm: i32,
    next_imm: i32,
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
    /// value, whatever `fields` says.
    pub fn new(row: &'static Row, fields: Fields) -> Insn {
        let number = |rule, free| match rule {
            Field::Any | Field::Jump => free,
            Field::Is(n) => n,
            Field::Zero | Field::Reg => 0,
        };
        let register = |rule, free| match rule {
            Field::Reg => free,
            _ => Reg::R0,
        };
        Insn {
            row,
            dst: register(row.dst, fields.dst),
            src: register(row.src, fields.src),
            // What a row fixes fits: a test goes over the table.
            offset: number(row.offset, i32::from(fields.offset)) as i16,
            imm: number(row.imm, fields.imm),
            next_imm: number(row.next_imm.unwrap_or(Field::Zero), fields.next_imm),
        }
    }

    /// The table's row for the instruction.
    pub fn row(&self) -> &'static Row {
        self.row
    }

    /// What the instruction does.
    pub fn sem(&self) -> Sem {
        self.row.sem
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
        self.row.slots()
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
        match (self.row.offset, self.row.imm) {
            (Field::Jump, _) => Some(i32::from(self.offset)),
            (_, Field::Jump) => Some(self.imm),
            _ => None,
        }
    }

    /// The instruction with another [`distance`](Insn::distance); `None` if that does not
    /// fit the field, or the instruction has none.
    #[must_use]
    pub fn with_distance(mut self, distance: i32) -> Option<Insn> {
        match (self.row.offset, self.row.imm) {
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
            self.row,
            Fields {
                imm,
                next_imm,
                ..self.fields()
            },
        )
    }

    /// The instruction as slots of little-endian bytes; the second is `None` for 8-byte ones.
    pub fn encode(&self) -> (Slot, Option<Slot>) {
        let src = match self.row.src {
            Field::Is(n) => n as u8,
            _ => self.src.number(),
        };
        let first = Slot {
            opcode: self.row.opcode,
            dst: self.dst.number(),
            src,
            offset: self.offset,
            imm: self.imm,
        };
        let second = self.row.next_imm.map(|_| Slot {
            imm: self.next_imm,
            ..Slot::default()
        });
        (first, second)
    }

    /// Appends the instruction's 8 or 16 bytes, little-endian.
    pub fn write(&self, bytes: &mut Vec<u8>) {
        let (first, second) = self.encode();
        bytes.extend(first.to_bytes());
        bytes.extend(second.into_iter().flat_map(Slot::to_bytes));
    }

    /// The instruction that `first`, and `second` if the instruction is a wide one, hold.
    ///
    /// # Errors
    /// If no row allows the contents of a field, the opcode has no row, or a wide
    /// instruction lacks its second slot.
    pub fn decode(first: Slot, second: Option<Slot>) -> Result<Insn, DecodeError> {
        let row = select_row(first)?;
        let register = |field, number, rule| match rule {
            Field::Reg => Reg::new(number).ok_or(DecodeError::Register { field, number }),
            _ => Ok(Reg::R0),
        };
        let next_imm = match row.next_imm {
            None => 0,
            Some(rule) => decode_second(row, rule, second)?,
        };
        Ok(Insn {
            row,
            dst: register(FieldName::Dst, first.dst, row.dst)?,
            src: register(FieldName::Src, first.src, row.src)?,
            offset: first.offset,
            imm: first.imm,
            next_imm,
        })
    }
}

/// The row that allows the slot: candidates by opcode, narrowed field by field, so that an
/// error names the first field that no candidate allows.
fn select_row(slot: Slot) -> Result<&'static Row, DecodeError> {
    let all = || rows_of(slot.opcode);
    if all().next().is_none() {
        return Err(DecodeError::Opcode(slot.opcode));
    }
    let allows = |rule: Field, value: i32| match rule {
        Field::Zero => value == 0,
        Field::Is(n) => value == n,
        Field::Reg | Field::Any | Field::Jump => true,
    };
    let src = |row: &&Row| allows(row.src, i32::from(slot.src));
    let offset = |row: &&Row| allows(row.offset, i32::from(slot.offset));
    let imm = |row: &&Row| allows(row.imm, slot.imm);
    let dst = |row: &&Row| allows(row.dst, i32::from(slot.dst));
    let refuse = |field, value: i32, near: &Row| DecodeError::Field {
        opcode: slot.opcode,
        name: near.name,
        field,
        value,
    };
    let Some(near) = all().find(src) else {
        let near = all().next().ok_or(DecodeError::Opcode(slot.opcode))?;
        return Err(refuse(FieldName::Src, slot.src.into(), near));
    };
    let Some(near) = all().filter(src).find(offset) else {
        return Err(refuse(FieldName::Offset, slot.offset.into(), near));
    };
    let Some(near) = all().filter(src).filter(offset).find(imm) else {
        return Err(refuse(FieldName::Imm, slot.imm, near));
    };
    all()
        .filter(src)
        .filter(offset)
        .filter(imm)
        .find(dst)
        .ok_or_else(|| refuse(FieldName::Dst, slot.dst.into(), near))
}

/// The `next_imm` of a wide instruction.
fn decode_second(row: &Row, rule: Field, second: Option<Slot>) -> Result<i32, DecodeError> {
    let second = second.ok_or(DecodeError::Truncated { name: row.name })?;
    let unused = Slot {
        imm: second.imm,
        ..Slot::default()
    };
    if second != unused || (rule == Field::Zero && second.imm != 0) {
        return Err(DecodeError::SecondSlot {
            name: row.name,
            slot: second,
        });
    }
    Ok(second.imm)
}

impl PartialEq for Insn {
    fn eq(&self, other: &Insn) -> bool {
        std::ptr::eq(self.row, other.row) && self.fields() == other.fields()
    }
}

impl Eq for Insn {}

impl fmt::Debug for Insn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}

/// One slot of 8 bytes, its fields taken apart and not yet understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Slot {
    /// Byte 0.
    pub opcode: u8,
    /// The low 4 bits of byte 1.
    pub dst: u8,
    /// The high 4 bits of byte 1.
    pub src: u8,
    /// Bytes 2 and 3.
    pub offset: i16,
    /// Bytes 4 to 7.
    pub imm: i32,
}

impl Slot {
    /// The slot of these bytes, little-endian.
    pub fn from_bytes(bytes: [u8; 8]) -> Slot {
        let [opcode, regs, o0, o1, i0, i1, i2, i3] = bytes;
        Slot {
            opcode,
            dst: regs & 0x0f,
            src: regs >> 4,
            offset: i16::from_le_bytes([o0, o1]),
            imm: i32::from_le_bytes([i0, i1, i2, i3]),
        }
    }

    /// The slot's bytes, little-endian. The upper 4 bits of `dst` and `src` are dropped.
    pub fn to_bytes(self) -> [u8; 8] {
        let [o0, o1] = self.offset.to_le_bytes();
        let [i0, i1, i2, i3] = self.imm.to_le_bytes();
        let regs = self.dst & 0x0f | self.src << 4;
        [self.opcode, regs, o0, o1, i0, i1, i2, i3]
    }
}

/// Decodes a program's bytes, little-endian.
///
/// # Errors
/// The first slot that is wrong, by its index.
pub fn decode_all(bytes: &[u8]) -> Result<Vec<Insn>, ProgramDecodeError> {
    let (chunks, rest) = bytes.as_chunks::<8>();
    if !rest.is_empty() {
        return Err(ProgramDecodeError {
            slot: chunks.len(),
            error: DecodeError::Partial { bytes: rest.len() },
        });
    }
    let mut insns = Vec::with_capacity(chunks.len());
    let mut slot = 0;
    while let Some(&first) = chunks.get(slot) {
        let second = chunks.get(slot + 1).copied().map(Slot::from_bytes);
        let insn = Insn::decode(Slot::from_bytes(first), second)
            .map_err(|error| ProgramDecodeError { slot, error })?;
        slot += insn.slots();
        insns.push(insn);
    }
    Ok(insns)
}

/// The bytes of a program, little-endian.
pub fn encode_all(insns: &[Insn]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(insns.len() * 8);
    for insn in insns {
        insn.write(&mut bytes);
    }
    bytes
}

/// A field of an encoded instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields of RFC 9669 section 3")]
pub enum FieldName {
    Dst,
    Src,
    Offset,
    Imm,
}

impl fmt::Display for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FieldName::Dst => "dst_reg",
            FieldName::Src => "src_reg",
            FieldName::Offset => "offset",
            FieldName::Imm => "imm",
        })
    }
}

/// Why bytes are no instruction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// No instruction has the opcode.
    #[error("unknown opcode {0:#04x}")]
    Opcode(u8),
    /// No form of the instruction allows the field's contents.
    #[error("{name} (opcode {opcode:#04x}) does not allow {field} = {value}{}", expected(*.opcode, *.field))]
    Field {
        /// The opcode.
        opcode: u8,
        /// The operation.
        name: &'static str,
        /// The field.
        field: FieldName,
        /// What it holds.
        value: i32,
    },
    /// Not a register.
    #[error("{field} = {number}: registers end with 10")]
    Register {
        /// The field.
        field: FieldName,
        /// What it holds.
        number: u8,
    },
    /// A wide instruction ends after its first slot.
    #[error("{name} takes two slots, and the second is missing")]
    Truncated {
        /// The operation.
        name: &'static str,
    },
    /// The second slot of a wide instruction holds more than it may.
    #[error(
        "{name}: its second slot may hold an imm at most, and holds opcode {:#04x}, dst_reg {}, \
         src_reg {}, offset {}, imm {}", slot.opcode, slot.dst, slot.src, slot.offset, slot.imm
    )]
    SecondSlot {
        /// The operation.
        name: &'static str,
        /// What stands there.
        slot: Slot,
    },
    /// The bytes end in the middle of a slot.
    #[error("a slot has 8 bytes, and only {bytes} are left")]
    Partial {
        /// How many are left.
        bytes: usize,
    },
}

/// `, only 0 or 1`: what the rows of `opcode` allow in a field.
fn expected(opcode: u8, field: FieldName) -> String {
    let mut allowed: Vec<i32> = rows_of(opcode)
        .filter_map(|row| {
            let rule = match field {
                FieldName::Dst => row.dst,
                FieldName::Src => row.src,
                FieldName::Offset => row.offset,
                FieldName::Imm => row.imm,
            };
            match rule {
                Field::Zero => Some(0),
                Field::Is(n) => Some(n),
                Field::Reg | Field::Any | Field::Jump => None,
            }
        })
        .collect();
    allowed.sort_unstable();
    allowed.dedup();
    let allowed: Vec<String> = allowed.iter().map(i32::to_string).collect();
    match allowed.split_last() {
        None => String::new(),
        Some((last, [])) => format!(", only {last}"),
        Some((last, others)) => format!(", only {} or {last}", others.join(", ")),
    }
}

/// Where a program's bytes are no instruction, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("slot {slot}: {error}")]
pub struct ProgramDecodeError {
    /// The index of the slot.
    pub slot: usize,
    /// What is wrong with it.
    #[source]
    pub error: DecodeError,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::ISA;
    use proptest::prelude::*;

    /// An instruction of any row with any contents.
    fn any_insn() -> impl Strategy<Value = Insn> {
        let fields = (0..11u8, 0..11u8, any::<i16>(), any::<i32>(), any::<i32>());
        (0..ISA.len(), fields).prop_map(|(row, (dst, src, offset, imm, next_imm))| {
            let register = |n| Reg::new(n).unwrap_or(Reg::R0);
            let (dst, src) = (register(dst), register(src));
            Insn::new(
                &ISA[row],
                Fields {
                    dst,
                    src,
                    offset,
                    imm,
                    next_imm,
                },
            )
        })
    }

    #[test]
    fn what_a_row_fixes_fits_its_field() {
        for row in &ISA {
            for (rule, min, max) in [
                (row.src, 1, 15),
                (row.offset, i32::from(i16::MIN), i32::from(i16::MAX)),
            ] {
                if let Field::Is(n) = rule {
                    assert!((min..=max).contains(&n), "{row:?}");
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn decode_inverts_encode(insn in any_insn()) {
            let (first, second) = insn.encode();
            prop_assert_eq!(Insn::decode(first, second), Ok(insn));
        }

        #[test]
        fn bytes_decode_to_what_encodes_to_them_or_not_at_all(
            bytes in proptest::collection::vec(any::<u8>(), 16),
            zeros in any::<u16>(),
        ) {
            // Random zeros, since most fields of most instructions must be zero.
            let bytes: Vec<u8> = bytes
                .iter()
                .enumerate()
                .map(|(i, &b)| if i > 0 && zeros >> i & 1 == 1 { 0 } else { b })
                .collect();
            if let Ok(insns) = decode_all(&bytes) {
                prop_assert_eq!(encode_all(&insns), bytes);
            }
        }
    }

    #[test]
    fn errors_name_the_field() {
        let mul_with_offset = Slot {
            opcode: 0x27,
            offset: 3,
            ..Slot::default()
        };
        let message = |slot| Insn::decode(slot, None).map_err(|e| e.to_string());
        assert_eq!(
            message(mul_with_offset),
            Err("MUL (opcode 0x27) does not allow offset = 3, only 0".into())
        );
        let div_with_offset = Slot {
            opcode: 0x37,
            offset: 2,
            ..Slot::default()
        };
        assert_eq!(
            message(div_with_offset),
            Err("DIV (opcode 0x37) does not allow offset = 2, only 0 or 1".into())
        );
        let gotox_with_distance = Slot {
            opcode: 0x0d,
            offset: 1,
            ..Slot::default()
        };
        assert_eq!(
            message(gotox_with_distance),
            Err("GOTOX (opcode 0x0d) does not allow offset = 1, only 0".into())
        );
        let r11 = Slot {
            opcode: 0xbf,
            src: 11,
            ..Slot::default()
        };
        assert_eq!(
            message(r11),
            Err("src_reg = 11: registers end with 10".into())
        );
        let half = Slot {
            opcode: 0x18,
            ..Slot::default()
        };
        assert_eq!(
            message(half),
            Err("LD_IMM64 takes two slots, and the second is missing".into())
        );
    }
}
