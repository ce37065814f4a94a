//! `--foreground`: the program goes with the command.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};

use ebpf_tests::rig::Rig;
use ebpf_tests::{Outcome, ensure, ensure_eq};
use libtest_mimic::Trial;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::console::Console;
use crate::kernel;

/// The command under test.
const DROP: &str = "attach eth0 drop.o --foreground";

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        kernel("foreground::signals", signals),
        kernel("foreground::the_interface_vanishes", vanishes),
    ]
}

fn signals() -> Outcome {
    let (console, rig) = (Console::new()?, Rig::new()?);
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let mut child = attached(&console, &rig, DROP)?;
        let status = console.status(&rig)?;
        ensure_eq!(status[0]["pin"].as_str(), None, "the pin");
        kill(Pid::from_raw(i32::try_from(child.id())?), signal)?;
        let ended = child.wait()?;
        ensure_eq!(ended.code(), Some(0), "the end after {signal}");
        ensure!(console.status(&rig)?.is_empty(), "it stays after {signal}");
    }
    Ok(())
}

fn vanishes() -> Outcome {
    let (console, rig) = (Console::new()?, Rig::new()?);
    let mut child = attached(&console, &rig, DROP)?;
    rig.unplug()?;
    let ended = child.wait()?;
    ensure_eq!(ended.code(), Some(5), "the end without an interface");
    let mut err = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        stderr.read_to_string(&mut err)?;
    }
    ensure!(err.contains("interface eth0 is gone"), "{err}");
    Ok(())
}

/// Starts a command, and waits until it says that the program is attached.
pub(crate) fn attached(console: &Console, rig: &Rig, line: &str) -> Outcome<Child> {
    let mut command = console.command(line)?;
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = rig.inside(move || Ok(command.spawn()?))?;
    let mut said = String::new();
    if let Some(stdout) = child.stdout.as_mut() {
        BufReader::new(stdout).read_line(&mut said)?;
    }
    if !said.starts_with("attached ") {
        child.kill()?;
        let output = child.wait_with_output()?;
        return Err(format!("{said}{output:?}").into());
    }
    Ok(child)
}
