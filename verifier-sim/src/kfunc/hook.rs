//! Which programs may call which kernel functions.
//!
//! The kernel registers functions for *hooks*, each of which stands for several program types;
//! some functions look at the attach type as well. Observed on Linux 6.18: every function from
//! every program type, but for the types whose programs are not loaded there (LSM, fentry and
//! the like), which are from documentation.
//!
//! Read before: `kfunc/mod.rs`. Read next: `kfunc/table.rs`.

use ebpf_asm::prog_type::{AttachType, ProgType};
use ebpf_asm::program::Program;

/// Who may call a function: a set of hooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Callers(u16);

impl Callers {
    /// Programs of every type.
    pub(super) const ALL: Callers = Callers(u16::MAX);
    pub(super) const XDP: Callers = Callers(1 << 0);
    pub(super) const TC: Callers = Callers(1 << 1);
    pub(super) const TC_ACT: Callers = Callers(1 << 2);
    pub(super) const STRUCT_OPS: Callers = Callers(1 << 3);
    /// Programs at places in the kernel that BTF describes, tracepoints and perf events.
    pub(super) const TRACING: Callers = Callers(1 << 4);
    pub(super) const SYSCALL: Callers = Callers(1 << 5);
    /// Programs of control groups, and of sockets' states.
    pub(super) const CGROUP: Callers = Callers(1 << 6);
    pub(super) const SK_SKB: Callers = Callers(1 << 7);
    pub(super) const SOCKET_FILTER: Callers = Callers(1 << 8);
    pub(super) const LWT: Callers = Callers(1 << 9);
    pub(super) const NETFILTER: Callers = Callers(1 << 10);
    /// Programs at functions that are also called when the function returns.
    pub(super) const SESSION: Callers = Callers(1 << 11);
    /// Programs that decide for the security modules.
    pub(super) const LSM: Callers = Callers(1 << 12);
    /// Iterators.
    pub(super) const ITERATOR: Callers = Callers(1 << 13);
    /// Nobody.
    pub(super) const NONE: Callers = Callers(0);

    /// Both sets together.
    pub(super) const fn or(self, other: Callers) -> Callers {
        Callers(self.0 | other.0)
    }
}

/// Whether a program is among the callers.
pub(super) fn may_call(program: &Program, callers: Callers) -> bool {
    callers == Callers::ALL || hooks(program).0 & callers.0 != 0
}

/// The hooks of a program.
fn hooks(program: &Program) -> Callers {
    let attach_type = program.prog_type.attach_type(program.expected_attach_type);
    match program.prog_type {
        ProgType::Xdp => Callers::XDP,
        ProgType::SchedCls => Callers::TC,
        ProgType::SchedAct => Callers::TC_ACT,
        ProgType::StructOps => Callers::STRUCT_OPS,
        ProgType::Tracing if attach_type == AttachType::TraceIter => {
            Callers::TRACING.or(Callers::ITERATOR)
        }
        ProgType::Tracing | ProgType::Tracepoint | ProgType::PerfEvent => Callers::TRACING,
        ProgType::Lsm => Callers::TRACING.or(Callers::LSM),
        ProgType::Syscall => Callers::SYSCALL,
        ProgType::CgroupSkb
        | ProgType::CgroupSock
        | ProgType::CgroupDevice
        | ProgType::CgroupSockAddr
        | ProgType::CgroupSockopt
        | ProgType::CgroupSysctl
        | ProgType::SockOps => Callers::CGROUP,
        ProgType::SkSkb => Callers::SK_SKB,
        ProgType::SocketFilter => Callers::SOCKET_FILTER,
        ProgType::LwtIn | ProgType::LwtOut | ProgType::LwtXmit | ProgType::LwtSeg6local => {
            Callers::LWT
        }
        ProgType::Netfilter => Callers::NETFILTER,
        ProgType::Kprobe => match attach_type {
            AttachType::TraceKprobeSession | AttachType::TraceUprobeSession => Callers::SESSION,
            _ => Callers::NONE,
        },
        _ => Callers::NONE,
    }
}
