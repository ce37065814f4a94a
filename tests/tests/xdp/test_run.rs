//! Frames of every length, in the kernel by `BPF_PROG_TEST_RUN` and in the interpreter.

use ebpf_loader::Program;
use ebpf_syscalls::Errno;
use ebpf_syscalls::bpf::{TestRun, prog_test_run};
use ebpf_tests::frames::{self, of_length};
use ebpf_tests::oracle::verdict;
use ebpf_tests::subjects::{self, Subject};
use ebpf_tests::{Outcome, ensure, ensure_eq};
use ebpf_verifier_sim::interp::{Machine, Packet};
use libtest_mimic::Trial;
use std::os::fd::AsFd;

use crate::kernel;

/// The lengths that are tried, in bytes: past the end of Ethernet, IPv4 and its options.
const LENGTHS: std::ops::RangeInclusive<usize> = 0..=64;

/// The shortest frame of which the kernel makes a test run: an Ethernet header.
const SHORTEST: usize = 14;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        kernel("test_run::drop_icmp_every_length", || {
            every_length(&subjects::drop_icmp()?)
        }),
        kernel("test_run::count_protocols_every_length", || {
            every_length(&subjects::count_protocols()?)
        }),
    ]
}

/// Each kind of frame cut off at every length: kernel, interpreter and oracle agree.
fn every_length(subject: &Subject) -> Outcome {
    let program = subject.load()?;
    let mut machine = Machine::new(&subject.object)?;
    for frame in frames::all() {
        for len in LENGTHS {
            let bytes = of_length(&frame.bytes, len);
            let what = format!("{} of {len} bytes", frame.name);
            let run = machine.run(&subject.program, Packet::new(&bytes))?;
            ensure_eq!(
                run.ret,
                verdict(&bytes),
                "{what}: verdict in the interpreter"
            );
            ensure_eq!(run.packet, bytes, "{what}: packet after the interpreter");
            in_kernel(&program, &bytes, &what)?;
        }
    }
    Ok(())
}

/// The kernel's verdict is the oracle's, or the frame is too short for the kernel to try.
fn in_kernel(program: &Program, bytes: &[u8], what: &str) -> Outcome {
    // More room than the packet has: that it is not longer afterwards must show.
    let mut after = [0; 128];
    let run = TestRun {
        data: bytes,
        ..TestRun::default()
    };
    let result = prog_test_run(program.as_fd(), &run, &mut after);
    if bytes.len() < SHORTEST {
        let refused = result.as_ref().is_err_and(|error| error.is(Errno::EINVAL));
        ensure!(
            refused,
            "{what}: the kernel's test run should refuse it: {result:?}"
        );
        return Ok(());
    }
    let result = result?;
    ensure_eq!(
        result.retval,
        verdict(bytes),
        "{what}: verdict in the kernel"
    );
    ensure_eq!(
        &after[..result.data_size_out],
        bytes,
        "{what}: packet after the kernel"
    );
    Ok(())
}
