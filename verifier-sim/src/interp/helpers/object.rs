//! Objects that programs make of their own types.
//!
//! Source: the kernel's `Documentation/bpf/kfuncs.rst`.

use super::{Call, Returned};
use crate::interp::address::{self, Region};
use ebpf_asm::insn::Reg;

/// The most bytes of an object that the kernel's allocator gives.
const MOST: u32 = 4096;

/// A run has as many objects at most, and then no memory for more: 64 MiB.
const MOST_OBJECTS: usize = 1 << 14;

/// `void *bpf_obj_new_impl(u64 local_type_id, void *meta)`: an object of zeros, or null.
pub(super) fn new(call: &mut Call<'_, '_>) -> Returned {
    let id = call.arg(Reg::R1)?;
    let size = call.execution.host.sizes.get(&id).copied();
    let size = size.ok_or_else(|| call.wrong(Reg::R1, "a type of the program's", id))?;
    if size > MOST {
        return Ok(Some(0));
    }
    let objects = &mut call.execution.memory.objects;
    if objects.len() >= MOST_OBJECTS {
        return Ok(Some(0));
    }
    let address = address::object(objects.len());
    objects.push(Some(vec![0; size as usize]));
    Ok(Some(address))
}

/// `void bpf_obj_drop_impl(void *p, void *meta)`
pub(super) fn drop(call: &mut Call<'_, '_>) -> Returned {
    let value = call.arg(Reg::R1)?;
    let place = call.execution.memory.place(value);
    let objects = &mut call.execution.memory.objects;
    let object = match place.region {
        Region::Object { object } if place.offset == 0 => objects.get_mut(object),
        _ => None,
    };
    match object.and_then(Option::take) {
        Some(_) => Ok(None),
        None => Err(call.wrong(Reg::R1, "an object that was not dropped", value)),
    }
}
