//! The interpreter: runs programs on real packets with real map semantics, with no kernel.
//!
//! Which program types have which context stands in `ctx/layout.rs`, which helpers are known in
//! `helpers/mod.rs`, which functions of the kernel in `helpers/kernel.rs`; anything else is
//! named in a fault. There is one thread, the clock stands still while a program runs, and
//! there are no sockets.
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
//! `packet.rs`, `ctx/`, `input.rs`, `stack.rs` and `maps/`, which `memory.rs` joins;
//! `execution.rs` with `registers.rs`, `callback.rs` and `helpers/`; this one.

mod address;
mod callback;
mod ctx;
mod errno;
mod execution;
mod fault;
pub mod generate;
mod helpers;
mod host;
mod input;
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
pub use host::{KernelFunctions, Redirect};
pub use input::{Input, takes};
pub use maps::{MapError, MapView, MapViewMut, UpdateMode};
pub use packet::{
    FRAME_SIZE, HEADROOM, MAX_SKB_LEN, MAX_XDP_LEN, Packet, PacketError, SHARED_INFO_SIZE,
    XDP_FRAME_SIZE,
};
pub use stack::Unwritten;

use ctx::PacketUse;
use ebpf_asm::object::Object;
use ebpf_asm::prog_type::ProgType;
use ebpf_asm::span::Span;
use execution::{Execution, Prepared};
use host::{Host, Random};
use maps::Map;
use memory::Memory;
use std::fmt;

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
    /// Objects that programs have made: maps can keep them between runs.
    objects: Vec<Option<Vec<u8>>>,
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
    /// The context as it is after, where the program was given one; else empty.
    pub context: Vec<u8>,
    /// How many instructions were executed, each counted once, wide ones too.
    pub executed: u64,
    /// Where a redirect helper wants the packet to go, if one was called.
    pub redirect: Option<Redirect>,
    /// The lines that it printed.
    pub trace: Vec<String>,
}

/// What programs of a type are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// A packet.
    Packet,
    /// The bytes of a context.
    Context {
        /// So many at most.
        most: usize,
    },
}

impl fmt::Display for Takes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Takes::Packet => f.write_str("a packet"),
            Takes::Context { most } => write!(f, "the bytes of a context, {most} at most"),
        }
    }
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
    /// Programs of the type are given something else.
    #[error("programs of type {prog_type} are given {takes}")]
    Input {
        /// The type.
        prog_type: ProgType,
        /// What they are given.
        takes: Takes,
    },
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
        let mut host = Host::new(cpus);
        host.learn(object);
        Ok(Machine {
            programs: object.programs.iter().map(Prepared::new).collect(),
            maps: maps.collect::<Result<_, _>>()?,
            objects: Vec::new(),
            host,
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

    /// Sets what programs find on the stack where they wrote nothing.
    pub fn set_unwritten(&mut self, unwritten: Unwritten) {
        self.host.unwritten = unwritten;
    }

    /// Sets the names of the kernel's functions for calls by BTF id; without them only calls
    /// that the object names are known.
    pub fn set_kernel_functions(&mut self, names: KernelFunctions) {
        self.host.kernel_functions = names;
    }

    /// Runs a program on a packet, or on a context: [`takes`] says which.
    ///
    /// # Errors
    /// If there is no such program, the packet or context is none that it could get, or the
    /// program does what no verified program does. Maps keep what was written until then.
    pub fn run(&mut self, program: &str, input: impl Into<Input>) -> Result<Run, RunError> {
        let prepared = self.programs.iter().find(|p| p.program.name == program);
        let prepared = prepared.ok_or_else(|| RunError::NoProgram(program.to_owned()))?;
        let (ctx, packet) = input::begin(prepared.program.prog_type, &input.into())?;
        self.host.begin();
        let memory = Memory {
            stacks: vec![self.host.stack()],
            ctx,
            packet,
            maps: &mut self.maps,
            objects: &mut self.objects,
        };
        let mut execution = Execution::new(&self.programs, prepared, memory, &mut self.host);
        let ended = execution.run(self.budget);
        let ended = ended.and_then(|r0| nothing_held(&execution).map(|()| r0));
        release_records(execution.memory.maps);
        match ended {
            Ok(r0) => Ok(finished(&execution, r0)),
            Err(kind) => Err(RunError::Fault(Box::new(faulted(&execution, kind)))),
        }
    }

    /// Sets the program that `tail_call` finds at an index of a `prog_array`.
    ///
    /// # Errors
    /// `ENOENT` if there is no such map or program, `E2BIG` for an index behind the end,
    /// `EINVAL` if the map is no `prog_array`.
    pub fn set_program(&mut self, map: &str, index: u32, program: &str) -> Result<(), Errno> {
        let mut programs = self.programs.iter();
        let program = programs.position(|p| p.program.name == program);
        let program = program.ok_or(Errno::NoEntry)?;
        self.named(map)?.set_program(index, program)
    }

    /// Makes a map as the definition of a map of maps says, and sets it for `key`.
    ///
    /// # Errors
    /// `ENOENT` if there is no such map, `E2BIG` if it has no room, `EINVAL` if it is no map of
    /// maps, or the maps in it cannot be made.
    pub fn fill_inner(&mut self, map: &str, key: &[u8]) -> Result<(), Errno> {
        let (index, cpus) = (self.maps.len(), self.host.cpus);
        let inner = self.named(map)?.definition().inner.clone();
        let inner = inner.ok_or(Errno::Invalid)?;
        let inner = Map::new(&inner, cpus).map_err(|_| Errno::Invalid)?;
        if index >= address::MAX_MAPS {
            return Err(Errno::TooBig);
        }
        self.named(map)?.set_inner(key, index)?;
        self.maps.push(inner);
        Ok(())
    }

    fn named(&mut self, name: &str) -> Result<&mut Map, Errno> {
        let mut maps = self.maps.iter_mut();
        let map = maps.find(|map| map.definition().name == name);
        map.ok_or(Errno::NoEntry)
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

/// That the program gave back what it has to.
fn nothing_held(execution: &Execution<'_>) -> Result<(), FaultKind> {
    if execution.host.lock.is_some() {
        return Err(FaultKind::HeldLock);
    }
    match held_records(execution.memory.maps) {
        0 => Ok(()),
        held => Err(FaultKind::UnreleasedRecords(held)),
    }
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
        context: match execution.memory.ctx.packet() {
            PacketUse::None => execution.memory.ctx.all().to_vec(),
            _ => Vec::new(),
        },
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
