//! What becomes of a test that cannot run here.
//!
//! It is never counted as passed. It is reported as ignored, with the reason; where
//! `EBPF_REQUIRE_KERNEL=1` is set, as in CI, it fails instead, unless `tests/lacking.txt`
//! names what the machine lacks.

use std::fmt;
use std::process::ExitCode;
use std::sync::LazyLock;

use ebpf_syscalls::caps::{self, Capability};
use libtest_mimic::{Arguments, Completion, Trial};

use crate::{Outcome, sandbox, tool};

/// The variable that turns what cannot run into a failure.
pub const REQUIRE: &str = "EBPF_REQUIRE_KERNEL";

/// The tests that may be ignored even so, and what the machine lacks for them.
const LACKING: &str = include_str!("../lacking.txt");

/// Something that a test cannot do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Root's capabilities, a kernel with eBPF, and a bpffs.
    Kernel,
    /// A program on the PATH.
    Tool(&'static str),
    /// The kernel's own BTF, `/sys/kernel/btf/vmlinux`.
    Vmlinux,
    /// A C header, under `/usr/include`: its development package is installed.
    Header(&'static str),
}

/// Clang and libbpf's headers, which build C for eBPF.
pub const CLANG: [Need; 2] = [Need::Tool("clang"), Need::Header("bpf/bpf_helpers.h")];

impl fmt::Display for Need {
    /// The name by which `lacking.txt` knows it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Need::Kernel => f.write_str("kernel"),
            Need::Vmlinux => f.write_str("vmlinux"),
            Need::Tool(name) | Need::Header(name) => f.write_str(name),
        }
    }
}

impl Need {
    /// Why it is not met here; `None` if it is.
    fn missing(self) -> Option<String> {
        match self {
            Need::Kernel => KERNEL.clone(),
            Need::Vmlinux => {
                let path = std::path::Path::new("/sys/kernel/btf/vmlinux");
                (!path.exists()).then(|| format!("no {}", path.display()))
            }
            Need::Tool(name) => tool::find(name)
                .is_none()
                .then(|| format!("no program '{name}' on the PATH")),
            Need::Header(name) => {
                let path = std::path::Path::new("/usr/include").join(name);
                (!path.exists()).then(|| format!("no {}", path.display()))
            }
        }
    }
}

/// Why kernel tests cannot run here, found out once.
static KERNEL: LazyLock<Option<String>> = LazyLock::new(|| {
    let needed = [
        Capability::Bpf,
        Capability::NetAdmin,
        Capability::NetRaw,
        Capability::SysAdmin,
    ];
    let effective = match caps::effective() {
        Ok(effective) => effective,
        Err(error) => return Some(error.to_string()),
    };
    let missing = needed.iter().filter(|c| !effective.grants(**c));
    let missing: Vec<String> = missing.map(Capability::to_string).collect();
    if !missing.is_empty() {
        return Some(format!("needs root: {} missing", missing.join(", ")));
    }
    sandbox::state().as_ref().err().cloned()
});

/// A test that needs something of the machine.
pub fn trial(
    name: impl Into<String>,
    needs: &[Need],
    run: impl FnOnce() -> Outcome + Send + 'static,
) -> Trial {
    let name = name.into();
    let needs = needs.to_vec();
    Trial::ignorable_test(name.clone(), move || {
        let missing = |need: &Need| need.missing().map(|reason| (*need, reason));
        match needs.iter().find_map(missing) {
            None => run().map(|()| Completion::Completed),
            Some((need, reason)) => unable(&name, need, reason),
        }
    })
}

/// What a test is reported as that cannot run for want of `need`.
fn unable(name: &str, need: Need, reason: String) -> Outcome<Completion> {
    let required = std::env::var_os(REQUIRE).is_some_and(|value| value == "1");
    if required && !is_listed(LACKING, name, need) {
        return Err(format!("cannot run here, and {REQUIRE}=1: {reason}").into());
    }
    Ok(Completion::ignored_with(reason))
}

/// Whether a list has a line `PATTERN NEED` for the test; a `*` at a pattern's end stands for
/// anything.
fn is_listed(list: &str, name: &str, need: Need) -> bool {
    let lines = list.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once(char::is_whitespace))
        .any(|(pattern, lacked)| {
            let named = match pattern.strip_suffix('*') {
                Some(beginning) => name.starts_with(beginning),
                None => name == pattern,
            };
            named && lacked.trim() == need.to_string()
        })
}

/// The `main` of a test target made of trials.
///
/// Where the process may, it first goes into a [`sandbox`].
pub fn main(trials: impl FnOnce() -> Vec<Trial>) -> ExitCode {
    sandbox::enter();
    libtest_mimic::run(&Arguments::from_args(), trials()).exit_code()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_names_test_and_need() {
        let list = "# comment kernel\nwitness::* bpftool\nxdp::offload  kernel\n";
        let bpftool = Need::Tool("bpftool");
        assert!(is_listed(list, "witness::btf", bpftool));
        assert!(!is_listed(list, "witness::btf", Need::Kernel));
        assert!(!is_listed(list, "xdp::offload2", Need::Kernel));
        assert!(is_listed(list, "xdp::offload", Need::Kernel));
        assert!(!is_listed(list, "#", Need::Kernel));
    }

    #[test]
    fn what_is_missing_is_said() {
        let reason = Need::Tool("no-such-tool").missing();
        assert!(reason.is_some_and(|r| r.contains("no-such-tool")));
        assert!(Need::Header("no/such.h").missing().is_some());
        assert_eq!(Need::Tool("sh").missing(), None);
    }
}
