//! Alignment: that an access begins at a multiple of its size.
//!
//! Loads and stores are asked for it on the stack, of atomic operations everywhere, and of all
//! memory if the loader wants it so (`BPF_F_STRICT_ALIGNMENT`, described in
//! `include/uapi/linux/bpf.h`). What the kernel takes a packet's beginning for, and its words, as
//! observed on Linux 6.18.
//!
//! Read before: `mem.rs`. Read next: `atomic.rs`.

use crate::codes::Code;
use crate::config::Alignment;
use crate::diag::{Checked, Rejection};
use crate::memory::mem::MemAccess;
use crate::step::machine::Machine;
use crate::value::reg::{Kind, Null, RegState, SockType};
use crate::value::tnum::Tnum;
use ebpf_asm::isa::Sem;

/// How far behind a multiple of 4 a packet is taken to begin, so that what is behind the 14
/// bytes of Ethernet is aligned (`NET_IP_ALIGN`).
const PACKET_ALIGN: i64 = 2;

impl Machine<'_, '_> {
    /// That an access is aligned to its size, if the loader wants that of all memory.
    pub(super) fn check_strictly_aligned(&self, base: &RegState, access: MemAccess) -> Checked {
        match self.env.config.alignment {
            Alignment::Any => Ok(()),
            Alignment::Strict => self.check_aligned(base, access),
        }
    }

    /// That an access is aligned to its size, wherever the kernel insists on it.
    pub(crate) fn check_aligned(&self, base: &RegState, access: MemAccess) -> Checked {
        let begins_at = if base.is_packet() { PACKET_ALIGN } else { 0 };
        let constant = begins_at + i64::from(base.off) + i64::from(access.off);
        let address = base.scalar.tnum.add(Tnum::constant(constant as u64));
        match base.kind == Kind::Arena || address.is_aligned(access.size) {
            true => Ok(()),
            false if base.is_packet() => {
                Err(misaligned_in_packet(base, access).help(self.to_align(base)))
            }
            false => Err(misaligned(base, access).help(self.to_align(base))),
        }
    }

    /// What to do about an access that is not aligned.
    #[cold]
    fn to_align(&self, base: &RegState) -> &'static str {
        match self.env.cfg.insn(self.slot).map(|insn| insn.sem()) {
            Some(Sem::Call(_)) if base.is_packet() => {
                "let the call write to a variable on the stack, and copy that"
            }
            Some(Sem::Call(_)) => {
                "hand over the address of a variable that is aligned as its type is, on the stack \
                 or in a value"
            }
            Some(Sem::Atomic { .. } | Sem::LoadAcquire { .. } | Sem::StoreRelease { .. }) => {
                "let what is accessed atomically be at a multiple of its size: give the variable \
                 the alignment of its type (no packed struct in C)"
            }
            _ => {
                "access it in smaller parts, each at a multiple of its size; on the stack and in \
                 values, give the variable the alignment of its type"
            }
        }
    }
}

/// Why an access to the packet is not aligned.
#[cold]
fn misaligned_in_packet(base: &RegState, access: MemAccess) -> Box<Rejection> {
    let (bytes, var_off) = (access.size.bytes(), base.scalar.tnum);
    let message = format!(
        "misaligned packet access off {PACKET_ALIGN}+{var_off}+{}+{} size {bytes}",
        base.off, access.off
    );
    Rejection::new(Code::Misaligned, message)
        .label(format!("not a multiple of {bytes} bytes"))
        .because(base.origin.made, "the address is made here")
}

/// Why an access to memory is not aligned.
#[cold]
fn misaligned(base: &RegState, access: MemAccess) -> Box<Rejection> {
    let what = match base.kind {
        // The kernel has words for pointers that are none but these.
        _ if base.null == Null::Maybe => "",
        Kind::Stack(_) => "stack ",
        Kind::MapValue(_) => "value ",
        Kind::Ctx => "context ",
        Kind::FlowKeys => "flow keys ",
        Kind::Sock(sock) => match sock {
            SockType::Common => "sock_common ",
            SockType::Sock => "sock ",
            SockType::Tcp => "tcp_sock ",
            SockType::Xdp => "xdp_sock ",
        },
        _ => "",
    };
    let message = format!(
        "misaligned {what}access off {}+{}+{} size {}",
        base.scalar.tnum,
        base.off,
        access.off,
        access.size.bytes()
    );
    Rejection::new(Code::Misaligned, message)
        .label(format!("not a multiple of {} bytes", access.size.bytes()))
        .because(base.origin.made, "the address is made here")
}
