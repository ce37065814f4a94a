//! Tests of whole runs, by concern.

mod alu;
mod any_program;
mod calls;
mod contexts;
mod faults;
mod helpers;
mod memory;
mod reach;

use super::{Fault, FaultKind, Machine, Packet, Run, RunError};
use ebpf_asm::assembler::Assembler;
use ebpf_asm::map_type::MapType;
use ebpf_asm::object::{Map, Object};

/// A packet of 64 bytes: 0, 1, 2...
fn packet() -> Packet {
    let bytes: Vec<u8> = (0..64).collect();
    Packet::new(&bytes)
}

/// An object with one program, `p`, of a section.
fn object(section: &str, maps: Vec<Map>, code: impl FnOnce(&mut Assembler)) -> Object {
    let mut asm = Assembler::new("p");
    code(&mut asm);
    Object {
        license: "GPL".into(),
        programs: vec![asm.finish(section).unwrap()],
        maps,
        ..Object::default()
    }
}

/// A map `m`.
fn map(map_type: MapType, key_size: u32, value_size: u32, max_entries: u32) -> Map {
    super::maps::definition(map_type, key_size, value_size, max_entries)
}

/// Runs an XDP program without maps on [`packet`].
fn run(code: impl FnOnce(&mut Assembler)) -> Result<Run, RunError> {
    run_with(Vec::new(), code)
}

/// Runs an XDP program on [`packet`].
fn run_with(maps: Vec<Map>, code: impl FnOnce(&mut Assembler)) -> Result<Run, RunError> {
    let mut machine = Machine::new(&object("xdp", maps, code)).unwrap();
    machine.run("p", packet())
}

/// The fault that a run must end with.
fn fault(result: Result<Run, RunError>) -> Fault {
    match result {
        Err(RunError::Fault(fault)) => *fault,
        other => panic!("no fault: {other:?}"),
    }
}

/// What the fault that a run must end with is about.
fn kind(result: Result<Run, RunError>) -> FaultKind {
    fault(result).kind
}
