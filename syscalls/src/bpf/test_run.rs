//! Running a program once on given bytes: `BPF_PROG_TEST_RUN`.
//!
//! <https://docs.kernel.org/bpf/bpf_prog_run.html>

use std::os::fd::{AsRawFd, BorrowedFd};

use bytemuck::Zeroable;

use super::attr::TestRunAttr;
use super::command::{Command, address, address_mut, bpf};
use crate::{Error, Result};

/// What the program is run on.
#[derive(Debug, Clone, Copy, Default)]
pub struct TestRun<'a> {
    /// The packet. The kernel refuses less than an Ethernet header (14 bytes).
    pub data: &'a [u8],
    /// The context structure, such as `struct xdp_md`; empty for the default.
    pub ctx: &'a [u8],
    /// How often to run; 0 means once. The packet is not restored in between.
    pub repeat: u32,
}

/// What the run gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TestRunResult {
    /// The program's return value.
    pub retval: u32,
    /// Mean time of one run, in nanoseconds.
    pub duration_ns: u32,
    /// Bytes of the packet afterwards; the first ones are in `data_out`.
    pub data_size_out: usize,
}

/// Runs a program on a packet, and copies the packet afterwards to `data_out`.
///
/// # Errors
/// `EINVAL` for a packet that is too short or too long for the program type,
/// `ENOSPC` when `data_out` is too short, `EOPNOTSUPP` for types without test runs.
pub fn prog_test_run(
    prog: BorrowedFd<'_>,
    run: &TestRun<'_>,
    data_out: &mut [u8],
) -> Result<TestRunResult> {
    let mut attr = TestRunAttr {
        prog_fd: prog.as_raw_fd() as u32,
        data_size_in: length(run.data)?,
        data_size_out: length(data_out)?,
        data_in: address(run.data),
        data_out: address_mut(data_out),
        ctx_size_in: length(run.ctx)?,
        ctx_in: address(run.ctx),
        repeat: run.repeat,
        ..TestRunAttr::zeroed()
    };
    // SAFETY: sizes and addresses are those of slices borrowed for this call,
    // the output one exclusively. An empty output has address 0, which the
    // kernel does not write to (with another address and size 0 it would
    // write without limit).
    unsafe { bpf(Command::ProgTestRun, &mut attr) }
        .map_err(|errno| Error::call(Command::ProgTestRun.name(), "program", errno))?;
    Ok(TestRunResult {
        retval: attr.retval,
        duration_ns: attr.duration,
        data_size_out: attr.data_size_out as usize,
    })
}

fn length(bytes: &[u8]) -> Result<u32> {
    u32::try_from(bytes.len()).map_err(|_| Error::argument("a packet of more than 4 GiB"))
}
