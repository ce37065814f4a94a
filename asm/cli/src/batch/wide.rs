//! `LD_IMM64`, which the kernel looks at before it follows any path, in its own order: what a
//! row must have right there, wherever it stands. As observed on Linux 6.18.
//!
//! Read before: `subject.rs`. Read next: `flags.rs`.

use ebpf_asm::insn::{Insn, Slot};
use ebpf_asm::isa::{Field, Imm64, Sem, rows_of};
use ebpf_asm::program::Reference;

use super::subject::{Found, StandIn, Unusable};

/// The register of the highest number that programs have.
const LAST_REGISTER: u8 = 10;

/// Whether the slot begins a `LD_IMM64`.
pub(super) fn is_wide(first: Slot) -> bool {
    rows_of(first.opcode).any(|row| matches!(row.sem, Sem::LoadImm64(_)))
}

/// The instruction, which refers to the map if the row lists it there.
pub(super) fn look(
    first: Slot,
    second: Option<Slot>,
    map: Option<usize>,
) -> Result<Found, Unusable> {
    let second = second.ok_or_else(invalid)?;
    let form = form(first);
    if (Slot { imm: 0, ..second }) != Slot::default() {
        return Err(invalid());
    }
    let numbers = |kind, imm, next_imm| (src_of(kind), imm, next_imm);
    let ((src, imm, next_imm), reference) = match (form, map) {
        // Nobody looks at the second number of a function's address.
        (Some(Imm64::Code), None) => (numbers(Imm64::Code, first.imm, 0), None),
        (Some(Imm64::Code), Some(_)) => return refused("call to invalid destination"),
        (Some(Imm64::Value), None) => (numbers(Imm64::Value, first.imm, second.imm), None),
        (Some(Imm64::MapFd | Imm64::MapIdx), _) if second.imm != 0 => return unrecognized(),
        // Who lists a plain number leaves it to the loader to say what it is.
        (Some(Imm64::Value), Some(_)) if second.imm != 0 => return unrecognized(),
        (Some(Imm64::Value | Imm64::MapFd), Some(map)) => {
            (numbers(Imm64::MapFd, 0, 0), Some(Reference::Map(map)))
        }
        (Some(Imm64::MapValueFd), Some(map)) => {
            let offset = second.imm as u32;
            let reference = Reference::MapValue { map, offset };
            (numbers(Imm64::MapValueFd, 0, 0), Some(reference))
        }
        (Some(Imm64::MapFd | Imm64::MapValueFd), None) => {
            return refused(format!("fd {} is not pointing to valid bpf_map", first.imm));
        }
        // Rows have no such list.
        (Some(Imm64::MapIdx | Imm64::MapValueIdx), _) => {
            return refused("fd_idx without fd_array is invalid");
        }
        (Some(Imm64::Variable), _) if second.imm != 0 => {
            return refused("invalid module BTF object FD specified.");
        }
        (Some(Imm64::Variable), None) => (numbers(Imm64::Variable, first.imm, 0), None),
        // A descriptor in the place of a type's number, which is an integer's.
        (Some(Imm64::Variable), Some(_)) => {
            return refused("pseudo btf_id in ldimm64 isn't KIND_VAR or KIND_FUNC");
        }
        (None, _) => return unrecognized(),
    };
    let (dst, wrong) = operands(first);
    let first = Slot {
        dst,
        src,
        offset: 0,
        imm,
        ..first
    };
    let second = Slot {
        imm: next_imm,
        ..Slot::default()
    };
    Ok(Found {
        insn: Insn::decode(first, Some(second)).map_err(|_| invalid())?,
        reference,
        wrong,
    })
}

/// The register, and what is said to it and to the offset where the instruction is reached.
fn operands(first: Slot) -> (u8, Option<(String, StandIn)>) {
    match (first.dst, first.offset) {
        (dst @ 0..=LAST_REGISTER, 0) => (dst, None),
        (dst @ 0..=LAST_REGISTER, _) => {
            let message = "BPF_LD_IMM64 uses reserved fields".to_owned();
            (dst, Some((message, StandIn::Nearly)))
        }
        (dst, _) => (0, Some((format!("R{dst} is invalid"), StandIn::Nearly))),
    }
}

fn refused(message: impl Into<String>) -> Result<Found, Unusable> {
    Err(Unusable::encoding(message))
}

fn unrecognized() -> Result<Found, Unusable> {
    refused("unrecognized bpf_ld_imm64 insn")
}

fn invalid() -> Unusable {
    Unusable::encoding("invalid bpf_ld_imm64 insn")
}

/// Which load of 64 bits the slot begins, by its `src_reg`.
fn form(first: Slot) -> Option<Imm64> {
    rows_of(first.opcode).find_map(|row| match row.sem {
        Sem::LoadImm64(kind) if src_of(kind) == first.src => Some(kind),
        _ => None,
    })
}

/// The `src_reg` of a load of 64 bits that is this.
fn src_of(kind: Imm64) -> u8 {
    match Sem::LoadImm64(kind).row().map(|row| row.src) {
        Some(Field::Is(number)) => number as u8,
        _ => 0,
    }
}
