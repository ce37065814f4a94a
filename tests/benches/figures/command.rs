//! What a whole command takes: the processor's time, and that on the wall.

use std::process::{Command, Stdio};
use std::time::Instant;

use ebpf_tests::{Outcome, ensure, tool};
use nix::sys::resource::{UsageWho, getrusage};

/// The processor time of a command, all that it prints thrown away.
pub(crate) fn cpu_seconds(command: &mut Command) -> Outcome<f64> {
    let spent = || -> Outcome<f64> {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
        let seconds =
            |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
        Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
    };
    let begin = spent()?;
    let status = command.stdout(Stdio::null()).status()?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(spent()? - begin)
}

/// How long a command takes that succeeds.
pub(crate) fn milliseconds(command: &mut Command) -> Outcome<f64> {
    let started = Instant::now();
    tool::output(command)?;
    Ok(started.elapsed().as_secs_f64() * 1e3)
}
