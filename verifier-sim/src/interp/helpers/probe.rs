//! Reads of addresses that may lead nowhere.
//!
//! Source: bpf-helpers(7); the errors were seen on Linux 6.18.

use super::{Call, Returned};
use crate::interp::errno::Errno;
use ebpf_asm::insn::Reg;

/// Where the kernel's addresses begin on x86-64: below are those of processes.
const KERNEL: u64 = 1 << 47;

/// `probe_read`, `probe_read_user`: `long (void *dst, u32 size, const void *unsafe_ptr)`
///
/// What cannot be read is zeros, and `EFAULT`.
pub(super) fn read(call: &mut Call<'_, '_>) -> Returned {
    probe(call, |_| Errno::Fault)
}

/// `probe_read_kernel`: as [`read`], but `ERANGE` for an address of a process.
pub(super) fn read_kernel(call: &mut Call<'_, '_>) -> Returned {
    probe(call, |from| match from < KERNEL {
        true => Errno::Range,
        false => Errno::Fault,
    })
}

fn probe(call: &mut Call<'_, '_>, failed: fn(u64) -> Errno) -> Returned {
    let (to, size) = (call.arg(Reg::R1)?, u64::from(call.arg(Reg::R2)? as u32));
    let from = call.arg(Reg::R3)?;
    let bytes = call.execution.memory.read(from, size).map(<[u8]>::to_vec);
    let place = call.execution.memory.write(to, size)?;
    let Ok(bytes) = bytes else {
        place.fill(0);
        return Ok(Some(failed(from).r0()));
    };
    for (to, from) in place.iter_mut().zip(bytes) {
        *to = from;
    }
    Ok(Some(0))
}
