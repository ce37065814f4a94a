//! What a register holds: nothing, a number, or a pointer of some type.
//!
//! A pointer is a base (the type), a constant offset from it, and a variable offset, which is
//! a [`Scalar`]. Names are those of the kernel's `struct bpf_reg_state`; the spellings of
//! types are those of its log.
//!
//! Read before: `scalar.rs`, `diag.rs`. Read next: `words.rs`.

use crate::diag::Place;
use crate::object::dynptr::{Access, EndsWith, Slice};
use crate::object::irq_flag::IrqOwner;
use crate::object::iterator::Iterator;
use crate::value::btf_ptr::BtfPtr;
use crate::value::residue::Residue;
use crate::value::scalar::Scalar;
use ebpf_asm::helper::DynptrType;
use ebpf_asm::isa::Size;
use std::fmt;

/// What a register holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RegState {
    /// A number, or which kind of pointer.
    pub kind: Kind,
    /// Whether the pointer may be null. Numbers are [`Null::Never`].
    pub null: Null,
    /// Pointers: the constant offset in bytes. Scalars: the distance from the number that
    /// the [`id`](RegState::id) stands for.
    pub off: i32,
    /// What registers with the same id share: for packet pointers the variable offset, for
    /// pointers that may be null whether they are, for scalars the number. 0: nothing.
    pub id: u32,
    /// For scalars: whether [`off`](RegState::off) is to be added to the shared number.
    pub link: Link,
    /// The reference that must be given back, of which this is the pointer. 0: none.
    pub ref_id: u32,
    /// Maps that were found in a map of maps, and their values: which of them it is, if it
    /// matters. 0: it does not.
    pub map_uid: u32,
    /// Numbers and sockets: what is left of the pointer that they were.
    pub residue: Residue,
    /// Packet pointers: how many bytes from their base are known to be in the packet.
    pub range: PacketRange,
    /// The number, or the pointer's variable offset.
    pub scalar: Scalar,
    /// Where it comes from, for messages only.
    pub origin: Origin,
}

/// What kind of thing a register holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Nothing.
    NotInit,
    /// A number.
    Scalar,
    /// The context.
    Ctx,
    /// The packet, from `data` on.
    Packet,
    /// The packet's meta data, from `data_meta` on.
    PacketMeta,
    /// The end of the packet, `data_end`.
    PacketEnd,
    /// A map, by its index in the object.
    Map(u32),
    /// A key of a map, as a helper hands it to a callback.
    MapKey(u32),
    /// A value of a map.
    MapValue(u32),
    /// A function of the program, by its first slot.
    Func(u32),
    /// The stack of a function, by its depth in the chain of calls.
    Stack(u8),
    /// A ring buffer record of so many bytes.
    RingbufMem(u32),
    /// Memory of so many bytes that a global function's caller hands over.
    Mem(u32),
    /// Memory that a dynptr stands for.
    Slice(Slice),
    /// In slots of the stack: the state of an iteration.
    Iterator(Iterator),
    /// In a slot of the stack: how interrupts were before someone turned them off.
    IrqFlag(IrqOwner),
    /// A dynptr: one that a callback is handed, or in slots of the stack the dynptr itself.
    Dynptr(DynptrType),
    /// A socket.
    Sock(SockType),
    /// What the flow dissector finds out.
    FlowKeys,
    /// The buffer that a writable tracepoint hands over.
    TpBuffer,
    /// A buffer that an iterator hands over.
    Buffer(BufferUse),
    /// A structure of the kernel, or one that the program allocated.
    Btf(BtfPtr),
    /// Memory of so many bytes that is only read.
    ReadOnlyMem(u32),
    /// Memory that is only read and may be anywhere: wrong addresses read as zero.
    UntrustedMem,
    /// The arena, wherever in it or beyond.
    Arena,
}

impl Kind {
    /// The map that this is, or is a part of, by its index in the object.
    pub(crate) const fn map(self) -> Option<u32> {
        match self {
            Kind::Map(map) | Kind::MapKey(map) | Kind::MapValue(map) => Some(map),
            _ => None,
        }
    }
}

/// What may be done with a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum BufferUse {
    /// Reading it.
    Read,
    /// That, and writing it.
    Write,
}

/// As what a socket is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum SockType {
    /// As any kind of socket.
    Common,
    /// As a full socket.
    Sock,
    /// As a TCP socket.
    Tcp,
    /// As a socket of XDP.
    Xdp,
}

impl SockType {
    /// The name of the pointer, as the kernel's log spells it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            SockType::Common => "sock_common",
            SockType::Sock => "sock",
            SockType::Tcp => "tcp_sock",
            SockType::Xdp => "xdp_sock",
        }
    }
}

/// Whether a pointer may be null.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Null {
    /// It is not.
    Never,
    /// It may be.
    Maybe,
}

/// How a scalar belongs to the others of its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Link {
    /// It is the number.
    Same,
    /// It is the number plus a constant.
    Plus,
    /// It is the low 32 bits of the number plus a constant; the number has no higher bits.
    PlusLow,
}

/// What is proven of a packet pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum PacketRange {
    /// So many bytes from its base exist.
    Bytes(u32),
    /// It is not less than the end.
    AtEnd,
    /// It is greater than the end.
    BeyondEnd,
}

impl PacketRange {
    /// The number of bytes, 0 where the pointer is not inside.
    pub(crate) fn bytes(self) -> u32 {
        match self {
            PacketRange::Bytes(bytes) => bytes,
            PacketRange::AtEnd | PacketRange::BeyondEnd => 0,
        }
    }
}

/// Where a register's contents come from: for messages, never for verdicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The instruction that made it.
    pub made: Place,
    /// The comparison that proved the most of it.
    pub proved: Place,
    /// The instruction that made what it was compared with; of what is left of a pointer that
    /// ended, the one that made the pointer.
    pub bound: Place,
}

impl Origin {
    /// From nowhere.
    pub(crate) const NONE: Origin = Origin {
        made: Place::NONE,
        proved: Place::NONE,
        bound: Place::NONE,
    };

    /// Made by one instruction.
    pub(crate) fn made(place: Place) -> Origin {
        Origin {
            made: place,
            ..Origin::NONE
        }
    }
}

impl RegState {
    /// Nothing.
    pub(crate) const NOT_INIT: RegState = RegState {
        kind: Kind::NotInit,
        null: Null::Never,
        off: 0,
        id: 0,
        link: Link::Same,
        ref_id: 0,
        map_uid: 0,
        residue: Residue::NONE,
        range: PacketRange::Bytes(0),
        scalar: Scalar::UNKNOWN,
        origin: Origin::NONE,
    };

    /// Any number.
    pub(crate) const UNKNOWN: RegState = RegState {
        kind: Kind::Scalar,
        ..RegState::NOT_INIT
    };

    /// A number.
    pub(crate) fn scalar(scalar: Scalar) -> RegState {
        RegState {
            kind: Kind::Scalar,
            scalar,
            ..RegState::NOT_INIT
        }
    }

    /// Any number.
    pub(crate) fn unknown() -> RegState {
        RegState::scalar(Scalar::UNKNOWN)
    }

    /// This number.
    pub(crate) fn constant(value: u64) -> RegState {
        RegState::scalar(Scalar::constant(value))
    }

    /// A pointer to the beginning of something.
    pub(crate) fn pointer(kind: Kind) -> RegState {
        RegState {
            kind,
            scalar: Scalar::constant(0),
            ..RegState::NOT_INIT
        }
    }

    /// The same, made by the instruction at `place`.
    #[must_use]
    pub(crate) fn made(mut self, place: Place) -> RegState {
        self.origin = Origin::made(place);
        self
    }

    /// The same, what is left of a pointer that ended here.
    #[must_use]
    pub(crate) fn left_of(mut self, pointer: &RegState) -> RegState {
        self.origin.bound = pointer.origin.made;
        self
    }

    /// Whether it is what is left of a pointer that ended, or that is null.
    pub(crate) fn is_left_of_pointer(&self) -> bool {
        let is_null = || self.residue != Residue::NONE && self.as_constant() == Some(0);
        self.is_left_of_ended() || !self.is_pointer() && is_null()
    }

    /// Whether it is what is left of a pointer that ended.
    pub(crate) fn is_left_of_ended(&self) -> bool {
        self.origin.bound != Place::NONE && !self.is_pointer()
    }

    /// The same, a pointer that may be null until one of its `id` is compared.
    #[must_use]
    pub(crate) fn maybe_null(mut self, id: u32) -> RegState {
        self.null = Null::Maybe;
        self.id = id;
        self
    }

    /// Whether it is a pointer that may be null.
    pub(crate) fn may_be_null(&self) -> bool {
        self.null == Null::Maybe
    }

    /// Whether it holds nothing.
    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self.kind, Kind::NotInit)
    }

    /// Whether it is a number.
    pub(crate) fn is_scalar(&self) -> bool {
        matches!(self.kind, Kind::Scalar)
    }

    /// Whether it is a pointer.
    pub(crate) fn is_pointer(&self) -> bool {
        !matches!(self.kind, Kind::Scalar | Kind::NotInit)
    }

    /// Whether it points to a structure that is known to exist, if it is not null.
    pub(crate) fn is_trusted_structure(&self) -> bool {
        match self.kind {
            Kind::Btf(pointer) => self.ref_id != 0 || pointer.marks.are_trusted(),
            _ => false,
        }
    }

    /// Whether it points to what ends when the packet moves.
    pub(crate) fn ends_with_packet(&self) -> bool {
        match self.kind {
            Kind::Packet | Kind::PacketMeta | Kind::PacketEnd => true,
            Kind::Slice(slice) => slice.ends_with == EndsWith::Packet,
            _ => false,
        }
    }

    /// Whether it is a pointer into the packet or its meta data.
    pub(crate) fn is_packet(&self) -> bool {
        matches!(self.kind, Kind::Packet | Kind::PacketMeta)
    }

    /// Whether it is such a pointer, or one to the packet's end.
    pub(crate) fn is_of_packet(&self) -> bool {
        self.is_packet() || self.kind == Kind::PacketEnd
    }

    /// The number, if it is one and only one is possible.
    pub(crate) fn as_constant(&self) -> Option<u64> {
        match self.kind {
            Kind::Scalar => self.scalar.as_constant(),
            _ => None,
        }
    }

    /// The pointer's variable offset, if it is a constant; mostly 0.
    pub(crate) fn constant_var_off(&self) -> Option<i64> {
        self.scalar.as_constant().map(|value| value as i64)
    }

    /// Severs a scalar from those that share its number.
    pub(crate) fn unlink(&mut self) {
        if self.is_scalar() {
            self.id = 0;
            // What is left of an earlier distance stays.
            if self.link != Link::Same {
                self.off = 0;
            }
            self.link = Link::Same;
        }
    }

    /// How many bits the number may need.
    pub(crate) fn width_bits(&self) -> u32 {
        64 - self.scalar.bounds.u64.max.leading_zeros()
    }

    /// The number cut to `size`, as a load of that size from the stack sees it.
    #[must_use]
    pub(crate) fn truncated(self, size: Size) -> RegState {
        RegState {
            scalar: self.scalar.truncate(size),
            ..self.narrowed(size)
        }
    }

    /// The number as a load of that size with sign from the stack sees it. Also where its sign is
    /// extended it stays the very number that it was to the kernel: what a comparison tells of one it
    /// tells of the other (observed on Linux 6.18).
    #[must_use]
    pub(crate) fn sign_extended(self, size: Size) -> RegState {
        RegState {
            scalar: self.scalar.sign_extend(size),
            ..self.narrowed(size)
        }
    }

    /// The same number where `size` holds all of it, and one of its own where it is cut.
    fn narrowed(mut self, size: Size) -> RegState {
        if self.width_bits() > size.bytes() * 8 {
            self.unlink();
        }
        self
    }

    /// The type as the kernel's log spells it.
    pub(crate) fn type_name(&self) -> TypeName {
        TypeName {
            kind: self.kind,
            null: self.null,
        }
    }

    /// The same of a pointer, whether or not it may be null.
    pub(crate) fn base_type_name(&self) -> TypeName {
        TypeName {
            null: Null::Never,
            ..self.type_name()
        }
    }
}

/// The type of what a register holds, to be written into a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TypeName {
    kind: Kind,
    null: Null,
}

impl fmt::Display for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base = match self.kind {
            Kind::NotInit => "?",
            Kind::Scalar => "scalar",
            Kind::Ctx => "ctx",
            Kind::Packet => "pkt",
            Kind::PacketMeta => "pkt_meta",
            Kind::PacketEnd => "pkt_end",
            Kind::Map(_) => "map_ptr",
            Kind::MapKey(_) => "map_key",
            Kind::MapValue(_) => "map_value",
            Kind::Func(_) => "func",
            Kind::Stack(_) => "fp",
            Kind::RingbufMem(_) => "ringbuf_mem",
            Kind::Slice(slice) if slice.access == Access::Read => "rdonly_mem",
            Kind::Mem(_) | Kind::Slice(_) => "mem",
            Kind::Iterator(_) => "iter",
            Kind::IrqFlag(_) => "irq_flag",
            Kind::Dynptr(_) => "dynptr_ptr",
            Kind::Sock(sock) => sock.name(),
            Kind::FlowKeys => "flow_keys",
            Kind::TpBuffer => "tp_buffer",
            Kind::Buffer(BufferUse::Read) => "rdonly_buf",
            Kind::Buffer(BufferUse::Write) => "buf",
            Kind::ReadOnlyMem(_) => "rdonly_mem",
            Kind::UntrustedMem => "rdonly_untrusted_mem",
            Kind::Arena => "arena",
            Kind::Btf(pointer) => {
                let prefix = pointer.marks.prefix();
                return match self.null {
                    Null::Never => write!(f, "{prefix}ptr_"),
                    Null::Maybe => write!(f, "{prefix}ptr_or_null_"),
                };
            }
        };
        match self.null {
            Null::Never => f.pad(base),
            Null::Maybe => write!(f, "{base}_or_null"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A checked packet pointer notes what it was compared with where what is left of a pointer
    /// notes what made that.
    #[test]
    fn a_pointer_is_not_what_is_left_of_one() {
        let mut pointer = RegState::pointer(Kind::Packet).made(Place::at(1));
        pointer.origin.bound = Place::at(2);
        assert!(!pointer.is_left_of_pointer());
        assert!(RegState::unknown().left_of(&pointer).is_left_of_pointer());
        assert!(RegState::NOT_INIT.left_of(&pointer).is_left_of_pointer());
    }
}
