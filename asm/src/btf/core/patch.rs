//! Writing an answer into the instruction that asked.

use super::resolve::{Answer, Resize, Resolved};
use crate::insn::{Fields, Insn};
use crate::isa::{Callee, Imm64, Operand, Sem, Size};

/// The helper number that a call has in place of an instruction that asked for what is
/// missing: verifiers name it, `invalid func unknown#195896080`.
pub const POISON: i32 = 0x0bad_2310;

/// What an instruction becomes.
#[derive(Debug, Clone, PartialEq)]
pub enum Patched {
    /// Itself, with the answer.
    Insn(Insn),
    /// What no program may reach: a call of [`POISON`] in each of its slots.
    Poison(Insn),
}

/// Why an answer cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// Not an instruction that holds such a number.
    #[error("'{0}' has no number that a CO-RE relocation can change")]
    Insn(String),
    /// The instruction does not hold what the compiler must have written.
    #[error("'{insn}' holds {found}, and by the object's own types it must hold {wanted}")]
    Unexpected {
        /// The instruction.
        insn: String,
        /// The number in it.
        found: i64,
        /// The number that the object's types give.
        wanted: i64,
    },
    /// The answer does not fit.
    #[error("'{insn}' cannot hold {value}: it is not {range}")]
    Range {
        /// The instruction.
        insn: String,
        /// The answer.
        value: u64,
        /// What fits.
        range: &'static str,
    },
    /// The instruction accesses another size than the field's.
    #[error("'{insn}' accesses {found} bytes of a field of {wanted}, whose size has changed")]
    Size {
        /// The instruction.
        insn: String,
        /// How much it accesses.
        found: u32,
        /// The size of the field in the object's types.
        wanted: u32,
    },
}

/// The instruction with the answer in it.
///
/// # Errors
/// If it is no instruction that can ask, or the answer does not fit in it.
pub fn patch(insn: &Insn, resolved: &Resolved) -> Result<Patched, PatchError> {
    let Answer::Value(value) = resolved.target else {
        return poison(insn);
    };
    let fields = insn.fields();
    match insn.sem() {
        Sem::Mov {
            operand: Operand::Imm,
            ..
        }
        | Sem::Alu {
            operand: Operand::Imm,
            ..
        } => {
            expect(
                insn,
                i64::from(insn.imm()),
                resolved.local.map(|local| local as u32 as i32),
            )?;
            let imm = u32::try_from(value).map(|imm| imm as i32);
            let imm = imm.or_else(|_| i32::try_from(value as i64));
            let imm = imm.map_err(|_| range(insn, value, "a number of 32 bits"))?;
            Ok(Patched::Insn(insn.with_imm(imm, fields.next_imm)))
        }
        Sem::LoadImm64(Imm64::Value) => {
            expect(
                insn,
                insn.imm64() as i64,
                resolved.local.map(|local| local as i64),
            )?;
            Ok(Patched::Insn(
                insn.with_imm(value as i32, (value >> 32) as i32),
            ))
        }
        sem => memory(insn, sem, value, resolved),
    }
}

/// A load or store, whose offset asks.
fn memory(insn: &Insn, sem: Sem, value: u64, resolved: &Resolved) -> Result<Patched, PatchError> {
    let (size, with): (Size, &dyn Fn(Size) -> Sem) = match sem {
        Sem::Load { size } => (size, &|size| Sem::Load { size }),
        Sem::LoadSx { size } => (size, &|size| Sem::LoadSx { size }),
        Sem::Store { size, operand } => (size, &move |size| Sem::Store { size, operand }),
        _ => return Err(PatchError::Insn(insn.to_string())),
    };
    expect(
        insn,
        i64::from(insn.offset()),
        resolved.local.map(|local| local as i64),
    )?;
    let offset = i16::try_from(value);
    let offset = offset.map_err(|_| range(insn, value, "an offset of at most 32767"))?;
    let row = match resolved.resize {
        Resize::Same => insn.row(),
        Resize::Impossible => return poison(insn),
        Resize::Change { from, .. } if from != size.bytes() => {
            return Err(PatchError::Size {
                insn: insn.to_string(),
                found: size.bytes(),
                wanted: from,
            });
        }
        Resize::Change { to, .. } => {
            let row = Size::of_bytes(to).and_then(|size| with(size).row());
            match row {
                Some(row) => row,
                None => return poison(insn),
            }
        }
    };
    let fields = Fields {
        offset,
        ..insn.fields()
    };
    Ok(Patched::Insn(Insn::new(row, fields)))
}

fn poison(insn: &Insn) -> Result<Patched, PatchError> {
    let row = Sem::Call(Callee::Helper).row();
    let row = row.ok_or_else(|| PatchError::Insn(insn.to_string()))?;
    let imm = POISON;
    Ok(Patched::Poison(Insn::new(
        row,
        Fields {
            imm,
            ..Fields::default()
        },
    )))
}

fn expect(insn: &Insn, found: i64, wanted: Option<impl Into<i64>>) -> Result<(), PatchError> {
    match wanted.map(Into::into) {
        Some(wanted) if wanted != found => Err(PatchError::Unexpected {
            insn: insn.to_string(),
            found,
            wanted,
        }),
        _ => Ok(()),
    }
}

fn range(insn: &Insn, value: u64, range: &'static str) -> PatchError {
    PatchError::Range {
        insn: insn.to_string(),
        value,
        range,
    }
}
