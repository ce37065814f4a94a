//! Whom the verifier answers for: a kernel release and the capabilities of the loader.
//!
//! Statements about Linux 6.18 are tested against that kernel, but those about programs at functions
//! of the kernel and at security hooks, which kernels that are locked down do not load: these are of
//! 6.12, where all functions and hooks were asked. Those about older releases come
//! from its documentation and the UAPI's history. Linux 6.1 and 6.12 were asked for the programs in
//! `tests/cases`, for every helper from every type of program, for thousands of generated programs,
//! and for the kernel's own tests of 6.12: what they refused and was accepted here became cases,
//! which name them.
//!
//! Read before: nothing. Read next: `diag.rs`.

use ebpf_asm::isa::KernelVersion;
use std::ops::BitOr;

/// The newest kernel whose verifier this one was compared with.
pub const NEWEST: KernelVersion = (6, 18);

/// For whom to verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// The kernel that will load the program.
    pub kernel: KernelVersion,
    /// What the loading process may do.
    pub capabilities: Capabilities,
    /// How accesses to memory must be aligned.
    pub alignment: Alignment,
    /// How many CPUs the machine can have, which bounds `bpf_get_smp_processor_id`; `None` if
    /// that is not known.
    pub cpus: Option<u32>,
    /// How often states are kept.
    pub states: StateFreq,
    /// What is done where knowledge contradicts itself.
    pub invariants: Invariants,
    /// What is put into the upper half of registers where nothing reads it.
    pub upper_halves: UpperHalves,
}

/// What is put into the upper half of a register that was written with 32 bits, where the half is
/// not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UpperHalves {
    /// What the processor puts there.
    #[default]
    Any,
    /// A random number, by three instructions more (`BPF_F_TEST_RND_HI32`).
    Random,
}

/// What is done where what is known of a number contradicts itself, as on a way that is never
/// taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Invariants {
    /// Its bounds are forgotten.
    #[default]
    Mended,
    /// The program is refused (`BPF_F_TEST_REG_INVARIANTS`).
    Checked,
}

/// How often states are kept that later ones are compared with. What is found out is the same,
/// only with more or less work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StateFreq {
    /// When enough happened since the last one.
    #[default]
    Paced,
    /// Wherever one can be kept (`BPF_F_TEST_STATE_FREQ`).
    Always,
}

/// How accesses to packets, map values and other memory must be aligned. Those to the stack
/// and to the context must be always.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Alignment {
    /// Not at all: the processor takes every address. So it is on x86 and arm64.
    #[default]
    Any,
    /// To their size (`BPF_F_STRICT_ALIGNMENT`).
    Strict,
}

impl Default for Config {
    /// The newest kernel, and root.
    fn default() -> Config {
        Config {
            kernel: NEWEST,
            capabilities: Capabilities::ALL,
            alignment: Alignment::Any,
            cpus: None,
            states: StateFreq::Paced,
            invariants: Invariants::Mended,
            upper_halves: UpperHalves::Any,
        }
    }
}

impl Config {
    /// Whether the kernel is `version` or newer.
    pub fn since(&self, version: KernelVersion) -> bool {
        self.kernel >= version
    }

    /// Whether pointers may be seen as numbers, and uninitialised stack be read:
    /// capabilities(7), `CAP_PERFMON`.
    pub fn may_leak_pointers(&self) -> bool {
        self.capabilities.has(Capabilities::PERFMON)
    }

    /// Whether the full instruction set is open: loops, local calls, precise scalars
    /// (`CAP_BPF`).
    pub fn may_use_bpf(&self) -> bool {
        self.capabilities.has(Capabilities::BPF)
    }

    /// Whether bytes of the stack that were never written may be read: with `CAP_PERFMON`,
    /// since Linux 6.3. Late releases of 6.1 take it too (6.1.176 does); the first ones do not, so
    /// that it is refused for 6.1.
    pub fn may_read_uninit_stack(&self) -> bool {
        self.may_leak_pointers() && self.since((6, 3))
    }
}

/// A set of capabilities, as far as the verifier looks at them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities(u8);

impl Capabilities {
    /// None: an unprivileged user.
    pub const NONE: Capabilities = Capabilities(0);
    /// `CAP_BPF`.
    pub const BPF: Capabilities = Capabilities(1);
    /// `CAP_PERFMON`.
    pub const PERFMON: Capabilities = Capabilities(2);
    /// `CAP_NET_ADMIN`.
    pub const NET_ADMIN: Capabilities = Capabilities(4);
    /// `CAP_SYS_ADMIN`, which stands for the three others too.
    pub const ALL: Capabilities = Capabilities(7);

    /// Both sets together, as `|` gives them.
    pub const fn with(self, other: Capabilities) -> Capabilities {
        Capabilities(self.0 | other.0)
    }

    /// Whether all of `other` are in the set.
    pub const fn has(self, other: Capabilities) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Capabilities {
    type Output = Capabilities;

    fn bitor(self, other: Capabilities) -> Capabilities {
        self.with(other)
    }
}
