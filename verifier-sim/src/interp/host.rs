//! What a program finds around it: the CPU, the clock, chance, and where its words go.

use super::errno::Errno;
use super::helpers::{Timer, View};
use super::stack::{Stack, Unwritten};
use ebpf_asm::btf::Kind;
use ebpf_asm::object::Object;
use std::collections::HashMap;

/// Where a program wants the packet to go instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redirect {
    /// To an interface (`bpf_redirect`).
    Interface {
        /// The interface's index.
        ifindex: u32,
        /// The helper's flags.
        flags: u64,
    },
    /// To an entry of a devmap, cpumap or xskmap (`bpf_redirect_map`).
    Target {
        /// The map's name.
        map: String,
        /// The entry's key.
        key: u32,
        /// The entry's value: an interface index, a queue size, a socket.
        value: Vec<u8>,
    },
}

/// Names a function of the kernel by the id of its BTF type.
pub type KernelFunctions = fn(i32) -> Option<&'static str>;

/// The state outside of the program.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    pub(crate) cpus: usize,
    pub(crate) cpu: usize,
    pub(crate) clock_ns: u64,
    pub(crate) random: Random,
    pub(crate) trace: Vec<String>,
    pub(crate) redirect: Option<Redirect>,
    pub(crate) unwritten: Unwritten,
    /// The names of the kernel's functions by BTF id.
    pub(crate) kernel_functions: KernelFunctions,
    /// The names of what the object takes from the kernel.
    pub(crate) externs: Vec<String>,
    /// Whether a program of the object has a function that is called when it throws.
    pub(crate) catches: Catches,
    /// The sizes of the program's own types by id, in bytes.
    pub(crate) sizes: HashMap<u64, u32>,
    /// What the dynptrs of the run name.
    pub(crate) views: Vec<View>,
    /// The timers in values of maps, by address.
    pub(crate) timers: HashMap<u64, Timer>,
    /// The spin lock that the program holds.
    pub(crate) lock: Option<u64>,
}

impl Host {
    pub(crate) fn new(cpus: usize) -> Host {
        Host {
            cpus,
            cpu: 0,
            clock_ns: 0,
            random: Random::new(0),
            trace: Vec::new(),
            redirect: None,
            unwritten: Unwritten::Fault,
            kernel_functions: |_| None,
            externs: Vec::new(),
            catches: Catches::Nothing,
            sizes: HashMap::new(),
            views: Vec::new(),
            timers: HashMap::new(),
            lock: None,
        }
    }

    /// Learns the object's own types, and what it takes from the kernel.
    pub(crate) fn learn(&mut self, object: &Object) {
        let names = object.externs.iter().map(|of| of.name.clone());
        self.externs = names.collect();
        let Some(btf) = &object.btf else {
            return;
        };
        if btf.exception_callbacks().next().is_some() {
            self.catches = Catches::Exceptions;
        }
        let structs = btf
            .types()
            .filter(|(_, known)| matches!(known.kind, Kind::Struct { .. }));
        let sizes = structs.filter_map(|(id, _)| Some((u64::from(id.0), btf.size_of(id)?)));
        self.sizes = sizes.collect();
    }

    /// Forgets what the last run left.
    pub(crate) fn begin(&mut self) {
        self.trace.clear();
        self.redirect = None;
        self.lock = None;
        self.views.clear();
    }

    /// A new stack frame.
    pub(crate) fn stack(&mut self) -> Stack {
        Stack::new(self.unwritten, &mut self.random)
    }
}

/// What programs of an object catch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Catches {
    Nothing,
    /// What is thrown, with a function that they name.
    Exceptions,
}

/// Pseudo-random numbers that a seed repeats: the generator SplitMix64.
#[derive(Debug, Clone)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random { state: seed }
    }

    pub(crate) fn next(&mut self) -> u32 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ self.state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ mixed >> 31) >> 32) as u32
    }
}

/// What a helper that returns 0 or an error leaves in R0.
pub(crate) fn status(result: Result<(), Errno>) -> u64 {
    match result {
        Ok(()) => 0,
        Err(errno) => errno.r0(),
    }
}
