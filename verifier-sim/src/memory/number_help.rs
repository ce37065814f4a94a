//! What to say when a number is used as an address: which instruction made a number of it, and
//! what to do instead.
//!
//! The kernel says nothing of it: the words are ours.
//!
//! Read before: `region.rs`, `packet_help.rs`. Read next: `stack_bounds.rs`.

use crate::call::global::helper_moves;
use crate::diag::{Place, Rejection};
use crate::env::Env;
use crate::kfunc;
use crate::value::reg::{Kind, RegState};
use ebpf_asm::insn::{Insn, Reg};
use ebpf_asm::isa::{Callee, KernelVersion, Operand, Sem, Size, Width};
use ebpf_asm::map_type::MapType;
use ebpf_asm::prog_type::ProgType;
use std::borrow::Cow;

/// The release with which `bpf_probe_read_kernel` and `bpf_probe_read_user` came.
const PROBE_READ_KERNEL: KernelVersion = (5, 5);

/// What an instruction did to what is no address now, and what to do about it.
struct Made {
    cause: String,
    help: Cow<'static, str>,
}

/// Adds where a number comes from, and what to do so that it is an address.
pub(crate) fn number_made(
    env: &Env<'_>,
    refused: Box<Rejection>,
    reg: Reg,
    base: &RegState,
) -> Box<Rejection> {
    let place = base.origin.made;
    let insn = insn_at(env, place).filter(|_| base.kind == Kind::Scalar);
    match insn.and_then(|at| made(env, at, reg, base)) {
        Some(Made { cause, help }) => refused.because(place, cause).help(help),
        None => refused.because(place, format!("R{} is made here", reg.number())),
    }
}

/// The instruction at a place, if one is there, and its slot.
fn insn_at<'a>(env: &Env<'a>, place: Place) -> Option<(usize, &'a Insn)> {
    let slot = place.slot()?;
    Some((slot, env.cfg.insn(slot)?))
}

/// The functions that give a part of a packet or of other memory behind a dynptr.
const SLICES: [&str; 3] = [
    "bpf_dynptr_slice",
    "bpf_dynptr_slice_rdwr",
    "bpf_dynptr_data",
];

/// What ends what a list or a tree lends, and what an RCU section protects.
const CLOSERS: [&str; 4] = [
    "bpf_spin_unlock",
    "bpf_res_spin_unlock",
    "bpf_res_spin_unlock_irqrestore",
    "bpf_rcu_read_unlock",
];

/// What a call did to a pointer that was no argument of it, or that it gave back.
fn ended(env: &Env<'_>, at: (usize, &Insn), callee: Callee, number: u8, base: &RegState) -> Made {
    let maker = base.origin.bound.slot();
    let maker = maker.and_then(|slot| env.called_name(slot));
    let is_slice = maker.is_some_and(|name| SLICES.contains(&name.as_str()));
    let name = env.called_name(at.0).unwrap_or_default();
    let closes = CLOSERS.contains(&name.as_str());
    let is_iteration = name.starts_with("bpf_iter_") && name.ends_with("_destroy");
    let moved = format!("this may move the packet: R{number} does not point to it any more");
    match may_move(env, at, callee) {
        true if is_slice => Made {
            cause: moved,
            help:
                "behind the call, take the slice again (bpf_dynptr_slice), and compare it with 0 \
                   again"
                    .into(),
        },
        true => Made {
            cause: moved,
            help: "behind the call, read data and data_end from the context again, and compare \
                   them again"
                .into(),
        },
        false if closes => Made {
            cause: format!("this ends what R{number} pointed to: it was protected until here only"),
            help: "use the pointer before this call; copy what is needed behind it to a variable"
                .into(),
        },
        false if is_iteration => Made {
            cause: format!("this ends the iteration, and with it what R{number} pointed to"),
            help: "use the pointer before this call; copy what is needed behind it to a variable"
                .into(),
        },
        false if is_slice => Made {
            cause: format!("this ends the dynptr, and with it what R{number} pointed to"),
            help: "use the memory before the call: behind it, it is not the program's any more"
                .into(),
        },
        false => Made {
            cause: format!("this ends what R{number} pointed to: it is not the program's any more"),
            help: "use the pointer before this call only, and give it back once; or get a new one \
                   behind it"
                .into(),
        },
    }
}

/// Adds to the refusal of a register that holds nothing which call ended what it pointed to: so it
/// is without `CAP_PERFMON`, with which such a register holds a number.
pub(crate) fn pointer_ended(
    env: &Env<'_>,
    refused: Box<Rejection>,
    reg: Reg,
    base: &RegState,
) -> Box<Rejection> {
    let place = base.origin.made;
    match insn_at(env, place).map(|at| (at, at.1.sem())) {
        Some((at, Sem::Call(callee))) => {
            let Made { cause, help } = ended(env, at, callee, reg.number(), base);
            refused.because(place, cause).help(help)
        }
        _ => refused,
    }
}

/// What gives the task as a number.
const CURRENT_TASK: &str = "bpf_get_current_task";

/// What to do to read members of the current task.
fn current_task(env: &Env<'_>) -> Cow<'static, str> {
    let plain = if env.may_call("get_current_task_btf") {
        "call bpf_get_current_task_btf instead, whose result has a type: its members are read like \
         those of any pointer"
    } else if reads_the_kernel(env.program.prog_type) {
        return read_address(env).into();
    } else if env.may_call("probe_read_kernel") {
        "read members by bpf_probe_read_kernel (BPF_CORE_READ in C)"
    } else {
        "programs of this type cannot read members of tasks: there are bpf_get_current_pid_tgid, \
         bpf_get_current_comm and the like"
    };
    plain.into()
}

/// What reads memory of the kernel, and what makes pointers to it.
const READS: &str = "bpf_probe_read_kernel (BPF_CORE_READ in C)";
const CASTS: &str = "bpf_rdonly_cast (bpf_core_cast in C)";

/// What to do to read what an address points to that has no type.
fn read_address(env: &Env<'_>) -> String {
    let is_number =
        "an address that was read from memory is a number here: read what it points to by";
    if !env.config.since(PROBE_READ_KERNEL) {
        return format!("{is_number} bpf_probe_read");
    }
    let has_cast = kfunc::is_there(env.config, "bpf_rdonly_cast");
    if env.program.prog_type == ProgType::RawTracepoint {
        let cast = match has_cast {
            true => format!(", or cast them by {CASTS}"),
            false => String::new(),
        };
        return format!(
            "addresses among the arguments of raw tracepoints, or read from memory, are numbers \
             here: attach the program as tp_btf, where they have types; or read what they point to \
             by {READS}{cast}"
        );
    }
    let cast = match has_cast {
        true => format!(", or cast it by {CASTS} to a pointer that is only read;"),
        false => ", or".to_owned(),
    };
    format!(
        "{is_number} {READS}{cast} by bpf_probe_read_user if it is one of user space (as pointers \
         that system calls are given)"
    )
}

/// What an instruction makes, as far as there is something to say of it.
fn made(env: &Env<'_>, at: (usize, &Insn), reg: Reg, base: &RegState) -> Option<Made> {
    let number = reg.number();
    let here = format!("R{number} is made here");
    match at.1.sem() {
        Sem::Call(_) if base.scalar.as_constant() == Some(0) => Some(Made {
            cause: format!("R{number} is what this gives, and null on the path here"),
            help: "use it only where a comparison with 0 has shown that it is not null".into(),
        }),
        Sem::Call(callee) if base.origin.bound != Place::NONE => {
            Some(ended(env, at, callee, number, base))
        }
        Sem::Store { .. } | Sem::StoreRelease { .. } | Sem::Atomic { .. }
            if base.origin.bound != Place::NONE =>
        {
            Some(Made {
                cause: format!("this writes over the dynptr, and ends what R{number} pointed to"),
                help: "leave the 16 bytes of the dynptr alone: keep what is stored here elsewhere \
                       on the stack"
                    .into(),
            })
        }
        Sem::Load { size } if size != Size::DW => Some(Made {
            cause: here,
            help:
                "what is loaded with fewer than 8 bytes is a number, whatever it is cast to: load \
                   and store a pointer as *(u64 *)"
                    .into(),
        }),
        Sem::Call(_) if env.called_name(at.0).as_deref() == Some(CURRENT_TASK) => Some(Made {
            cause: format!("R{number} is the address of the task, as a number"),
            help: current_task(env),
        }),
        Sem::Load { .. } | Sem::Call(_) if reads_the_kernel(env.program.prog_type) => Some(Made {
            cause: here,
            help: read_address(env).into(),
        }),
        Sem::Alu { width, .. } | Sem::Neg { width } if width == Width::W32 => Some(Made {
            cause: here,
            help: "what 32-bit arithmetic makes is a number: calculate addresses with 64 bits"
                .into(),
        }),
        Sem::Mov {
            width: Width::W32,
            operand: Operand::Reg,
        } => Some(Made {
            cause: here,
            help: "32 bits of a pointer are a number: copy all 64, as in r1 = r2".into(),
        }),
        _ => None,
    }
}

/// Whether a number may be an address in an arena: one that was made or cast there, or loaded by a
/// program that has one.
pub(crate) fn may_be_of_arena(env: &Env<'_>, base: &RegState) -> bool {
    let mut maps = env.object.maps.iter();
    if !maps.any(|map| map.map_type == MapType::Arena) {
        return false;
    }
    let Some((slot, insn)) = insn_at(env, base.origin.made) else {
        return false;
    };
    match insn.sem() {
        Sem::AddrSpaceCast(_) => true,
        Sem::Load { size } => size == Size::DW,
        Sem::Call(_) => {
            let name = env.called_name(slot);
            name.is_some_and(|name| name.starts_with("bpf_arena_"))
        }
        _ => false,
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

/// Whether a call may move the packet. Of a function of the program pointers end for that alone,
/// and so they do of what writes by a dynptr.
fn may_move(env: &Env<'_>, at: (usize, &Insn), callee: Callee) -> bool {
    let helper = env.cfg.helper(at.0);
    callee == Callee::Local
        || helper_moves(at.1)
        || helper.is_some_and(|helper| helper.name == "dynptr_write")
        || kfunc::moves_packet(env.object, env.program, env.kernel, at)
}
