//! Capabilities of this process.
//!
//! <https://man7.org/linux/man-pages/man7/capabilities.7.html>

use std::fmt;

use nix::errno::Errno;

use crate::{Error, Result};

/// A capability that something here can need. The numbers are `linux/capability.h`'s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Capability {
    /// CAP_NET_ADMIN: attach to interfaces, load networking programs.
    NetAdmin = 12,
    /// CAP_NET_RAW: open packet sockets.
    NetRaw = 13,
    /// CAP_SYS_ADMIN: stands for CAP_BPF and CAP_PERFMON; objects by id; mount.
    SysAdmin = 21,
    /// CAP_SYS_RESOURCE: raise RLIMIT_MEMLOCK.
    SysResource = 24,
    /// CAP_PERFMON: programs that handle pointers more freely (Linux 5.8).
    Perfmon = 38,
    /// CAP_BPF: load programs and create maps (Linux 5.8).
    Bpf = 39,
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Capability::NetAdmin => "CAP_NET_ADMIN",
            Capability::NetRaw => "CAP_NET_RAW",
            Capability::SysAdmin => "CAP_SYS_ADMIN",
            Capability::SysResource => "CAP_SYS_RESOURCE",
            Capability::Perfmon => "CAP_PERFMON",
            Capability::Bpf => "CAP_BPF",
        })
    }
}

/// A set of capabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CapabilitySet(u64);

impl CapabilitySet {
    /// Whether the capability is in the set.
    #[must_use]
    pub fn has(self, capability: Capability) -> bool {
        self.0 >> (capability as u8) & 1 == 1
    }

    /// Whether it is in the set, by itself or because CAP_SYS_ADMIN stands for it.
    #[must_use]
    pub fn grants(self, capability: Capability) -> bool {
        let implied = matches!(capability, Capability::Bpf | Capability::Perfmon);
        self.has(capability) || (implied && self.has(Capability::SysAdmin))
    }
}

/// `struct __user_cap_header_struct`.
#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

/// `struct __user_cap_data_struct`: 32 bits of each set.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Data {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// `_LINUX_CAPABILITY_VERSION_3`: 64 bits, in two `Data`.
const VERSION_3: u32 = 0x2008_0522;

/// The effective capabilities of the calling thread.
///
/// <https://man7.org/linux/man-pages/man2/capget.2.html>
///
/// # Errors
/// Only where the call is filtered away, as by seccomp.
pub fn effective() -> Result<CapabilitySet> {
    let mut header = Header {
        version: VERSION_3,
        pid: 0,
    };
    let mut data = [Data::default(); 2];
    // SAFETY: version 3 makes the kernel write exactly two `Data`, and it reads
    // and may write the one header; both are exclusively borrowed.
    let result = unsafe {
        libc::syscall(
            libc::SYS_capget,
            std::ptr::from_mut(&mut header),
            data.as_mut_ptr(),
        )
    };
    Errno::result(result).map_err(|errno| Error::call("capget", "this process", errno))?;
    let [low, high] = data;
    Ok(CapabilitySet(
        u64::from(high.effective) << 32 | u64::from(low.effective),
    ))
}

/// Gives up all capabilities of the calling thread but these, for good.
///
/// Other threads keep theirs: what shall run with less gets a thread of its own.
///
/// <https://man7.org/linux/man-pages/man2/capset.2.html>
///
/// # Errors
/// `EPERM` if the thread does not have one of them.
pub fn keep_only(kept: &[Capability]) -> Result<()> {
    let header = Header {
        version: VERSION_3,
        pid: 0,
    };
    let bits: u64 = kept.iter().map(|&capability| 1 << capability as u8).sum();
    let half = |bits: u64| Data {
        effective: bits as u32,
        permitted: bits as u32,
        inheritable: 0,
    };
    let data = [half(bits), half(bits >> 32)];
    // SAFETY: version 3 makes the kernel read exactly two `Data` and the one header, which
    // are borrowed here; pid 0 is the calling thread.
    let result =
        unsafe { libc::syscall(libc::SYS_capset, std::ptr::from_ref(&header), data.as_ptr()) };
    Errno::result(result).map_err(|errno| Error::call("capset", "this thread", errno))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effective_agrees_with_proc() {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let line = status.lines().find(|l| l.starts_with("CapEff:")).unwrap();
        let bits = u64::from_str_radix(line["CapEff:".len()..].trim(), 16).unwrap();
        assert_eq!(effective(), Ok(CapabilitySet(bits)));
    }

    #[test]
    fn a_thread_gives_up_its_own_capabilities_only() {
        let before = effective();
        let after = std::thread::spawn(|| keep_only(&[]).and_then(|()| effective()));
        assert_eq!(after.join().unwrap(), Ok(CapabilitySet(0)));
        assert_eq!(effective(), before);
    }

    #[test]
    fn sys_admin_grants_bpf_but_not_net_admin() {
        let admin = CapabilitySet(1 << Capability::SysAdmin as u64);
        assert!(admin.grants(Capability::Bpf) && !admin.has(Capability::Bpf));
        assert!(!admin.grants(Capability::NetAdmin));
    }
}
