//! Parameters of global functions that are the program's context: by the name of their type, or
//! because they are tagged so (`__arg_ctx`).
//!
//! Described in libbpf's `bpf_helpers.h` at `__arg_ctx`; which names do for which programs, and
//! the messages, as observed on Linux 6.18 on x86-64.
//!
//! Read before: `special_objects.rs`. Read next: `prototype.rs`.

use crate::config::Config;
use ebpf_asm::btf::{Btf, Kind as Type, TypeId};
use ebpf_asm::isa::KernelVersion;
use ebpf_asm::prog_type::{AttachType, ProgType};
use ebpf_asm::program::Program;

/// The registers that kprobes get: what libbpf calls them on every architecture.
const USER_REGISTERS: &str = "bpf_user_pt_regs_t";
/// The same on x86-64.
const REGISTERS: &str = "pt_regs";

/// The structures of contexts, and those of the kernel that they stand for, which do as well.
const STAND_FOR: [(&str, &str); 2] = [("__sk_buff", "sk_buff"), ("xdp_md", "xdp_buff")];

/// Since when these do: from the kernel's history.
const STANDS_FOR: KernelVersion = (6, 4);

/// Whether a pointer to a type is the context without being tagged.
pub(crate) fn is_context(btf: &Btf, prog_type: ProgType, config: &Config, to: TypeId) -> bool {
    let name = record_name(btf, btf.resolve(to));
    match prog_type {
        ProgType::Kprobe => {
            name.is_some_and(|name| [REGISTERS, USER_REGISTERS].contains(&name))
                || is_user_registers(btf, to)
        }
        _ => name
            .zip(prog_type.context_struct())
            .is_some_and(|(name, context)| {
                let stands_for = STAND_FOR.contains(&(context, name));
                name == context || stands_for && config.since(STANDS_FOR)
            }),
    }
}

/// That a tagged pointer to a type can be the context of a program, or the kernel's words on why
/// it cannot; `None` if it is not known.
pub(crate) fn check_tagged(btf: &Btf, program: &Program, to: TypeId) -> Option<Result<(), String>> {
    let ty = btf.resolve(to);
    if ty == TypeId::VOID {
        return Some(Ok(()));
    }
    let name = btf.name(ty);
    if name.is_empty() {
        return Some(Err("type doesn't have a name".to_owned()));
    }
    let is_struct = matches!(btf.get(ty).map(|ty| &ty.kind), Some(Type::Struct { .. }));
    let name = Some(name).filter(|_| is_struct);
    let canonical = program.prog_type.context_struct();
    let by_name = name.is_some() && name == canonical;
    let registers = name == Some(REGISTERS) || is_user_registers(btf, to);
    let words = is_words(btf, ty);
    let (taken, wanted) = match program.prog_type {
        ProgType::Tracepoint | ProgType::Syscall => (true, None),
        ProgType::Kprobe => (registers, Some(REGISTERS)),
        ProgType::PerfEvent => (registers || by_name, canonical),
        ProgType::RawTracepoint | ProgType::RawTracepointWritable => (words || by_name, canonical),
        ProgType::Tracing => (
            match program.expected_attach_type {
                Some(AttachType::TraceRawTp) => {
                    words || is_struct && name == ProgType::RawTracepoint.context_struct()
                }
                Some(AttachType::TraceIter) => {
                    name.is_some_and(|name| name.starts_with("bpf_iter__"))
                }
                _ => words,
            },
            None,
        ),
        ProgType::Lsm | ProgType::StructOps => (words, None),
        _ if canonical.is_none() => return None,
        _ => (by_name, canonical),
    };
    Some(match (taken, wanted) {
        (true, _) => Ok(()),
        (false, None) => Err("should be void pointer".to_owned()),
        (false, Some(wanted)) => Err(format!("should be `struct {wanted} *`")),
    })
}

/// Whether the kernel reads the context of programs as it is. Where it does not, a context is no
/// memory: where something is in it is known to the kernel alone.
pub(crate) fn is_memory(prog_type: ProgType) -> bool {
    matches!(
        prog_type,
        ProgType::Kprobe
            | ProgType::Tracepoint
            | ProgType::RawTracepoint
            | ProgType::RawTracepointWritable
            | ProgType::Tracing
            | ProgType::Lsm
            | ProgType::StructOps
            | ProgType::CgroupDevice
            | ProgType::Netfilter
            | ProgType::Syscall
    )
}

/// The name of a struct or union; `None` of what is neither.
pub(crate) fn record_name(btf: &Btf, ty: TypeId) -> Option<&str> {
    match btf.get(ty)?.kind {
        Type::Struct { .. } | Type::Union { .. } => Some(btf.name(ty)),
        _ => None,
    }
}

/// Whether the first name of a type is the typedef that kprobes' registers have.
fn is_user_registers(btf: &Btf, mut ty: TypeId) -> bool {
    // As many as there are types: a circle has no name.
    for _ in 0..btf.len() {
        ty = match btf.get(ty).map(|ty| &ty.kind) {
            Some(Type::Const(to) | Type::Volatile(to)) => *to,
            Some(Type::Typedef(_)) => return btf.name(ty) == USER_REGISTERS,
            _ => return false,
        };
    }
    false
}

/// Whether a type is an integer of 8 bytes: contexts that are arguments are an array of them.
fn is_words(btf: &Btf, ty: TypeId) -> bool {
    matches!(
        btf.get(ty).map(|ty| &ty.kind),
        Some(Type::Int { size: 8, .. })
    )
}
