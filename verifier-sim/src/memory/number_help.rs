//! What to say when a number is used as an address: which instruction made a number of it, and
//! what to do instead.
//!
//! Read before: `region.rs`, `packet_help.rs`. Read next: `kptr.rs`.

use crate::call::global::helper_moves;
use crate::diag::Rejection;
use crate::env::Env;
use crate::kfunc;
use crate::value::reg::{Kind, RegState};
use ebpf_asm::insn::{Insn, Reg};
use ebpf_asm::isa::{Callee, KernelVersion, Operand, Sem, Size, Width};
use ebpf_asm::prog_type::ProgType;

/// The release with which `bpf_probe_read_kernel` and `bpf_probe_read_user` came.
const PROBE_READ_KERNEL: KernelVersion = (5, 5);

/// What an instruction did to what is no address now, and what to do about it.
struct Made {
    cause: String,
    help: &'static str,
}

/// Adds where a number comes from, and what to do so that it is an address.
pub(crate) fn number_made(
    env: &Env<'_>,
    refused: Box<Rejection>,
    reg: Reg,
    base: &RegState,
) -> Box<Rejection> {
    let place = base.origin.made;
    let insn = place.slot().and_then(|slot| {
        let found = env.program.slots().find(|(at, _)| *at == slot);
        found.filter(|_| base.kind == Kind::Scalar)
    });
    match insn.and_then(|at| made(env, at, reg, base)) {
        Some(Made { cause, help }) => refused.because(place, cause).help(help),
        None => refused.because(place, format!("R{} is made here", reg.number())),
    }
}

/// What an instruction makes, as far as there is something to say of it.
fn made(env: &Env<'_>, at: (usize, &Insn), reg: Reg, base: &RegState) -> Option<Made> {
    let number = reg.number();
    let here = format!("R{number} is made here");
    match at.1.sem() {
        Sem::Call(_) if base.scalar.as_constant() == Some(0) => Some(Made {
            cause: format!("R{number} is what this gives, and null on the path here"),
            help: "use it only where a comparison with 0 has shown that it is not null",
        }),
        Sem::Call(callee) if reg != Reg::R0 => Some(match may_move(env, at, callee) {
            true => Made {
                cause: format!("this may move the packet: R{number} does not point to it any more"),
                help: "behind the call, read data and data_end from the context again, and compare \
                       them again",
            },
            false => Made {
                cause: format!("this ends what R{number} pointed to"),
                help: "use the pointer before the call only, or get a new one behind it",
            },
        }),
        Sem::Load { size } if size != Size::DW => Some(Made {
            cause: here,
            help: "what is loaded with fewer than 8 bytes is a number, whatever it is cast to: load \
                   and store a pointer as *(u64 *)",
        }),
        Sem::Load { .. } | Sem::Call(_) if reads_the_kernel(env.program.prog_type) => Some(Made {
            cause: here,
            help: match env.config.since(PROBE_READ_KERNEL) {
                true => {
                    "an address in the kernel is a number here: read what it points to by \
                     bpf_probe_read_kernel (or bpf_probe_read_user)"
                }
                false => {
                    "an address in the kernel is a number here: read what it points to by \
                     bpf_probe_read"
                }
            },
        }),
        Sem::Alu { width, .. } | Sem::Neg { width } if width == Width::W32 => Some(Made {
            cause: here,
            help: "what 32-bit arithmetic makes is a number: calculate addresses with 64 bits",
        }),
        Sem::Mov {
            width: Width::W32,
            operand: Operand::Reg,
        } => Some(Made {
            cause: here,
            help: "32 bits of a pointer are a number: copy all 64, as in r1 = r2",
        }),
        _ => None,
    }
}

/// Whether programs of a type are about the kernel, whose addresses often come without a type.
fn reads_the_kernel(prog_type: ProgType) -> bool {
    matches!(
        prog_type,
        ProgType::Kprobe
            | ProgType::Tracepoint
            | ProgType::RawTracepoint
            | ProgType::RawTracepointWritable
            | ProgType::PerfEvent
            | ProgType::Tracing
            | ProgType::Lsm
    )
}

/// Whether a call may move the packet. Of a function of the program pointers end for that alone.
fn may_move(env: &Env<'_>, at: (usize, &Insn), callee: Callee) -> bool {
    callee == Callee::Local
        || helper_moves(at.1)
        || kfunc::moves_packet(env.object, env.program, env.kernel, at)
}
