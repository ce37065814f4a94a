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
fn as_loader<T: Send>(loader: Privilege, ask: impl FnOnce() -> T + Send) -> Result<T, String> {
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

/// Asks for a verdict as such a loader. One that it is denied is a refusal, as `refusal` says it, if
/// who has all rights gets a verdict; what everybody is denied on this machine is none.
///
/// # Errors
/// Why nobody can ask as such a loader here; within, why there is no verdict.
pub(crate) fn verdict<V: Send, N: Send>(
    loader: Privilege,
    ask: impl Fn() -> Result<V, N> + Sync,
    is_denied: impl FnOnce(&N) -> bool,
    refusal: impl FnOnce(N) -> V,
) -> Result<Result<V, N>, String> {
    let said = as_loader(loader, &ask)?;
    Ok(judged(loader, said, ask, is_denied, refusal))
}

/// What comes of what was said to the loader, where one with all rights can be asked `again`.
fn judged<V, N>(
    loader: Privilege,
    said: Result<V, N>,
    again: impl FnOnce() -> Result<V, N>,
    is_denied: impl FnOnce(&N) -> bool,
    refusal: impl FnOnce(N) -> V,
) -> Result<V, N> {
    match said {
        Err(why) if loader != Privilege::Full && is_denied(&why) => again().map(|_| refusal(why)),
        said => said,
    }
}

fn admits_everybody() -> bool {
    fs::read_to_string(DISABLED).is_ok_and(|number| number.trim() == "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    type Answer = Result<u8, &'static str>;

    /// What comes of the answer to the loader and, if it matters, of that to one with all rights: a
    /// number is a verdict, and what is denied is refused with 0.
    fn of(loader: Privilege, said: Answer, again: Option<Answer>) -> Answer {
        let ask = || again.expect("nobody else is asked");
        judged(loader, said, ask, |why| *why == "denied", |_| 0)
    }

    #[test]
    fn what_who_has_all_rights_is_denied_is_no_verdict() {
        assert_eq!(of(Privilege::Full, Err("denied"), None), Err("denied"));
        assert_eq!(of(Privilege::Full, Ok(1), None), Ok(1));
    }

    #[test]
    fn what_only_the_loader_is_denied_is_refused() {
        let limited = Privilege::NoPerfmon;
        assert_eq!(of(limited, Ok(1), None), Ok(1));
        assert_eq!(of(limited, Err("other"), None), Err("other"));
        assert_eq!(of(limited, Err("denied"), Some(Ok(1))), Ok(0));
        let denied = of(limited, Err("denied"), Some(Err("denied")));
        assert_eq!(denied, Err("denied"));
        let other = of(limited, Err("denied"), Some(Err("other")));
        assert_eq!(other, Err("other"));
    }
}
