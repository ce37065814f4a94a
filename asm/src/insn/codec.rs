//! Instructions from bytes and to bytes.
//!
//! A slot is one little-endian number here; which row it is, `isa/lookup.rs` finds by masks.
//! Only a slot that is refused is looked at field by field.

use super::{DecodeError, FieldName, Insn, ProgramDecodeError, Reg, Slot};
use crate::isa::{Field, Pattern, Row, Second, pattern_of, rows_of};

impl Insn {
    /// The instruction as slots of little-endian bytes; the second is `None` for 8-byte ones.
    pub fn encode(&self) -> (Slot, Option<Slot>) {
        let (first, second) = self.words();
        let slot = |word: u64| Slot::from_bytes(word.to_le_bytes());
        (slot(first), second.map(slot))
    }

    /// Appends the instruction's 8 or 16 bytes, little-endian.
    #[inline]
    pub fn write(&self, bytes: &mut Vec<u8>) {
        let (first, second) = self.words();
        bytes.extend_from_slice(&first.to_le_bytes());
        if let Some(second) = second {
            bytes.extend_from_slice(&second.to_le_bytes());
        }
    }

    /// The slots as little-endian numbers.
    #[inline]
    fn words(&self) -> (u64, Option<u64>) {
        let row = self.row();
        let src = match row.src {
            Field::Is(n) => n as u8,
            _ => self.src.number(),
        };
        let upper = |imm: i32| u64::from(imm as u32) << 32;
        let first = u64::from(row.opcode)
            | u64::from(self.dst.number()) << 8
            | u64::from(src) << 12
            | u64::from(self.offset as u16) << 16
            | upper(self.imm);
        (first, row.next_imm.map(|_| upper(self.next_imm)))
    }

    /// The instruction that `first`, and `second` if the instruction is a wide one, hold.
    ///
    /// # Errors
    /// If no row allows the contents of a field, the opcode has no row, or a wide
    /// instruction lacks its second slot.
    pub fn decode(first: Slot, second: Option<Slot>) -> Result<Insn, DecodeError> {
        if first.dst > 15 || first.src > 15 {
            // More than the bytes could hold.
            return Err(refusal(first));
        }
        let word = |slot: Slot| u64::from_le_bytes(slot.to_bytes());
        let (first, second) = (word(first), second.map(word));
        pattern_of(first)
            .and_then(|pattern| Insn::of_pattern(pattern, first, second))
            .ok_or_else(|| refused(first, second))
    }

    /// The instruction of a pattern that two slots hold, the second of which may be another
    /// one's; `None` if they hold none.
    #[inline]
    fn of_pattern(pattern: &Pattern, first: u64, second: Option<u64>) -> Option<Insn> {
        let next_imm = match (pattern.second, second) {
            (Second::None, _) => 0,
            (Second::Any, Some(second)) if second as u32 == 0 => (second >> 32) as i32,
            (Second::Zero, Some(0)) => 0,
            _ => return None,
        };
        Insn::of_first(pattern, first, next_imm)
    }

    /// The instruction of a pattern that a first slot holds, if its registers are some.
    #[inline]
    fn of_first(pattern: &Pattern, first: u64, next_imm: i32) -> Option<Insn> {
        Reg::new((first >> 32) as u8 & pattern.imm)?;
        Some(Insn {
            row: pattern.row,
            dst: Reg::new((first >> 8) as u8 & 0xf)?,
            src: Reg::new((first >> 12) as u8 & pattern.src)?,
            offset: (first >> 16) as i16,
            imm: (first >> 32) as i32,
            next_imm,
        })
    }
}

/// Why two slots hold no instruction.
#[cold]
fn refused(first: u64, second: Option<u64>) -> DecodeError {
    let slot = |word: u64| Slot::from_bytes(word.to_le_bytes());
    let first_slot = slot(first);
    let wide = |row: &&Row| row.next_imm.is_some();
    let row = pattern_of(first).map(Pattern::row).filter(wide);
    let is_reg = |rule, number| rule != Field::Reg || Reg::new(number).is_some();
    match row {
        Some(row) if is_reg(row.dst, first_slot.dst) && is_reg(row.src, first_slot.src) => {
            let name = row.name;
            second
                .map(slot)
                .map_or(DecodeError::Truncated { name }, |slot| {
                    DecodeError::SecondSlot { name, slot }
                })
        }
        _ => refusal(first_slot),
    }
}

/// Why no row allows the slot: candidates by opcode, narrowed field by field, so that the
/// error names the first field that no candidate allows.
#[cold]
fn refusal(slot: Slot) -> DecodeError {
    let all = || rows_of(slot.opcode);
    let Some(first) = all().next() else {
        return DecodeError::Opcode(slot.opcode);
    };
    let allows = |rule: Field, value: i32| match rule {
        Field::Zero => value == 0,
        Field::Is(n) => value == n,
        Field::RegNumber => (1..=10).contains(&value),
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
        return refuse(FieldName::Src, slot.src.into(), first);
    };
    let Some(near) = all().filter(src).find(offset) else {
        return refuse(FieldName::Offset, slot.offset.into(), near);
    };
    let Some(near) = all().filter(src).filter(offset).find(imm) else {
        return refuse(FieldName::Imm, slot.imm, near);
    };
    let mut fitting = all().filter(src).filter(offset).filter(imm);
    let Some(row) = fitting.find(dst) else {
        return refuse(FieldName::Dst, slot.dst.into(), near);
    };
    // All that is left are registers that do not exist.
    let (field, number) = match row.dst {
        Field::Reg if Reg::new(slot.dst).is_none() => (FieldName::Dst, slot.dst),
        _ => (FieldName::Src, slot.src),
    };
    DecodeError::Register { field, number }
}

/// Decodes a program's bytes, little-endian.
///
/// # Errors
/// The first slot that is wrong, by its index.
pub fn decode_all(bytes: &[u8]) -> Result<Vec<Insn>, ProgramDecodeError> {
    decode_noting(bytes, |_| ())
}

/// The same, telling the second slots of instructions that have two.
pub(crate) fn decode_noting(
    bytes: &[u8],
    mut second_slot: impl FnMut(usize),
) -> Result<Vec<Insn>, ProgramDecodeError> {
    let (chunks, rest) = bytes.as_chunks::<8>();
    if !rest.is_empty() {
        return Err(ProgramDecodeError {
            slot: chunks.len(),
            error: DecodeError::Partial { bytes: rest.len() },
        });
    }
    let mut insns = Vec::with_capacity(chunks.len());
    let mut words = chunks.iter().map(|chunk| u64::from_le_bytes(*chunk));
    while let Some(first) = words.next() {
        let pattern = pattern_of(first);
        if let Some(pattern) = pattern
            && pattern.second == Second::None
            && let Some(insn) = Insn::of_first(pattern, first, 0)
        {
            insns.push(insn);
            continue;
        }
        let slot = chunks.len() - words.len() - 1;
        let second = words.next();
        let insn = pattern.and_then(|pattern| Insn::of_pattern(pattern, first, second));
        insns.push(insn.ok_or_else(|| ProgramDecodeError {
            slot,
            error: refused(first, second),
        })?);
        second_slot(slot + 1);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::insn::Fields;
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
        let callx_of_r11 = Slot {
            opcode: 0x8d,
            imm: 11,
            ..Slot::default()
        };
        assert_eq!(
            message(callx_of_r11),
            Err(
                "CALLX (opcode 0x8d) does not allow imm = 11, only 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 \
                 or 10"
                    .into()
            )
        );
        let callx_of_two = Slot {
            dst: 1,
            imm: 2,
            ..callx_of_r11
        };
        assert_eq!(
            message(callx_of_two),
            Err("CALLX (opcode 0x8d) does not allow dst_reg = 1, only 0".into())
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
