//! Contexts: what a program finds behind R1 when it begins.
//!
//! The kernel rewrites accesses to most contexts, so that only fields exist, and `data`,
//! `data_end` and `data_meta` are read as full pointers although they have 32 bits. Others are
//! plain memory: registers, records, arguments.
//!
//! Read before: `../packet.rs`, then `fields.rs` and `layout.rs`.

mod fields;
mod layout;

pub(crate) use layout::{Layout, PacketUse, layout};

use super::address::{self, Region};
use super::fault::{Access, FaultKind};
use super::memory::{number, part, part_mut};
use super::packet::{Packet, PacketBuffer};
use fields::{Content, Field};
use layout::{Bytes, Fields, Parts, Shape, Writes};

/// The context of one run.
#[derive(Debug, Clone)]
pub(crate) struct Ctx {
    layout: &'static Layout,
    bytes: Vec<u8>,
}

impl Ctx {
    /// The context of these bytes; what is missing of a context of fixed size is zero.
    pub(crate) fn of_bytes(layout: &'static Layout, bytes: &[u8]) -> Ctx {
        let mut bytes = bytes.to_vec();
        if layout.is_fixed() {
            bytes.resize(layout.most(), 0);
        }
        Ctx { layout, bytes }
    }

    /// The context of a packet.
    pub(crate) fn of_packet(layout: &'static Layout, packet: &Packet) -> Ctx {
        let mut ctx = Ctx::of_bytes(layout, &[]);
        if layout.packet == PacketUse::Xdp {
            ctx.set(12, packet.ingress_ifindex);
            ctx.set(16, packet.rx_queue_index);
            ctx.set(20, packet.egress_ifindex);
        } else {
            let len = u32::try_from(packet.bytes.len()).unwrap_or(u32::MAX);
            ctx.set(0, len);
            ctx.set(8, packet.mark);
            // The kernel keeps the field in network order.
            ctx.set(16, u32::from(packet.protocol.to_be()));
            ctx.set(36, packet.ingress_ifindex);
            ctx.set(40, packet.ingress_ifindex);
            ctx.set(160, len);
        }
        ctx
    }

    fn set(&mut self, offset: usize, value: u32) {
        if let Some(bytes) = self.bytes.get_mut(offset..offset + 4) {
            bytes.copy_from_slice(&value.to_le_bytes());
        }
    }

    /// What may be done with the packet.
    pub(crate) fn packet(&self) -> PacketUse {
        self.layout.packet
    }

    /// The bytes as they are after the run.
    pub(crate) fn all(&self) -> &[u8] {
        &self.bytes
    }

    /// Reads `size` bytes at `offset`.
    pub(crate) fn read(
        &self,
        offset: i64,
        size: u64,
        packet: &PacketBuffer,
    ) -> Result<u64, FaultKind> {
        match &self.layout.shape {
            Shape::Memory(_) => {
                aligned(Access::Read, offset, size)?;
                self.memory(Access::Read, offset, size).map(number)
            }
            Shape::Fields(fields) => self.read_field(fields, offset, size, packet),
        }
    }

    fn read_field(
        &self,
        fields: &Fields,
        offset: i64,
        size: u64,
        packet: &PacketBuffer,
    ) -> Result<u64, FaultKind> {
        let field = fields.field(Access::Read, offset, size)?;
        let (meta, data, end) = packet.ends();
        let pointer = |position| Ok(address::packet(packet.moves(), position));
        match field.content {
            Content::Data => pointer(data),
            Content::DataEnd => pointer(end),
            Content::DataMeta => pointer(meta),
            Content::NoSocket => Ok(0),
            Content::NotModelled => Err(FaultKind::NotModelled(format!(
                "the context's field {}",
                field.name
            ))),
            Content::Number => Ok(part(&self.bytes, offset, size).map_or(0, number)),
        }
    }

    /// Writes the low `size` bytes of `value` at `offset`.
    pub(crate) fn write(&mut self, offset: i64, size: u64, value: u64) -> Result<(), FaultKind> {
        match &self.layout.shape {
            Shape::Memory(_) => aligned(Access::Write, offset, size)?,
            Shape::Fields(fields) => {
                let field = fields.field(Access::Write, offset, size)?;
                if !fields.writable.contains(&field.name) {
                    let why = "programs of this type may not write this field";
                    return Err(forbidden(Access::Write, offset, size, why));
                }
            }
        }
        let place = match &self.layout.shape {
            Shape::Memory(_) => self.memory_mut(offset, size)?,
            Shape::Fields(_) => part_mut(&mut self.bytes, offset, size).unwrap_or_default(),
        };
        for (to, from) in place.iter_mut().zip(value.to_le_bytes()) {
            *to = from;
        }
        Ok(())
    }

    /// The bytes of a context that is plain memory.
    pub(crate) fn memory(
        &self,
        access: Access,
        offset: i64,
        size: u64,
    ) -> Result<&[u8], FaultKind> {
        let first = self.plain(access, offset, size)?.first as i64;
        let inside = offset >= first;
        let bytes = part(&self.bytes, offset, size).filter(|_| inside);
        bytes.ok_or_else(|| outside(access, offset, size, (first, self.bytes.len() as i64)))
    }

    /// As [`memory`](Ctx::memory), to be written.
    pub(crate) fn memory_mut(&mut self, offset: i64, size: u64) -> Result<&mut [u8], FaultKind> {
        if self.plain(Access::Write, offset, size)?.writes == Writes::Refused {
            let why = "programs of this type may only read their context";
            return Err(forbidden(Access::Write, offset, size, why));
        }
        self.memory(Access::Write, offset, size)?;
        Ok(part_mut(&mut self.bytes, offset, size).unwrap_or_default())
    }

    fn plain(&self, access: Access, offset: i64, size: u64) -> Result<&'static Bytes, FaultKind> {
        match &self.layout.shape {
            Shape::Memory(bytes) => Ok(bytes),
            Shape::Fields(_) => {
                let why = "its fields are made up, and are no memory for helpers";
                Err(forbidden(access, offset, size, why))
            }
        }
    }
}

impl Fields {
    /// The field that an access touches: all of it if it is a pointer, an aligned part
    /// otherwise, and of several that are not modelled any.
    fn field(&self, access: Access, offset: i64, size: u64) -> Result<&'static Field, FaultKind> {
        let size_here = size as i64;
        let inside =
            |f: &&Field| offset >= f.start && offset.saturating_add(size_here) <= f.start + f.size;
        let Some(field) = self.fields.iter().find(inside) else {
            return Err(outside(access, offset, size, (0, self.size() as i64)));
        };
        if self.hidden.contains(&field.name) {
            let why = "programs of this type do not have this field";
            return Err(forbidden(access, offset, size, why));
        }
        let in_parts = match field.content {
            Content::Number => self.parts == Parts::Aligned,
            content => content == Content::NotModelled,
        };
        if !in_parts && size_here != field.size {
            let why = "the field can only be accessed whole";
            return Err(forbidden(access, offset, size, why));
        }
        aligned(access, offset, size)?;
        Ok(field)
    }
}

fn aligned(access: Access, offset: i64, size: u64) -> Result<(), FaultKind> {
    match offset.rem_euclid(size.max(1) as i64) {
        0 => Ok(()),
        _ => Err(FaultKind::Misaligned {
            access,
            region: Region::Ctx,
            offset,
            size,
        }),
    }
}

fn outside(access: Access, offset: i64, size: u64, valid: (i64, i64)) -> FaultKind {
    FaultKind::OutOfBounds {
        access,
        region: Region::Ctx,
        offset,
        size,
        valid,
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
    use ebpf_asm::prog_type::ProgType;

    fn of_packet(prog_type: ProgType, packet: &Packet) -> Ctx {
        Ctx::of_packet(layout(prog_type).unwrap(), packet)
    }

    #[test]
    fn an_xdp_context_holds_the_packets_ends_and_numbers() {
        let packet = Packet::new(&[0; 60]).ingress_ifindex(7).rx_queue_index(3);
        let buffer = PacketBuffer::xdp(&packet).unwrap();
        let mut ctx = of_packet(ProgType::Xdp, &packet);
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
        let mut ctx = of_packet(ProgType::SchedCls, &packet);
        assert_eq!(ctx.read(0, 4, &buffer), Ok(60));
        assert_eq!(ctx.read(16, 2, &buffer), Ok(8));
        assert_eq!(ctx.write(8, 4, 0x1_2345_6789), Ok(()));
        assert_eq!(ctx.read(8, 4, &buffer), Ok(0x2345_6789));
        assert_eq!(ctx.read(9, 1, &buffer), Ok(0x67));
        assert!(ctx.write(16, 4, 0).is_err());
        assert!(ctx.read(181, 1, &buffer).is_err());
        assert!(ctx.read(88, 4, &buffer).is_err());
        let mut socket = of_packet(ProgType::SocketFilter, &packet);
        assert!(socket.read(76, 4, &buffer).is_err());
        assert!(socket.write(8, 4, 1).is_err());
        assert!(socket.write(48, 4, 1).is_ok());
    }

    #[test]
    fn plain_memory_is_read_in_aligned_parts_and_written_where_allowed() {
        let packet = PacketBuffer::skb(&Packet::default()).unwrap();
        let bytes: Vec<u8> = (0..16).collect();
        let of = |prog_type| Ctx::of_bytes(layout(prog_type).unwrap(), &bytes);
        let mut syscall = of(ProgType::Syscall);
        assert_eq!(syscall.read(8, 2, &packet), Ok(0x0908));
        assert!(syscall.read(9, 2, &packet).is_err());
        assert!(syscall.read(16, 1, &packet).is_err());
        assert!(syscall.read(-1, 1, &packet).is_err());
        assert_eq!(syscall.write(12, 4, 0x1_0000_00ff), Ok(()));
        assert_eq!(syscall.all()[12..], [0xff, 0, 0, 0]);
        assert!(syscall.memory(Access::Read, 3, 9).is_ok());
        let mut record = of(ProgType::Tracepoint);
        assert!(record.read(0, 8, &packet).is_err());
        assert_eq!(record.read(8, 1, &packet), Ok(8));
        assert!(record.write(8, 1, 0).is_err());
        // Registers have their number of bytes.
        assert_eq!(of(ProgType::Kprobe).read(160, 8, &packet), Ok(0));
        assert!(of(ProgType::Kprobe).read(168, 8, &packet).is_err());
    }
}
