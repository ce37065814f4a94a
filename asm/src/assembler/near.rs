//! Near jumps: if all are, their distances are written into the instructions as they stand.
//!
//! Read next: `code.rs`, for programs that have others.

use super::{Assembler, Target};
use crate::insn::Insn;

/// How a program's jumps are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Jumps {
    /// They reach what they name, and have their distances now.
    Near,
    /// One is far, or its label is not bound: nothing has been changed.
    Far,
}

/// Gives the jumps to labels their distances, if all are near.
pub(super) fn bind(assembler: &mut Assembler) -> Jumps {
    let mut targets = assembler.targets.iter();
    if !targets.all(|target| bound(assembler, target).is_some()) {
        return Jumps::Far;
    }
    for target in std::mem::take(&mut assembler.targets) {
        let insn = bound(assembler, &target);
        if let Some((place, insn)) = assembler.insns.get_mut(target.line).zip(insn) {
            *place = insn;
        }
    }
    Jumps::Near
}

/// The instruction with the distance of its label, if that is near.
fn bound(assembler: &Assembler, target: &Target) -> Option<Insn> {
    let insn = assembler.insns.get(target.line)?;
    if insn.distance().is_none() {
        return Some(*insn);
    }
    let to = assembler.bound(target.label)?;
    let distance = to as i64 - target.slot as i64 - 1;
    insn.with_distance(i32::try_from(distance).ok()?)
}
