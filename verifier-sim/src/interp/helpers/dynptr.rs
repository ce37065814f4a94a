//! Dynptrs: memory with its bounds, which the kernel checks when it is used.
//!
//! The 16 opaque bytes of a `struct bpf_dynptr` name here one of the views that the run has
//! made; all zeros name none.
//!
//! Source: bpf-helpers(7), the kernel's `Documentation/bpf/kfuncs.rst`, and behaviour seen on
//! Linux 6.18.

use super::{Call, Returned};
use crate::interp::address;
use crate::interp::ctx::PacketUse;
use crate::interp::errno::Errno;
use crate::interp::fault::FaultKind;
use crate::interp::maps::Done;
use ebpf_asm::insn::Reg;

/// The size of `struct bpf_dynptr` in bytes.
const DYNPTR: u64 = 16;
/// The most bytes of a dynptr: its size has 24 bits.
const MOST: u32 = (1 << 24) - 1;

/// What a dynptr names.
#[derive(Debug, Clone, Copy)]
pub(in crate::interp) struct View {
    source: Source,
    /// In bytes.
    size: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// Memory at an address.
    Memory(u64),
    /// The packet, which may have other bytes and another size by now.
    Packet,
}

/// `long bpf_dynptr_from_mem(void *data, u32 size, u64 flags, struct bpf_dynptr *ptr)`
pub(super) fn from_mem(call: &mut Call<'_, '_>) -> Returned {
    let (data, size) = (call.arg(Reg::R1)?, call.arg(Reg::R2)? as u32);
    let made = match (call.arg(Reg::R3)?, size) {
        (0, 0..=MOST) => Ok(View {
            source: Source::Memory(data),
            size,
        }),
        (0, _) => Err(Errno::TooBig),
        _ => Err(Errno::Invalid),
    };
    put(call, Reg::R4, made)
}

/// `long bpf_ringbuf_reserve_dynptr(ringbuf, u32 size, u64 flags, struct bpf_dynptr *ptr)`
pub(super) fn reserve(call: &mut Call<'_, '_>) -> Returned {
    let size = call.arg(Reg::R2)? as u32;
    let reserved = match size {
        0..=MOST => super::ringbuf::reserve(call)?,
        _ => Some(0),
    };
    let made = match reserved {
        None | Some(0) => Err(Errno::Invalid),
        Some(record) => Ok(View {
            source: Source::Memory(record),
            size,
        }),
    };
    put(call, Reg::R4, made)
}

/// `void bpf_ringbuf_submit_dynptr(struct bpf_dynptr *ptr, u64 flags)`
pub(super) fn submit(call: &mut Call<'_, '_>) -> Returned {
    finish(call, Done::Submitted)
}

/// `void bpf_ringbuf_discard_dynptr(struct bpf_dynptr *ptr, u64 flags)`
pub(super) fn discard(call: &mut Call<'_, '_>) -> Returned {
    finish(call, Done::Discarded)
}

fn finish(call: &mut Call<'_, '_>, done: Done) -> Returned {
    call.arg(Reg::R2)?;
    if let Some(View { source, .. }) = get(call, Reg::R1)? {
        let Source::Memory(record) = source else {
            return Err(call.wrong(Reg::R1, "a dynptr to a record", call.arg(Reg::R1)?));
        };
        super::ringbuf::finished(call, record, done)?;
        set(call, Reg::R1, None)?;
    }
    Ok(None)
}

/// `int bpf_dynptr_from_skb(skb, u64 flags, struct bpf_dynptr *ptr)`, and of XDP's.
pub(super) fn from_packet(call: &mut Call<'_, '_>) -> Returned {
    call.ctx()?;
    let made = match call.arg(Reg::R2)? {
        0 => Ok(View {
            source: Source::Packet,
            size: packet_size(call),
        }),
        _ => Err(Errno::Invalid),
    };
    put(call, Reg::R3, made)
}

/// `long bpf_dynptr_read(void *dst, u32 len, const struct bpf_dynptr *src, u32 offset, u64 flags)`
pub(super) fn read(call: &mut Call<'_, '_>) -> Returned {
    let (to, len) = (call.arg(Reg::R1)?, call.arg(Reg::R2)? as u32);
    call.execution.memory.write(to, u64::from(len))?;
    let view = get(call, Reg::R3)?;
    let offset = call.arg(Reg::R4)? as u32;
    let flags = call.arg(Reg::R5)?;
    let view = match view.filter(|_| flags == 0) {
        None => return Ok(Some(Errno::Invalid.r0())),
        Some(view) if !view.has(offset, len) => return Ok(Some(Errno::TooBig.r0())),
        Some(view) => view,
    };
    let Some(bytes) = bytes(call, view, offset, len)? else {
        return Ok(Some(Errno::Fault.r0()));
    };
    let place = call.execution.memory.write(to, u64::from(len))?;
    for (to, from) in place.iter_mut().zip(bytes) {
        *to = from;
    }
    Ok(Some(0))
}

/// `long bpf_dynptr_write(const struct bpf_dynptr *dst, u32 offset, void *src, u32 len, u64 flags)`
pub(super) fn write(call: &mut Call<'_, '_>) -> Returned {
    let view = get(call, Reg::R1)?;
    let (offset, len) = (call.arg(Reg::R2)? as u32, call.arg(Reg::R4)? as u32);
    let bytes = call.bytes(Reg::R3, u64::from(len))?;
    let flags = call.arg(Reg::R5)?;
    let view = match view.filter(|view| !is_read_only(call, *view) && flags == 0) {
        None => return Ok(Some(Errno::Invalid.r0())),
        Some(view) if !view.has(offset, len) => return Ok(Some(Errno::TooBig.r0())),
        Some(view) => view,
    };
    let is_skb = call.execution.memory.ctx.packet().is_skb();
    let memory = &mut call.execution.memory;
    match view.source {
        Source::Memory(address) => {
            let to = address.wrapping_add(u64::from(offset));
            memory.write(to, u64::from(len))?.copy_from_slice(&bytes);
        }
        Source::Packet => {
            memory.packet.overwrite(offset as usize, &bytes);
            if is_skb {
                // As skb_store_bytes: slices from before it are no good.
                memory.packet.moved();
            }
        }
    }
    Ok(Some(0))
}

/// `void *bpf_dynptr_data(const struct bpf_dynptr *ptr, u32 offset, u32 len)`
pub(super) fn data(call: &mut Call<'_, '_>) -> Returned {
    let view = get(call, Reg::R1)?;
    let (offset, len) = (call.arg(Reg::R2)? as u32, call.arg(Reg::R3)? as u32);
    Ok(Some(match view {
        Some(View {
            source: Source::Memory(address),
            size,
        }) if in_range(size, offset, len) => address.wrapping_add(u64::from(offset)),
        _ => 0,
    }))
}

/// `void *bpf_dynptr_slice(const struct bpf_dynptr *p, u32 offset, void *buffer, u32 buffer__szk)`
pub(super) fn slice(call: &mut Call<'_, '_>) -> Returned {
    let view = get(call, Reg::R1)?;
    let (offset, len) = (call.arg(Reg::R2)? as u32, call.arg(Reg::R4)? as u32);
    let buffer = call.arg(Reg::R3)?;
    let Some(view) = view.filter(|view| view.has(offset, len)) else {
        return Ok(Some(0));
    };
    if let Source::Memory(address) = view.source {
        return Ok(Some(address.wrapping_add(u64::from(offset))));
    }
    let memory = &call.execution.memory;
    if memory.ctx.packet() != PacketUse::SkbHidden {
        let (_, data, _) = memory.packet.ends();
        let at = address::packet(memory.packet.moves(), data + offset as usize);
        return Ok(Some(at));
    }
    // Where pointers lead to no packet, its bytes are copied, as the kernel does where they do
    // not lie together.
    let Some(bytes) = bytes(call, view, offset, len)?.filter(|_| buffer != 0) else {
        return Ok(Some(0));
    };
    let place = call.execution.memory.write(buffer, u64::from(len))?;
    for (to, from) in place.iter_mut().zip(bytes) {
        *to = from;
    }
    Ok(Some(buffer))
}

/// As [`slice`], to be written: null if the dynptr is read-only.
pub(super) fn slice_rdwr(call: &mut Call<'_, '_>) -> Returned {
    match get(call, Reg::R1)? {
        Some(view) if !is_read_only(call, view) => slice(call),
        _ => Ok(Some(0)),
    }
}

/// `u32 bpf_dynptr_size(const struct bpf_dynptr *p)`
pub(super) fn size(call: &mut Call<'_, '_>) -> Returned {
    let view = get(call, Reg::R1)?;
    Ok(Some(match view {
        Some(view) => u64::from(view.size),
        None => Errno::Invalid.r0(),
    }))
}

/// `bool bpf_dynptr_is_null(const struct bpf_dynptr *p)`
pub(super) fn is_null(call: &mut Call<'_, '_>) -> Returned {
    Ok(Some(u64::from(get(call, Reg::R1)?.is_none())))
}

/// `bool bpf_dynptr_is_rdonly(const struct bpf_dynptr *p)`
pub(super) fn is_rdonly(call: &mut Call<'_, '_>) -> Returned {
    let view = get(call, Reg::R1)?;
    Ok(Some(u64::from(
        view.is_some_and(|view| is_read_only(call, view)),
    )))
}

impl View {
    fn has(self, offset: u32, len: u32) -> bool {
        in_range(self.size, offset, len)
    }
}

fn in_range(size: u32, offset: u32, len: u32) -> bool {
    u64::from(offset) + u64::from(len) <= u64::from(size)
}

/// Packets are read-only to programs that may not write them.
fn is_read_only(call: &Call<'_, '_>, view: View) -> bool {
    let packet = call.execution.memory.ctx.packet();
    view.source == Source::Packet && !matches!(packet, PacketUse::Xdp | PacketUse::Skb)
}

fn packet_size(call: &Call<'_, '_>) -> u32 {
    u32::try_from(call.execution.memory.packet.len()).unwrap_or(MOST)
}

/// A copy of a view's bytes; `None` if the packet has become too short for them.
fn bytes(
    call: &Call<'_, '_>,
    view: View,
    offset: u32,
    len: u32,
) -> Result<Option<Vec<u8>>, FaultKind> {
    let memory = &call.execution.memory;
    match view.source {
        Source::Memory(address) => {
            let from = address.wrapping_add(u64::from(offset));
            let bytes = memory.read(from, u64::from(len))?;
            Ok(Some(bytes.to_vec()))
        }
        Source::Packet => {
            let bytes = memory.packet.bytes();
            let bytes = bytes.get(offset as usize..offset as usize + len as usize);
            Ok(bytes.map(<[u8]>::to_vec))
        }
    }
}

/// What the dynptr that a register points at names; `None` if it is null.
fn get(call: &Call<'_, '_>, reg: Reg) -> Result<Option<View>, FaultKind> {
    let bytes = call.bytes(reg, DYNPTR)?;
    let words = bytes.as_chunks::<8>().0;
    let [number, 0] = [0, 1].map(|at| words.get(at).map_or(1, |word| u64::from_le_bytes(*word)))
    else {
        return Err(call.wrong(reg, "a dynptr", call.arg(reg)?));
    };
    let Some(index) = number.checked_sub(1) else {
        return Ok(None);
    };
    let index = usize::try_from(index).unwrap_or(usize::MAX);
    match call.execution.host.views.get(index) {
        Some(view) => Ok(Some(*view)),
        None => Err(call.wrong(reg, "a dynptr", call.arg(reg)?)),
    }
}

/// Writes the dynptr that a register points at.
fn set(call: &mut Call<'_, '_>, reg: Reg, view: Option<View>) -> Result<(), FaultKind> {
    let to = call.arg(reg)?;
    let views = &mut call.execution.host.views;
    let number = match view {
        None => 0,
        Some(view) => {
            views.push(view);
            views.len() as u64
        }
    };
    let place = call.execution.memory.write(to, DYNPTR)?;
    let bytes = number.to_le_bytes().into_iter().chain([0; 8]);
    for (to, from) in place.iter_mut().zip(bytes) {
        *to = from;
    }
    Ok(())
}

/// As [`set`], with what a helper returns that has made a dynptr, or could not.
fn put(call: &mut Call<'_, '_>, reg: Reg, made: Result<View, Errno>) -> Returned {
    set(call, reg, made.ok())?;
    Ok(Some(made.map_or_else(Errno::r0, |_| 0)))
}
