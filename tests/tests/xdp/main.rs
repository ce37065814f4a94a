//! XDP on the real kernel: real frames through veth pairs in namespaces made for the test.
//!
//! Each module is one subject: `frames.rs` (what passes), `test_run.rs` (all lengths, in the
//! kernel and the interpreter), `counters.rs`, `links.rs` (attach, replace, conflict, detach),
//! `netlink.rs` (the way without links), `limits.rs` (what a driver or system refuses),
//! `kill.rs` (a command killed at any moment).
#![forbid(unsafe_code)]

mod counters;
mod frames;
mod kill;
mod limits;
mod links;
mod netlink;
mod test_run;

use std::process::ExitCode;

use ebpf_tests::Outcome;
use ebpf_tests::policy::{self, Need};
use libtest_mimic::Trial;

fn main() -> ExitCode {
    policy::main(|| {
        let modules = [
            frames::trials(),
            test_run::trials(),
            counters::trials(),
            links::trials(),
            netlink::trials(),
            limits::trials(),
            kill::trials(),
        ];
        modules.into_iter().flatten().collect()
    })
}

/// A trial on the kernel.
fn kernel(name: &str, run: impl FnOnce() -> Outcome + Send + 'static) -> Trial {
    policy::trial(name, &[Need::Kernel], run)
}
