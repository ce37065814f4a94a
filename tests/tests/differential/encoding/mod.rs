//! What is an instruction: slots with one field changed at a time, and random ones, decoded by
//! us and offered to the kernel.
//!
//! What we refuse the kernel must refuse, field by field, for its encoding; what the kernel
//! refuses for its encoding we must refuse. A slot that the kernel refuses for what it *does* is
//! an instruction all the same. `known.rs` has the kernel's words, and why some of its refusals
//! say less than ours.

mod known;
mod offer;
mod slots;

use std::collections::BTreeMap;

use ebpf_asm::insn::{DecodeError, Insn, ProgramDecodeError, Slot, decode_all};
use ebpf_syscalls::kernel;
use ebpf_tests::{Outcome, ensure};

use crate::for_all;
use known::{OVERLOOKED, SHADOWED};
use offer::{Kernel, Verdict};
use slots::Candidate;

/// What became of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Agreement {
    /// Both take it for an instruction.
    Instruction,
    /// Both refuse its encoding.
    Refused,
    /// We know the row, and this kernel is older.
    TooNew,
    /// We refuse it, and the kernel refuses first what it refers to.
    Shadowed,
    /// We refuse a field that the kernel is known not to look at.
    Overlooked,
}

/// Every row and every opcode without one, with each field changed in turn.
pub(crate) fn field_by_field() -> Outcome {
    let kernel = Kernel::new()?;
    let mut counts = BTreeMap::<Agreement, u32>::new();
    let mut faults = Vec::new();
    for candidate in slots::systematic(&kernel) {
        match compare(&kernel, &candidate) {
            Ok(agreement) => *counts.entry(agreement).or_default() += 1,
            Err(fault) => faults.push(fault),
        }
    }
    println!("{counts:?}");
    ensure!(
        faults.is_empty(),
        "{} slots:\n{}",
        faults.len(),
        faults.join("\n")
    );
    for agreement in [Agreement::Instruction, Agreement::Refused] {
        let count = counts.get(&agreement).copied().unwrap_or_default();
        ensure!(
            count > 500,
            "only {count} of {agreement:?}: it proves nothing"
        );
    }
    Ok(())
}

/// Slots with random contents in all fields.
pub(crate) fn at_random(cases: u32) -> Outcome {
    let kernel = Kernel::new()?;
    for_all(
        cases,
        &slots::random(),
        |candidate| Ok(compare(&kernel, &candidate).map(drop)?),
        |candidate| format!("{candidate:?}"),
    )
}

/// Whether we and the kernel agree; a fault in words if not.
fn compare(kernel: &Kernel, candidate: &Candidate) -> Result<Agreement, String> {
    let ours = decode(candidate);
    let theirs = kernel.offer(candidate);
    let fault = || {
        let what = match &ours {
            Ok(insn) => format!("we decode '{insn}'"),
            Err(error) => format!("we refuse: {}", error.error),
        };
        Err(format!("{candidate:?}: {what}; the kernel {theirs}"))
    };
    match (&ours, &theirs) {
        (Ok(_), Verdict::Loads | Verdict::Refuses(_)) => Ok(Agreement::Instruction),
        (Ok(insn), Verdict::NoInstruction(_)) if is_too_new(insn) => Ok(Agreement::TooNew),
        (Err(_), Verdict::NoInstruction(_)) => Ok(Agreement::Refused),
        (Err(_), Verdict::Refuses(why)) if SHADOWED.iter().any(|s| why.contains(s.words)) => {
            Ok(Agreement::Shadowed)
        }
        (Err(error), Verdict::Loads) if overlooks(&error.error) => Ok(Agreement::Overlooked),
        (Err(_), Verdict::Refuses(_)) if candidate.is_random => Ok(Agreement::Shadowed),
        _ => fault(),
    }
}

/// Whether the kernel is known not to look at the field that we refuse.
fn overlooks(error: &DecodeError) -> bool {
    OVERLOOKED.iter().any(|known| match error {
        DecodeError::Field { name, field, .. } => (*name, *field) == (known.name, known.field),
        _ => false,
    })
}

fn decode(candidate: &Candidate) -> Result<Insn, ProgramDecodeError> {
    let slots = [Some(candidate.first), candidate.second];
    let bytes: Vec<u8> = slots
        .into_iter()
        .flatten()
        .flat_map(Slot::to_bytes)
        .collect();
    // A slot that is no wide instruction decodes to one, and the rest is another.
    decode_all(&bytes).map(|insns| insns[0])
}

/// Whether the running kernel came before the row.
fn is_too_new(insn: &Insn) -> bool {
    let running = kernel::version();
    insn.row().since.is_none_or(|(major, minor)| {
        (running.major, running.minor) < (u32::from(major), u32::from(minor))
    })
}
