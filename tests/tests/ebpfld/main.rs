//! `ebpfld` as people type it: what it prints, where, and how it ends.
//!
//! `refusals.rs` needs neither root nor a kernel; the others do: `main_job.rs` (attach, status,
//! replace, detach), `conflicts.rs` (others are there, or come at once), `machine.rs` (what a
//! driver or system lacks), `foreground.rs` (signals), `kept_maps.rs` (maps that want to be
//! held), `demo.rs`.
#![forbid(unsafe_code)]

mod conflicts;
mod console;
mod demo;
mod foreground;
mod kept_maps;
mod machine;
mod main_job;
mod refusals;

use std::process::ExitCode;

use ebpf_tests::Outcome;
use ebpf_tests::policy::{self, Need};
use libtest_mimic::Trial;

fn main() -> ExitCode {
    policy::main(|| {
        let modules = [
            refusals::trials(),
            main_job::trials(),
            conflicts::trials(),
            machine::trials(),
            foreground::trials(),
            kept_maps::trials(),
            demo::trials(),
        ];
        modules.into_iter().flatten().collect()
    })
}

/// A trial on the kernel.
fn kernel(name: &str, run: impl FnOnce() -> Outcome + Send + 'static) -> Trial {
    policy::trial(name, &[Need::Kernel], run)
}
