//! What the verifier asks about the machine that it runs on.

/// One more than the highest number of a CPU that this machine can have, if that is known.
#[cfg(target_os = "linux")]
pub(crate) fn cpus() -> Option<u32> {
    ebpf_syscalls::cpu::ids().ok()
}

/// One more than the highest number of a CPU that this machine can have, if that is known.
#[cfg(not(target_os = "linux"))]
pub(crate) fn cpus() -> Option<u32> {
    None
}
