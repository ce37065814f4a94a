//! Objects of the kernel in slots of the stack, such as dynptrs: where they can be.
//!
//! Described in the kernel's `Documentation/bpf/kfuncs.rst`; messages as observed on Linux 6.18.
//!
//! Read before: `value/stack.rs`. Read next: `dynptr.rs`.

use crate::value::reg::{Kind, RegState};
use crate::value::stack::SLOT_SIZE;

/// Where an object is: the function, by its depth, and its lowest byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) depth: u8,
    pub(crate) off: i64,
}

/// Where a register points to, if an object of so many slots can be there: at a known place,
/// and a multiple of 8; that the place is not below the stack is not looked at, nor is it of an
/// object of one slot right above the stack. Else the kernel's words (Linux 6.18), with its name
/// for the object.
pub(crate) fn spot(value: &RegState, object: &str, slots: i64) -> Result<Spot, String> {
    let Kind::Stack(depth) = value.kind else {
        return Err(format!("{object} is not on the stack"));
    };
    let Some(var_off) = value.constant_var_off() else {
        return Err(format!("{object} has to be at a constant offset"));
    };
    let off = i64::from(value.off) + var_off;
    let right_above = slots == 1 && off == 0;
    if off % SLOT_SIZE != 0 || off > -slots * SLOT_SIZE && !right_above {
        return Err(format!("cannot pass in {object} at an offset={off}"));
    }
    Ok(Spot { depth, off })
}
