//! Comparisons of packet pointers: what they prove of the packet.
//!
//! A pointer that is not beyond the end has the bytes below it in the packet; one that is at or
//! beyond the end stays so. The same is true of pointers into the meta data, whose end is the
//! beginning of the packet.
//!
//! Described in the kernel's `Documentation/bpf/verifier.rst`, "Direct packet access"; what is
//! marked was observed on Linux 6.18.
//!
//! Read before: `branch.rs`. Read next: `nothing_help.rs`.

use crate::diag::Place;
use crate::value::compare::Outcome;
use crate::value::reg::{Kind, PacketRange, RegState};
use crate::value::state::State;
use ebpf_asm::insn::Reg;
use ebpf_asm::isa::Cond;

/// The greatest packet offset that is ever proven: packets are not longer.
pub(crate) const MAX_PACKET_OFF: u64 = 0xffff;

/// A comparison of a packet pointer with an end: `pointer cond end`.
pub(crate) struct PacketComparison {
    /// The register that holds the pointer, if it is one of the operands.
    pub(crate) reg: Option<Reg>,
    pub(crate) pointer: RegState,
    pub(crate) cond: Cond,
}

/// Whether a pointer is the end of what another points into. The packet's beginning is the end of
/// the meta data.
pub(crate) fn is_end_of(end: &RegState, pointer: &RegState) -> bool {
    match (pointer.kind, end.kind) {
        (Kind::Packet, Kind::PacketEnd) => true,
        (Kind::PacketMeta, Kind::Packet) => end.off == 0 && end.id == 0 && end.scalar.is_zero(),
        _ => false,
    }
}

/// What one knows of a packet pointer and the end.
enum Relation {
    /// `pointer < end`.
    Below,
    /// `pointer <= end`.
    NotAbove,
    /// `pointer > end`.
    Above,
    /// `pointer >= end`.
    NotBelow,
    /// Nothing.
    Unknown,
}

impl PacketComparison {
    fn relation(&self, outcome: Outcome) -> Relation {
        let cond = match outcome {
            Outcome::Holds => Some(self.cond),
            Outcome::Fails => self.cond.negated(),
        };
        match cond {
            Some(Cond::Jlt) => Relation::Below,
            Some(Cond::Jle) => Relation::NotAbove,
            Some(Cond::Jgt) => Relation::Above,
            Some(Cond::Jge) => Relation::NotBelow,
            _ => Relation::Unknown,
        }
    }

    /// Whether the comparison is of a kind that proves something.
    pub(crate) fn teaches(&self) -> bool {
        !matches!(self.relation(Outcome::Holds), Relation::Unknown)
    }

    /// A pointer that was found to be at or beyond the end is so still.
    pub(crate) fn decided(&self) -> Option<Outcome> {
        let beyond = match self.pointer.range {
            PacketRange::Bytes(_) => return None,
            PacketRange::AtEnd => false,
            PacketRange::BeyondEnd => true,
        };
        match self.cond {
            Cond::Jge => Some(Outcome::Holds),
            Cond::Jlt => Some(Outcome::Fails),
            Cond::Jgt if beyond => Some(Outcome::Holds),
            Cond::Jle if beyond => Some(Outcome::Fails),
            _ => None,
        }
    }

    pub(crate) fn learn(&self, state: &mut State, outcome: Outcome, here: Place) {
        match self.relation(outcome) {
            Relation::Below => self.prove(state, 1, here),
            Relation::NotAbove => self.prove(state, 0, here),
            Relation::Above => self.mark(state, PacketRange::BeyondEnd, here),
            Relation::NotBelow => self.mark(state, PacketRange::AtEnd, here),
            Relation::Unknown => {}
        }
    }

    /// The bytes below the pointer exist, and `more` behind it, for all that share its
    /// variable offset.
    fn prove(&self, state: &mut State, more: u32, here: Place) {
        let pointer = &self.pointer;
        let Ok(off) = u32::try_from(pointer.off) else {
            return;
        };
        let most = pointer.scalar.bounds.u64.max;
        let beyond = most.saturating_add(u64::from(off)) > MAX_PACKET_OFF;
        if (off == 0 && more > 0) || beyond {
            return;
        }
        let proven = off + more;
        let is_less = |range: PacketRange| match range {
            PacketRange::Bytes(bytes) => bytes < proven,
            PacketRange::AtEnd | PacketRange::BeyondEnd => true,
        };
        let shares =
            |reg: &RegState| reg.kind == pointer.kind && reg.id == pointer.id && is_less(reg.range);
        state.change_regs(shares, |reg| {
            reg.range = PacketRange::Bytes(proven);
            reg.origin.proved = here;
            reg.origin.bound = pointer.origin.made;
        });
    }

    /// The compared register itself is at or beyond the end. Of those that it shares its variable
    /// offset with nothing is known: for messages the comparison is kept, in the registers alone.
    fn mark(&self, state: &mut State, range: PacketRange, here: Place) {
        for reg in (0..10).filter_map(Reg::new) {
            let known = state.reg(reg);
            let shares = known.kind == self.pointer.kind && known.id == self.pointer.id;
            if shares && known.range == PacketRange::Bytes(0) {
                state.reg_mut(reg).origin.proved = here;
            }
        }
        if let Some(reg) = self.reg.filter(|_| self.pointer.kind == Kind::Packet) {
            state.reg_mut(reg).range = range;
        }
    }
}
