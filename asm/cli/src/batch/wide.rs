//! `LD_IMM64`, which the kernel looks at before it follows any path, in its own order: what a
//! row must have right there, wherever it stands. As observed on Linux 6.18.
//!
//! Read before: `subject.rs`. Read next: `flags.rs`.

use ebpf_asm::insn::{Fields, Insn, Reg, Slot};
use ebpf_asm::isa::{Imm64, Sem, rows_of};
use ebpf_asm::program::Reference;

use super::subject::{Found, StandIn, Unusable, class, is_selected};

/// Whether the slot begins a `LD_IMM64`.
pub(super) fn is_wide(first: Slot) -> bool {
    rows_of(first.opcode).any(|row| matches!(row.sem, Sem::LoadImm64(_)))
}

/// What the row has of an instruction besides its form.
#[derive(Debug, Clone, Copy)]
struct Given {
    imm: i32,
    next_imm: i32,
    /// The map that is listed there.
    map: Option<usize>,
}

/// What is loaded, as the object model has it.
struct Loaded {
    form: Imm64,
    imm: i32,
    next_imm: i32,
    reference: Option<Reference>,
}

/// The instruction, which refers to the map if the row lists it there.
pub(super) fn look(
    first: Slot,
    second: Option<Slot>,
    map: Option<usize>,
) -> Result<Found, Unusable> {
    let second = second.ok_or_else(invalid)?;
    if (Slot { imm: 0, ..second }) != Slot::default() {
        return Err(invalid());
    }
    let given = Given {
        imm: first.imm,
        next_imm: second.imm,
        map,
    };
    let loaded = match form(first).ok_or_else(unrecognized)? {
        Imm64::Value => value(given),
        Imm64::MapFd => whole_map(given),
        Imm64::MapValueFd => map_value(given),
        Imm64::Variable => variable(given),
        Imm64::Code => code(given),
        Imm64::MapIdx if given.next_imm != 0 => Err(unrecognized()),
        // Rows have no such list.
        Imm64::MapIdx | Imm64::MapValueIdx => {
            Err(Unusable::encoding("fd_idx without fd_array is invalid"))
        }
    }?;
    let sem = Sem::LoadImm64(loaded.form);
    let (dst, wrong) = operands(first, sem);
    let fields = Fields {
        dst,
        imm: loaded.imm,
        next_imm: loaded.next_imm,
        ..Fields::default()
    };
    let row = sem.row().ok_or_else(invalid)?;
    Ok(Found {
        insn: Insn::new(row, fields),
        reference: loaded.reference,
        wrong,
    })
}

/// A number. Who lists it leaves it to the loader to say what it is.
fn value(given: Given) -> Result<Loaded, Unusable> {
    match given.map {
        Some(_) => whole_map(given),
        None => Ok(number(Imm64::Value, given)),
    }
}

fn whole_map(given: Given) -> Result<Loaded, Unusable> {
    match given.map {
        _ if given.next_imm != 0 => Err(unrecognized()),
        Some(map) => Ok(referring(Imm64::MapFd, Reference::Map(map))),
        None => Err(no_map(given)),
    }
}

fn map_value(given: Given) -> Result<Loaded, Unusable> {
    let map = given.map.ok_or_else(|| no_map(given))?;
    let offset = given.next_imm as u32;
    Ok(referring(
        Imm64::MapValueFd,
        Reference::MapValue { map, offset },
    ))
}

/// A variable of the kernel. A descriptor in the place of a type's number is an integer's.
fn variable(given: Given) -> Result<Loaded, Unusable> {
    match given.map {
        _ if given.next_imm != 0 => Err(Unusable::encoding(
            "invalid module BTF object FD specified.",
        )),
        Some(_) => Err(Unusable::encoding(
            "pseudo btf_id in ldimm64 isn't KIND_VAR or KIND_FUNC",
        )),
        None => Ok(number(Imm64::Variable, given)),
    }
}

/// A function's address, at whose second number nobody looks.
fn code(given: Given) -> Result<Loaded, Unusable> {
    match given.map {
        Some(_) => Err(Unusable::encoding("call to invalid destination")),
        None => Ok(number(
            Imm64::Code,
            Given {
                next_imm: 0,
                ..given
            },
        )),
    }
}

/// What refers to nothing.
fn number(form: Imm64, given: Given) -> Loaded {
    Loaded {
        form,
        imm: given.imm,
        next_imm: given.next_imm,
        reference: None,
    }
}

/// What refers to something, with no numbers.
fn referring(form: Imm64, reference: Reference) -> Loaded {
    Loaded {
        form,
        imm: 0,
        next_imm: 0,
        reference: Some(reference),
    }
}

/// The register, and what is said to it and to the offset where the instruction is reached.
fn operands(first: Slot, sem: Sem) -> (Reg, Option<(String, StandIn)>) {
    let nearly = |message| Some((message, StandIn::Nearly));
    match (Reg::new(first.dst), first.offset) {
        (Some(dst), 0) => (dst, None),
        (Some(dst), _) => (dst, nearly(format!("{} uses reserved fields", class(sem)))),
        (None, _) => (Reg::R0, nearly(format!("R{} is invalid", first.dst))),
    }
}

fn no_map(given: Given) -> Unusable {
    Unusable::encoding(format!("fd {} is not pointing to valid bpf_map", given.imm))
}

fn unrecognized() -> Unusable {
    Unusable::encoding("unrecognized bpf_ld_imm64 insn")
}

fn invalid() -> Unusable {
    Unusable::encoding("invalid bpf_ld_imm64 insn")
}

/// Which load of 64 bits the slot begins.
fn form(first: Slot) -> Option<Imm64> {
    let row = rows_of(first.opcode).find(|row| is_selected(row, first))?;
    match row.sem {
        Sem::LoadImm64(form) => Some(form),
        _ => None,
    }
}
