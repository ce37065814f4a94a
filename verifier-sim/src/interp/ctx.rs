//! Contexts: the fields that a program finds behind R1 when it begins.
//!
//! The kernel rewrites accesses to a context, so that only whole fields exist, and `data`,
//! `data_end` and `data_meta` are read as full pointers although they have 32 bits.
//!
//! Source: `include/uapi/linux/bpf.h`, `struct xdp_md` and `struct __sk_buff`.
//! Read before: `packet.rs`.

use super::address::{self, Region};
use super::fault::{Access, FaultKind};
use super::packet::{Packet, PacketBuffer};

use ebpf_asm::prog_type::ProgType;

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    /// The address of the packet's first byte.
    Data,
    /// The address behind the packet's last byte.
    DataEnd,
    /// The address of the metadata's first byte.
    DataMeta,
    /// A number that programs may only read.
    Number,
    /// A number that programs may write too.
    Writable,
    /// A field of the kernel's that this model does not fill.
    NotModelled,
}

/// A field of a context: all bytes belong to one, or may not be touched.
struct Field {
    start: i64,
    size: i64,
    content: Content,
    name: &'static str,
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
const XDP_MD: &[Field] = &[
    field(0, 4, Content::Data, "data"),
    field(4, 4, Content::DataEnd, "data_end"),
    field(8, 4, Content::DataMeta, "data_meta"),
    field(12, 4, Content::Number, "ingress_ifindex"),
    field(16, 4, Content::Number, "rx_queue_index"),
    field(20, 4, Content::Number, "egress_ifindex"),
];

/// `struct __sk_buff`.
const SK_BUFF: &[Field] = &[
    field(0, 4, Content::Number, "len"),
    field(4, 4, Content::Number, "pkt_type"),
    field(8, 4, Content::Writable, "mark"),
    field(12, 4, Content::Writable, "queue_mapping"),
    field(16, 4, Content::Number, "protocol"),
    field(20, 4, Content::Number, "vlan_present"),
    field(24, 4, Content::Number, "vlan_tci"),
    field(28, 4, Content::Number, "vlan_proto"),
    field(32, 4, Content::Writable, "priority"),
    field(36, 4, Content::Number, "ingress_ifindex"),
    field(40, 4, Content::Number, "ifindex"),
    field(44, 4, Content::Writable, "tc_index"),
    field(48, 20, Content::Writable, "cb"),
    field(68, 4, Content::Number, "hash"),
    field(72, 4, Content::Writable, "tc_classid"),
    field(76, 4, Content::Data, "data"),
    field(80, 4, Content::DataEnd, "data_end"),
    field(84, 4, Content::Number, "napi_id"),
    field(88, 52, Content::NotModelled, "the socket's addresses"),
    field(140, 4, Content::DataMeta, "data_meta"),
    field(144, 8, Content::NotModelled, "flow_keys"),
    field(152, 8, Content::Writable, "tstamp"),
    field(160, 4, Content::Number, "wire_len"),
    field(164, 4, Content::Number, "gso_segs"),
    field(168, 8, Content::NotModelled, "sk"),
    field(176, 4, Content::Number, "gso_size"),
    field(180, 1, Content::Number, "tstamp_type"),
    field(184, 8, Content::Number, "hwtstamp"),
];

/// The size of the larger context in bytes.
const SIZE: usize = 192;

/// Fields of `__sk_buff` that socket filters may not use: the kernel gives those only to
/// programs that see the packet's memory.
const NOT_FOR_SOCKETS: [&str; 5] = ["data", "data_end", "data_meta", "tc_classid", "tstamp"];

/// Fields that socket filters may write.
const WRITABLE_FOR_SOCKETS: [&str; 1] = ["cb"];

/// The context of one run.
#[derive(Debug, Clone)]
pub(crate) struct Ctx {
    prog_type: ProgType,
    numbers: [u8; SIZE],
}

impl Ctx {
    /// The context of `packet` for a program of this type; `None` if the type has no
    /// context here.
    pub(crate) fn new(prog_type: ProgType, packet: &Packet) -> Option<Ctx> {
        let mut ctx = Ctx {
            prog_type,
            numbers: [0; SIZE],
        };
        match prog_type {
            ProgType::Xdp => {
                ctx.set(12, packet.ingress_ifindex);
                ctx.set(16, packet.rx_queue_index);
                ctx.set(20, packet.egress_ifindex);
            }
            ProgType::SocketFilter | ProgType::SchedCls | ProgType::SchedAct => {
                let len = u32::try_from(packet.bytes.len()).unwrap_or(u32::MAX);
                ctx.set(0, len);
                ctx.set(8, packet.mark);
                // The kernel keeps the field in network order.
                ctx.set(16, u32::from(packet.protocol.to_be()));
                ctx.set(36, packet.ingress_ifindex);
                ctx.set(40, packet.ingress_ifindex);
                ctx.set(160, len);
            }
            _ => return None,
        }
        Some(ctx)
    }

    fn set(&mut self, offset: usize, value: u32) {
        if let Some(bytes) = self.numbers.get_mut(offset..offset + 4) {
            bytes.copy_from_slice(&value.to_le_bytes());
        }
    }

    fn fields(&self) -> &'static [Field] {
        match self.prog_type {
            ProgType::Xdp => XDP_MD,
            _ => SK_BUFF,
        }
    }

    /// Reads `size` bytes at `offset`.
    pub(crate) fn read(
        &self,
        offset: i64,
        size: u64,
        packet: &PacketBuffer,
    ) -> Result<u64, FaultKind> {
        let field = self.field(Access::Read, offset, size)?;
        let (meta, data, end) = packet.ends();
        let pointer = |position| Ok(address::packet(packet.moves(), position));
        match field.content {
            Content::Data => pointer(data),
            Content::DataEnd => pointer(end),
            Content::DataMeta => pointer(meta),
            Content::NotModelled => Err(FaultKind::NotModelled(format!(
                "the context's field {}",
                field.name
            ))),
            Content::Number | Content::Writable => {
                let start = usize::try_from(offset).unwrap_or(SIZE);
                let bytes = self.numbers.iter().skip(start).take(size as usize);
                Ok(bytes.rev().fold(0, |all, byte| all << 8 | u64::from(*byte)))
            }
        }
    }

    /// Writes the low `size` bytes of `value` at `offset`.
    pub(crate) fn write(&mut self, offset: i64, size: u64, value: u64) -> Result<(), FaultKind> {
        let field = self.field(Access::Write, offset, size)?;
        let is_socket = self.prog_type == ProgType::SocketFilter;
        let writable = field.content == Content::Writable
            && (!is_socket || WRITABLE_FOR_SOCKETS.contains(&field.name));
        if !writable {
            let why = "programs of this type may not write this field";
            return Err(forbidden(Access::Write, offset, size, why));
        }
        let start = usize::try_from(offset).unwrap_or(SIZE);
        let bytes = self.numbers.iter_mut().skip(start).take(size as usize);
        for (to, from) in bytes.zip(value.to_le_bytes()) {
            *to = from;
        }
        Ok(())
    }

    /// The field that an access touches: all of it if it is a pointer, an aligned part
    /// otherwise.
    fn field(&self, access: Access, offset: i64, size: u64) -> Result<&'static Field, FaultKind> {
        let size_here = size as i64;
        let inside =
            |f: &&Field| offset >= f.start && offset.saturating_add(size_here) <= f.start + f.size;
        let Some(field) = self.fields().iter().find(inside) else {
            let end = self.fields().iter().map(|f| f.start + f.size).max();
            return Err(FaultKind::OutOfBounds {
                access,
                region: Region::Ctx,
                offset,
                size,
                valid: (0, end.unwrap_or(0)),
            });
        };
        if self.prog_type == ProgType::SocketFilter && NOT_FOR_SOCKETS.contains(&field.name) {
            let why = "socket filters do not have this field";
            return Err(forbidden(access, offset, size, why));
        }
        let whole_words = self.prog_type == ProgType::Xdp;
        let is_pointer = matches!(
            field.content,
            Content::Data | Content::DataEnd | Content::DataMeta
        );
        if (is_pointer || whole_words) && size_here != field.size {
            let why = "the field can only be accessed whole";
            return Err(forbidden(access, offset, size, why));
        }
        if offset.rem_euclid(size_here.max(1)) != 0 {
            return Err(FaultKind::Misaligned {
                access,
                region: Region::Ctx,
                offset,
                size,
            });
        }
        Ok(field)
    }
}

fn forbidden(access: Access, offset: i64, size: u64, why: &'static str) -> FaultKind {
    FaultKind::Forbidden {
        access,
        region: Region::Ctx,
        offset,
        size,
        why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_ascend_without_overlap() {
        for fields in [XDP_MD, SK_BUFF] {
            for pair in fields.windows(2) {
                assert!(
                    pair[0].start + pair[0].size <= pair[1].start,
                    "{}",
                    pair[1].name
                );
            }
            assert!(fields.iter().all(|f| (f.start + f.size) as usize <= SIZE));
        }
    }

    #[test]
    fn an_xdp_context_holds_the_packets_ends_and_numbers() {
        let packet = Packet::new(&[0; 60]).ingress_ifindex(7).rx_queue_index(3);
        let buffer = PacketBuffer::xdp(&packet).unwrap();
        let mut ctx = Ctx::new(ProgType::Xdp, &packet).unwrap();
        let read = |offset| ctx.read(offset, 4, &buffer).unwrap();
        assert_eq!(read(4) - read(0), 60);
        assert_eq!(read(8), read(0));
        assert_eq!((read(12), read(16), read(20)), (7, 3, 0));
        for (offset, size) in [(24, 4), (-4, 4), (0, 8), (2, 4), (0, 2), (12, 1)] {
            assert!(ctx.read(offset, size, &buffer).is_err(), "{offset} {size}");
        }
        assert!(ctx.write(12, 4, 0).is_err());
    }

    #[test]
    fn a_socket_buffer_can_be_read_in_parts_and_marked() {
        let packet = Packet::new(&[0; 60]).protocol(0x0800);
        let buffer = PacketBuffer::skb(&packet).unwrap();
        let mut ctx = Ctx::new(ProgType::SchedCls, &packet).unwrap();
        assert_eq!(ctx.read(0, 4, &buffer), Ok(60));
        assert_eq!(ctx.read(16, 2, &buffer), Ok(8));
        assert_eq!(ctx.write(8, 4, 0x1_2345_6789), Ok(()));
        assert_eq!(ctx.read(8, 4, &buffer), Ok(0x2345_6789));
        assert_eq!(ctx.read(9, 1, &buffer), Ok(0x67));
        assert!(ctx.write(16, 4, 0).is_err());
        assert!(ctx.read(181, 1, &buffer).is_err());
        assert!(ctx.read(88, 4, &buffer).is_err());
        let mut socket = Ctx::new(ProgType::SocketFilter, &packet).unwrap();
        assert!(socket.read(76, 4, &buffer).is_err());
        assert!(socket.write(8, 4, 1).is_err());
        assert!(socket.write(48, 4, 1).is_ok());
        assert!(Ctx::new(ProgType::Kprobe, &packet).is_none());
    }
}
