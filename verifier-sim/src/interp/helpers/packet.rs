//! Helpers on the packet: its ends, and copies of its bytes.

use super::{Call, Returned};
use crate::interp::errno::Errno;
use crate::interp::fault::FaultKind;
use crate::interp::host::status;
use crate::interp::packet::PacketBuffer;
use ebpf_asm::insn::Reg;
use ebpf_asm::prog_type::ProgType;

/// The offset and length behind which the kernel does not look.
const MAX_OFFSET: u32 = 0xffff;
/// `BPF_F_RECOMPUTE_CSUM` and `BPF_F_INVALIDATE_HASH`: all that `skb_store_bytes` knows.
const STORE_FLAGS: u64 = 3;

/// `long bpf_xdp_adjust_head(ctx, int delta)`
pub(super) fn xdp_adjust_head(call: &mut Call<'_, '_>) -> Returned {
    adjust(call, PacketBuffer::adjust_head)
}

/// `long bpf_xdp_adjust_tail(ctx, int delta)`
pub(super) fn xdp_adjust_tail(call: &mut Call<'_, '_>) -> Returned {
    adjust(call, PacketBuffer::adjust_tail)
}

/// `long bpf_xdp_adjust_meta(ctx, int delta)`
pub(super) fn xdp_adjust_meta(call: &mut Call<'_, '_>) -> Returned {
    adjust(call, PacketBuffer::adjust_meta)
}

fn adjust(
    call: &mut Call<'_, '_>,
    by: fn(&mut PacketBuffer, i32) -> Result<(), Errno>,
) -> Returned {
    call.ctx()?;
    let delta = call.arg(Reg::R2)? as u32 as i32;
    Ok(Some(status(by(&mut call.execution.memory.packet, delta))))
}

/// `u64 bpf_xdp_get_buff_len(ctx)`
pub(super) fn xdp_get_buff_len(call: &mut Call<'_, '_>) -> Returned {
    xdp(call)?;
    Ok(Some(call.execution.memory.packet.len() as u64))
}

/// `long bpf_xdp_load_bytes(ctx, u32 offset, void *buf, u32 len)`
pub(super) fn xdp_load_bytes(call: &mut Call<'_, '_>) -> Returned {
    xdp(call)?;
    let (offset, len) = (call.arg(Reg::R2)? as u32, call.arg(Reg::R4)? as u32);
    let loaded = xdp_range(call, offset, len);
    copy_out(call, Reg::R3, len, loaded, OnError::Keep)
}

/// `long bpf_xdp_store_bytes(ctx, u32 offset, void *buf, u32 len)`
pub(super) fn xdp_store_bytes(call: &mut Call<'_, '_>) -> Returned {
    xdp(call)?;
    let (offset, len) = (call.arg(Reg::R2)? as u32, call.arg(Reg::R4)? as u32);
    let bytes = call.bytes(Reg::R3, u64::from(len))?;
    let stored = xdp_range(call, offset, len).map(|_| ());
    if stored.is_ok() {
        copy_in(call, offset, &bytes);
    }
    Ok(Some(status(stored)))
}

/// `long bpf_skb_load_bytes(skb, u32 offset, void *to, u32 len)`
pub(super) fn skb_load_bytes(call: &mut Call<'_, '_>) -> Returned {
    skb(call)?;
    let (offset, len) = (call.arg(Reg::R2)? as u32, call.arg(Reg::R4)? as u32);
    let loaded = range(call, offset, len).ok_or(Errno::Fault);
    copy_out(call, Reg::R3, len, loaded, OnError::Clear)
}

/// `long bpf_skb_store_bytes(skb, u32 offset, const void *from, u32 len, u64 flags)`
pub(super) fn skb_store_bytes(call: &mut Call<'_, '_>) -> Returned {
    skb(call)?;
    let prog_type = call.execution.prog_type();
    if prog_type == ProgType::SocketFilter {
        return Err(FaultKind::HelperNotAllowed {
            helper: call.name,
            prog_type,
        });
    }
    let (offset, len) = (call.arg(Reg::R2)? as u32, call.arg(Reg::R4)? as u32);
    let bytes = call.bytes(Reg::R3, u64::from(len))?;
    if call.arg(Reg::R5)? > STORE_FLAGS {
        return Ok(Some(Errno::Invalid.r0()));
    }
    if range(call, offset, len).is_none() {
        return Ok(Some(Errno::Fault.r0()));
    }
    copy_in(call, offset, &bytes);
    Ok(Some(0))
}

/// What becomes of the memory that a failing helper was to fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnError {
    Keep,
    Clear,
}

/// That the program is one on XDP buffers, with its context in R1.
fn xdp(call: &Call<'_, '_>) -> Result<(), FaultKind> {
    let prog_type = call.execution.prog_type();
    match prog_type {
        ProgType::Xdp => call.ctx(),
        _ => Err(FaultKind::HelperNotAllowed {
            helper: call.name,
            prog_type,
        }),
    }
}

/// That the program is one on socket buffers, with its context in R1.
fn skb(call: &Call<'_, '_>) -> Result<(), FaultKind> {
    match call.execution.memory.ctx.packet().is_skb() {
        true => call.ctx(),
        false => Err(FaultKind::HelperNotAllowed {
            helper: call.name,
            prog_type: call.execution.prog_type(),
        }),
    }
}

/// A copy of part of the packet.
fn range(call: &Call<'_, '_>, offset: u32, len: u32) -> Option<Vec<u8>> {
    let start = offset as usize;
    let end = start.checked_add(len as usize)?;
    let bytes = call.execution.memory.packet.bytes().get(start..end)?;
    Some(bytes.to_vec())
}

/// As [`range`], with the errors of XDP's helpers.
fn xdp_range(call: &Call<'_, '_>, offset: u32, len: u32) -> Result<Vec<u8>, Errno> {
    if offset > MAX_OFFSET || len > MAX_OFFSET {
        return Err(Errno::Fault);
    }
    range(call, offset, len).ok_or(Errno::Invalid)
}

/// Fills what a register points at with `loaded`, or does what `on_error` says.
fn copy_out(
    call: &mut Call<'_, '_>,
    reg: Reg,
    len: u32,
    loaded: Result<Vec<u8>, Errno>,
    on_error: OnError,
) -> Returned {
    let to = call.arg(reg)?;
    let place = call.execution.memory.write(to, u64::from(len))?;
    match loaded {
        Ok(bytes) if bytes.len() == place.len() => {
            place.copy_from_slice(&bytes);
            Ok(Some(0))
        }
        Ok(_) => Ok(Some(Errno::Fault.r0())),
        Err(errno) => {
            if on_error == OnError::Clear {
                place.fill(0);
            }
            Ok(Some(errno.r0()))
        }
    }
}

fn copy_in(call: &mut Call<'_, '_>, offset: u32, bytes: &[u8]) {
    let is_skb = call.execution.memory.ctx.packet().is_skb();
    let packet = &mut call.execution.memory.packet;
    packet.overwrite(offset as usize, bytes);
    if is_skb {
        // The helper may move a socket buffer: pointers from before it are no good.
        packet.moved();
    }
}
