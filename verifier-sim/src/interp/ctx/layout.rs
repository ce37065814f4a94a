//! Which program type has which context: the one table.
//!
//! Sources: `include/uapi/linux/bpf.h`; the kernel's `Documentation/bpf/`; which fields the
//! types may write was seen on Linux 6.18.
//! Read before: `fields.rs`. Read next: `mod.rs`.

use super::fields::{self, Field};

use ebpf_asm::prog_type::ProgType;

/// The context of a program type, and what comes with it.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) shape: Shape,
    pub(crate) packet: PacketUse,
}

/// How a context is made up.
#[derive(Debug)]
pub(crate) enum Shape {
    /// A struct, whose fields the kernel makes up at each access.
    Fields(Fields),
    /// Bytes as they are.
    Memory(Bytes),
}

/// A struct, and what programs of the type may do with its fields.
#[derive(Debug)]
pub(crate) struct Fields {
    pub(crate) fields: &'static [Field],
    /// Those that programs of the type do not have.
    pub(crate) hidden: &'static [&'static str],
    /// Those that they may write.
    pub(crate) writable: &'static [&'static str],
    pub(crate) parts: Parts,
}

/// Whether parts of a number can be accessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parts {
    Whole,
    Aligned,
}

/// Plain memory.
#[derive(Debug)]
pub(crate) struct Bytes {
    /// The first that programs may read.
    pub(crate) first: usize,
    pub(crate) length: Length,
    pub(crate) writes: Writes,
}

/// How many bytes there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// So many always.
    Fixed(usize),
    /// As many as the caller gives, up to so many.
    Given(usize),
}

/// Whether the bytes may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writes {
    Refused,
    Allowed,
}

/// The packet that comes with a context, and what may be done with it by pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PacketUse {
    /// There is none.
    None,
    /// An XDP buffer, read and written.
    Xdp,
    /// A socket buffer, read and written.
    Skb,
    /// A socket buffer that is only read.
    SkbReadOnly,
    /// A socket buffer that helpers and packet loads alone can reach.
    SkbHidden,
}

impl PacketUse {
    /// Whether the context is a `__sk_buff`.
    pub(crate) fn is_skb(self) -> bool {
        matches!(
            self,
            PacketUse::Skb | PacketUse::SkbReadOnly | PacketUse::SkbHidden
        )
    }
}

/// `bpf_user_pt_regs_t` on x86-64: 21 registers.
const PT_REGS: usize = 168;
/// `struct bpf_perf_event_data`: registers, `sample_period` and `addr`.
const PERF_EVENT_DATA: usize = PT_REGS + 16;
/// The longest record of a tracepoint.
const TRACE_RECORD: usize = 8192;
/// What all records begin with and programs may not read.
const TRACE_HIDDEN: usize = 8;
/// The arguments of a raw tracepoint, 8 bytes each: at most 12.
const RAW_ARGUMENTS: usize = 12 * 8;
/// The longest context of a syscall program.
const SYSCALL_CONTEXT: usize = u16::MAX as usize;

const fn sk_buff(
    packet: PacketUse,
    hidden: &'static [&'static str],
    writable: &'static [&'static str],
) -> Layout {
    Layout {
        shape: Shape::Fields(Fields {
            fields: fields::SK_BUFF,
            hidden,
            writable,
            parts: Parts::Aligned,
        }),
        packet,
    }
}

const fn fields(fields: &'static [Field], writable: &'static [&'static str]) -> Layout {
    Layout {
        shape: Shape::Fields(Fields {
            fields,
            hidden: &[],
            writable,
            parts: Parts::Aligned,
        }),
        packet: PacketUse::None,
    }
}

const fn memory(first: usize, length: Length, writes: Writes) -> Layout {
    Layout {
        shape: Shape::Memory(Bytes {
            first,
            length,
            writes,
        }),
        packet: PacketUse::None,
    }
}

static XDP: Layout = Layout {
    shape: Shape::Fields(Fields {
        fields: fields::XDP_MD,
        hidden: &[],
        writable: &[],
        parts: Parts::Whole,
    }),
    packet: PacketUse::Xdp,
};

static SOCKET_FILTER: Layout = sk_buff(
    PacketUse::SkbHidden,
    &["data", "data_end", "data_meta", "tc_classid", "tstamp"],
    &["cb"],
);

static TC: Layout = sk_buff(
    PacketUse::Skb,
    &[],
    &[
        "mark",
        "queue_mapping",
        "priority",
        "tc_index",
        "cb",
        "tc_classid",
        "tstamp",
    ],
);

static CGROUP_SKB: Layout = sk_buff(
    PacketUse::SkbReadOnly,
    &["data_meta", "tc_classid", "wire_len", "tstamp_type"],
    &["mark", "priority", "cb", "tstamp"],
);

/// What programs of light-weight tunnels do not have.
const NOT_FOR_TUNNELS: &[&str] = &[
    "data_meta",
    "tc_classid",
    "tstamp",
    "wire_len",
    "tstamp_type",
    "hwtstamp",
];

static LWT_XMIT: Layout = sk_buff(PacketUse::Skb, NOT_FOR_TUNNELS, &["mark", "priority", "cb"]);

static LWT: Layout = sk_buff(
    PacketUse::SkbReadOnly,
    NOT_FOR_TUNNELS,
    &["mark", "priority", "cb"],
);

static SK_SKB: Layout = sk_buff(
    PacketUse::Skb,
    &[
        "mark",
        "data_meta",
        "tc_classid",
        "tstamp",
        "wire_len",
        "tstamp_type",
        "hwtstamp",
    ],
    &["priority", "tc_index"],
);

static CGROUP_DEVICE: Layout = fields(fields::CGROUP_DEV_CTX, &[]);
static CGROUP_SYSCTL: Layout = fields(fields::SYSCTL, &["file_pos"]);
static SOCK_OPS: Layout = fields(fields::SOCK_OPS, &["reply", "sk_txhash"]);
static SK_LOOKUP: Layout = fields(fields::SK_LOOKUP, &[]);
static CGROUP_SOCK_ADDR: Layout = fields(
    fields::SOCK_ADDR,
    &[
        "user_ip4",
        "user_ip6",
        "user_port",
        "msg_src_ip4",
        "msg_src_ip6",
    ],
);

static KPROBE: Layout = memory(0, Length::Fixed(PT_REGS), Writes::Refused);
static PERF_EVENT: Layout = memory(0, Length::Fixed(PERF_EVENT_DATA), Writes::Refused);
static TRACEPOINT: Layout = memory(TRACE_HIDDEN, Length::Given(TRACE_RECORD), Writes::Refused);
static RAW_TRACEPOINT: Layout = memory(0, Length::Given(RAW_ARGUMENTS), Writes::Refused);
static SYSCALL: Layout = memory(0, Length::Given(SYSCALL_CONTEXT), Writes::Allowed);

/// The context of programs of a type; `None` if the type is not modelled.
pub(crate) fn layout(prog_type: ProgType) -> Option<&'static Layout> {
    Some(match prog_type {
        ProgType::Xdp => &XDP,
        ProgType::SocketFilter => &SOCKET_FILTER,
        ProgType::SchedCls | ProgType::SchedAct => &TC,
        ProgType::CgroupSkb => &CGROUP_SKB,
        ProgType::LwtXmit => &LWT_XMIT,
        ProgType::LwtIn | ProgType::LwtOut | ProgType::LwtSeg6local => &LWT,
        ProgType::SkSkb => &SK_SKB,
        ProgType::Kprobe => &KPROBE,
        ProgType::Tracepoint => &TRACEPOINT,
        ProgType::RawTracepoint => &RAW_TRACEPOINT,
        ProgType::PerfEvent => &PERF_EVENT,
        ProgType::Syscall => &SYSCALL,
        ProgType::CgroupDevice => &CGROUP_DEVICE,
        ProgType::CgroupSysctl => &CGROUP_SYSCTL,
        ProgType::CgroupSockAddr => &CGROUP_SOCK_ADDR,
        ProgType::SockOps => &SOCK_OPS,
        ProgType::SkLookup => &SK_LOOKUP,
        _ => return None,
    })
}

impl Layout {
    /// The most bytes that the context has.
    pub(crate) fn most(&self) -> usize {
        match &self.shape {
            Shape::Fields(fields) => fields.size(),
            Shape::Memory(bytes) => match bytes.length {
                Length::Fixed(size) | Length::Given(size) => size,
            },
        }
    }

    /// Whether a context has always as many bytes.
    pub(crate) fn is_fixed(&self) -> bool {
        match &self.shape {
            Shape::Fields(_) => true,
            Shape::Memory(bytes) => matches!(bytes.length, Length::Fixed(_)),
        }
    }
}

impl Fields {
    /// The size of the struct in bytes.
    pub(crate) fn size(&self) -> usize {
        let ends = self.fields.iter().map(|f| f.start + f.size);
        ends.max()
            .and_then(|end| usize::try_from(end).ok())
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn structs() -> impl Iterator<Item = &'static Fields> {
        let layouts = ProgType::ALL.iter().filter_map(|of| layout(*of));
        layouts.filter_map(|layout| match &layout.shape {
            Shape::Fields(fields) => Some(fields),
            Shape::Memory(_) => None,
        })
    }

    #[test]
    fn fields_ascend_without_overlap() {
        for of in structs() {
            for pair in of.fields.windows(2) {
                let end = pair[0].start + pair[0].size;
                assert!(end <= pair[1].start, "{}", pair[1].name);
            }
        }
    }

    #[test]
    fn what_is_hidden_or_writable_exists() {
        for of in structs() {
            for name in of.hidden.iter().chain(of.writable) {
                assert!(of.fields.iter().any(|f| f.name == *name), "{name}");
            }
        }
    }
}
