//! Program types and attach types with their UAPI numbers.
//!
//! Source: `include/uapi/linux/bpf.h`.
//!
//! Read next: `section.rs`.

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
        Unspec = 0 "unspec",
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

    /// The struct of the UAPI that a program's context is; none where it depends on more than
    /// the type.
    pub const fn context_struct(self) -> Option<&'static str> {
        let name = match self {
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
            ProgType::Netfilter => "bpf_nf_ctx",
            _ => return None,
        };
        Some(name)
    }
}
