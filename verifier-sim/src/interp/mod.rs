//! The interpreter: runs programs on real packets with real map semantics, with no kernel.
//!
//! Every memory access is checked, and so is every register that is read: what no verified
//! program does ends the run with a [`Fault`] that says what, where and why. No program can
//! make it panic or run forever, verified or not.
//!
//! ```
//! use ebpf_asm::assembler::Assembler;
//! use ebpf_asm::insn::Reg::*;
//! use ebpf_asm::object::Object;
//! use ebpf_verifier_sim::interp::{Machine, Packet};
//!
//! let mut a = Assembler::new("drop_all");
//! a.mov(R0, 1).exit();
//! let object = Object {
//!     license: "GPL".into(),
//!     programs: vec![a.finish("xdp")?],
//!     ..Object::default()
//! };
//! let mut vm = Machine::new(&object)?;
//! let run = vm.run("drop_all", Packet::new(&[0; 60]))?;
//! assert_eq!((run.ret, run.executed), (1, 2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The files in the order in which they are best read: `address.rs` and `fault.rs`, then
//! `packet.rs`, `ctx.rs`, `stack.rs` and `maps/`, which `memory.rs` joins; `execution.rs`
//! with `registers.rs` and `helpers/`; this one.

mod address;
mod ctx;
mod errno;
mod execution;
mod fault;
pub mod generate;
mod helpers;
mod host;
mod maps;
mod memory;
mod packet;
mod registers;
mod stack;
#[cfg(test)]
mod tests;

pub use address::Region;
pub use errno::Errno;
pub use fault::{Access, Fault, FaultKind};
pub use host::Redirect;
pub use maps::{MapError, MapView, MapViewMut, UpdateMode};
pub use packet::{
    FRAME_SIZE, HEADROOM, MAX_SKB_LEN, MAX_XDP_LEN, Packet, PacketError, SHARED_INFO_SIZE,
    XDP_FRAME_SIZE,
};

use ctx::Ctx;
use ebpf_asm::object::Object;
use ebpf_asm::prog_type::ProgType;
use ebpf_asm::span::Span;
use execution::{Execution, Prepared};
use host::{Host, Random};
use maps::Map;
use memory::{Memory, PacketRule};
use packet::PacketBuffer;
use stack::Stack;

/// The deepest chain of functions (`MAX_CALL_FRAMES`).
pub const MAX_FRAMES: usize = 8;

/// The instructions that a run may execute unless [`Machine::set_budget`] says otherwise.
pub const DEFAULT_BUDGET: u64 = 1 << 25;

/// The CPUs that a machine has unless [`Machine::with_cpus`] says otherwise.
pub const DEFAULT_CPUS: usize = 2;

/// An object's programs and maps, ready to run; maps keep their contents between runs.
#[derive(Debug, Clone)]
pub struct Machine {
    programs: Vec<Prepared>,
    maps: Vec<Map>,
    host: Host,
    budget: u64,
}

/// What a program did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// What it returned: the low 32 bits of R0, as the kernel reads them.
    pub ret: u32,
    /// The packet as it is after.
    pub packet: Vec<u8>,
    /// The metadata before the packet as it is after.
    pub metadata: Vec<u8>,
    /// How many instructions were executed, each counted once, wide ones too.
    pub executed: u64,
    /// Where a redirect helper wants the packet to go, if one was called.
    pub redirect: Option<Redirect>,
    /// The lines that it printed.
    pub trace: Vec<String>,
}

/// Why there is no [`Run`].
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RunError {
    /// The object has no program of this name.
    #[error("the object has no program '{0}'")]
    NoProgram(String),
    /// Programs of the type are not run here.
    #[error("programs of type {0} are not modelled")]
    ProgType(ProgType),
    /// The packet is none that such a program could get.
    #[error(transparent)]
    Packet(#[from] PacketError),
    /// The program did what no verified program does.
    #[error(transparent)]
    Fault(Box<Fault>),
}

/// The object has no map of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the object has no map '{0}'")]
pub struct NoMap(pub String);

impl Machine {
    /// A machine of two CPUs, its maps empty.
    ///
    /// # Errors
    /// If a map's definition is impossible or too large.
    pub fn new(object: &Object) -> Result<Machine, MapError> {
        Machine::with_cpus(object, DEFAULT_CPUS)
    }

    /// A machine of `cpus` CPUs, one at least, its maps empty.
    ///
    /// # Errors
    /// If a map's definition is impossible or too large.
    pub fn with_cpus(object: &Object, cpus: usize) -> Result<Machine, MapError> {
        let cpus = cpus.max(1);
        if object.maps.len() > address::MAX_MAPS {
            return Err(MapError::TooMany(object.maps.len()));
        }
        let maps = object.maps.iter().map(|map| Map::new(map, cpus));
        Ok(Machine {
            programs: object.programs.iter().map(Prepared::new).collect(),
            maps: maps.collect::<Result<_, _>>()?,
            host: Host::new(cpus),
            budget: DEFAULT_BUDGET,
        })
    }

    /// Sets the CPU that programs run on and per-CPU maps are seen from; one that the
    /// machine does not have becomes the last.
    pub fn set_cpu(&mut self, cpu: usize) {
        self.host.cpu = cpu.min(self.host.cpus - 1);
    }

    /// Sets what the clock helpers return, in nanoseconds.
    pub fn set_clock_ns(&mut self, clock_ns: u64) {
        self.host.clock_ns = clock_ns;
    }

    /// Starts the pseudo-random numbers from `seed`.
    pub fn set_seed(&mut self, seed: u64) {
        self.host.random = Random::new(seed);
    }

    /// Sets how many instructions a run may execute.
    pub fn set_budget(&mut self, instructions: u64) {
        self.budget = instructions;
    }

    /// Runs a program.
    ///
    /// # Errors
    /// If there is no such program, the packet is none that it could get, or the program
    /// does what no verified program does. Maps keep what was written until then.
    pub fn run(&mut self, program: &str, packet: Packet) -> Result<Run, RunError> {
        let prepared = self.programs.iter().find(|p| p.program.name == program);
        let prepared = prepared.ok_or_else(|| RunError::NoProgram(program.to_owned()))?;
        let memory = memory(prepared.program.prog_type, &packet, &mut self.maps)?;
        self.host.trace.clear();
        self.host.redirect = None;
        let mut execution = Execution::new(prepared, memory, &mut self.host);
        let ended = execution.run(self.budget).and_then(|r0| {
            let held = held_records(execution.memory.maps);
            match held {
                0 => Ok(r0),
                _ => Err(FaultKind::UnreleasedRecords(held)),
            }
        });
        release_records(execution.memory.maps);
        match ended {
            Ok(r0) => Ok(finished(&execution, r0)),
            Err(kind) => Err(RunError::Fault(Box::new(faulted(&execution, kind)))),
        }
    }

    /// A map, to look at from the current CPU.
    ///
    /// # Errors
    /// If there is no map of this name.
    pub fn map(&self, name: &str) -> Result<MapView<'_>, NoMap> {
        let map = self.maps.iter().find(|map| map.definition().name == name);
        let map = map.ok_or_else(|| NoMap(name.to_owned()))?;
        Ok(MapView::new(map, self.host.cpu, self.host.cpus))
    }

    /// A map, to change from the current CPU.
    ///
    /// # Errors
    /// If there is no map of this name.
    pub fn map_mut(&mut self, name: &str) -> Result<MapViewMut<'_>, NoMap> {
        let map = self
            .maps
            .iter_mut()
            .find(|map| map.definition().name == name);
        let map = map.ok_or_else(|| NoMap(name.to_owned()))?;
        Ok(MapViewMut::new(map, self.host.cpu))
    }
}

/// The memory that a program of this type begins with.
fn memory<'m>(
    prog_type: ProgType,
    packet: &Packet,
    maps: &'m mut [Map],
) -> Result<Memory<'m>, RunError> {
    let ctx = Ctx::new(prog_type, packet).ok_or(RunError::ProgType(prog_type))?;
    let buffer = match prog_type {
        ProgType::Xdp => PacketBuffer::xdp(packet)?,
        _ => PacketBuffer::skb(packet)?,
    };
    let packet_rule = match prog_type {
        ProgType::SocketFilter => PacketRule::NoPointers,
        _ => PacketRule::Writable,
    };
    Ok(Memory {
        stacks: vec![Stack::new()],
        ctx,
        packet: buffer,
        maps,
        packet_rule,
    })
}

fn held_records(maps: &[Map]) -> usize {
    let rings = maps.iter().filter_map(Map::ring_ref);
    rings.map(maps::Ring::held_count).sum()
}

fn release_records(maps: &mut [Map]) {
    for ring in maps.iter_mut().filter_map(Map::ring) {
        ring.discard_held();
    }
}

fn finished(execution: &Execution<'_>, r0: u64) -> Run {
    Run {
        ret: r0 as u32,
        packet: execution.memory.packet.bytes().to_vec(),
        metadata: execution.memory.packet.metadata().to_vec(),
        executed: execution.executed,
        redirect: execution.host.redirect.clone(),
        trace: execution.host.trace.clone(),
    }
}

fn faulted(execution: &Execution<'_>, kind: FaultKind) -> Fault {
    let program = &execution.prepared.program;
    Fault {
        program: program.name.clone(),
        slot: execution.slot,
        insn: execution.prepared.insn(execution.slot).copied(),
        span: program.span(execution.slot).map(Span::to_owned),
        kind,
    }
}
