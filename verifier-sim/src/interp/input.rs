//! What a run is given: a packet, or the bytes of a context.
//!
//! Read before: `packet.rs`, `ctx/layout.rs`.

use super::ctx::{Ctx, Layout, PacketUse, layout};
use super::packet::{Packet, PacketBuffer, PacketError};
use super::{RunError, Takes};

use ebpf_asm::prog_type::ProgType;

/// What a run begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A packet, from which the context is made.
    Packet(Packet),
    /// The bytes of the context: registers of a kprobe, a tracepoint's record, arguments of a
    /// raw tracepoint or of a syscall program, or a struct of `linux/bpf.h`. What is missing
    /// of registers or of a struct is zero.
    Context(Vec<u8>),
}

impl From<Packet> for Input {
    fn from(packet: Packet) -> Input {
        Input::Packet(packet)
    }
}

/// What programs of a type are given; `None` if the type is not modelled.
pub fn takes(prog_type: ProgType) -> Option<Takes> {
    layout(prog_type).map(taken)
}

fn taken(layout: &Layout) -> Takes {
    match layout.packet {
        PacketUse::None => Takes::Context {
            most: layout.most(),
        },
        _ => Takes::Packet,
    }
}

/// The context and packet that a program of the type begins with.
pub(super) fn begin(prog_type: ProgType, input: &Input) -> Result<(Ctx, PacketBuffer), RunError> {
    let layout = layout(prog_type).ok_or(RunError::ProgType(prog_type))?;
    match (taken(layout), input) {
        (Takes::Packet, Input::Packet(packet)) => {
            let buffer = match layout.packet {
                PacketUse::Xdp => PacketBuffer::xdp(packet)?,
                _ => PacketBuffer::skb(packet)?,
            };
            Ok((Ctx::of_packet(layout, packet), buffer))
        }
        (Takes::Context { most }, Input::Context(bytes)) if bytes.len() <= most => {
            Ok((Ctx::of_bytes(layout, bytes), no_packet()?))
        }
        (takes, _) => Err(RunError::Input { prog_type, takes }),
    }
}

fn no_packet() -> Result<PacketBuffer, PacketError> {
    PacketBuffer::skb(&Packet::default())
}
