//! Helpers on ring buffers.

use super::{Call, Returned};
use crate::interp::address::{self, Region};
use crate::interp::errno::Errno;
use crate::interp::fault::FaultKind;
use crate::interp::maps::{Done, Map, Ring, Wakeup};
use ebpf_asm::insn::Reg;

/// `void *bpf_ringbuf_reserve(ringbuf, u64 size, u64 flags)`
pub(super) fn reserve(call: &mut Call<'_, '_>) -> Returned {
    let map = call.map(Reg::R1)?;
    let size = call.arg(Reg::R2)?;
    let flags = call.arg(Reg::R3)?;
    let (ring, space) = ring(call, map)?;
    if flags != 0 {
        return Ok(Some(0));
    }
    let record = ring.reserve(size);
    Ok(Some(
        record.map_or(0, |record| address::record(map, record, space)),
    ))
}

/// `void bpf_ringbuf_submit(void *data, u64 flags)`
pub(super) fn submit(call: &mut Call<'_, '_>) -> Returned {
    finish(call, Done::Submitted)
}

/// `void bpf_ringbuf_discard(void *data, u64 flags)`
pub(super) fn discard(call: &mut Call<'_, '_>) -> Returned {
    finish(call, Done::Discarded)
}

fn finish(call: &mut Call<'_, '_>, done: Done) -> Returned {
    call.arg(Reg::R2)?;
    finished(call, call.arg(Reg::R1)?, done)
}

/// Ends the record at an address, which R1 has led to.
pub(super) fn finished(call: &mut Call<'_, '_>, value: u64, done: Done) -> Returned {
    let place = call.execution.memory.place(value);
    let finished = match place.region {
        Region::Record { map, record } if place.offset == 0 => {
            let maps = &mut call.execution.memory.maps;
            let ring = maps.get_mut(map).and_then(Map::ring);
            ring.and_then(|ring| {
                let number = ring.number(record)?;
                ring.finish(number, done)
            })
        }
        _ => None,
    };
    match finished {
        Some(()) => Ok(None),
        None => Err(call.wrong(Reg::R1, "a record that the program holds", value)),
    }
}

/// `long bpf_ringbuf_output(ringbuf, void *data, u64 size, u64 flags)`
pub(super) fn output(call: &mut Call<'_, '_>) -> Returned {
    let map = call.map(Reg::R1)?;
    let bytes = call.bytes(Reg::R2, call.arg(Reg::R3)?)?;
    let flags = call.arg(Reg::R4)?;
    let (ring, _) = ring(call, map)?;
    let written = Wakeup::from_flags(flags).map(|_| ring.output(&bytes));
    Ok(Some(match written {
        Ok(Some(())) => 0,
        Ok(None) => Errno::Again.r0(),
        Err(errno) => errno.r0(),
    }))
}

/// `u64 bpf_ringbuf_query(ringbuf, u64 flags)`
pub(super) fn query(call: &mut Call<'_, '_>) -> Returned {
    let map = call.map(Reg::R1)?;
    let what = call.arg(Reg::R2)?;
    let (ring, _) = ring(call, map)?;
    Ok(Some(ring.query(what)))
}

/// The ring buffer in R1, and its size in bytes.
fn ring<'c>(call: &'c mut Call<'_, '_>, map: usize) -> Result<(&'c mut Ring, u64), FaultKind> {
    let wrong = call.wrong(Reg::R1, "a ring buffer", call.arg(Reg::R1)?);
    let Some(map) = call.execution.memory.maps.get_mut(map) else {
        return Err(FaultKind::NoMap);
    };
    let space = map.extent();
    map.ring().map(|ring| (ring, space)).ok_or(wrong)
}
