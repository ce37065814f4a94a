//! Asking the running kernel as somebody who may do less, with `--privilege`.

use std::fs;
use std::panic;
use std::thread;

use ebpf_syscalls::caps::{self, Capability};
use ebpf_verifier_sim::Capabilities;

use crate::privilege::Privilege;

/// The capabilities, each as the kernel and as the verifier knows it.
const CAPABILITIES: [(Capability, Capabilities); 3] = [
    (Capability::Bpf, Capabilities::BPF),
    (Capability::Perfmon, Capabilities::PERFMON),
    (Capability::NetAdmin, Capabilities::NET_ADMIN),
];

/// Whether those without CAP_BPF may load programs: 0 if they may
/// (`Documentation/admin-guide/sysctl/kernel.rst`).
const DISABLED: &str = "/proc/sys/kernel/unprivileged_bpf_disabled";

/// Does something as such a loader: in a thread that has given up what it lacks, since
/// capabilities are a thread's own.
///
/// # Errors
/// Why nobody can do it as such a loader here.
pub(crate) fn as_loader<T: Send>(
    loader: Privilege,
    ask: impl FnOnce() -> T + Send,
) -> Result<T, String> {
    match loader {
        Privilege::Full => return Ok(ask()),
        Privilege::None if !admits_everybody() => {
            return Err("kernel.unprivileged_bpf_disabled lets nobody load without CAP_BPF".into());
        }
        _ => {}
    }
    let has = |(_, known): &&(Capability, Capabilities)| loader.capabilities().has(*known);
    let kept: Vec<Capability> = CAPABILITIES
        .iter()
        .filter(has)
        .map(|(kept, _)| *kept)
        .collect();
    let limited = move || {
        caps::keep_only(&kept).map_err(|error| error.to_string())?;
        Ok(ask())
    };
    let joined = thread::scope(|scope| scope.spawn(limited).join());
    joined.unwrap_or_else(|panicked| panic::resume_unwind(panicked))
}

fn admits_everybody() -> bool {
    fs::read_to_string(DISABLED).is_ok_and(|number| number.trim() == "0")
}
