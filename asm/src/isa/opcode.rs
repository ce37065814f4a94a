//! What opcodes are made of: a class, and above it the mode and size of an access of memory or
//! the code and operand source of any other operation. The table puts opcodes together from
//! these, [`Row::opcode_parts`] takes them apart again.
//!
//! Source: RFC 9669 sections 3, 4 and 5.
//!
//! Read before: `isa.rs`. Read next: `isa/table/mod.rs`.

use super::{Row, Size};

// Instruction classes, section 3.
pub(super) const LD: u8 = 0;
pub(super) const LDX: u8 = 1;
pub(super) const ST: u8 = 2;
pub(super) const STX: u8 = 3;
pub(super) const ALU: u8 = 4;
pub(super) const JMP: u8 = 5;
pub(super) const JMP32: u8 = 6;
pub(super) const ALU64: u8 = 7;

// Operand sources, section 4; modes of memory access, section 5.
pub(super) const K: u8 = 0x00;
pub(super) const X: u8 = 0x08;
pub(super) const IMM: u8 = 0x00;
pub(super) const ABS: u8 = 0x20;
pub(super) const IND: u8 = 0x40;
pub(super) const MEM: u8 = 0x60;
pub(super) const MEMSX: u8 = 0x80;
pub(super) const ATOMIC: u8 = 0xc0;

/// The size bits of a load's or store's opcode, section 5.
pub(super) const fn size_bits(size: Size) -> u8 {
    match size {
        Size::W => 0x00,
        Size::H => 0x08,
        Size::B => 0x10,
        Size::DW => 0x18,
    }
}

/// A part of an opcode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpcodePart {
    /// Which part: `class`, `mode`, `size`, `code` or `source`.
    pub part: &'static str,
    /// How many bits it takes.
    pub width: usize,
    /// These bits, as a number.
    pub bits: u8,
    /// What RFC 9669 calls them; `None` of codes, whose names are those of the operations.
    pub name: Option<&'static str>,
}

/// Where a part lies in opcodes, and what its bits are called there.
struct Layout {
    part: &'static str,
    shift: u32,
    width: usize,
    names: &'static [(u8, &'static str)],
}

const fn layout(
    part: &'static str,
    shift: u32,
    width: usize,
    names: &'static [(u8, &'static str)],
) -> Layout {
    Layout {
        part,
        shift,
        width,
        names,
    }
}

const CLASS: Layout = layout(
    "class",
    0,
    3,
    &[
        (LD, "LD"),
        (LDX, "LDX"),
        (ST, "ST"),
        (STX, "STX"),
        (ALU, "ALU"),
        (JMP, "JMP"),
        (JMP32, "JMP32"),
        (ALU64, "ALU64"),
    ],
);
const SIZE: Layout = layout(
    "size",
    3,
    2,
    &[
        (size_bits(Size::W), "W"),
        (size_bits(Size::H), "H"),
        (size_bits(Size::B), "B"),
        (size_bits(Size::DW), "DW"),
    ],
);
const MODE: Layout = layout(
    "mode",
    5,
    3,
    &[
        (IMM, "IMM"),
        (ABS, "ABS"),
        (IND, "IND"),
        (MEM, "MEM"),
        (MEMSX, "MEMSX"),
        (ATOMIC, "ATOMIC"),
    ],
);
const SOURCE: Layout = layout("source", 3, 1, &[(K, "K"), (X, "X")]);
const CODE: Layout = layout("code", 4, 4, &[]);

impl Layout {
    fn of(&self, opcode: u8) -> OpcodePart {
        let mask = ((1 << self.width) - 1) << self.shift;
        let here = opcode & mask;
        let name = self.names.iter().find(|(bits, _)| *bits == here);
        OpcodePart {
            part: self.part,
            width: self.width,
            bits: here >> self.shift,
            name: name.map(|(_, name)| *name),
        }
    }
}

impl Row {
    /// The parts of the opcode, the uppermost first: the last is the class.
    pub fn opcode_parts(&self) -> [OpcodePart; 3] {
        let class = CLASS.of(self.opcode);
        let above = match class.bits {
            LD | LDX | ST | STX => [MODE, SIZE],
            _ => [CODE, SOURCE],
        };
        let [upper, middle] = above.map(|layout| layout.of(self.opcode));
        [upper, middle, class]
    }
}

#[cfg(test)]
mod tests {
    use super::super::ISA;

    #[test]
    fn parts_are_the_whole_opcode_and_have_names() {
        for row in &ISA {
            let parts = row.opcode_parts();
            let whole = parts
                .iter()
                .fold(0, |bits, part| bits << part.width | usize::from(part.bits));
            assert_eq!(whole, usize::from(row.opcode), "{}", row.text);
            for part in parts {
                assert_eq!(part.name.is_none(), part.part == "code", "{}", row.text);
            }
        }
    }
}
