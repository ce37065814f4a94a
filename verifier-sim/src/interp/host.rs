//! What a program finds around it: the CPU, the clock, chance, and where its words go.

use super::errno::Errno;

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

/// The state outside of the program.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    pub(crate) cpus: usize,
    pub(crate) cpu: usize,
    pub(crate) clock_ns: u64,
    pub(crate) random: Random,
    pub(crate) trace: Vec<String>,
    pub(crate) redirect: Option<Redirect>,
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
        }
    }
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
