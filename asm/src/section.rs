//! The names of ELF sections, and what they say of the programs in them.
//!
//! Source: the kernel's `Documentation/bpf/libbpf/program_types.rst`; what came after it (tcx,
//! netkit, sessions) as libbpf has it. A name of the table may have more behind a `/`: what a
//! program is attached to where the table says so (`kprobe/do_exit`), and else a name of the
//! author's own, which libbpf took before 1.0 (`classifier/ingress`). A `?` before a name tells
//! libbpf that a program is not loaded unless somebody asks for it, which is so of all of them
//! here: programs are loaded one by one.
//!
//! Read before: `prog_type.rs`, `load_flags.rs`.

use crate::load_flags::{BPF_F_SLEEPABLE, BPF_F_XDP_HAS_FRAGS};
use crate::prog_type::{AttachType, ProgType};
use AttachType as A;
use ProgType as P;

/// What an ELF section's name says of the programs in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section {
    /// The name, or its part before a `/`.
    pub name: &'static str,
    /// The type of the programs.
    pub prog_type: ProgType,
    /// What the kernel wants as `expected_attach_type`.
    pub attach_type: Option<AttachType>,
    /// What may follow the name.
    pub rest: Rest,
    /// `BPF_F_*` flags for the programs' load.
    pub prog_flags: u32,
}

/// What the part of a section's name behind a `/` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// What the program is attached to: a function, a tracepoint, a path.
    Target,
    /// A name that means nothing.
    Name,
}

/// The section names that name a type.
pub const SECTIONS: &[Section] = &[
    row("cgroup/dev", P::CgroupDevice, Some(A::CgroupDevice)),
    row("cgroup/skb", P::CgroupSkb, None),
    row("cgroup_skb/egress", P::CgroupSkb, Some(A::CgroupInetEgress)),
    row(
        "cgroup_skb/ingress",
        P::CgroupSkb,
        Some(A::CgroupInetIngress),
    ),
    row(
        "cgroup/getsockopt",
        P::CgroupSockopt,
        Some(A::CgroupGetsockopt),
    ),
    row(
        "cgroup/setsockopt",
        P::CgroupSockopt,
        Some(A::CgroupSetsockopt),
    ),
    row("cgroup/bind4", P::CgroupSockAddr, Some(A::CgroupInet4Bind)),
    row("cgroup/bind6", P::CgroupSockAddr, Some(A::CgroupInet6Bind)),
    row(
        "cgroup/connect4",
        P::CgroupSockAddr,
        Some(A::CgroupInet4Connect),
    ),
    row(
        "cgroup/connect6",
        P::CgroupSockAddr,
        Some(A::CgroupInet6Connect),
    ),
    row(
        "cgroup/connect_unix",
        P::CgroupSockAddr,
        Some(A::CgroupUnixConnect),
    ),
    row(
        "cgroup/getpeername4",
        P::CgroupSockAddr,
        Some(A::CgroupInet4Getpeername),
    ),
    row(
        "cgroup/getpeername6",
        P::CgroupSockAddr,
        Some(A::CgroupInet6Getpeername),
    ),
    row(
        "cgroup/getpeername_unix",
        P::CgroupSockAddr,
        Some(A::CgroupUnixGetpeername),
    ),
    row(
        "cgroup/getsockname4",
        P::CgroupSockAddr,
        Some(A::CgroupInet4Getsockname),
    ),
    row(
        "cgroup/getsockname6",
        P::CgroupSockAddr,
        Some(A::CgroupInet6Getsockname),
    ),
    row(
        "cgroup/getsockname_unix",
        P::CgroupSockAddr,
        Some(A::CgroupUnixGetsockname),
    ),
    row(
        "cgroup/recvmsg4",
        P::CgroupSockAddr,
        Some(A::CgroupUdp4Recvmsg),
    ),
    row(
        "cgroup/recvmsg6",
        P::CgroupSockAddr,
        Some(A::CgroupUdp6Recvmsg),
    ),
    row(
        "cgroup/recvmsg_unix",
        P::CgroupSockAddr,
        Some(A::CgroupUnixRecvmsg),
    ),
    row(
        "cgroup/sendmsg4",
        P::CgroupSockAddr,
        Some(A::CgroupUdp4Sendmsg),
    ),
    row(
        "cgroup/sendmsg6",
        P::CgroupSockAddr,
        Some(A::CgroupUdp6Sendmsg),
    ),
    row(
        "cgroup/sendmsg_unix",
        P::CgroupSockAddr,
        Some(A::CgroupUnixSendmsg),
    ),
    row(
        "cgroup/post_bind4",
        P::CgroupSock,
        Some(A::CgroupInet4PostBind),
    ),
    row(
        "cgroup/post_bind6",
        P::CgroupSock,
        Some(A::CgroupInet6PostBind),
    ),
    row(
        "cgroup/sock_create",
        P::CgroupSock,
        Some(A::CgroupInetSockCreate),
    ),
    row("cgroup/sock", P::CgroupSock, Some(A::CgroupInetSockCreate)),
    row(
        "cgroup/sock_release",
        P::CgroupSock,
        Some(A::CgroupInetSockRelease),
    ),
    row("cgroup/sysctl", P::CgroupSysctl, Some(A::CgroupSysctl)),
    row("freplace", P::Ext, None).with_extras(),
    row("flow_dissector", P::FlowDissector, Some(A::FlowDissector)),
    row("kprobe", P::Kprobe, None).with_extras(),
    row("kretprobe", P::Kprobe, None).with_extras(),
    row("ksyscall", P::Kprobe, None).with_extras(),
    row("kretsyscall", P::Kprobe, None).with_extras(),
    row("uprobe", P::Kprobe, None).with_extras(),
    row("uprobe.s", P::Kprobe, None).with_extras().sleepable(),
    row("uretprobe", P::Kprobe, None).with_extras(),
    row("uretprobe.s", P::Kprobe, None)
        .with_extras()
        .sleepable(),
    row("usdt", P::Kprobe, None).with_extras(),
    row("usdt.s", P::Kprobe, None).with_extras().sleepable(),
    row("kprobe.multi", P::Kprobe, Some(A::TraceKprobeMulti)).with_extras(),
    row("kretprobe.multi", P::Kprobe, Some(A::TraceKprobeMulti)).with_extras(),
    row("kprobe.session", P::Kprobe, Some(A::TraceKprobeSession)).with_extras(),
    row("uprobe.multi", P::Kprobe, Some(A::TraceUprobeMulti)).with_extras(),
    row("uprobe.multi.s", P::Kprobe, Some(A::TraceUprobeMulti))
        .with_extras()
        .sleepable(),
    row("uretprobe.multi", P::Kprobe, Some(A::TraceUprobeMulti)).with_extras(),
    row("uretprobe.multi.s", P::Kprobe, Some(A::TraceUprobeMulti))
        .with_extras()
        .sleepable(),
    row("uprobe.session", P::Kprobe, Some(A::TraceUprobeSession)).with_extras(),
    row("uprobe.session.s", P::Kprobe, Some(A::TraceUprobeSession))
        .with_extras()
        .sleepable(),
    row("lirc_mode2", P::LircMode2, Some(A::LircMode2)),
    row("lsm_cgroup", P::Lsm, Some(A::LsmCgroup)).with_extras(),
    row("lsm", P::Lsm, Some(A::LsmMac)).with_extras(),
    row("lsm.s", P::Lsm, Some(A::LsmMac))
        .with_extras()
        .sleepable(),
    row("lwt_in", P::LwtIn, None),
    row("lwt_out", P::LwtOut, None),
    row("lwt_seg6local", P::LwtSeg6local, None),
    row("lwt_xmit", P::LwtXmit, None),
    row("netfilter", P::Netfilter, Some(A::Netfilter)),
    row("netkit/primary", P::SchedCls, Some(A::NetkitPrimary)),
    row("netkit/peer", P::SchedCls, Some(A::NetkitPeer)),
    row("perf_event", P::PerfEvent, None),
    row("raw_tp.w", P::RawTracepointWritable, None).with_extras(),
    row("raw_tracepoint.w", P::RawTracepointWritable, None).with_extras(),
    row("raw_tp", P::RawTracepoint, None).with_extras(),
    row("raw_tracepoint", P::RawTracepoint, None).with_extras(),
    row("action", P::SchedAct, None),
    row("classifier", P::SchedCls, None),
    row("tc", P::SchedCls, None),
    row("tc/ingress", P::SchedCls, Some(A::TcxIngress)),
    row("tc/egress", P::SchedCls, Some(A::TcxEgress)),
    row("tcx/ingress", P::SchedCls, Some(A::TcxIngress)),
    row("tcx/egress", P::SchedCls, Some(A::TcxEgress)),
    row("sk_lookup", P::SkLookup, Some(A::SkLookup)),
    row("sk_msg", P::SkMsg, Some(A::SkMsgVerdict)),
    row(
        "sk_reuseport/migrate",
        P::SkReuseport,
        Some(A::SkReuseportSelectOrMigrate),
    ),
    row("sk_reuseport", P::SkReuseport, Some(A::SkReuseportSelect)),
    row("sk_skb", P::SkSkb, None),
    row("sk_skb/stream_parser", P::SkSkb, Some(A::SkSkbStreamParser)),
    row(
        "sk_skb/stream_verdict",
        P::SkSkb,
        Some(A::SkSkbStreamVerdict),
    ),
    row("sk_skb/verdict", P::SkSkb, Some(A::SkSkbVerdict)),
    row("socket", P::SocketFilter, None),
    row("sockops", P::SockOps, Some(A::CgroupSockOps)),
    row("struct_ops", P::StructOps, None).with_extras(),
    row("struct_ops.s", P::StructOps, None)
        .with_extras()
        .sleepable(),
    row("syscall", P::Syscall, None).sleepable(),
    row("tp", P::Tracepoint, None).with_extras(),
    row("tracepoint", P::Tracepoint, None).with_extras(),
    row("fmod_ret", P::Tracing, Some(A::ModifyReturn)).with_extras(),
    row("fmod_ret.s", P::Tracing, Some(A::ModifyReturn))
        .with_extras()
        .sleepable(),
    row("fentry", P::Tracing, Some(A::TraceFentry)).with_extras(),
    row("fentry.s", P::Tracing, Some(A::TraceFentry))
        .with_extras()
        .sleepable(),
    row("fexit", P::Tracing, Some(A::TraceFexit)).with_extras(),
    row("fexit.s", P::Tracing, Some(A::TraceFexit))
        .with_extras()
        .sleepable(),
    row("iter", P::Tracing, Some(A::TraceIter)).with_extras(),
    row("iter.s", P::Tracing, Some(A::TraceIter))
        .with_extras()
        .sleepable(),
    row("tp_btf", P::Tracing, Some(A::TraceRawTp)).with_extras(),
    row("xdp.frags/cpumap", P::Xdp, Some(A::XdpCpumap)).frags(),
    row("xdp/cpumap", P::Xdp, Some(A::XdpCpumap)),
    row("xdp.frags/devmap", P::Xdp, Some(A::XdpDevmap)).frags(),
    row("xdp/devmap", P::Xdp, Some(A::XdpDevmap)),
    row("xdp.frags", P::Xdp, Some(A::Xdp)).frags(),
    row("xdp", P::Xdp, Some(A::Xdp)),
];

const fn row(name: &'static str, prog_type: ProgType, attach_type: Option<AttachType>) -> Section {
    Section {
        name,
        prog_type,
        attach_type,
        rest: Rest::Name,
        prog_flags: 0,
    }
}

impl Section {
    const fn with_extras(mut self) -> Section {
        self.rest = Rest::Target;
        self
    }

    const fn sleepable(mut self) -> Section {
        self.prog_flags |= BPF_F_SLEEPABLE;
        self
    }

    const fn frags(mut self) -> Section {
        self.prog_flags |= BPF_F_XDP_HAS_FRAGS;
        self
    }
}

/// The row for a section: the one with the longest name that `name` is, itself or with more
/// behind a `/` (`tracepoint/sched/sched_switch`).
pub fn section(name: &str) -> Option<&'static Section> {
    let fits = |known: &&Section| behind(name, known).is_some();
    SECTIONS
        .iter()
        .filter(fits)
        .max_by_key(|known| known.name.len())
}

/// What the programs of a section are attached to, if its name says so: `do_exit` of
/// `kprobe/do_exit`.
pub fn attach_target(name: &str) -> Option<&str> {
    let known = section(name)?;
    let rest = behind(name, known)?.strip_prefix('/')?;
    (known.rest == Rest::Target && !rest.is_empty()).then_some(rest)
}

/// What follows a row's name in that of a section.
fn behind<'n>(name: &'n str, known: &Section) -> Option<&'n str> {
    let name = name.strip_prefix('?').unwrap_or(name);
    let rest = name.strip_prefix(known.name)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_found_by_itself() {
        for known in SECTIONS {
            assert_eq!(section(known.name), Some(known));
            assert_eq!(section(&format!("?{}", known.name)), Some(known));
            let longer = format!("{}/more", known.name);
            assert_eq!(section(&longer), Some(known));
            let target = (known.rest == Rest::Target).then_some("more");
            assert_eq!(attach_target(&longer), target);
        }
        for name in ["xdp_but_not_quite", "xdp.frag", "", "?", "/xdp", ".text"] {
            assert_eq!(section(name), None, "{name}");
        }
        assert_eq!(attach_target("tp/sched/exit"), Some("sched/exit"));
        assert_eq!(attach_target("kprobe"), None);
    }

    /// XDP links can be updated only if the program was loaded for BPF_XDP.
    #[test]
    fn xdp_names_its_attach_type() {
        let attach = section("xdp").and_then(|s| s.attach_type);
        assert_eq!(attach.map(AttachType::number), Some(37));
    }
}
