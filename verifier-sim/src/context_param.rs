//! Parameters of global functions that are the program's context: by the name of their type, or
//! because they are tagged so (`__arg_ctx`).
//!
//! Described in libbpf's `bpf_helpers.h` at `__arg_ctx`; which names do for which programs, and
//! the messages, as observed on Linux 6.18 on x86-64.
//!
//! Read before: `func_info.rs`. Read next: `prototype.rs`.

use ebpf_asm::btf::{Btf, Kind as Type, TypeId};
use ebpf_asm::prog_type::{AttachType, ProgType};
use ebpf_asm::program::Program;

/// The registers that kprobes get: what libbpf calls them on every architecture.
const USER_REGISTERS: &str = "bpf_user_pt_regs_t";
/// The same on x86-64.
const REGISTERS: &str = "pt_regs";

/// Whether a pointer to a type is the context without being tagged.
pub(crate) fn is_context(btf: &Btf, prog_type: ProgType, to: TypeId) -> bool {
    let name = btf.name(btf.resolve(to));
    match prog_type {
        ProgType::Kprobe => {
            [REGISTERS, USER_REGISTERS].contains(&name) || is_named(btf, to, USER_REGISTERS)
        }
        _ => {
            let context = prog_type.context_struct();
            !context.is_empty() && name == context
        }
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
    let is_struct = matches!(
        btf.get(ty).map(|ty| &ty.kind),
        Some(Type::Struct { .. } | Type::Fwd(_))
    );
    let canonical = program.prog_type.context_struct();
    let by_name = is_struct && !canonical.is_empty() && name == canonical;
    let registers = is_struct && name == REGISTERS || is_named(btf, to, USER_REGISTERS);
    let words = is_words(btf, ty);
    let (taken, wanted) = match program.prog_type {
        ProgType::Tracepoint | ProgType::Syscall => (true, ""),
        ProgType::Kprobe => (registers, REGISTERS),
        ProgType::PerfEvent => (registers || by_name, canonical),
        ProgType::RawTracepoint | ProgType::RawTracepointWritable => (words || by_name, canonical),
        ProgType::Tracing => (
            match program.expected_attach_type {
                Some(AttachType::TraceRawTp) => {
                    words || is_struct && name == ProgType::RawTracepoint.context_struct()
                }
                Some(AttachType::TraceIter) => is_struct && name.starts_with("bpf_iter__"),
                _ => words,
            },
            "",
        ),
        ProgType::Lsm | ProgType::StructOps => (words, ""),
        _ if canonical.is_empty() => return None,
        _ => (by_name, canonical),
    };
    Some(match (taken, wanted) {
        (true, _) => Ok(()),
        (false, "") => Err("should be void pointer".to_owned()),
        (false, wanted) => Err(format!("should be `struct {wanted} *`")),
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

/// Whether one of the names of a type is this typedef's.
fn is_named(btf: &Btf, mut ty: TypeId, typedef: &str) -> bool {
    // As many as there are types: a circle has no name behind that.
    for _ in 0..btf.len() {
        ty = match btf.get(ty).map(|ty| &ty.kind) {
            Some(Type::Typedef(_)) if btf.name(ty) == typedef => return true,
            Some(Type::Typedef(to) | Type::Const(to) | Type::Volatile(to)) => *to,
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
