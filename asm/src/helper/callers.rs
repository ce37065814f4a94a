//! Callers: which programs may call a helper, and what they need for it.
//!
//! The sets have the names of their program types. Everything here was observed on Linux
//! 6.18 but for [`Privilege::Bpf`], which follows capabilities(7): loaders without any
//! capability were not observed, since kernels do not admit them by default.
//!
//! Read before: `prog_type.rs`. Read next: `table.rs`.

use super::Helper;
use crate::prog_type::{AttachType, ProgType};

/// A set of program types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProgTypes(u64);

impl ProgTypes {
    const fn of(types: &[ProgType]) -> ProgTypes {
        let (mut bits, mut at) = (0, 0);
        while at < types.len() {
            bits |= 1 << types[at].number();
            at += 1;
        }
        ProgTypes(bits)
    }

    /// Both sets together.
    pub const fn or(self, other: ProgTypes) -> ProgTypes {
        ProgTypes(self.0 | other.0)
    }

    /// The set but for the other.
    pub const fn without(self, other: ProgTypes) -> ProgTypes {
        ProgTypes(self.0 & !other.0)
    }

    /// Whether a type is in the set.
    pub const fn has(self, prog_type: ProgType) -> bool {
        self.0 >> prog_type.number() & 1 == 1
    }

    /// Whether the set has no type.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The types in the set, by number.
    pub fn iter(self) -> impl Iterator<Item = ProgType> {
        let all = ProgType::ALL.iter().copied();
        all.filter(move |&prog_type| self.has(prog_type))
    }
}

/// Who may call a helper.
#[derive(Debug, Clone, Copy)]
pub struct Callers {
    /// The program types.
    pub prog_types: ProgTypes,
    /// For some of them, the attach types with which they may.
    pub attached: Attached,
    /// The program types whose license must be compatible with the GPL for it.
    pub gpl: ProgTypes,
    /// What the loader must be allowed to do.
    pub privilege: Privilege,
    /// The program types whose loader needs `CAP_PERFMON` for it.
    pub perfmon: ProgTypes,
    /// Whether it may sleep.
    pub sleeps: Sleeps,
}

/// Which attach types a helper is for.
#[derive(Debug, Clone, Copy)]
pub enum Attached {
    /// Any.
    Anywhere,
    /// These only.
    Only(&'static [AttachType]),
    /// For programs of these types, any but these.
    Except(ProgTypes, &'static [AttachType]),
}

/// What a loader must be allowed to do, so that its programs may call a helper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Privilege {
    /// Nothing.
    None,
    /// `CAP_BPF`.
    Bpf,
}

/// Whether a helper may sleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sleeps {
    /// It does not.
    Never,
    /// It may, so that only sleepable programs call it.
    Maybe,
}

impl Callers {
    /// All programs of loaders with `CAP_BPF`.
    pub(super) const EVERYBODY: Callers = Callers {
        prog_types: ALL,
        attached: Attached::Anywhere,
        gpl: NONE,
        privilege: Privilege::Bpf,
        perfmon: NONE,
        sleeps: Sleeps::Never,
    };

    /// Whether programs of this type that are for this attach type may call the helper.
    ///
    /// The attach type is as [`ProgType::attach_type`] gives it.
    pub fn include(&self, prog_type: ProgType, attach_type: AttachType) -> bool {
        let listed = |list: &[AttachType]| list.contains(&attach_type);
        self.prog_types.has(prog_type)
            && match self.attached {
                Attached::Anywhere => true,
                Attached::Only(list) => listed(list),
                Attached::Except(types, list) => !(types.has(prog_type) && listed(list)),
            }
    }
}

impl Helper {
    pub(super) const fn from(mut self, prog_types: ProgTypes) -> Helper {
        self.callers.prog_types = prog_types;
        self
    }

    pub(super) const fn only_at(mut self, list: &'static [AttachType]) -> Helper {
        self.callers.attached = Attached::Only(list);
        self
    }

    pub(super) const fn except_at(
        mut self,
        types: ProgTypes,
        list: &'static [AttachType],
    ) -> Helper {
        self.callers.attached = Attached::Except(types, list);
        self
    }

    pub(super) const fn gpl(self) -> Helper {
        self.gpl_for(ALL)
    }

    pub(super) const fn gpl_for(mut self, prog_types: ProgTypes) -> Helper {
        self.callers.gpl = prog_types;
        self
    }

    pub(super) const fn unprivileged(mut self) -> Helper {
        self.callers.privilege = Privilege::None;
        self
    }

    pub(super) const fn perfmon(self) -> Helper {
        self.perfmon_for(ALL)
    }

    pub(super) const fn perfmon_for(mut self, prog_types: ProgTypes) -> Helper {
        self.callers.perfmon = prog_types;
        self
    }

    pub(super) const fn sleeps(mut self) -> Helper {
        self.callers.sleeps = Sleeps::Maybe;
        self
    }

    pub(super) const fn fastcall(mut self, prog_types: ProgTypes) -> Helper {
        self.fastcall = prog_types;
        self
    }
}

const fn one(prog_type: ProgType) -> ProgTypes {
    ProgTypes::of(&[prog_type])
}

pub(super) const NONE: ProgTypes = ProgTypes::of(&[]);
pub(super) const ALL: ProgTypes = ProgTypes::of(ProgType::ALL);

pub(super) const SOCKET_FILTER: ProgTypes = one(ProgType::SocketFilter);
pub(super) const XDP: ProgTypes = one(ProgType::Xdp);
pub(super) const TC: ProgTypes = ProgTypes::of(&[ProgType::SchedCls, ProgType::SchedAct]);
pub(super) const CGROUP_SKB: ProgTypes = one(ProgType::CgroupSkb);
pub(super) const CGROUP_SOCK: ProgTypes = one(ProgType::CgroupSock);
pub(super) const SOCK_ADDR: ProgTypes = one(ProgType::CgroupSockAddr);
pub(super) const SOCKOPT: ProgTypes = one(ProgType::CgroupSockopt);
pub(super) const DEVICE: ProgTypes = one(ProgType::CgroupDevice);
pub(super) const SYSCTL: ProgTypes = one(ProgType::CgroupSysctl);
pub(super) const SOCK_OPS: ProgTypes = one(ProgType::SockOps);
pub(super) const SK_SKB: ProgTypes = one(ProgType::SkSkb);
pub(super) const SK_MSG: ProgTypes = one(ProgType::SkMsg);
pub(super) const SK_LOOKUP: ProgTypes = one(ProgType::SkLookup);
pub(super) const SK_REUSEPORT: ProgTypes = one(ProgType::SkReuseport);
pub(super) const FLOW_DISSECTOR: ProgTypes = one(ProgType::FlowDissector);
pub(super) const LWT_IN: ProgTypes = one(ProgType::LwtIn);
pub(super) const LWT_XMIT: ProgTypes = one(ProgType::LwtXmit);
pub(super) const LWT_SEG6LOCAL: ProgTypes = one(ProgType::LwtSeg6local);
pub(super) const LIRC_MODE2: ProgTypes = one(ProgType::LircMode2);
pub(super) const NETFILTER: ProgTypes = one(ProgType::Netfilter);
pub(super) const PERF_EVENT: ProgTypes = one(ProgType::PerfEvent);
pub(super) const SYSCALL: ProgTypes = one(ProgType::Syscall);
pub(super) const STRUCT_OPS: ProgTypes = one(ProgType::StructOps);
pub(super) const LSM: ProgTypes = one(ProgType::Lsm);

/// Programs at functions and tracepoints of the kernel whose contexts are BTF types.
pub(super) const TRACED: ProgTypes = one(ProgType::Tracing);

/// The same, and those at security hooks. Security
/// hooks are such functions, and their programs may call what the others may (documentation).
pub(super) const TRACING: ProgTypes = ProgTypes::of(&[ProgType::Tracing, ProgType::Lsm]);

/// Light-weight tunnels.
pub(super) const LWT: ProgTypes = ProgTypes::of(&[
    ProgType::LwtIn,
    ProgType::LwtOut,
    ProgType::LwtXmit,
    ProgType::LwtSeg6local,
]);

/// Programs at events of the kernel whose contexts are no BTF types.
pub(super) const TRACE: ProgTypes = ProgTypes::of(&[
    ProgType::Kprobe,
    ProgType::Tracepoint,
    ProgType::PerfEvent,
    ProgType::RawTracepoint,
    ProgType::RawTracepointWritable,
]);

/// Programs at tracepoints that get their arguments as they are.
pub(super) const RAW_TRACEPOINTS: ProgTypes =
    ProgTypes::of(&[ProgType::RawTracepoint, ProgType::RawTracepointWritable]);

/// Programs that meet sockets, as the helpers understand that turn one into another.
pub(super) const SOCKETS: ProgTypes = SOCKET_FILTER
    .or(TC)
    .or(XDP)
    .or(CGROUP_SKB)
    .or(SOCK_ADDR)
    .or(LWT)
    .or(SOCK_OPS)
    .or(SK_SKB)
    .or(SK_MSG)
    .or(SK_LOOKUP)
    .or(FLOW_DISSECTOR)
    .or(SYSCALL);

/// Programs of the network, as the coarse clock understands it.
pub(super) const NETWORK: ProgTypes = SOCKETS
    .without(SYSCALL)
    .or(CGROUP_SOCK)
    .or(SYSCTL)
    .or(SK_REUSEPORT)
    .or(STRUCT_OPS);

/// Programs of control groups whose result user space can see.
pub(super) const CGROUP: ProgTypes = CGROUP_SKB
    .or(CGROUP_SOCK)
    .or(SOCK_ADDR)
    .or(SOCKOPT)
    .or(DEVICE)
    .or(SYSCTL)
    .or(SOCK_OPS);

/// Where a socket gets an address while it connects.
pub(super) const CONNECT: &[AttachType] = &[
    AttachType::CgroupInet4Connect,
    AttachType::CgroupInet6Connect,
];

/// Functions that are entered through a trampoline.
pub(super) const TRAMPOLINES: &[AttachType] = &[
    AttachType::TraceFentry,
    AttachType::TraceFexit,
    AttachType::ModifyReturn,
    AttachType::LsmMac,
];

/// Where the result of a program of a control group is not what a system call or a security hook
/// returns, and where a program is of none.
pub(super) const NO_RETVAL: &[AttachType] = &[
    AttachType::LsmMac,
    AttachType::CgroupInetIngress,
    AttachType::CgroupInetEgress,
    AttachType::CgroupSockOps,
    AttachType::CgroupUdp4Recvmsg,
    AttachType::CgroupUdp6Recvmsg,
    AttachType::CgroupUnixRecvmsg,
    AttachType::CgroupInet4Getpeername,
    AttachType::CgroupInet6Getpeername,
    AttachType::CgroupUnixGetpeername,
    AttachType::CgroupInet4Getsockname,
    AttachType::CgroupInet6Getsockname,
    AttachType::CgroupUnixGetsockname,
];
