//! Helpers that look for sockets: a machine has none, and nothing is found.

use super::{Call, Returned};
use ebpf_asm::insn::Reg;

/// `sk_lookup_tcp`, `sk_lookup_udp`, `skc_lookup_tcp`:
/// `(ctx, struct bpf_sock_tuple *tuple, u32 tuple_size, u64 netns, u64 flags)`
pub(super) fn lookup(call: &mut Call<'_, '_>) -> Returned {
    call.ctx()?;
    call.bytes(Reg::R2, u64::from(call.arg(Reg::R3)? as u32))?;
    call.arg(Reg::R4)?;
    call.arg(Reg::R5)?;
    Ok(Some(0))
}

/// `long bpf_sk_release(void *sock)`
pub(super) fn release(call: &mut Call<'_, '_>) -> Returned {
    let value = call.arg(Reg::R1)?;
    Err(call.wrong(Reg::R1, "a socket, and there are none", value))
}
