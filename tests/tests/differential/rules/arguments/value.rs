//! Every kind of register that a program can hand to a helper, and how it gets one.

use super::scene::{Known, packet, socket};
use ebpf_asm::assembler::{Assembler, Label};
use ebpf_asm::insn::Reg;
use ebpf_asm::isa::{AtomicOp, Cond, Size, Width};
use ebpf_asm::map_type::MapType;
use ebpf_asm::prog_type::ProgType;
use ebpf_asm::program::Reference;

/// Helpers that make values.
const MAP_LOOKUP_ELEM: i32 = 1;
const GET_PRANDOM_U32: i32 = 7;
const SK_LOOKUP_TCP: i32 = 84;
const SK_RELEASE: i32 = 86;
const SK_FULLSOCK: i32 = 95;
const TCP_SOCK: i32 = 96;
const RINGBUF_RESERVE: i32 = 131;
const RINGBUF_DISCARD: i32 = 133;

/// Where the key of a lookup stands: what is there is not known.
const KEY: i16 = -136;

/// Whether a pointer that may be null is compared with null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Null {
    Checked,
    Open,
}

/// What is added to a pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moved {
    By(i32),
    /// By an unknown number from 0 to 7.
    Somewhere,
}

/// Where a pointer or number comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Number(i32),
    Wide(u64),
    /// Any number from the first to the second, which is the first and a power of two, less 1.
    Between(i32, i32),
    Unknown,
    Ctx,
    Frame,
    /// The stack, with a pointer at the place where it is moved to.
    FrameWithPointer(i16),
    Packet,
    /// The packet, of which nothing is proven.
    Unproven,
    PacketEnd,
    PacketMeta,
    Map(Known),
    /// The address of a value.
    Address(Known),
    /// A value that was looked up.
    Looked(Known, Null),
    Record(Null),
    SockCommon(Null),
    Sock(Null),
    TcpSock(Null),
    XdpSock(Null),
    /// A socket that must be given back.
    OwnSock(Null),
}

/// What is in a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) origin: Origin,
    pub(super) moved: Moved,
}

const fn plain(origin: Origin) -> Value {
    moved(origin, 0)
}

const fn moved(origin: Origin, by: i32) -> Value {
    Value {
        origin,
        moved: Moved::By(by),
    }
}

const fn somewhere(origin: Origin) -> Value {
    Value {
        origin,
        moved: Moved::Somewhere,
    }
}

const HASH: Known = Known::Of(MapType::Hash);

/// All of them.
pub(super) const VALUES: &[Value] = &[
    plain(Origin::Number(0)),
    plain(Origin::Number(1)),
    plain(Origin::Number(8)),
    plain(Origin::Number(65)),
    plain(Origin::Number(-1)),
    plain(Origin::Number(1 << 29)),
    plain(Origin::Wide(1 << 32)),
    plain(Origin::Between(0, 63)),
    plain(Origin::Between(1, 64)),
    plain(Origin::Between(0, 127)),
    plain(Origin::Between(-8, 7)),
    plain(Origin::Unknown),
    plain(Origin::Ctx),
    moved(Origin::Ctx, 8),
    moved(Origin::Ctx, -8),
    somewhere(Origin::Ctx),
    plain(Origin::Frame),
    moved(Origin::Frame, -64),
    moved(Origin::Frame, -63),
    moved(Origin::Frame, -4),
    moved(Origin::Frame, -256),
    moved(Origin::Frame, -516),
    moved(Origin::Frame, 8),
    Value {
        origin: Origin::FrameWithPointer(-64),
        moved: Moved::By(-64),
    },
    plain(Origin::Packet),
    moved(Origin::Packet, 60),
    somewhere(Origin::Packet),
    plain(Origin::Unproven),
    plain(Origin::PacketEnd),
    plain(Origin::PacketMeta),
    plain(Origin::Map(HASH)),
    plain(Origin::Map(Known::Of(MapType::Ringbuf))),
    plain(Origin::Looked(HASH, Null::Open)),
    plain(Origin::Looked(HASH, Null::Checked)),
    moved(Origin::Looked(HASH, Null::Checked), 60),
    moved(Origin::Looked(HASH, Null::Checked), 3),
    moved(Origin::Looked(HASH, Null::Checked), -4),
    somewhere(Origin::Looked(HASH, Null::Checked)),
    plain(Origin::Looked(Known::Of(MapType::ArrayOfMaps), Null::Open)),
    plain(Origin::Looked(
        Known::Of(MapType::ArrayOfMaps),
        Null::Checked,
    )),
    plain(Origin::Address(Known::ReadOnly)),
    plain(Origin::Address(Known::WriteOnly)),
    plain(Origin::Address(Known::Text)),
    moved(Origin::Address(Known::Text), 4),
    somewhere(Origin::Address(Known::Text)),
    plain(Origin::Record(Null::Open)),
    plain(Origin::Record(Null::Checked)),
    moved(Origin::Record(Null::Checked), 8),
    somewhere(Origin::Record(Null::Checked)),
    plain(Origin::SockCommon(Null::Open)),
    plain(Origin::SockCommon(Null::Checked)),
    plain(Origin::Sock(Null::Open)),
    plain(Origin::Sock(Null::Checked)),
    plain(Origin::TcpSock(Null::Open)),
    plain(Origin::TcpSock(Null::Checked)),
    plain(Origin::XdpSock(Null::Open)),
    plain(Origin::XdpSock(Null::Checked)),
    plain(Origin::OwnSock(Null::Open)),
    plain(Origin::OwnSock(Null::Checked)),
];

impl Value {
    /// A value as it comes from its origin.
    pub(super) const fn plain(origin: Origin) -> Value {
        plain(origin)
    }

    /// A value of so many bytes behind its origin.
    pub(super) const fn moved(origin: Origin, by: i32) -> Value {
        moved(origin, by)
    }

    /// Whether calls or registers besides are needed to make it.
    pub(super) fn needs_call(self) -> bool {
        let simple = matches!(
            self.origin,
            Origin::Number(_)
                | Origin::Wide(_)
                | Origin::Ctx
                | Origin::Frame
                | Origin::Map(_)
                | Origin::Address(_)
        );
        !simple || self.moved == Moved::Somewhere
    }

    /// Whether programs of the type can get one.
    pub(super) fn is_known(self, prog_type: ProgType) -> bool {
        let skb = matches!(prog_type, ProgType::SchedCls | ProgType::CgroupSkb);
        match self.origin {
            Origin::Packet | Origin::Unproven | Origin::PacketEnd => packet(prog_type).is_some(),
            Origin::PacketMeta => packet(prog_type).is_some_and(|fields| fields.meta.is_some()),
            Origin::SockCommon(_) => socket(prog_type).is_some(),
            Origin::Sock(_) | Origin::TcpSock(_) => skb,
            Origin::OwnSock(_) => skb || prog_type == ProgType::Xdp,
            // Maps of sockets are none for programs that may sleep.
            Origin::XdpSock(_) => prog_type != ProgType::Syscall,
            _ => true,
        }
    }

    /// Puts it into a register; `out` is where the program ends if there is none. R0 to R5 are
    /// lost, and R6 is the context.
    pub(super) fn write(self, a: &mut Assembler, into: Reg, prog_type: ProgType, out: Label) {
        self.origin.write(a, into, prog_type, out);
        match self.moved {
            Moved::By(0) => {}
            Moved::By(by) => {
                a.add(into, by);
            }
            Moved::Somewhere => {
                a.mov(Reg::R8, into).call(GET_PRANDOM_U32);
                a.and(Reg::R0, 7).mov(into, Reg::R8).add(into, Reg::R0);
            }
        }
    }

    /// Gives it back from the register, if it must be given back.
    pub(super) fn give_back(self, a: &mut Assembler, from: Reg) {
        if self.moved != Moved::By(0) {
            return;
        }
        match self.origin {
            Origin::Record(Null::Checked) => {
                a.mov(Reg::R1, from).mov(Reg::R2, 0).call(RINGBUF_DISCARD);
            }
            Origin::OwnSock(Null::Checked) => {
                a.mov(Reg::R1, from).call(SK_RELEASE);
            }
            _ => {}
        }
    }
}

impl Origin {
    fn write(self, a: &mut Assembler, into: Reg, prog_type: ProgType, out: Label) {
        match self {
            Origin::Number(number) => {
                a.mov(into, number);
            }
            Origin::Wide(number) => {
                a.ld_imm64(into, number);
            }
            Origin::Between(least, most) => {
                a.call(GET_PRANDOM_U32).mov(into, Reg::R0);
                a.and(into, most - least);
                if least != 0 {
                    a.add(into, least);
                }
            }
            Origin::Unknown => {
                a.call(GET_PRANDOM_U32).mov(into, Reg::R0);
            }
            Origin::Ctx => {
                a.mov(into, Reg::R6);
            }
            Origin::Frame => {
                a.mov(into, Reg::R10);
            }
            Origin::FrameWithPointer(at) => {
                a.mov(into, Reg::R10).st(Size::DW, Reg::R10, at, Reg::R10);
            }
            Origin::Packet | Origin::Unproven | Origin::PacketEnd | Origin::PacketMeta => {
                self.write_packet(a, into, prog_type, out);
            }
            Origin::Map(known) => {
                a.ld_reference(into, Reference::Map(known.index()));
            }
            Origin::Address(known) => {
                let map = known.index();
                a.ld_reference(into, Reference::MapValue { map, offset: 0 });
            }
            Origin::Looked(known, null) => looked_up(a, known, null, out),
            Origin::XdpSock(null) => looked_up(a, Known::Of(MapType::Xskmap), null, out),
            Origin::Record(null) => {
                a.ld_reference(Reg::R1, Reference::Map(Known::Of(MapType::Ringbuf).index()));
                a.mov(Reg::R2, 16).mov(Reg::R3, 0).call(RINGBUF_RESERVE);
                checked(a, null, out);
            }
            Origin::SockCommon(null) => {
                a.ldx(Size::DW, Reg::R0, Reg::R6, socket(prog_type).unwrap_or(0));
                checked(a, null, out);
            }
            Origin::Sock(null) | Origin::TcpSock(null) => {
                a.ldx(Size::DW, Reg::R1, Reg::R6, socket(prog_type).unwrap_or(0));
                a.jump(Cond::Jeq, Width::W64, Reg::R1, 0.into(), out);
                a.call(match self {
                    Origin::TcpSock(_) => TCP_SOCK,
                    _ => SK_FULLSOCK,
                });
                checked(a, null, out);
            }
            Origin::OwnSock(null) => {
                a.mov(Reg::R1, Reg::R6);
                a.mov(Reg::R2, Reg::R10).add(Reg::R2, -128).mov(Reg::R3, 12);
                a.mov(Reg::R4, 0).mov(Reg::R5, 0).call(SK_LOOKUP_TCP);
                checked(a, null, out);
            }
        }
        if self.is_result() {
            a.mov(into, Reg::R0);
        }
    }

    /// Whether it was left in R0.
    fn is_result(self) -> bool {
        matches!(
            self,
            Origin::Looked(..)
                | Origin::XdpSock(_)
                | Origin::Record(_)
                | Origin::SockCommon(_)
                | Origin::Sock(_)
                | Origin::TcpSock(_)
                | Origin::OwnSock(_)
        )
    }

    fn write_packet(self, a: &mut Assembler, into: Reg, prog_type: ProgType, out: Label) {
        let Some(fields) = packet(prog_type) else {
            return;
        };
        let field = match self {
            Origin::PacketEnd => fields.end,
            Origin::PacketMeta => fields.meta.unwrap_or(fields.data),
            _ => fields.data,
        };
        a.ldx(fields.size, into, Reg::R6, field);
        if matches!(self, Origin::Packet | Origin::PacketMeta) {
            let end = match self {
                Origin::PacketMeta => fields.data,
                _ => fields.end,
            };
            a.ldx(fields.size, Reg::R2, Reg::R6, end);
            a.mov(Reg::R1, into).add(Reg::R1, 64);
            a.jump(Cond::Jgt, Width::W64, Reg::R1, Reg::R2.into(), out);
        }
    }
}

/// A value of the map at a key that is not known.
fn looked_up(a: &mut Assembler, known: Known, null: Null, out: Label) {
    a.call(GET_PRANDOM_U32).mov(Reg::R1, Reg::R0);
    a.st(Size::DW, Reg::R10, KEY, 0);
    a.atomic(AtomicOp::Add, Size::DW, Reg::R10, KEY, Reg::R1);
    a.ld_reference(Reg::R1, Reference::Map(known.index()));
    a.mov(Reg::R2, Reg::R10).add(Reg::R2, i32::from(KEY));
    a.call(MAP_LOOKUP_ELEM);
    checked(a, null, out);
}

fn checked(a: &mut Assembler, null: Null, out: Label) {
    if null == Null::Checked {
        a.jump(Cond::Jeq, Width::W64, Reg::R0, 0.into(), out);
    }
}
