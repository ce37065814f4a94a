//! `kptr_xchg`: pointers to objects that maps keep.

use super::{Call, Returned};
use ebpf_asm::insn::Reg;
use ebpf_asm::isa::Size;

/// `void *bpf_kptr_xchg(void *map_value, void *ptr)`
pub(super) fn exchange(call: &mut Call<'_, '_>) -> Returned {
    let (place, new) = (call.arg(Reg::R1)?, call.arg(Reg::R2)?);
    let memory = &mut call.execution.memory;
    memory.modify(place, Size::DW, |_| new).map(Some)
}
