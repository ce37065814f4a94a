//! What can be done after a call: with what it left in R0, and with what was there before.

use super::scene::{Known, VALUE, packet};
use ebpf_asm::assembler::{Assembler, Label};
use ebpf_asm::insn::Reg;
use ebpf_asm::isa::{Cond, Size, Width};
use ebpf_asm::map_type::MapType;
use ebpf_asm::prog_type::ProgType;
use ebpf_asm::program::Reference;

/// Helpers that are handed what another left.
const MAP_LOOKUP_ELEM: i32 = 1;
const SK_RELEASE: i32 = 86;
const SK_FULLSOCK: i32 = 95;
const RINGBUF_DISCARD: i32 = 133;

/// Where in the frame there is memory that helpers are handed.
const MEMORY: i16 = -64;

/// A use of what there is after a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// R0 is read.
    Read,
    /// So many bytes behind what R0 points to, at an offset, unchecked.
    Loaded(i16, Size),
    /// The same, where R0 is not null.
    LoadedChecked(i16, Size),
    /// Written, where R0 is not null.
    Stored(i16),
    /// Moved, and read where it was.
    Moved,
    /// An index into a value, if it is not negative.
    Index(u32),
    /// An index into a value, counted from so many bytes behind its beginning.
    IndexFrom(i32),
    /// The key of a lookup.
    Key,
    /// A socket, checked.
    Sock,
    /// A socket that is given back, checked.
    Released,
    /// A record that is given back, checked.
    Discarded,
    /// An argument register is read.
    Argument,
    /// The memory that the call may have filled is used as an index that was 0.
    Memory,
    /// A packet pointer that was proven before is used.
    Packet,
}

impl After {
    pub(super) const ALL: [After; 23] = [
        After::Read,
        After::Loaded(0, Size::DW),
        After::Loaded(0, Size::B),
        After::LoadedChecked(0, Size::DW),
        After::LoadedChecked(0, Size::W),
        After::LoadedChecked(12, Size::W),
        After::LoadedChecked(60, Size::W),
        After::LoadedChecked(60, Size::DW),
        After::LoadedChecked(-4, Size::W),
        After::Stored(0),
        After::Stored(16),
        After::Moved,
        After::Index(16),
        After::Index(15),
        After::Index(17),
        After::Index(1),
        After::IndexFrom(4095),
        After::IndexFrom(4094),
        After::Key,
        After::Sock,
        After::Released,
        After::Discarded,
        After::Argument,
    ];

    /// Those that need something before the call.
    pub(super) const PREPARED: [After; 2] = [After::Memory, After::Packet];

    /// Whether programs of the type can do it.
    pub(super) fn is_known(self, prog_type: ProgType) -> bool {
        match self {
            After::Packet => packet(prog_type).is_some(),
            After::Sock => matches!(prog_type, ProgType::SchedCls | ProgType::CgroupSkb),
            After::Released => matches!(
                prog_type,
                ProgType::SchedCls | ProgType::CgroupSkb | ProgType::Xdp
            ),
            _ => true,
        }
    }

    /// What must be there before the call: a packet pointer in R9.
    pub(super) fn prepare(self, a: &mut Assembler, prog_type: ProgType, out: Label) {
        let (After::Packet, Some(fields)) = (self, packet(prog_type)) else {
            return;
        };
        a.ldx(fields.size, Reg::R9, Reg::R6, fields.data);
        a.ldx(fields.size, Reg::R2, Reg::R6, fields.end);
        a.mov(Reg::R1, Reg::R9).add(Reg::R1, 8);
        a.jump(Cond::Jgt, Width::W64, Reg::R1, Reg::R2.into(), out);
    }

    /// Uses it; R0 to R5 and R8 are lost.
    pub(super) fn write(self, a: &mut Assembler, out: Label) {
        let checked = |a: &mut Assembler| {
            a.jump(Cond::Jeq, Width::W64, Reg::R0, 0.into(), out);
        };
        match self {
            After::Read => {
                a.mov(Reg::R1, Reg::R0);
            }
            After::Loaded(offset, size) => {
                a.ldx(size, Reg::R1, Reg::R0, offset);
            }
            After::LoadedChecked(offset, size) => {
                checked(a);
                a.ldx(size, Reg::R1, Reg::R0, offset);
            }
            After::Stored(offset) => {
                checked(a);
                a.st(Size::W, Reg::R0, offset, 0);
            }
            After::Moved => {
                checked(a);
                a.add(Reg::R0, 4).ldx(Size::W, Reg::R1, Reg::R0, -4);
            }
            After::Index(room) => {
                a.jump(Cond::Jslt, Width::W64, Reg::R0, 0.into(), out);
                let from = (VALUE - room) as i32;
                index(a, |a| {
                    a.add(Reg::R1, from);
                });
            }
            After::IndexFrom(from) => {
                a.add(Reg::R0, from);
                let end = from + 16 - VALUE as i32;
                index(a, |a| {
                    a.add(Reg::R1, -end);
                });
            }
            After::Key => {
                checked(a);
                a.mov(Reg::R2, Reg::R0);
                let hash = Known::Of(MapType::Hash).index();
                a.ld_reference(Reg::R1, Reference::Map(hash));
                a.call(MAP_LOOKUP_ELEM);
            }
            After::Sock => {
                checked(a);
                a.mov(Reg::R1, Reg::R0).call(SK_FULLSOCK);
            }
            After::Released => {
                checked(a);
                a.mov(Reg::R1, Reg::R0).call(SK_RELEASE);
            }
            After::Discarded => {
                checked(a);
                a.mov(Reg::R1, Reg::R0)
                    .mov(Reg::R2, 0)
                    .call(RINGBUF_DISCARD);
            }
            After::Argument => {
                a.mov(Reg::R0, Reg::R3);
            }
            After::Memory => {
                a.ldx(Size::DW, Reg::R0, Reg::R10, MEMORY);
                index(a, |_| {});
            }
            After::Packet => {
                a.ldx(Size::B, Reg::R0, Reg::R9, 0);
            }
        }
    }
}

/// Reads a byte of a value at the index in R0, from where `from` moves R1 to.
fn index(a: &mut Assembler, from: impl FnOnce(&mut Assembler)) {
    let map = Known::Text.index();
    a.ld_reference(Reg::R1, Reference::MapValue { map, offset: 0 });
    from(a);
    a.add(Reg::R1, Reg::R0).ldx(Size::B, Reg::R2, Reg::R1, 0);
}
