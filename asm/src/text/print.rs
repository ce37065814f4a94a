//! Printing an instruction: a row's spelling with the fields filled in.
//!
//! Read before: `template.rs`. Read next: `places.rs`, `object.rs`.

use super::template::{Hole, Piece, pieces};
use super::token::is_plain;
use super::words::quoted;
use crate::helper;
use crate::insn::Insn;
use crate::isa::{ISA, Row};
use std::fmt::{self, Write};
use std::sync::LazyLock;

/// Names for what an instruction has only numbers for.
pub trait Names {
    /// Writes what a jump or code address of `distance` slots reaches.
    ///
    /// # Errors
    /// Those of `out`.
    fn jump(&self, out: &mut dyn Write, distance: i32) -> fmt::Result {
        signed(out, distance.into())
    }

    /// Writes the function of the program that a call of `distance` slots reaches.
    ///
    /// # Errors
    /// Those of `out`.
    fn function(&self, out: &mut dyn Write, distance: i32) -> fmt::Result {
        out.write_str("pc")?;
        signed(out, distance.into())
    }

    /// Writes what stands in the place of a whole instruction that refers to something by
    /// name, if this one does.
    ///
    /// # Errors
    /// Those of `out`.
    fn reference(&self, out: &mut dyn Write) -> Result<Referred, fmt::Error> {
        let _ = out;
        Ok(Referred::Nothing)
    }
}

/// Whether an instruction refers to something by name, and has been written so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Referred {
    /// It does not, and nothing has been written.
    Nothing,
    /// It does, and it has been written.
    Written,
}

/// No names at all: distances are numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Numbers;

impl Names for Numbers {}

/// The spellings of the rows taken apart, in the order of the table.
static SPELLINGS: LazyLock<Vec<Vec<Piece>>> =
    LazyLock::new(|| ISA.iter().map(|row| pieces(row.text).collect()).collect());

/// The pieces of a row's spelling.
fn spelling(row: &'static Row) -> &'static [Piece] {
    let bytes = (std::ptr::from_ref(row) as usize).wrapping_sub(ISA.as_ptr() as usize);
    let index = bytes / size_of::<Row>();
    SPELLINGS.get(index).map_or(&[], Vec::as_slice)
}

/// Writes one instruction.
///
/// # Errors
/// Those of `out`.
pub fn print_insn(out: &mut dyn Write, insn: &Insn, names: &dyn Names) -> fmt::Result {
    if names.reference(out)? == Referred::Written {
        return Ok(());
    }
    for piece in spelling(insn.row()) {
        match piece {
            Piece::Text(text) => out.write_str(text)?,
            Piece::Hole(hole) => print_hole(out, *hole, insn, names)?,
        }
    }
    Ok(())
}

fn print_hole(out: &mut dyn Write, hole: Hole, insn: &Insn, names: &dyn Names) -> fmt::Result {
    const WHOLE: [&str; 11] = [
        "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10",
    ];
    const LOW: [&str; 11] = [
        "w0", "w1", "w2", "w3", "w4", "w5", "w6", "w7", "w8", "w9", "w10",
    ];
    match hole {
        Hole::Dst => out.write_str(WHOLE[insn.dst().index()]),
        Hole::Dst32 => out.write_str(LOW[insn.dst().index()]),
        Hole::Src => out.write_str(WHOLE[insn.src().index()]),
        Hole::Src32 => out.write_str(LOW[insn.src().index()]),
        Hole::Imm | Hole::ImmBits => plain(out, insn.imm().into()),
        Hole::NextImm => plain(out, insn.next_imm().into()),
        Hole::Imm64 => write!(out, "{:#x}", insn.imm64()),
        Hole::OffsetNumber => plain(out, insn.offset().into()),
        Hole::Offset => spaced(out, insn.offset().into()),
        Hole::PlusImm => spaced(out, insn.imm().into()),
        Hole::RegImm => write!(out, "r{}", insn.imm()),
        Hole::Jump | Hole::JumpImm => names.jump(out, insn.distance().unwrap_or(0)),
        Hole::Function => names.function(out, insn.imm()),
        Hole::Helper | Hole::HelperId => match helper::by_id(insn.imm()) {
            Some(helper) => {
                out.write_str("bpf_")?;
                out.write_str(helper.name)
            }
            None => plain(out, insn.imm().into()),
        },
        // Of synonyms only, which are not printed.
        Hole::Symbol | Hole::Remark => Ok(()),
    }
}

/// `-4`, `4`: without the formatter, which takes most of the time that printing takes.
fn plain(out: &mut dyn Write, number: i64) -> fmt::Result {
    if number < 0 {
        out.write_str("-")?;
    }
    digits(out, number.unsigned_abs())
}

/// `+4`, `-4`.
fn signed(out: &mut dyn Write, number: i64) -> fmt::Result {
    out.write_str(if number < 0 { "-" } else { "+" })?;
    digits(out, number.unsigned_abs())
}

/// `+ 4` or `- 4`, as it stands behind a register.
fn spaced(out: &mut dyn Write, number: i64) -> fmt::Result {
    out.write_str(if number < 0 { "- " } else { "+ " })?;
    digits(out, number.unsigned_abs())
}

/// The decimal digits of a number.
fn digits(out: &mut dyn Write, mut number: u64) -> fmt::Result {
    let mut text = [0; 20];
    let mut begin = text.len();
    loop {
        begin -= 1;
        if let Some(digit) = text.get_mut(begin) {
            *digit = b'0' + (number % 10) as u8;
        }
        number /= 10;
        if number == 0 {
            break;
        }
    }
    let digits = text.get(begin..).unwrap_or_default();
    out.write_str(std::str::from_utf8(digits).unwrap_or_default())
}

impl fmt::Display for Insn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print_insn(f, self, &Numbers)
    }
}

/// A name among an instruction's tokens: in quotes if it would be read as something else.
pub(super) fn symbol(name: &str) -> String {
    match is_plain(name) {
        true => name.to_owned(),
        false => quoted(name.as_bytes()),
    }
}

/// A name as a directive's word: in quotes if it would not be one word.
pub(super) fn name(name: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '$' | '/' | '-');
    let is_name = !name.is_empty() && name != super::data::UNNAMED;
    match is_name && name.chars().all(is_plain) {
        true => name.to_owned(),
        false => quoted(name.as_bytes()),
    }
}
