//! Finding rows: by what they mean, by opcode, and by the bits of a slot.
//!
//! A row's selecting fields are a mask and a value over the eight bytes of its first slot, and
//! the rows of an opcode stand one after the other, so that decoding is a comparison or a few.

use super::table::COUNT;
use super::{Field, ISA, Row, Sem};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::LazyLock;

/// What decoding needs of a row, and no more, so that it stays in the cache.
#[derive(Clone, Copy)]
pub(crate) struct Pattern {
    /// The bits of a first slot, as a little-endian number, that select the row.
    mask: u64,
    /// What these bits are.
    value: u64,
    /// The index of the row.
    pub(crate) row: u16,
    /// Of the field `src_reg` the bits that name a register: all or none.
    pub(crate) src: u8,
    /// The same of `imm`.
    pub(crate) imm: u8,
    /// What the second slot may hold.
    pub(crate) second: Second,
}

/// What may stand in the `imm` of a second slot.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Second {
    /// There is no second slot.
    None,
    /// Nothing.
    Zero,
    /// Any number.
    Any,
}

/// The patterns of all rows, by opcode, and within it in the table's order.
static PATTERNS: [Pattern; COUNT] = BY_OPCODE.0;

/// Where an opcode's patterns begin; they end where the next one's begin.
static BEGIN: [u16; 257] = BY_OPCODE.1;

const BY_OPCODE: ([Pattern; COUNT], [u16; 257]) = {
    let mut patterns = [pattern(0); COUNT];
    let mut begin = [0; 257];
    let (mut opcode, mut next) = (0, 0);
    while opcode < 256 {
        begin[opcode] = next as u16;
        let mut row = 0;
        while row < COUNT {
            if ISA[row].opcode as usize == opcode {
                patterns[next] = pattern(row);
                next += 1;
            }
            row += 1;
        }
        opcode += 1;
    }
    begin[256] = next as u16;
    (patterns, begin)
};

const fn pattern(index: usize) -> Pattern {
    let row = &ISA[index];
    let fields = [
        (row.dst, 8, 0xf),
        (row.src, 12, 0xf),
        (row.offset, 16, 0xffff),
        (row.imm, 32, 0xffff_ffff),
    ];
    let (mut mask, mut value) = (0xff, row.opcode as u64);
    let mut n = 0;
    while n < fields.len() {
        let (rule, shift, bits) = fields[n];
        let fixed = match rule {
            Field::Zero => Some(0),
            Field::Is(number) => Some(number as u64 & bits),
            // The rest of the number is no part of a register's.
            Field::RegNumber => {
                mask |= (bits & !0xf) << shift;
                None
            }
            Field::Reg | Field::Any | Field::Jump => None,
        };
        if let Some(fixed) = fixed {
            mask |= bits << shift;
            value |= fixed << shift;
        }
        n += 1;
    }
    Pattern {
        mask,
        value,
        row: row.index,
        src: match row.src {
            Field::Reg => 0xf,
            _ => 0,
        },
        imm: match row.imm {
            Field::RegNumber => 0xf,
            _ => 0,
        },
        second: match row.next_imm {
            None => Second::None,
            Some(Field::Zero) => Second::Zero,
            Some(_) => Second::Any,
        },
    }
}

impl Pattern {
    /// Whether a first slot has the row's fixed fields.
    #[inline]
    fn is_of(&self, slot: u64) -> bool {
        slot & self.mask == self.value
    }

    /// The row.
    pub(crate) fn row(&self) -> &'static Row {
        row_at(self.row)
    }
}

/// The row at an index, which is that of a row.
#[inline]
pub(crate) fn row_at(index: u16) -> &'static Row {
    ISA.get(usize::from(index)).unwrap_or(&ISA[0])
}

/// The first pattern of each opcode; of one that has none a pattern that no slot has.
static FIRST: [Pattern; 256] = {
    let mut first = [Pattern {
        value: 1,
        mask: 0,
        ..pattern(0)
    }; 256];
    let mut opcode = 0;
    while opcode < 256 {
        let (begin, end) = (BY_OPCODE.1[opcode], BY_OPCODE.1[opcode + 1]);
        if begin < end {
            first[opcode] = BY_OPCODE.0[begin as usize];
        }
        opcode += 1;
    }
    first
};

fn patterns_of(opcode: u8) -> &'static [Pattern] {
    let opcode = usize::from(opcode);
    let range = usize::from(BEGIN[opcode])..usize::from(BEGIN[opcode + 1]);
    PATTERNS.get(range).unwrap_or_default()
}

/// The rows that share `opcode`.
pub fn rows_of(opcode: u8) -> impl Iterator<Item = &'static Row> + Clone {
    patterns_of(opcode).iter().map(Pattern::row)
}

/// The pattern of the row whose fixed fields a first slot has, given as a little-endian number;
/// what stands in the place of registers is not looked at.
#[inline]
pub(crate) fn pattern_of(slot: u64) -> Option<&'static Pattern> {
    let first = &FIRST[usize::from(slot as u8)];
    match first.is_of(slot) {
        true => Some(first),
        false => later_pattern_of(slot),
    }
}

fn later_pattern_of(slot: u64) -> Option<&'static Pattern> {
    let mut patterns = patterns_of(slot as u8).iter();
    patterns.find(|pattern| pattern.is_of(slot))
}

static BY_MEANING: LazyLock<HashMap<Sem, &'static Row, BuildHasherDefault<Mixed>>> =
    LazyLock::new(|| ISA.iter().map(|row| (row.sem, row)).collect());

/// A hash of meanings: they are few, small, and chosen by nobody who means harm.
#[derive(Default)]
struct Mixed(u64);

impl Mixed {
    fn mix(&mut self, number: u64) {
        let mixed = (self.0.rotate_left(5) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ mixed >> 32;
    }
}

impl Hasher for Mixed {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.mix(u64::from(*byte)));
    }

    fn write_isize(&mut self, number: isize) {
        self.mix(number as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Sem {
    /// The row that means this, if there is one: not every combination exists
    /// (there is no 64-bit sign extension of 64 bits, nor an atomic byte).
    pub fn row(self) -> Option<&'static Row> {
        BY_MEANING.get(&self).copied()
    }
}
