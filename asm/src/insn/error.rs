//! Why bytes are no instruction.

use super::Slot;
use crate::isa::{Field, rows_of};
use std::fmt;

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
                Field::Zero => Some(0..=0),
                Field::Is(n) => Some(n..=n),
                Field::RegNumber => Some(1..=10),
                Field::Reg | Field::Any | Field::Jump => None,
            }
        })
        .flatten()
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
