//! Printing: a row's spelling with the fields filled in.

use super::places::Places;
use super::template::{Hole, Piece, pieces};
use crate::helper;
use crate::insn::{Insn, Reg};
use crate::object::Object;
use crate::program::Program;
use std::fmt::{self, Write};

/// Names for what an instruction has only numbers for.
pub trait Names {
    /// Writes what a jump, local call or code address of `distance` slots reaches.
    ///
    /// # Errors
    /// Those of `out`.
    fn jump(&self, out: &mut dyn Write, distance: i32) -> fmt::Result {
        write!(out, "{distance:+}")
    }

    /// Writes the function of the program that a call of `distance` slots reaches.
    ///
    /// # Errors
    /// Those of `out`.
    fn function(&self, out: &mut dyn Write, distance: i32) -> fmt::Result {
        write!(out, "pc{distance:+}")
    }

    /// What stands in the place of a whole instruction that refers to something by name.
    fn reference(&self) -> Option<String> {
        None
    }
}

/// No names at all: distances are numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Numbers;

impl Names for Numbers {}

/// Writes one instruction.
///
/// # Errors
/// Those of `out`.
pub fn print_insn(out: &mut dyn Write, insn: &Insn, names: &dyn Names) -> fmt::Result {
    if let Some(reference) = names.reference() {
        return write!(out, "{reference}");
    }
    for piece in pieces(insn.row().text) {
        match piece {
            Piece::Text(text) => out.write_str(text)?,
            Piece::Hole(hole) => print_hole(out, hole, insn, names)?,
        }
    }
    Ok(())
}

fn print_hole(out: &mut dyn Write, hole: Hole, insn: &Insn, names: &dyn Names) -> fmt::Result {
    let low32 = |reg: Reg| reg.number();
    match hole {
        Hole::Dst => write!(out, "{}", insn.dst()),
        Hole::Dst32 => write!(out, "w{}", low32(insn.dst())),
        Hole::Src => write!(out, "{}", insn.src()),
        Hole::Src32 => write!(out, "w{}", low32(insn.src())),
        Hole::Imm => write!(out, "{}", insn.imm()),
        Hole::NextImm => write!(out, "{}", insn.next_imm()),
        Hole::Imm64 => write!(out, "{:#x}", insn.imm64()),
        Hole::OffsetNumber => write!(out, "{}", insn.offset()),
        Hole::Offset => print_signed(out, i64::from(insn.offset())),
        Hole::PlusImm => print_signed(out, i64::from(insn.imm())),
        Hole::Jump | Hole::JumpImm => names.jump(out, insn.distance().unwrap_or(0)),
        Hole::Function => names.function(out, insn.imm()),
        Hole::Helper => match helper::by_id(insn.imm()) {
            Some(helper) => write!(out, "bpf_{}", helper.name),
            None => write!(out, "{}", insn.imm()),
        },
    }
}

/// `+ 4` or `- 4`, as it stands behind a register.
fn print_signed(out: &mut dyn Write, number: i64) -> fmt::Result {
    let sign = if number < 0 { '-' } else { '+' };
    write!(out, "{sign} {}", number.unsigned_abs())
}

impl fmt::Display for Insn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print_insn(f, self, &Numbers)
    }
}

/// Writes an object as text that [`parse`](super::parse()) reads: license, maps, programs.
///
/// # Errors
/// Those of `out`.
pub fn print_object(out: &mut dyn Write, object: &Object) -> fmt::Result {
    print_object_with(out, object, &NoRemarks)
}

/// As [`print_object`], with comments.
///
/// # Errors
/// Those of `out`.
pub fn print_object_with(
    out: &mut dyn Write,
    object: &Object,
    remarks: &dyn Remarks,
) -> fmt::Result {
    writeln!(out, ".license {}", object.license)?;
    for map in &object.maps {
        write!(out, ".map {} {}", map.name, map.map_type)?;
        for (name, number) in [
            ("key_size", map.key_size),
            ("value_size", map.value_size),
            ("max_entries", map.max_entries),
            ("map_flags", map.map_flags),
        ] {
            if number != 0 {
                write!(out, " {name}={number}")?;
            }
        }
        writeln!(out)?;
    }
    for program in &object.programs {
        writeln!(out, ".prog {} {}", program.section, program.name)?;
        print_program_with(out, object, program, remarks)?;
    }
    Ok(())
}

/// Writes a program of `object`: labels where jumps go, maps and externs by their names, one
/// line an instruction.
///
/// # Errors
/// Those of `out`.
pub fn print_program(out: &mut dyn Write, object: &Object, program: &Program) -> fmt::Result {
    print_program_with(out, object, program, &NoRemarks)
}

fn print_program_with(
    out: &mut dyn Write,
    object: &Object,
    program: &Program,
    remarks: &dyn Remarks,
) -> fmt::Result {
    let places = Places::of(object, program);
    for (slot, insn) in program.slots() {
        if let Some(place) = places.at(slot) {
            writeln!(out, "{place}")?;
        }
        if let Some(remark) = remarks.before(program, slot) {
            writeln!(out, "    ; {remark}")?;
        }
        match remarks.beside(program, slot, insn) {
            None => writeln!(out, "    {}", places.insn(slot, insn))?,
            Some(remark) => {
                let insn = places.insn(slot, insn).to_string();
                writeln!(out, "    {insn:REMARK_COLUMN$} ; {remark}")?;
            }
        }
    }
    Ok(())
}

/// How wide instructions are made that have a comment beside them.
const REMARK_COLUMN: usize = 42;

/// Comments on a program's instructions, one line each: the text stays what it is to a parser.
pub trait Remarks {
    /// What to say on the line before the instruction at `slot`.
    fn before(&self, _program: &Program, _slot: usize) -> Option<String> {
        None
    }

    /// What to say beside the instruction at `slot`.
    fn beside(&self, _program: &Program, _slot: usize, _insn: &Insn) -> Option<String> {
        None
    }
}

/// No comments.
struct NoRemarks;

impl Remarks for NoRemarks {}
