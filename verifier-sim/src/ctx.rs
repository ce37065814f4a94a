//! Contexts: what a program receives in R1, one table row for each field of its UAPI struct.
//!
//! Sources: `include/uapi/linux/bpf.h` (`struct xdp_md`, `struct __sk_buff`); which fields a
//! program type may read and write was observed on Linux 6.18, every offset with every size.
//!
//! Read before: `reg.rs`. Read next: `mem.rs`.

use crate::reg::Kind;
use ebpf_asm::isa::Size;
use ebpf_asm::prog_type::{AttachType, ProgType};

/// What a program type receives.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context {
    /// The UAPI struct.
    pub name: &'static str,
    /// Its fields, by ascending offset.
    pub fields: &'static [Field],
    /// Whether packet bytes may be written.
    pub packet: PacketWrite,
}

/// Whether a program may write to the packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PacketWrite {
    /// It may.
    Allowed,
    /// It may not.
    Refused,
}

/// A field of a context.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its first byte.
    pub offset: u32,
    /// Its size in bytes; of arrays, the size of all elements.
    pub size: u32,
    /// How it may be read.
    pub read: Access,
    /// How it may be written.
    pub write: Access,
    /// What reading it gives.
    pub value: Value,
}

/// With which sizes a field may be accessed. An access is always aligned to its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Not at all.
    No,
    /// With this size only, at multiples of it.
    Whole(Size),
    /// With this size or a smaller one, inside of the field.
    Narrow(Size),
    /// With any size, inside of the field.
    Any,
}

/// What reading a field gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value {
    /// A number.
    Number,
    /// `data`.
    Packet,
    /// `data_end`.
    PacketEnd,
    /// `data_meta`.
    PacketMeta,
    /// A pointer that may be null and is not modelled further.
    OpaqueOrNull(&'static str),
}

impl Value {
    /// The pointer that the field holds, if it is one.
    pub(crate) fn pointer(self) -> Option<Kind> {
        match self {
            Value::Number => None,
            Value::Packet => Some(Kind::Packet),
            Value::PacketEnd => Some(Kind::PacketEnd),
            Value::PacketMeta => Some(Kind::PacketMeta),
            Value::OpaqueOrNull(name) => Some(Kind::Opaque(name)),
        }
    }
}

impl Access {
    /// Whether `size` bytes at `within` the field are allowed.
    fn allows(self, within: u32, size: Size, field: u32) -> bool {
        let inside = within + size.bytes() <= field;
        inside
            && match self {
                Access::No => false,
                Access::Whole(whole) => size == whole && within.is_multiple_of(whole.bytes()),
                Access::Narrow(widest) => size <= widest,
                Access::Any => true,
            }
    }
}

impl Context {
    /// The field that reading `size` bytes at `offset` reads.
    pub(crate) fn read(&self, offset: i64, size: Size) -> Option<&'static Field> {
        self.field(offset, size, |field| field.read)
    }

    /// The field that writing `size` bytes at `offset` writes.
    pub(crate) fn write(&self, offset: i64, size: Size) -> Option<&'static Field> {
        self.field(offset, size, |field| field.write)
    }

    /// The field at `offset`, whether or not it may be accessed.
    pub(crate) fn at(&self, offset: i64) -> Option<&'static Field> {
        let offset = u32::try_from(offset).ok()?;
        let after = self.fields.partition_point(|field| field.offset <= offset);
        let field = self.fields.get(after.checked_sub(1)?)?;
        (offset < field.offset + field.size).then_some(field)
    }

    fn field(
        &self,
        offset: i64,
        size: Size,
        access: impl Fn(&Field) -> Access,
    ) -> Option<&'static Field> {
        let field = self.at(offset)?;
        let at = u32::try_from(offset).ok()?;
        let aligned = at.is_multiple_of(size.bytes());
        let allowed = access(field).allows(at - field.offset, size, field.size);
        (aligned && allowed).then_some(field)
    }
}

/// What programs of a type receive; `None` while it is not modelled.
pub(crate) fn context(
    prog_type: ProgType,
    attach_type: Option<AttachType>,
) -> Option<&'static Context> {
    match prog_type {
        ProgType::Xdp if attach_type == Some(AttachType::XdpDevmap) => Some(&XDP_DEVMAP),
        ProgType::Xdp => Some(&XDP),
        ProgType::SocketFilter => Some(&SOCKET_FILTER),
        ProgType::SchedCls | ProgType::SchedAct => Some(&SCHED),
        _ => None,
    }
}

const fn field(name: &'static str, offset: u32, size: u32) -> Field {
    Field {
        name,
        offset,
        size,
        read: Access::No,
        write: Access::No,
        value: Value::Number,
    }
}

impl Field {
    const fn read(mut self, read: Access) -> Field {
        self.read = read;
        self
    }

    const fn write(mut self, write: Access) -> Field {
        self.write = write;
        self
    }

    const fn value(mut self, value: Value) -> Field {
        self.value = value;
        self
    }
}

const WORD: Access = Access::Whole(Size::W);
const DOUBLE: Access = Access::Whole(Size::DW);
const UP_TO_WORD: Access = Access::Narrow(Size::W);

const XDP_FIELDS: [Field; 6] = [
    field("data", 0, 4).read(WORD).value(Value::Packet),
    field("data_end", 4, 4).read(WORD).value(Value::PacketEnd),
    field("data_meta", 8, 4).read(WORD).value(Value::PacketMeta),
    field("ingress_ifindex", 12, 4).read(WORD),
    field("rx_queue_index", 16, 4).read(WORD),
    field("egress_ifindex", 20, 4).read(WORD),
];

static XDP: Context = Context {
    name: "xdp_md",
    fields: XDP_FIELDS.split_at(5).0,
    packet: PacketWrite::Allowed,
};

/// Only programs on a device map know the interface that the packet leaves by.
static XDP_DEVMAP: Context = Context {
    name: "xdp_md",
    fields: &XDP_FIELDS,
    packet: PacketWrite::Allowed,
};

static SOCKET_FILTER: Context = Context {
    name: "__sk_buff",
    fields: &[
        field("len", 0, 4).read(UP_TO_WORD),
        field("pkt_type", 4, 4).read(UP_TO_WORD),
        field("mark", 8, 4).read(UP_TO_WORD),
        field("queue_mapping", 12, 4).read(UP_TO_WORD),
        field("protocol", 16, 4).read(UP_TO_WORD),
        field("vlan_present", 20, 4).read(UP_TO_WORD),
        field("vlan_tci", 24, 4).read(UP_TO_WORD),
        field("vlan_proto", 28, 4).read(UP_TO_WORD),
        field("priority", 32, 4).read(UP_TO_WORD),
        field("ingress_ifindex", 36, 4).read(UP_TO_WORD),
        field("ifindex", 40, 4).read(UP_TO_WORD),
        field("tc_index", 44, 4).read(UP_TO_WORD),
        field("cb", 48, 20).read(Access::Any).write(Access::Any),
        field("hash", 68, 4).read(UP_TO_WORD),
        field("napi_id", 84, 4).read(UP_TO_WORD),
        field("gso_segs", 164, 4).read(UP_TO_WORD),
        field("sk", 168, 8)
            .read(DOUBLE)
            .value(Value::OpaqueOrNull("sock_common")),
        field("gso_size", 176, 4).read(UP_TO_WORD),
    ],
    packet: PacketWrite::Refused,
};

static SCHED: Context = Context {
    name: "__sk_buff",
    fields: &[
        field("len", 0, 4).read(UP_TO_WORD),
        field("pkt_type", 4, 4).read(UP_TO_WORD),
        field("mark", 8, 4).read(UP_TO_WORD).write(WORD),
        field("queue_mapping", 12, 4).read(UP_TO_WORD).write(WORD),
        field("protocol", 16, 4).read(UP_TO_WORD),
        field("vlan_present", 20, 4).read(UP_TO_WORD),
        field("vlan_tci", 24, 4).read(UP_TO_WORD),
        field("vlan_proto", 28, 4).read(UP_TO_WORD),
        field("priority", 32, 4).read(UP_TO_WORD).write(WORD),
        field("ingress_ifindex", 36, 4).read(UP_TO_WORD),
        field("ifindex", 40, 4).read(UP_TO_WORD),
        field("tc_index", 44, 4).read(UP_TO_WORD).write(WORD),
        field("cb", 48, 20).read(Access::Any).write(Access::Any),
        field("hash", 68, 4).read(UP_TO_WORD),
        field("tc_classid", 72, 4).read(UP_TO_WORD).write(WORD),
        field("data", 76, 4).read(WORD).value(Value::Packet),
        field("data_end", 80, 4).read(WORD).value(Value::PacketEnd),
        field("napi_id", 84, 4).read(UP_TO_WORD),
        field("data_meta", 140, 4)
            .read(WORD)
            .value(Value::PacketMeta),
        field("tstamp", 152, 8).read(DOUBLE).write(DOUBLE),
        field("wire_len", 160, 4).read(UP_TO_WORD),
        field("gso_segs", 164, 4).read(UP_TO_WORD),
        field("sk", 168, 8)
            .read(DOUBLE)
            .value(Value::OpaqueOrNull("sock_common")),
        field("gso_size", 176, 4).read(UP_TO_WORD),
        field("tstamp_type", 180, 1).read(Access::Any),
        field("hwtstamp", 184, 8).read(DOUBLE),
    ],
    packet: PacketWrite::Allowed,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_ascend_and_do_not_overlap() {
        for context in [&XDP, &XDP_DEVMAP, &SOCKET_FILTER, &SCHED] {
            for pair in context.fields.windows(2) {
                assert!(
                    pair[0].offset + pair[0].size <= pair[1].offset,
                    "{:?}",
                    pair
                );
            }
        }
    }

    #[test]
    fn sizes_and_directions_are_those_of_the_table() {
        assert_eq!(XDP.read(4, Size::W).map(|f| f.name), Some("data_end"));
        assert!(XDP.read(4, Size::DW).is_none() && XDP.read(20, Size::W).is_none());
        assert!(XDP.write(0, Size::W).is_none() && XDP.read(-4, Size::W).is_none());
        assert!(XDP_DEVMAP.read(20, Size::W).is_some());
        assert!(SCHED.write(8, Size::W).is_some() && SCHED.write(8, Size::B).is_none());
        assert!(SCHED.read(9, Size::B).is_some() && SCHED.read(9, Size::H).is_none());
    }
}
