//! The second witness: a program that is accepted runs in the checked interpreter, on packets
//! and contexts made by chance, without a fault.
//!
//! Programs are verified for who may see pointers, and may read the stack where nothing was
//! written: there they find any bytes.
//!
//! Read before: `row.rs`. Read next: `compiled.rs`.

use ebpf_asm::btf::{Kind, Linkage, TypeId};
use ebpf_asm::helper::{self, Arg, Helper};
use ebpf_asm::insn::{Insn, Reg};
use ebpf_asm::isa::{Callee, Sem};
use ebpf_asm::load_flags::BPF_F_ANY_ALIGNMENT;
use ebpf_asm::map_type::MapType;
use ebpf_asm::object::Object;
use ebpf_asm::prog_type::ProgType;
use ebpf_asm::program::Program;
use ebpf_verifier_sim::interp::{
    Access, Errno, Fault, FaultKind, Input, Machine, Packet, Region, RunError, Takes, Unwritten,
    takes,
};

use std::collections::BTreeSet;

use super::Chance;
use super::row::Row;
use crate::kernel_types;

/// How often each program runs.
const RUNS: u64 = 3;

/// Instructions of a run; what is verified ends, and the interpreter need not wait for it.
const BUDGET: u64 = 1 << 16;

/// The lengths of packets.
const LENGTHS: [usize; 6] = [14, 15, 34, 60, 100, 300];

/// What the interpreter saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// All runs ended.
    Ended,
    /// A run was stopped before its end, without a fault: by this.
    Stopped(String),
    /// The program has something that the interpreter does not know.
    NotKnown(String),
    /// A run met a fault.
    Fault(String),
}

/// Runs a program.
#[must_use]
pub fn runs(row: &Row, seed: u64) -> Seen {
    let object = match row.whole() {
        Ok(object) => object,
        Err(error) => return Seen::NotKnown(error.to_string()),
    };
    let mut machine = match Machine::new(&object) {
        Ok(machine) => machine,
        Err(error) => return Seen::NotKnown(error.to_string()),
    };
    machine.set_budget(BUDGET);
    machine.set_unwritten(Unwritten::Chance);
    machine.set_kernel_functions(kernel_types::function_name);
    if let Err(errno) = fill(&mut machine, &object, &row.program.name) {
        return Seen::NotKnown(errno.to_string());
    }
    let mut seen = Seen::Ended;
    let mut chance = Chance::new(seed);
    for _ in 0..RUNS {
        machine.set_seed(chance.number());
        let Some(input) = input(row.program.prog_type, &mut chance) else {
            return Seen::NotKnown(format!("programs of type {}", row.program.prog_type));
        };
        match machine.run(&row.program.name, input) {
            Ok(_) => {}
            Err(RunError::Fault(fault)) => match met(row, &fault) {
                Seen::Stopped(by) => seen = Seen::Stopped(by),
                other => return other,
            },
            Err(error) => return Seen::NotKnown(error.to_string()),
        }
    }
    seen
}

/// What a fault says of the program.
fn met(row: &Row, fault: &Fault) -> Seen {
    match &fault.kind {
        FaultKind::NotModelled(what) => Seen::NotKnown(what.clone()),
        FaultKind::BudgetUsedUp(_) => Seen::Stopped(fault.kind.to_string()),
        _ if prints(fault) => Seen::Stopped(PRINTED.to_owned()),
        FaultKind::NoMemory {
            access: Access::Read,
            region: Region::Map { .. },
            ..
        } => Seen::NotKnown(MAP_ITSELF.to_owned()),
        FaultKind::NoMemory {
            access: Access::Read,
            region: Region::Null,
            ..
        } if helper_of(fault).is_some_and(|helper| takes_null(helper, row.program.prog_type)) => {
            Seen::Stopped(NULL_OF_A_SIZE.to_owned())
        }
        FaultKind::NoMemory {
            region: Region::Null,
            ..
        } if tagged(row, fault.slot, NONNULL).next().is_some() => {
            Seen::Stopped(NULL_OF_CALLER.to_owned())
        }
        FaultKind::NoMemory {
            access: Access::Read,
            ..
        }
        | FaultKind::Misaligned {
            access: Access::Read,
            ..
        } if reads_untrusted(row, fault) => Seen::Stopped(UNTRUSTED_READ.to_owned()),
        FaultKind::Misaligned { .. }
            if (row.program.prog_flags() | row.prog_flags) & BPF_F_ANY_ALIGNMENT != 0 =>
        {
            Seen::Stopped(UNALIGNED.to_owned())
        }
        FaultKind::Misaligned { .. } if is_in_global(row, fault.slot) => {
            Seen::Stopped(UNALIGNED_BY_CALLER.to_owned())
        }
        FaultKind::OutOfBounds {
            region: Region::Ctx,
            offset: ..0,
            ..
        } if row.program.prog_type == ProgType::Tracepoint => {
            Seen::Stopped(BEFORE_RECORD.to_owned())
        }
        kind => Seen::Fault(kind.to_string()),
    }
}

/// Programs may read of a map what the kernel keeps of it, by the kernel's types.
const MAP_ITSELF: &str = "the kernel's own part of a map";

/// What the kernel overlooks: it takes a constant 0 for a parameter that is tagged as never
/// null, and verifies the function as if it were none.
const NULL_OF_CALLER: &str = "a null that the kernel takes for a parameter tagged nonnull";

/// What a format asks for, nobody knows before it runs: the kernel reads registers as they are, and
/// texts with care.
const PRINTED: &str = "what trace_printk is to print, and is not there";

/// What the loader asked for, and the machine allows.
const UNALIGNED: &str = "an address that the size does not divide, with BPF_F_ANY_ALIGNMENT";

/// What the kernel (6.18) overlooks.
const BEFORE_RECORD: &str = "bytes before the record of a tracepoint";

/// What the kernel (6.18) overlooks: where null may stand for memory, it takes a pointer that may
/// be null, and does not ask that the size then be 0.
const NULL_OF_A_SIZE: &str = "a null that the kernel takes for memory of a size";

/// What the kernel (6.18) overlooks: a global function may rely on memory that it is handed being
/// aligned, which nobody asks of its caller.
const UNALIGNED_BY_CALLER: &str =
    "an address, handed to a global function, that the size does not divide";

/// Whether a slot is in a global function that the program calls.
fn is_in_global(row: &Row, slot: usize) -> bool {
    let function = row.functions.iter().rev().find(|(first, _)| *first <= slot);
    let called = function.filter(|(first, _)| *first > 0);
    let kind = |id: u32| Some(row.object.btf.as_ref()?.get(TypeId(id))?.kind.clone());
    let linkage = called.and_then(|(_, id)| match kind(*id)? {
        Kind::Func { linkage, .. } => Some(linkage),
        _ => None,
    });
    linkage == Some(Linkage::Global)
}

/// The helper whose call a fault is met in.
fn helper_of(fault: &Fault) -> Option<&'static Helper> {
    let insn = fault
        .insn
        .filter(|insn| insn.sem() == Sem::Call(Callee::Helper));
    insn.and_then(|insn| helper::by_id(insn.imm()))
}

/// Whether a fault is one of `trace_printk`.
fn prints(fault: &Fault) -> bool {
    helper_of(fault).is_some_and(|helper| helper.name == "trace_printk")
}

/// Whether null may stand for memory that a helper reads.
fn takes_null(helper: &Helper, prog_type: ProgType) -> bool {
    helper.proto(prog_type).args.contains(&Arg::MemOrNull)
}

/// The tag of such parameters.
const NONNULL: &str = "arg:nonnull";

/// What the kernel catches: it reads 0 where there is no memory.
const UNTRUSTED_READ: &str = "a read by an untrusted pointer where no memory is";

/// The tag of parameters that may be such pointers.
const UNTRUSTED: &str = "arg:untrusted";

/// The parameters with this tag of the function that a slot is in, by their indexes.
fn tagged<'r>(row: &'r Row, slot: usize, tag: &'r str) -> impl Iterator<Item = usize> + 'r {
    let function = row.functions.iter().rev().find(|(first, _)| *first <= slot);
    let of_function = function.zip(row.object.btf.as_ref());
    of_function
        .into_iter()
        .flat_map(move |((_, function), btf)| {
            btf.types().filter_map(move |(_, known)| match known.kind {
                Kind::DeclTag { ty, component, .. }
                    if ty.0 == *function && btf.str(known.name) == tag =>
                {
                    usize::try_from(component).ok()
                }
                _ => None,
            })
        })
}

/// Whether a load reads by what may have come, in the function that it is in, from a parameter that
/// is tagged as untrusted: wherever in the function it was copied, added to, kept on the stack or
/// followed.
fn reads_untrusted(row: &Row, fault: &Fault) -> bool {
    let is_load = |insn: &&Insn| matches!(insn.sem(), Sem::Load { .. } | Sem::LoadSx { .. });
    let Some(load) = fault.insn.as_ref().filter(is_load) else {
        return false;
    };
    let params = tagged(row, fault.slot, UNTRUSTED);
    let params = params.filter_map(|index| Reg::ALL.get(index + 1).copied());
    let mut from: BTreeSet<Reg> = params.collect();
    let Ok(object) = row.whole() else {
        return false;
    };
    let firsts = || row.functions.iter().map(|(first, _)| *first);
    let begin = firsts().filter(|first| *first <= fault.slot).max();
    let end = firsts().find(|first| *first > fault.slot);
    let function = begin.unwrap_or(0)..end.unwrap_or(usize::MAX);
    let programs = object.programs.iter();
    let slots = programs.flat_map(Program::slots);
    let insns = slots.filter(|(slot, _)| function.contains(slot));
    let insns: Vec<&Insn> = insns.map(|(_, insn)| insn).collect();
    // Each round adds a register, or is the last.
    let mut known = 0;
    while known < from.len() {
        known = from.len();
        for insn in &insns {
            let comes = match insn.sem() {
                Sem::Mov { .. } | Sem::Alu { .. } | Sem::Load { .. } => insn.dst(),
                // What was kept is read again by any pointer to the stack.
                Sem::Store { .. } => Reg::R10,
                _ => continue,
            };
            if from.contains(&insn.src()) {
                from.insert(comes);
            }
        }
    }
    from.contains(&load.src())
}

/// What a run of a program of this type begins with.
fn input(prog_type: ProgType, chance: &mut Chance) -> Option<Input> {
    Some(match takes(prog_type)? {
        Takes::Context { most } => Input::Context(bytes(most, chance)),
        Takes::Packet => {
            let length = chance.pick(&LENGTHS);
            let packet = Packet::new(&bytes(length, chance));
            Input::Packet(packet.mark(chance.corner() as u32))
        }
    })
}

fn bytes(count: usize, chance: &mut Chance) -> Vec<u8> {
    (0..count).map(|_| chance.corner() as u8).collect()
}

/// Gives maps of programs the program itself, and maps of maps a map, at the first place each.
fn fill(machine: &mut Machine, object: &Object, program: &str) -> Result<(), Errno> {
    for map in &object.maps {
        match map.map_type {
            MapType::ProgArray => machine.set_program(&map.name, 0, program)?,
            MapType::ArrayOfMaps => machine.fill_inner(&map.name, &[0; 4])?,
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ebpf_asm::text::parse;

    /// What is seen of a program whose function has such instructions, and a parameter that is
    /// tagged as untrusted, for which it gets a number.
    fn seen(insns: &str) -> Seen {
        seen_of("r1 = 5", insns)
    }

    /// The same, where the parameter is handed so.
    fn seen_of(argument: &str, insns: &str) -> Seen {
        let text = format!(
            ".prog xdp program type_id=4\n{argument}\n call f\n r0 = 2\n exit\n\
             .func f type_id=6\n{insns}\n r0 = 0\n exit\n.btf\n\
             [1] INT 'int' size=4 encoding=SIGNED\n\
             [2] PTR '(anon)' type_id=1\n\
             [3] FUNC_PROTO '(anon)' ret_type_id=1\n\
             [4] FUNC 'program' type_id=3 linkage=global\n\
             [5] FUNC_PROTO '(anon)' ret_type_id=1\n        'number' type_id=2\n\
             [6] FUNC 'f' type_id=5 linkage=global\n\
             [7] DECL_TAG '{UNTRUSTED}' type_id=6 component_idx=0\n"
        );
        let object = parse("witness", &text).unwrap();
        runs(&Row::of(&object, &object.programs[0]), 1)
    }

    #[test]
    fn reads_by_what_a_parameter_gave_are_caught() {
        let caught = Seen::Stopped(UNTRUSTED_READ.to_owned());
        assert_eq!(seen("r0 = *(u32 *)(r1 + 0)"), caught);
        assert_eq!(seen("r3 = r1\n r3 += 8\n r0 = *(u32 *)(r3 + 0)"), caught);
        let kept = "*(u64 *)(r10 - 8) = r1\n r4 = *(u64 *)(r10 - 8)\n r0 = *(u32 *)(r4 + 0)";
        assert_eq!(seen(kept), caught);
    }

    #[test]
    fn null_for_memory_is_overlooked() {
        let insns = "r1 = 0\n r2 = 0\n r3 = 0\n r4 = 8\n r5 = 0\n call bpf_csum_diff";
        assert_eq!(seen(insns), Seen::Stopped(NULL_OF_A_SIZE.to_owned()));
    }

    #[test]
    fn what_a_global_function_is_handed_may_lie_anywhere() {
        let unaligned = "*(u64 *)(r10 - 16) = 0\n r1 = r10\n r1 += -12";
        let atomic = "r0 = 1\n lock *(u64 *)(r1 + 0) += r0";
        let stopped = Seen::Stopped(UNALIGNED_BY_CALLER.to_owned());
        assert_eq!(seen_of(unaligned, atomic), stopped);
    }

    #[test]
    fn other_reads_of_no_memory_are_faults() {
        let fault = seen("r3 = 5\n r0 = *(u32 *)(r3 + 0)");
        assert!(matches!(fault, Seen::Fault(_)), "{fault:?}");
        let fault = seen("*(u32 *)(r1 + 0) = 1");
        assert!(matches!(fault, Seen::Fault(_)), "{fault:?}");
    }
}
