//! A program that the kernel has accepted.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use ebpf_asm::prog_type::{AttachType, ProgType};
use ebpf_asm::program;
use ebpf_syscalls::bpf::{self, ProgInfo, TestRun, TestRunResult};
use ebpf_syscalls::caps::Capability;

use crate::error::{Error, Result};
use crate::kept::KeptMaps;

/// A loaded program; it goes when this and everything it is attached to is gone.
///
/// It holds those of its maps that the kernel empties when nobody does: maps of programs, and
/// maps with timers or work queues in their values.
#[derive(Debug)]
pub struct Program {
    name: String,
    prog_type: ProgType,
    attach_type: Option<AttachType>,
    attach_target: Option<String>,
    fd: OwnedFd,
    kept: KeptMaps,
}

impl Program {
    /// `fd` is what the kernel made of `program`, which needs the maps that are `kept`.
    pub(crate) fn new(program: &program::Program, fd: OwnedFd, kept: KeptMaps) -> Self {
        Program {
            name: program.name.clone(),
            prog_type: program.prog_type,
            attach_type: program.expected_attach_type,
            attach_target: program.attach_target().map(str::to_owned),
            fd,
            kept,
        }
    }

    /// The maps that are held for it.
    pub(crate) fn kept(&self) -> &KeptMaps {
        &self.kept
    }

    /// The name in the object.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The type.
    #[must_use]
    pub fn prog_type(&self) -> ProgType {
        self.prog_type
    }

    /// What it was loaded for, where the kernel wants to know that at load.
    #[must_use]
    pub fn attach_type(&self) -> Option<AttachType> {
        self.attach_type
    }

    /// What its section names to attach it to: `sched_switch` of `raw_tp/sched_switch`.
    #[must_use]
    pub fn attach_target(&self) -> Option<&str> {
        self.attach_target.as_deref()
    }

    /// What the kernel says of it.
    ///
    /// # Errors
    /// Only where proc(5) is not mounted.
    pub fn info(&self) -> Result<ProgInfo> {
        bpf::prog_info(self.fd.as_fd()).map_err(|source| Error::Kernel {
            action: "cannot ask for the program",
            source,
        })
    }

    /// Runs it in the kernel on a packet that no interface sees; the packet
    /// afterwards is copied to `data_out`.
    ///
    /// # Errors
    /// When the packet is shorter than an Ethernet header (14 bytes) or too
    /// long, or `data_out` too short for it.
    pub fn test_run(&self, run: &TestRun<'_>, data_out: &mut [u8]) -> Result<TestRunResult> {
        bpf::prog_test_run(self.fd.as_fd(), run, data_out).map_err(|source| {
            Error::kernel(
                "cannot run the program",
                "run a program in the kernel",
                &[Capability::NetAdmin, Capability::Bpf],
                source,
            )
        })
    }
}

impl AsFd for Program {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
