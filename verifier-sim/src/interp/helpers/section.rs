//! Sections in which the kernel does not interrupt: nothing that one thread could notice.

use super::{Call, Returned};
use ebpf_asm::insn::Reg;

/// The size of what `bpf_local_irq_save` remembers, in bytes.
const FLAGS: u64 = 8;

/// `bpf_rcu_read_lock`, `bpf_preempt_disable` and what ends them.
pub(super) fn nothing(_: &mut Call<'_, '_>) -> Returned {
    Ok(None)
}

/// `void bpf_local_irq_save(unsigned long *flags)`
pub(super) fn irq_save(call: &mut Call<'_, '_>) -> Returned {
    let flags = call.arg(Reg::R1)?;
    call.execution.memory.write(flags, FLAGS)?.fill(0);
    Ok(None)
}

/// `void bpf_local_irq_restore(unsigned long *flags)`
pub(super) fn irq_restore(call: &mut Call<'_, '_>) -> Returned {
    call.bytes(Reg::R1, FLAGS)?;
    Ok(None)
}
