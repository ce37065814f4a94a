//! `tail_call`: goes on in another program, in the place of the function that asks for it.

use super::{Call, Moved};
use crate::interp::fault::FaultKind;
use ebpf_asm::insn::Reg;

/// `long bpf_tail_call(ctx, prog_array_map, u32 index)`
///
/// Falls through if there is no program at the index, or no tail call is left. Entries of
/// another type than the caller's count as none: the kernel lets nobody set them.
pub(super) fn tail_call(call: &mut Call<'_, '_>) -> Moved {
    call.ctx()?;
    let map = call.map(Reg::R2)?;
    let index = call.arg(Reg::R3)? as u32;
    let of = call
        .execution
        .memory
        .maps
        .get(map)
        .ok_or(FaultKind::NoMap)?;
    let Some(programs) = of.programs() else {
        return Err(call.wrong(Reg::R2, "a prog_array", call.arg(Reg::R2)?));
    };
    match programs.get(&index).copied() {
        Some(program) => call.execution.go_on_in(program),
        None => call.falls_without(),
    }
}
