//! Accesses to the packet: only to bytes that a comparison has proven to be in it.
//!
//! A pointer into the packet has a range, the bytes behind it that are known to be there. Whatever
//! its variable part is, the access lies within the range or is refused.
//!
//! Described in the kernel's `Documentation/bpf/verifier.rst`, "Direct packet access"; messages as
//! observed on Linux 6.18.
//!
//! Read before: `within.rs`. Read next: `packet_help.rs`.

use crate::codes::Code;
use crate::ctx::PacketUse;
use crate::diag::{Checked, Rejection};
use crate::memory::mem::{Direction, MemAccess};
use crate::memory::packet_help::prove_more;
use crate::memory::region::Extent;
use crate::memory::within::negative;
use crate::step::machine::Machine;
use crate::value::reg::{PacketRange, RegState};
use ebpf_asm::insn::Reg;

impl<'a> Machine<'_, 'a> {
    /// That the program type may write to the packet.
    pub(crate) fn check_packet_write(&self, reg: Reg, base: &RegState) -> Checked {
        if matches!(
            self.env.context.packet,
            PacketUse::Write | PacketUse::Buffer
        ) {
            return Ok(());
        }
        Err(Rejection::new(Code::ReadOnly, "cannot write into packet")
            .label(format!("writes through R{} to the packet", reg.number()))
            .because(base.origin.made, "the pointer is made here")
            .help("programs of this type only read the packet: copy what is to be changed"))
    }

    /// That the bytes are proven to be in the packet.
    pub(crate) fn check_packet(&self, base: &RegState, access: MemAccess) -> Checked {
        self.check_packet_bytes(base, access.extent(base), access.direction)
    }

    pub(crate) fn check_packet_bytes(
        &self,
        base: &RegState,
        extent: Extent,
        direction: Direction,
    ) -> Checked {
        let (off, range) = (extent.off, base.range.bytes());
        let inside = off >= 0 && off + extent.size <= i64::from(range);
        let proven = matches!(base.range, PacketRange::Bytes(_)) && inside;
        match base.scalar.bounds.s64.min >= 0 && proven {
            true => Ok(()),
            false => Err(self.beyond_packet(base, extent, direction)),
        }
    }

    /// Why bytes are not proven to be in the packet.
    #[cold]
    fn beyond_packet(
        &self,
        base: &RegState,
        extent: Extent,
        direction: Direction,
    ) -> Box<Rejection> {
        let number = extent.reg.number();
        if base.scalar.bounds.s64.min < 0 {
            return negative(Code::PacketBounds, extent.reg, base);
        }
        if !matches!(base.range, PacketRange::Bytes(_)) {
            let message = format!("R{number} offset is outside of the packet");
            return Rejection::new(Code::PacketBounds, message)
                .label(format!(
                    "R{number} is known to be at the end of the packet or behind it"
                ))
                .because(base.origin.proved, "this comparison says so")
                .help("read where the comparison says the opposite");
        }
        let (off, size, range) = (extent.off, extent.size, base.range.bytes());
        let message = format!(
            "invalid access to packet, off={off} size={size}, R{number}(id={},off={off},r={range})",
            base.id
        );
        let last = off + size - 1;
        let refused = Rejection::new(Code::PacketBounds, message)
            .adds(format!("R{number} offset is outside of the packet"));
        if off < 0 {
            return refused
                .label(format!(
                    "{} byte {off}, which is before what R{number} was made from",
                    direction.verb()
                ))
                .because(base.origin.made, format!("R{number} is made here"))
                .help("use the pointer that this one was made from, with an offset of 0 or more");
        }
        let first = off.max(i64::from(range));
        let what = if first == last {
            format!(
                "{} byte {last}, which no check has proven",
                direction.verb()
            )
        } else {
            format!(
                "{} bytes {first}..{}, which no check has proven",
                direction.verb(),
                last + 1
            )
        };
        let refused = refused.label(what);
        prove_more(self.env, self.slot, refused, (base, last + 1))
    }
}
