//! RLIMIT_MEMLOCK: what kernels before 5.11 charge BPF objects to.
//!
//! Newer kernels account to the memory cgroup and never need this.
//! <https://docs.ebpf.io/linux/concepts/resource-limit/>

use nix::errno::Errno;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};

use crate::kernel::{self, Version};

/// The first kernel that accounts BPF memory to cgroups.
const CGROUP_ACCOUNTING: Version = Version::new(5, 11, 0);

/// Makes a call; where an old kernel answers EPERM, raises the limit and calls once more.
///
/// The limit is only a means: where raising it is not allowed either, the
/// call's own EPERM is the answer.
pub(crate) fn retry_with_more<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    match call() {
        Err(Errno::EPERM) if kernel::version() < CGROUP_ACCOUNTING && raise().is_ok() => call(),
        result => result,
    }
}

/// Removes the limit, or raises it as far as this process may.
fn raise() -> Result<(), Errno> {
    setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY).or_else(|_| {
        let (_, hard) = getrlimit(Resource::RLIMIT_MEMLOCK)?;
        setrlimit(Resource::RLIMIT_MEMLOCK, hard, hard)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_errors_are_not_retried() {
        let mut calls = 0;
        let result: Result<(), _> = retry_with_more(|| {
            calls += 1;
            Err(Errno::EACCES)
        });
        assert_eq!((result, calls), (Err(Errno::EACCES), 1));
    }
}
