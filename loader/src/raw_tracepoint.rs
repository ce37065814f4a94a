//! Raw tracepoints: the program runs whenever the kernel comes to a place that it has named.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use ebpf_asm::prog_type::ProgType;
use ebpf_syscalls::caps::Capability;
use ebpf_syscalls::{Errno, bpf};

use crate::error::{Error, Result};
use crate::kept::KeptMaps;
use crate::program::Program;

/// A program on a raw tracepoint; it is detached when this is dropped.
///
/// Since Linux 5.7 its descriptor is a link's, which can be pinned to outlive the process.
#[derive(Debug)]
#[must_use = "the program is detached when this is dropped"]
pub struct RawTracepointLink {
    link: OwnedFd,
    /// The maps that are held for the program.
    _kept: KeptMaps,
}

impl AsFd for RawTracepointLink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.link.as_fd()
    }
}

impl Program {
    /// Attaches to the raw tracepoint that the program's section names:
    /// `raw_tp/sched_switch`.
    ///
    /// # Errors
    /// [`Error::BadObject`] if the program is of another type, names no tracepoint, or reads an
    /// argument that the tracepoint has not; [`Error::ExternMissing`] if the kernel has no such
    /// tracepoint; [`Error::Permission`].
    pub fn attach_raw_tracepoint(&self) -> Result<RawTracepointLink> {
        let bad = |what: String| Error::BadObject {
            what: format!("program '{}' {what}", self.name()),
        };
        let raw = [ProgType::RawTracepoint, ProgType::RawTracepointWritable];
        if !raw.contains(&self.prog_type()) {
            let own = self.prog_type();
            return Err(bad(format!(
                "is of type {own}, and not for a raw tracepoint"
            )));
        }
        let name = self.attach_target();
        let name = name.ok_or_else(|| bad("names no tracepoint in its section".to_owned()))?;
        bpf::raw_tracepoint_open(self.as_fd(), name)
            .map(|link| RawTracepointLink {
                link,
                _kept: self.kept().clone(),
            })
            .map_err(|source| match source.errno() {
                Some(Errno::ENOENT) => Error::ExternMissing {
                    name: name.to_owned(),
                    what: "tracepoint",
                },
                Some(Errno::EINVAL) => bad(format!(
                    "reads an argument that tracepoint '{name}' does not have"
                )),
                _ => Error::kernel(
                    "cannot attach the program",
                    "attach to a tracepoint",
                    &[Capability::Perfmon, Capability::Bpf],
                    source,
                ),
            })
    }
}
