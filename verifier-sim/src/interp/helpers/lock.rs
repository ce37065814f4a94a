//! Spin locks, as the one thread there is sees them.

use super::{Call, Returned};
use crate::interp::fault::FaultKind;
use ebpf_asm::insn::Reg;

/// The size of `struct bpf_spin_lock` in bytes.
const LOCK: u64 = 4;

/// `long bpf_spin_lock(struct bpf_spin_lock *lock)`
pub(super) fn lock(call: &mut Call<'_, '_>) -> Returned {
    let lock = there(call)?;
    match call.execution.host.lock.replace(lock) {
        None => Ok(None),
        Some(_) => Err(call.wrong(Reg::R1, "a lock while none is held", lock)),
    }
}

/// `long bpf_spin_unlock(struct bpf_spin_lock *lock)`
pub(super) fn unlock(call: &mut Call<'_, '_>) -> Returned {
    let lock = there(call)?;
    match call.execution.host.lock.take() {
        Some(held) if held == lock => Ok(None),
        _ => Err(call.wrong(Reg::R1, "the lock that is held", lock)),
    }
}

fn there(call: &mut Call<'_, '_>) -> Result<u64, FaultKind> {
    let lock = call.arg(Reg::R1)?;
    call.execution.memory.write(lock, LOCK)?;
    Ok(lock)
}
