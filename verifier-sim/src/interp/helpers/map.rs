//! Helpers on the elements of maps.

use super::{Call, Returned, timer};
use crate::interp::address;
use crate::interp::execution::Execution;
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
    if let Some(inner) = inner(call)? {
        return Ok(Some(inner.map_or(0, address::map)));
    }
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
    let replaced = value_of(call, index, &key);
    let Some(map) = call.execution.memory.maps.get_mut(index) else {
        return Err(FaultKind::NoMap);
    };
    let updated =
        UpdateMode::from_flags(flags).and_then(|mode| map.update(&key, &value, mode, cpu));
    if updated.is_ok() {
        forget_timers(call, index, replaced);
    }
    Ok(Some(status(updated)))
}

/// `long bpf_map_delete_elem(map, key)`
pub(super) fn delete_elem(call: &mut Call<'_, '_>) -> Returned {
    let (index, key) = element(call)?;
    let removed = value_of(call, index, &key);
    let Some(map) = call.execution.memory.maps.get_mut(index) else {
        return Err(FaultKind::NoMap);
    };
    let deleted = map.delete(&key);
    if deleted.is_ok() {
        forget_timers(call, index, removed);
    }
    Ok(Some(status(deleted)))
}

/// The value that a map has for a key.
fn value_of(call: &Call<'_, '_>, map: usize, key: &[u8]) -> Option<u64> {
    let map = call.execution.memory.maps.get(map)?;
    map.peek(key, call.execution.host.cpu)
}

/// The timers of a value end when it was replaced or removed.
fn forget_timers(call: &mut Call<'_, '_>, map: usize, value: Option<u64>) {
    let Execution { host, memory, .. } = &mut *call.execution;
    if let Some(value) = value {
        timer::forget(host, memory, map, value);
    }
}

/// The map that a map of maps has for the key that R2 points at; `None` of other maps.
fn inner(call: &Call<'_, '_>) -> Result<Option<Option<usize>>, FaultKind> {
    let map = call.execution.memory.maps.get(call.map(Reg::R1)?);
    let map = map.ok_or(FaultKind::NoMap)?;
    if map.inner(&[]).is_none() {
        return Ok(None);
    }
    let key = call.bytes(Reg::R2, u64::from(map.definition().key_size))?;
    Ok(map.inner(&key))
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
