//! Helpers on the elements of maps.

use super::{Call, Returned};
use crate::interp::address;
use crate::interp::fault::FaultKind;
use crate::interp::host::status;
use crate::interp::maps::{Map, UpdateMode};
use ebpf_asm::insn::Reg;

/// `void *bpf_map_lookup_elem(map, key)`
pub(super) fn lookup_elem(call: &mut Call<'_, '_>) -> Returned {
    let cpu = call.execution.host.cpu;
    lookup(call, cpu)
}

/// `void *bpf_map_lookup_percpu_elem(map, key, u32 cpu)`
pub(super) fn lookup_percpu_elem(call: &mut Call<'_, '_>) -> Returned {
    let cpu = call.arg(Reg::R3)? as u32 as usize;
    if cpu >= call.execution.host.cpus {
        return Ok(Some(0));
    }
    lookup(call, cpu)
}

fn lookup(call: &mut Call<'_, '_>, cpu: usize) -> Returned {
    let (index, key) = element(call)?;
    let Some(map) = call.execution.memory.maps.get_mut(index) else {
        return Err(FaultKind::NoMap);
    };
    let size = map.extent();
    let value = map.lookup(&key, cpu);
    Ok(Some(
        value.map_or(0, |value| address::map_value(index, value, size)),
    ))
}

/// `long bpf_map_update_elem(map, key, value, u64 flags)`
pub(super) fn update_elem(call: &mut Call<'_, '_>) -> Returned {
    let (index, key) = element(call)?;
    let size = call.execution.memory.maps.get(index).map_or(0, Map::extent);
    let value = call.bytes(Reg::R3, size)?;
    let flags = call.arg(Reg::R4)?;
    let cpu = call.execution.host.cpu;
    let Some(map) = call.execution.memory.maps.get_mut(index) else {
        return Err(FaultKind::NoMap);
    };
    let updated =
        UpdateMode::from_flags(flags).and_then(|mode| map.update(&key, &value, mode, cpu));
    Ok(Some(status(updated)))
}

/// `long bpf_map_delete_elem(map, key)`
pub(super) fn delete_elem(call: &mut Call<'_, '_>) -> Returned {
    let (index, key) = element(call)?;
    let Some(map) = call.execution.memory.maps.get_mut(index) else {
        return Err(FaultKind::NoMap);
    };
    Ok(Some(status(map.delete(&key))))
}

/// The map in R1, which must have elements, and a copy of the key that R2 points at.
fn element(call: &Call<'_, '_>) -> Result<(usize, Vec<u8>), FaultKind> {
    let index = call.map(Reg::R1)?;
    let map = call.execution.memory.maps.get(index);
    let definition = map.ok_or(FaultKind::NoMap)?.definition();
    if !map.is_some_and(Map::has_elements) {
        return Err(FaultKind::NotModelled(format!(
            "{} on a {} map",
            call.name, definition.map_type
        )));
    }
    let key = call.bytes(Reg::R2, u64::from(definition.key_size))?;
    Ok((index, key))
}
