//! The fields of contexts that are structs: where they are, and what they hold.
//!
//! Source: `include/uapi/linux/bpf.h`, the structs of these names.
//! Read before: nothing. Read next: `layout.rs`.

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// The address of the packet's first byte.
    Data,
    /// The address behind the packet's last byte.
    DataEnd,
    /// The address of the metadata's first byte.
    DataMeta,
    /// A number.
    Number,
    /// A pointer to a socket where there may be none: a machine has no sockets.
    NoSocket,
    /// A field of the kernel's that this model does not fill.
    NotModelled,
}

/// A field of a context: all bytes belong to one, or may not be touched.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) start: i64,
    /// In bytes.
    pub(crate) size: i64,
    pub(crate) content: Content,
    pub(crate) name: &'static str,
}

const fn field(start: i64, size: i64, content: Content, name: &'static str) -> Field {
    Field {
        start,
        size,
        content,
        name,
    }
}

/// `struct xdp_md`.
pub(crate) const XDP_MD: &[Field] = &[
    field(0, 4, Content::Data, "data"),
    field(4, 4, Content::DataEnd, "data_end"),
    field(8, 4, Content::DataMeta, "data_meta"),
    field(12, 4, Content::Number, "ingress_ifindex"),
    field(16, 4, Content::Number, "rx_queue_index"),
    field(20, 4, Content::Number, "egress_ifindex"),
];

/// `struct __sk_buff`.
pub(crate) const SK_BUFF: &[Field] = &[
    field(0, 4, Content::Number, "len"),
    field(4, 4, Content::Number, "pkt_type"),
    field(8, 4, Content::Number, "mark"),
    field(12, 4, Content::Number, "queue_mapping"),
    field(16, 4, Content::Number, "protocol"),
    field(20, 4, Content::Number, "vlan_present"),
    field(24, 4, Content::Number, "vlan_tci"),
    field(28, 4, Content::Number, "vlan_proto"),
    field(32, 4, Content::Number, "priority"),
    field(36, 4, Content::Number, "ingress_ifindex"),
    field(40, 4, Content::Number, "ifindex"),
    field(44, 4, Content::Number, "tc_index"),
    field(48, 20, Content::Number, "cb"),
    field(68, 4, Content::Number, "hash"),
    field(72, 4, Content::Number, "tc_classid"),
    field(76, 4, Content::Data, "data"),
    field(80, 4, Content::DataEnd, "data_end"),
    field(84, 4, Content::Number, "napi_id"),
    field(88, 52, Content::NotModelled, "the socket's addresses"),
    field(140, 4, Content::DataMeta, "data_meta"),
    field(144, 8, Content::NotModelled, "flow_keys"),
    field(152, 8, Content::Number, "tstamp"),
    field(160, 4, Content::Number, "wire_len"),
    field(164, 4, Content::Number, "gso_segs"),
    field(168, 8, Content::NoSocket, "sk"),
    field(176, 4, Content::Number, "gso_size"),
    field(180, 1, Content::Number, "tstamp_type"),
    field(184, 8, Content::Number, "hwtstamp"),
];

/// `struct bpf_cgroup_dev_ctx`.
pub(crate) const CGROUP_DEV_CTX: &[Field] = &[
    field(0, 4, Content::Number, "access_type"),
    field(4, 4, Content::Number, "major"),
    field(8, 4, Content::Number, "minor"),
];

/// `struct bpf_sysctl`.
pub(crate) const SYSCTL: &[Field] = &[
    field(0, 4, Content::Number, "write"),
    field(4, 4, Content::Number, "file_pos"),
];

/// `struct bpf_sock_addr`.
pub(crate) const SOCK_ADDR: &[Field] = &[
    field(0, 4, Content::Number, "user_family"),
    field(4, 4, Content::Number, "user_ip4"),
    field(8, 16, Content::Number, "user_ip6"),
    field(24, 4, Content::Number, "user_port"),
    field(28, 4, Content::Number, "family"),
    field(32, 4, Content::Number, "type"),
    field(36, 4, Content::Number, "protocol"),
    field(40, 4, Content::Number, "msg_src_ip4"),
    field(44, 16, Content::Number, "msg_src_ip6"),
    field(64, 8, Content::NotModelled, "sk"),
];

/// `struct bpf_sock_ops`.
pub(crate) const SOCK_OPS: &[Field] = &[
    field(0, 4, Content::Number, "op"),
    field(4, 4, Content::Number, "reply"),
    field(8, 12, Content::Number, "args"),
    field(20, 4, Content::Number, "family"),
    field(24, 8, Content::Number, "remote_ip4, local_ip4"),
    field(32, 32, Content::Number, "remote_ip6, local_ip6"),
    field(64, 8, Content::Number, "remote_port, local_port"),
    field(72, 92, Content::Number, "the connection's numbers"),
    field(164, 4, Content::Number, "sk_txhash"),
    field(168, 8, Content::Number, "bytes_received"),
    field(176, 8, Content::Number, "bytes_acked"),
    field(184, 8, Content::NoSocket, "sk"),
    field(192, 16, Content::NotModelled, "skb_data, skb_data_end"),
    field(208, 8, Content::Number, "skb_len, skb_tcp_flags"),
    field(216, 8, Content::Number, "skb_hwtstamp"),
];

/// `struct bpf_sk_lookup`.
pub(crate) const SK_LOOKUP: &[Field] = &[
    field(0, 8, Content::NoSocket, "sk"),
    field(8, 4, Content::Number, "family"),
    field(12, 4, Content::Number, "protocol"),
    field(16, 4, Content::Number, "remote_ip4"),
    field(20, 16, Content::Number, "remote_ip6"),
    field(36, 4, Content::Number, "remote_port"),
    field(40, 4, Content::Number, "local_ip4"),
    field(44, 16, Content::Number, "local_ip6"),
    field(60, 4, Content::Number, "local_port"),
    field(64, 4, Content::Number, "ingress_ifindex"),
];
