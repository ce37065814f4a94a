//! Helpers that call a function of the program: `loop` and `for_each_map_elem`.

use super::{Call, Moved};
use crate::interp::address::Region;
use crate::interp::callback::{Callback, Rounds};
use crate::interp::errno::Errno;
use crate::interp::execution::MAX_LOOPS;
use crate::interp::fault::FaultKind;
use crate::interp::maps::Map;
use ebpf_asm::insn::Reg;

/// The most elements that one call walks through here.
const MAX_ELEMENTS: usize = 1 << 20;

/// `long bpf_loop(u32 nr_loops, void *callback_fn, void *callback_ctx, u64 flags)`
pub(super) fn rounds(call: &mut Call<'_, '_>) -> Moved {
    let count = call.arg(Reg::R1)? as u32;
    let target = function(call, Reg::R2)?;
    let handed_on = call.arg(Reg::R3)?;
    if call.arg(Reg::R4)? != 0 {
        return call.falls(Errno::Invalid.r0());
    }
    if u64::from(count) > MAX_LOOPS {
        return call.falls(Errno::TooBig.r0());
    }
    call.execution.next_round(Callback {
        target,
        handed_on,
        rounds: Rounds::Numbers(count),
        begun: 0,
    })
}

/// `long bpf_for_each_map_elem(map, void *callback_fn, void *callback_ctx, u64 flags)`
pub(super) fn elements(call: &mut Call<'_, '_>) -> Moved {
    let map = call.map(Reg::R1)?;
    let target = function(call, Reg::R2)?;
    let handed_on = call.arg(Reg::R3)?;
    if call.arg(Reg::R4)? != 0 {
        return call.falls(Errno::Invalid.r0());
    }
    let of = call.execution.memory.maps.get(map);
    let of = of
        .filter(|of| of.has_elements())
        .ok_or_else(|| FaultKind::NotModelled(format!("{} on such a map", call.name)))?;
    let keys = keys(of)?;
    call.execution.next_round(Callback {
        target,
        handed_on,
        rounds: Rounds::Elements { map, keys },
        begun: 0,
    })
}

/// The keys of a map, the first last.
fn keys(map: &Map) -> Result<Vec<Vec<u8>>, FaultKind> {
    if map.definition().max_entries as usize > MAX_ELEMENTS {
        return Err(FaultKind::NotModelled(
            "a walk through so large a map".into(),
        ));
    }
    let mut keys = map.keys();
    keys.reverse();
    Ok(keys)
}

/// The first slot of the function that a register points at.
fn function(call: &Call<'_, '_>, reg: Reg) -> Result<i64, FaultKind> {
    let value = call.arg(reg)?;
    let place = call.execution.memory.place(value);
    match place.region {
        Region::Code if place.offset % 8 == 0 => Ok(place.offset / 8),
        _ => Err(call.wrong(reg, "a function of the program", value)),
    }
}
