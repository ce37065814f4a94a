//! What each flag of `BPF_PROG_LOAD` means for a verdict.
//!
//! Read before: `wide.rs`. Read next: `answer.rs`.

use ebpf_asm::isa::KernelVersion;
use ebpf_asm::load_flags::{
    BPF_F_ANY_ALIGNMENT, BPF_F_SLEEPABLE, BPF_F_STRICT_ALIGNMENT, BPF_F_TEST_REG_INVARIANTS,
    BPF_F_TEST_RND_HI32, BPF_F_TEST_STATE_FREQ, BPF_F_XDP_DEV_BOUND_ONLY, BPF_F_XDP_HAS_FRAGS,
};
use ebpf_asm::prog_type::{AttachType, ProgType};
use ebpf_asm::program::Program;
use ebpf_verifier_sim::{Alignment, Code, Config, Invariants, StateFreq, UpperHalves};

use super::subject::Unusable;

/// Those that change no verdict: where an XDP program may be attached (which other types may say as
/// well).
const HARMLESS: u32 = BPF_F_ANY_ALIGNMENT | BPF_F_XDP_HAS_FRAGS | BPF_F_XDP_DEV_BOUND_ONLY;

/// Flags, and the releases that they came with: older kernels refuse what they do not know. From the
/// kernel's history; those of 6.1 and 6.12 as observed.
const SINCE: [(u32, KernelVersion); 8] = [
    (BPF_F_STRICT_ALIGNMENT, (4, 12)),
    (BPF_F_ANY_ALIGNMENT, (5, 0)),
    (BPF_F_TEST_RND_HI32, (5, 3)),
    (BPF_F_TEST_STATE_FREQ, (5, 4)),
    (BPF_F_SLEEPABLE, (5, 10)),
    (BPF_F_XDP_HAS_FRAGS, (5, 18)),
    (BPF_F_XDP_DEV_BOUND_ONLY, (6, 3)),
    (BPF_F_TEST_REG_INVARIANTS, (6, 8)),
];

/// That the kernel knows the flags.
fn check_known(prog_flags: u32, loader: &Config) -> Result<(), Unusable> {
    let newer =
        |(flag, since): &&(u32, KernelVersion)| prog_flags & flag != 0 && loader.kernel < *since;
    match SINCE.iter().find(newer) {
        None => Ok(()),
        Some((flag, (major, minor))) => Err(Unusable::Refused {
            code: Code::KernelTooOld,
            message: format!("prog_flags {flag:#x} need Linux {major}.{minor}"),
        }),
    }
}

/// The types of which some programs may sleep.
const MAY_SLEEP: [ProgType; 6] = [
    ProgType::Tracing,
    ProgType::Lsm,
    ProgType::Kprobe,
    ProgType::StructOps,
    ProgType::Syscall,
    ProgType::Ext,
];

/// Whether there are programs of the type that may sleep.
pub(super) fn may_sleep(prog_type: ProgType) -> bool {
    MAY_SLEEP.contains(&prog_type)
}

/// For whom to verify a program that is loaded with these flags by `loader`.
pub(super) fn config(
    prog_flags: u32,
    program: &Program,
    loader: &Config,
) -> Result<Config, Unusable> {
    check_known(prog_flags, loader)?;
    let prog_type = program.prog_type;
    let mut config = *loader;
    let mut rest = prog_flags & !HARMLESS;
    if rest & BPF_F_STRICT_ALIGNMENT != 0 {
        // Who asks for both gets any (Linux 6.18).
        if prog_flags & BPF_F_ANY_ALIGNMENT == 0 {
            config.alignment = Alignment::Strict;
        }
        rest &= !BPF_F_STRICT_ALIGNMENT;
    }
    if rest & BPF_F_TEST_REG_INVARIANTS != 0 {
        config.invariants = Invariants::Checked;
        rest &= !BPF_F_TEST_REG_INVARIANTS;
    }
    if rest & BPF_F_TEST_RND_HI32 != 0 {
        config.upper_halves = UpperHalves::Random;
        rest &= !BPF_F_TEST_RND_HI32;
    }
    if rest & BPF_F_TEST_STATE_FREQ != 0 {
        config.states = StateFreq::Always;
        rest &= !BPF_F_TEST_STATE_FREQ;
    }
    let at_a_tracepoint = prog_type == ProgType::Tracing
        && program.expected_attach_type == Some(AttachType::TraceRawTp);
    let may_sleep = may_sleep(prog_type) && !at_a_tracepoint;
    if rest & BPF_F_SLEEPABLE != 0 && !may_sleep {
        return Err(Unusable::Refused {
            code: Code::LoadFlags,
            message: "Only fentry/fexit/fmod_ret, lsm, iter, uprobe, and struct_ops programs can \
                      be sleepable"
                .to_owned(),
        });
    }
    if rest & BPF_F_SLEEPABLE == 0 && prog_type == ProgType::Syscall {
        return Err(Unusable::Refused {
            code: Code::LoadFlags,
            message: "Syscall programs can only be sleepable".to_owned(),
        });
    }
    match rest {
        0 | BPF_F_SLEEPABLE => Ok(config),
        rest => Err(Unusable::Refused {
            code: Code::LoadFlags,
            message: format!("prog_flags {rest:#x} are not for programs of type {prog_type}"),
        }),
    }
}
