//! What may forbid what the kernel refuses with EPERM although no capability is missing, as far as
//! a process can see it.
//!
//! Sources: kernel_lockdown(7), seccomp(2), user_namespaces(7), and the kernel's
//! `Documentation/admin-guide/LSM/index.rst`.
//!
//! Read before: `error.rs`.

use std::{fmt, fs};

use ebpf_asm::prog_type::{AttachType, ProgType};
use ebpf_asm::program::Program;

/// What may forbid something although no capability is missing; as text, what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeniedBy {
    /// The process is in a user namespace.
    UserNamespace,
    /// The process has a seccomp filter.
    Seccomp,
    /// The kernel is locked down for confidentiality.
    Lockdown,
    /// The BPF LSM is off, and the program is for it.
    NoBpfLsm,
    /// SELinux is on.
    Selinux,
    /// AppArmor is on.
    Apparmor,
    /// The kernel may have no programs on functions, and the program is one.
    NoTrampolines,
    /// Nothing that a process can see.
    NothingSeen,
}

impl fmt::Display for DeniedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DeniedBy::UserNamespace => {
                "this process is in a user namespace, whose capabilities bpf(2) does not count: \
                 run it outside"
            }
            DeniedBy::Seccomp => {
                "a seccomp filter is on this process, as containers have one: allow it bpf(2)"
            }
            DeniedBy::Lockdown => {
                "the kernel is locked down for confidentiality, and so refuses what reads its \
                 memory (kernel_lockdown(7))"
            }
            DeniedBy::NoBpfLsm => "the BPF LSM is off: boot with bpf in the list of lsm=",
            DeniedBy::Selinux => "SELinux may forbid it: its audit log says so",
            DeniedBy::Apparmor => "AppArmor may forbid it: the kernel's log says so",
            DeniedBy::NoTrampolines => {
                "this kernel may have no programs on its functions \
                 (CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS, for lsm also CONFIG_BPF_LSM): \
                 raw_tracepoint or kprobe may do instead"
            }
            DeniedBy::NothingSeen => {
                "no lockdown, seccomp filter or security module is seen here: look at the modes \
                 of files, or ask whoever built this kernel, or runs the machine that it is on"
            }
        })
    }
}

/// What a process can see of who may forbid it something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Signs {
    /// `/proc/self/uid_map`.
    uid_map: String,
    /// `/proc/self/status`.
    status: String,
    /// `/sys/kernel/security/lockdown`.
    lockdown: String,
    /// `/sys/kernel/security/lsm`.
    lsm: String,
}

impl Signs {
    /// Those of this process; what cannot be read is empty.
    fn seen() -> Signs {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        Signs {
            uid_map: read("/proc/self/uid_map"),
            status: read("/proc/self/status"),
            lockdown: read("/sys/kernel/security/lockdown"),
            lsm: read("/sys/kernel/security/lsm"),
        }
    }

    /// What may forbid the load of a program.
    fn reasons(&self, program: Option<&Program>) -> Vec<DeniedBy> {
        let is_lsm = program.is_some_and(|program| program.prog_type == ProgType::Lsm);
        let modules: Vec<&str> = self.lsm.trim().split(',').collect();
        let has = |name: &str| modules.contains(&name);
        let all = [
            (self.is_in_user_namespace(), DeniedBy::UserNamespace),
            (self.has_seccomp_filter(), DeniedBy::Seccomp),
            (
                self.lockdown.contains("[confidentiality]"),
                DeniedBy::Lockdown,
            ),
            (
                is_lsm && !self.lsm.is_empty() && !has("bpf"),
                DeniedBy::NoBpfLsm,
            ),
            (has("selinux"), DeniedBy::Selinux),
            (has("apparmor"), DeniedBy::Apparmor),
            (
                program.is_some_and(is_on_a_function),
                DeniedBy::NoTrampolines,
            ),
        ];
        let seen = all.into_iter().filter(|(is_so, _)| *is_so);
        let reasons: Vec<DeniedBy> = seen.map(|(_, reason)| reason).collect();
        match reasons.is_empty() {
            true => vec![DeniedBy::NothingSeen],
            false => reasons,
        }
    }

    /// Whether ids are mapped in any way but one to one, all of them.
    fn is_in_user_namespace(&self) -> bool {
        let numbers: Vec<&str> = self.uid_map.split_whitespace().collect();
        !numbers.is_empty() && numbers != ["0", "0", "4294967295"]
    }

    /// Whether there is a filter: 2 is `SECCOMP_MODE_FILTER`.
    fn has_seccomp_filter(&self) -> bool {
        let mut lines = self.status.lines();
        let mode = lines.find_map(|line| line.strip_prefix("Seccomp:"));
        mode.is_some_and(|mode| mode.trim() == "2")
    }
}

/// Whether a program is attached to a function of the kernel by a trampoline.
fn is_on_a_function(program: &Program) -> bool {
    match program.prog_type {
        ProgType::Lsm | ProgType::Ext => true,
        ProgType::Tracing => matches!(
            program.expected_attach_type,
            Some(AttachType::TraceFentry | AttachType::TraceFexit | AttachType::ModifyReturn)
        ),
        _ => false,
    }
}

/// What may forbid something, a program's load if one is named, although no capability is missing:
/// at least one
/// reason.
#[must_use]
pub fn denied_by(program: Option<&Program>) -> Vec<DeniedBy> {
    Signs::seen().reasons(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_is_told() {
        let free = Signs {
            uid_map: "         0          0 4294967295\n".to_owned(),
            status: "Name:\tx\nSeccomp:\t0\n".to_owned(),
            ..Signs::default()
        };
        assert_eq!(free.reasons(None), [DeniedBy::NothingSeen]);
        let container = Signs {
            uid_map: "0 100000 65536\n".to_owned(),
            status: "Seccomp:\t2\n".to_owned(),
            ..Signs::default()
        };
        let of_container = [DeniedBy::UserNamespace, DeniedBy::Seccomp];
        assert_eq!(container.reasons(None), of_container);
        let locked = Signs {
            lockdown: "none integrity [confidentiality]\n".to_owned(),
            lsm: "lockdown,capability,selinux\n".to_owned(),
            ..free
        };
        let of_locked = [DeniedBy::Lockdown, DeniedBy::Selinux];
        assert_eq!(locked.reasons(None), of_locked);
        let text = ".prog lsm/file_open p\nr0 = 0\nexit\n";
        let object = ebpf_asm::text::parse("text", text).expect("a program");
        let of_lsm = [
            DeniedBy::Lockdown,
            DeniedBy::NoBpfLsm,
            DeniedBy::Selinux,
            DeniedBy::NoTrampolines,
        ];
        assert_eq!(locked.reasons(object.programs.first()), of_lsm);
    }
}
