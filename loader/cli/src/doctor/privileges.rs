//! What this process may do.

use ebpf_syscalls::caps::{self, Capability};
use ebpf_syscalls::kernel::{Version, version};

use super::{Check, State};
use crate::advice;
use ebpf_cli::exit::Exit;

/// The first kernel that accounts BPF memory to cgroups and not to RLIMIT_MEMLOCK.
const CGROUP_ACCOUNTING: Version = Version::new(5, 11, 0);

/// The capabilities, what each is for, and whether attaching needs it.
const USES: &[(Capability, Need, &str)] = &[
    (
        Capability::NetAdmin,
        Need::Attach,
        "attaching to interfaces",
    ),
    (
        Capability::Bpf,
        Need::Attach,
        "loading programs, creating maps",
    ),
    (
        Capability::Perfmon,
        Need::Else,
        "programs that handle pointers freely",
    ),
    (
        Capability::SysAdmin,
        Need::Else,
        "naming and replacing what others attached, mounting bpffs, `ebpfld demo`",
    ),
    (Capability::NetRaw, Need::Else, "`ebpfld demo`"),
];

/// What a capability is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// For attaching a program.
    Attach,
    /// For something else.
    Else,
}

/// All of it.
pub(super) fn checks() -> Vec<Check> {
    let set = match caps::effective() {
        Ok(set) => set,
        Err(error) => {
            return vec![Check::new("capabilities", State::Note, error.to_string())];
        }
    };
    let mut checks: Vec<_> = USES
        .iter()
        .map(
            |&(capability, need, what)| match (set.grants(capability), need) {
                (true, _) => Check::new(capability.to_string(), State::Good, format!("for {what}")),
                (false, Need::Else) => Check::new(
                    capability.to_string(),
                    State::Note,
                    format!("not held: for {what}"),
                ),
                (false, Need::Attach) => Check::new(
                    capability.to_string(),
                    State::Missing(Exit::Permission),
                    format!("not held: for {what}"),
                )
                .help(advice::permission(&[capability])),
            },
        )
        .collect();
    if version() < CGROUP_ACCOUNTING && !set.has(Capability::SysResource) {
        checks.push(memlock());
    }
    checks
}

/// Only old kernels charge maps and programs to it.
fn memlock() -> Check {
    Check::new(
        "RLIMIT_MEMLOCK",
        State::Note,
        "cannot be raised without CAP_SYS_RESOURCE, and large maps may not fit",
    )
    .help("ulimit -l unlimited, in a shell that may")
}
