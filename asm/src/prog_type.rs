//! Program types and attach types with their UAPI numbers, and the ELF section names that
//! stand for them.
//!
//! Sources: `include/uapi/linux/bpf.h`; section names as in the kernel's
//! `Documentation/bpf/libbpf/program_types.rst`.

/// An enum whose variants are UAPI numbers, with both directions and the UAPI's names.
macro_rules! uapi_enum {
    ($(#[$meta:meta])* $name:ident { $($variant:ident = $number:literal $uapi:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(missing_docs, reason = "the names are the UAPI's own")]
        #[repr(u32)]
        pub enum $name {
            $($variant = $number,)*
        }

        impl $name {
            /// All of them, by number.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// The UAPI number.
            pub const fn number(self) -> u32 {
                self as u32
            }

            /// The one with this UAPI number.
            pub fn from_number(number: u32) -> Option<$name> {
                $name::ALL.iter().copied().find(|known| known.number() == number)
            }

            /// The name in lower case without the UAPI's prefix, as bpftool prints it.
            pub const fn name(self) -> &'static str {
                match self {
                    $($name::$variant => $uapi,)*
                }
            }

            /// The one with this [`name`](Self::name).
            pub fn from_name(name: &str) -> Option<$name> {
                $name::ALL.iter().copied().find(|known| known.name() == name)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}
pub(crate) use uapi_enum;

uapi_enum! {
    /// What a program is for (`enum bpf_prog_type`).
    ProgType {
        SocketFilter = 1 "socket_filter",
        Kprobe = 2 "kprobe",
        SchedCls = 3 "sched_cls",
        SchedAct = 4 "sched_act",
        Tracepoint = 5 "tracepoint",
        Xdp = 6 "xdp",
        PerfEvent = 7 "perf_event",
        CgroupSkb = 8 "cgroup_skb",
        CgroupSock = 9 "cgroup_sock",
        LwtIn = 10 "lwt_in",
        LwtOut = 11 "lwt_out",
        LwtXmit = 12 "lwt_xmit",
        SockOps = 13 "sock_ops",
        SkSkb = 14 "sk_skb",
        CgroupDevice = 15 "cgroup_device",
        SkMsg = 16 "sk_msg",
        RawTracepoint = 17 "raw_tracepoint",
        CgroupSockAddr = 18 "cgroup_sock_addr",
        LwtSeg6local = 19 "lwt_seg6local",
        LircMode2 = 20 "lirc_mode2",
        SkReuseport = 21 "sk_reuseport",
        FlowDissector = 22 "flow_dissector",
        CgroupSysctl = 23 "cgroup_sysctl",
        RawTracepointWritable = 24 "raw_tracepoint_writable",
        CgroupSockopt = 25 "cgroup_sockopt",
        Tracing = 26 "tracing",
        StructOps = 27 "struct_ops",
        Ext = 28 "ext",
        Lsm = 29 "lsm",
        SkLookup = 30 "sk_lookup",
        Syscall = 31 "syscall",
        Netfilter = 32 "netfilter",
    }
}

uapi_enum! {
    /// Where a program is attached (`enum bpf_attach_type`).
    AttachType {
        CgroupInetIngress = 0 "cgroup_inet_ingress",
        CgroupInetEgress = 1 "cgroup_inet_egress",
        CgroupInetSockCreate = 2 "cgroup_inet_sock_create",
        CgroupSockOps = 3 "cgroup_sock_ops",
        SkSkbStreamParser = 4 "sk_skb_stream_parser",
        SkSkbStreamVerdict = 5 "sk_skb_stream_verdict",
        CgroupDevice = 6 "cgroup_device",
        SkMsgVerdict = 7 "sk_msg_verdict",
        CgroupInet4Bind = 8 "cgroup_inet4_bind",
        CgroupInet6Bind = 9 "cgroup_inet6_bind",
        CgroupInet4Connect = 10 "cgroup_inet4_connect",
        CgroupInet6Connect = 11 "cgroup_inet6_connect",
        CgroupInet4PostBind = 12 "cgroup_inet4_post_bind",
        CgroupInet6PostBind = 13 "cgroup_inet6_post_bind",
        CgroupUdp4Sendmsg = 14 "cgroup_udp4_sendmsg",
        CgroupUdp6Sendmsg = 15 "cgroup_udp6_sendmsg",
        LircMode2 = 16 "lirc_mode2",
        FlowDissector = 17 "flow_dissector",
        CgroupSysctl = 18 "cgroup_sysctl",
        CgroupUdp4Recvmsg = 19 "cgroup_udp4_recvmsg",
        CgroupUdp6Recvmsg = 20 "cgroup_udp6_recvmsg",
        CgroupGetsockopt = 21 "cgroup_getsockopt",
        CgroupSetsockopt = 22 "cgroup_setsockopt",
        TraceRawTp = 23 "trace_raw_tp",
        TraceFentry = 24 "trace_fentry",
        TraceFexit = 25 "trace_fexit",
        ModifyReturn = 26 "modify_return",
        LsmMac = 27 "lsm_mac",
        TraceIter = 28 "trace_iter",
        CgroupInet4Getpeername = 29 "cgroup_inet4_getpeername",
        CgroupInet6Getpeername = 30 "cgroup_inet6_getpeername",
        CgroupInet4Getsockname = 31 "cgroup_inet4_getsockname",
        CgroupInet6Getsockname = 32 "cgroup_inet6_getsockname",
        XdpDevmap = 33 "xdp_devmap",
        CgroupInetSockRelease = 34 "cgroup_inet_sock_release",
        XdpCpumap = 35 "xdp_cpumap",
        SkLookup = 36 "sk_lookup",
        Xdp = 37 "xdp",
        SkSkbVerdict = 38 "sk_skb_verdict",
        SkReuseportSelect = 39 "sk_reuseport_select",
        SkReuseportSelectOrMigrate = 40 "sk_reuseport_select_or_migrate",
        PerfEvent = 41 "perf_event",
        TraceKprobeMulti = 42 "trace_kprobe_multi",
        LsmCgroup = 43 "lsm_cgroup",
        StructOps = 44 "struct_ops",
        Netfilter = 45 "netfilter",
        TcxIngress = 46 "tcx_ingress",
        TcxEgress = 47 "tcx_egress",
        TraceUprobeMulti = 48 "trace_uprobe_multi",
        CgroupUnixConnect = 49 "cgroup_unix_connect",
        CgroupUnixSendmsg = 50 "cgroup_unix_sendmsg",
        CgroupUnixRecvmsg = 51 "cgroup_unix_recvmsg",
        CgroupUnixGetpeername = 52 "cgroup_unix_getpeername",
        CgroupUnixGetsockname = 53 "cgroup_unix_getsockname",
        NetkitPrimary = 54 "netkit_primary",
        NetkitPeer = 55 "netkit_peer",
        TraceKprobeSession = 56 "trace_kprobe_session",
        TraceUprobeSession = 57 "trace_uprobe_session",
    }
}

impl ProgType {
    /// What the kernel understands a program's `expected_attach_type` to be: where there is
    /// none it finds the number 0, which two types mean otherwise.
    pub fn attach_type(self, expected: Option<AttachType>) -> AttachType {
        let given = expected.unwrap_or(AttachType::CgroupInetIngress);
        match (self, given) {
            (ProgType::CgroupSock, AttachType::CgroupInetIngress) => {
                AttachType::CgroupInetSockCreate
            }
            (ProgType::SkReuseport, AttachType::CgroupInetIngress) => AttachType::SkReuseportSelect,
            _ => given,
        }
    }

    /// The struct of the UAPI that a program's context is; empty where it depends on more
    /// than the type.
    pub const fn context_struct(self) -> &'static str {
        match self {
            ProgType::Xdp => "xdp_md",
            ProgType::SocketFilter
            | ProgType::SchedCls
            | ProgType::SchedAct
            | ProgType::CgroupSkb
            | ProgType::LwtIn
            | ProgType::LwtOut
            | ProgType::LwtXmit
            | ProgType::LwtSeg6local
            | ProgType::SkSkb
            | ProgType::FlowDissector => "__sk_buff",
            ProgType::CgroupSock => "bpf_sock",
            ProgType::CgroupSockAddr => "bpf_sock_addr",
            ProgType::CgroupDevice => "bpf_cgroup_dev_ctx",
            ProgType::CgroupSysctl => "bpf_sysctl",
            ProgType::CgroupSockopt => "bpf_sockopt",
            ProgType::SockOps => "bpf_sock_ops",
            ProgType::SkMsg => "sk_msg_md",
            ProgType::SkLookup => "bpf_sk_lookup",
            ProgType::SkReuseport => "sk_reuseport_md",
            ProgType::PerfEvent => "bpf_perf_event_data",
            ProgType::RawTracepoint | ProgType::RawTracepointWritable => "bpf_raw_tracepoint_args",
            _ => "",
        }
    }
}

/// What an ELF section's name says of the programs in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section {
    /// The name, or its part before a `/`.
    pub name: &'static str,
    /// The type of the programs.
    pub prog_type: ProgType,
    /// What the kernel wants as `expected_attach_type`.
    pub attach_type: Option<AttachType>,
}

/// The section names that name a type; a longer name stands before its own beginning.
pub const SECTIONS: &[Section] = &[
    sec("xdp/devmap", ProgType::Xdp, Some(AttachType::XdpDevmap)),
    sec(
        "xdp.frags/devmap",
        ProgType::Xdp,
        Some(AttachType::XdpDevmap),
    ),
    sec("xdp/cpumap", ProgType::Xdp, Some(AttachType::XdpCpumap)),
    sec(
        "xdp.frags/cpumap",
        ProgType::Xdp,
        Some(AttachType::XdpCpumap),
    ),
    sec("xdp", ProgType::Xdp, Some(AttachType::Xdp)),
    sec("socket", ProgType::SocketFilter, None),
    sec(
        "tcx/ingress",
        ProgType::SchedCls,
        Some(AttachType::TcxIngress),
    ),
    sec(
        "tcx/egress",
        ProgType::SchedCls,
        Some(AttachType::TcxEgress),
    ),
    sec("tc", ProgType::SchedCls, None),
    sec("classifier", ProgType::SchedCls, None),
    sec("action", ProgType::SchedAct, None),
    sec("kprobe", ProgType::Kprobe, None),
    sec("kretprobe", ProgType::Kprobe, None),
    sec("uprobe", ProgType::Kprobe, None),
    sec("uretprobe", ProgType::Kprobe, None),
    sec("tracepoint", ProgType::Tracepoint, None),
    sec("tp", ProgType::Tracepoint, None),
    sec("raw_tracepoint", ProgType::RawTracepoint, None),
    sec("raw_tp", ProgType::RawTracepoint, None),
    sec("perf_event", ProgType::PerfEvent, None),
    sec(
        "cgroup_skb/ingress",
        ProgType::CgroupSkb,
        Some(AttachType::CgroupInetIngress),
    ),
    sec(
        "cgroup_skb/egress",
        ProgType::CgroupSkb,
        Some(AttachType::CgroupInetEgress),
    ),
    sec("cgroup/skb", ProgType::CgroupSkb, None),
    sec(
        "cgroup/dev",
        ProgType::CgroupDevice,
        Some(AttachType::CgroupDevice),
    ),
    sec(
        "cgroup/sysctl",
        ProgType::CgroupSysctl,
        Some(AttachType::CgroupSysctl),
    ),
    sec(
        "sockops",
        ProgType::SockOps,
        Some(AttachType::CgroupSockOps),
    ),
    sec(
        "sk_skb/stream_parser",
        ProgType::SkSkb,
        Some(AttachType::SkSkbStreamParser),
    ),
    sec(
        "sk_skb/stream_verdict",
        ProgType::SkSkb,
        Some(AttachType::SkSkbStreamVerdict),
    ),
    sec("sk_skb", ProgType::SkSkb, None),
    sec("sk_msg", ProgType::SkMsg, Some(AttachType::SkMsgVerdict)),
    sec("sk_lookup", ProgType::SkLookup, Some(AttachType::SkLookup)),
    sec(
        "sk_reuseport",
        ProgType::SkReuseport,
        Some(AttachType::SkReuseportSelect),
    ),
    sec(
        "flow_dissector",
        ProgType::FlowDissector,
        Some(AttachType::FlowDissector),
    ),
    sec("lwt_in", ProgType::LwtIn, None),
    sec("lwt_out", ProgType::LwtOut, None),
    sec("lwt_xmit", ProgType::LwtXmit, None),
    sec("lwt_seg6local", ProgType::LwtSeg6local, None),
    sec(
        "netfilter",
        ProgType::Netfilter,
        Some(AttachType::Netfilter),
    ),
    sec("syscall", ProgType::Syscall, None),
];

const fn sec(name: &'static str, prog_type: ProgType, attach_type: Option<AttachType>) -> Section {
    Section {
        name,
        prog_type,
        attach_type,
    }
}

/// The section that `name` is, itself or with more behind a `/` or a `.`
/// (`tracepoint/sched/sched_switch`).
pub fn section(name: &str) -> Option<&'static Section> {
    SECTIONS.iter().find(|known| {
        name.strip_prefix(known.name)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '.']))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_found_by_itself() {
        for known in SECTIONS {
            assert_eq!(section(known.name), Some(known));
        }
        assert_eq!(
            section("xdp.frags").map(|s| s.prog_type),
            Some(ProgType::Xdp)
        );
        assert_eq!(section("xdp_but_not_quite"), None);
    }

    /// XDP links can be updated only if the program was loaded for BPF_XDP.
    #[test]
    fn xdp_names_its_attach_type() {
        let attach = section("xdp").and_then(|s| s.attach_type);
        assert_eq!(attach.map(AttachType::number), Some(37));
    }
}
