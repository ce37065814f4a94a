//! Objects of the kernel in slots of the stack, such as dynptrs: where they can be.
//!
//! Messages as observed on Linux 6.18.
//!
//! Read before: `value/stack.rs`. Read next: `dynptr.rs`.

use crate::codes::Code;
use crate::step::machine::Machine;
use crate::value::reg::{Kind, RegState};
use crate::value::stack::SLOT_SIZE;
use crate::warning::Warning;
use ebpf_asm::insn::Reg;

/// Where an object is: the function, by its depth, and its lowest byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) depth: u8,
    pub(crate) off: i64,
}

/// Where a register points to, if an object of so many slots can be there: at a known place,
/// and a multiple of 8; that the place is not below the stack is not looked at. Else the kernel's words
/// (Linux 6.18), with its name for the object.
///
/// R10 itself is taken for the address of an object of one slot right below it: the kernel finds
/// slots by the highest of their bytes, and rounds that of none, which is right above the stack, down
/// to the first (observed on Linux 6.18).
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
    Ok(Spot {
        depth,
        off: off.min(-SLOT_SIZE),
    })
}

impl Machine<'_, '_> {
    /// Warns where the kernel takes R10 for the address of the slot right below it: the function that is
    /// called will use what is above the stack.
    pub(super) fn warn_above_stack(&mut self, reg: Reg, value: &RegState) {
        if i64::from(value.off) + value.constant_var_off().unwrap_or(0) != 0 {
            return;
        }
        let number = reg.number();
        let message = "the 8 bytes above the stack are used for an object of the kernel".to_owned();
        self.notes.warn(
            Warning::new(Code::AboveStack, self.slot, message)
                .label(format!(
                    "R{number} is R10, for which the kernel finds the object at R10 - 8"
                ))
                .because(value.origin.made, format!("R{number} is made here"))
                .help(format!("let R{number} be R10 - 8, where the object is")),
        );
    }
}
