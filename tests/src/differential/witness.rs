//! The second witness: a program that is accepted runs in the checked interpreter, on packets
//! and contexts made by chance, without a fault.
//!
//! Programs are verified for who may see pointers, and may read the stack where nothing was
//! written: there they find any bytes.
//!
//! Read before: `row.rs`. Read next: `compiled.rs`.

use ebpf_asm::btf::Kind;
use ebpf_asm::helper;
use ebpf_asm::isa::{Callee, Sem};
use ebpf_asm::load_flags::BPF_F_ANY_ALIGNMENT;
use ebpf_asm::map_type::MapType;
use ebpf_asm::object::Object;
use ebpf_asm::prog_type::ProgType;
use ebpf_verifier_sim::interp::{
    Access, Errno, Fault, FaultKind, Input, Machine, Packet, Region, RunError, Takes, Unwritten,
    takes,
};

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
            region: Region::Null,
            ..
        } if is_in_tagged(row, fault.slot, NONNULL) => Seen::Stopped(NULL_OF_CALLER.to_owned()),
        FaultKind::NoMemory {
            access: Access::Read,
            ..
        } if is_in_tagged(row, fault.slot, UNTRUSTED) => Seen::Stopped(UNTRUSTED_READ.to_owned()),
        FaultKind::Misaligned { .. } if row.program.prog_flags() & BPF_F_ANY_ALIGNMENT != 0 => {
            Seen::Stopped(UNALIGNED.to_owned())
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

/// Whether a fault is one of `trace_printk`.
fn prints(fault: &Fault) -> bool {
    let insn = fault
        .insn
        .filter(|insn| insn.sem() == Sem::Call(Callee::Helper));
    let helper = insn.and_then(|insn| helper::by_id(insn.imm()));
    helper.is_some_and(|helper| helper.name == "trace_printk")
}

/// The tag of such parameters.
const NONNULL: &str = "arg:nonnull";

/// What the kernel catches: it reads 0 where there is no memory.
const UNTRUSTED_READ: &str = "a read by an untrusted pointer where no memory is";

/// The tag of parameters that may be such pointers.
const UNTRUSTED: &str = "arg:untrusted";

/// Whether a slot is in a function that has a parameter with this tag.
fn is_in_tagged(row: &Row, slot: usize, tag: &str) -> bool {
    let mut before = row.functions.iter().rev();
    let function = before.find(|(first, _)| *first <= slot);
    let (Some((_, function)), Some(btf)) = (function, &row.object.btf) else {
        return false;
    };
    let is_tag = |kind: &Kind| matches!(kind, Kind::DeclTag { ty, .. } if ty.0 == *function);
    let mut types = btf.types();
    types.any(|(_, known)| btf.str(known.name) == tag && is_tag(&known.kind))
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
