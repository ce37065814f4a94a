//! The iterator over numbers, `struct bpf_iter_num`: 8 opaque bytes, in which the number that
//! was given last and the end stand here.
//!
//! Source: the kernel's `Documentation/bpf/bpf_iterators.rst` and
//! `include/uapi/linux/bpf.h`.

use super::{Call, Returned};
use crate::interp::errno::Errno;
use crate::interp::execution::MAX_LOOPS;
use crate::interp::fault::FaultKind;
use ebpf_asm::insn::Reg;
use ebpf_asm::isa::Size;

/// `int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end)`
pub(super) fn new(call: &mut Call<'_, '_>) -> Returned {
    let (start, end) = (
        call.arg(Reg::R2)? as u32 as i32,
        call.arg(Reg::R3)? as u32 as i32,
    );
    let count = i64::from(end) - i64::from(start);
    let (made, start, end) = match count {
        ..0 => (Errno::Invalid.r0(), 0, 0),
        0.. if count as u64 > MAX_LOOPS => (Errno::TooBig.r0(), 0, 0),
        _ => (0, start, end),
    };
    put(call, start.wrapping_sub(1), end)?;
    Ok(Some(made))
}

/// `int *bpf_iter_num_next(struct bpf_iter_num *it)`
pub(super) fn next(call: &mut Call<'_, '_>) -> Returned {
    let at = call.arg(Reg::R1)?;
    let both = call.execution.memory.load(at, Size::DW)?;
    let (last, end) = (both as u32 as i32, (both >> 32) as u32 as i32);
    let next = last.wrapping_add(1);
    if next >= end {
        put(call, -1, 0)?;
        return Ok(Some(0));
    }
    put(call, next, end)?;
    Ok(Some(at))
}

/// `void bpf_iter_num_destroy(struct bpf_iter_num *it)`
pub(super) fn destroy(call: &mut Call<'_, '_>) -> Returned {
    put(call, -1, 0)?;
    Ok(None)
}

fn put(call: &mut Call<'_, '_>, last: i32, end: i32) -> Result<(), FaultKind> {
    let at = call.arg(Reg::R1)?;
    let both = u64::from(end as u32) << 32 | u64::from(last as u32);
    call.execution.memory.store(at, Size::DW, both)
}
