//! `ebpfld` killed at any moment leaves the old state or the new one.
//!
//! A command is first run to its end and timed, and then again and again, killed later each
//! time: from at once to after it would have ended.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use ebpf_asm::object;
use ebpf_loader::{AttachedBy, Error};
use ebpf_tests::oracle::XDP_PASS;
use ebpf_tests::rig::Rig;
use ebpf_tests::{Outcome, commands, ensure, ensure_eq, subjects, tool};
use libtest_mimic::Trial;
use tempfile::TempDir;

use crate::kernel;
use crate::links::{running, with_xdp};

/// How often each command is killed.
const ROUNDS: u32 = 40;

/// What may be found after a kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Nothing,
    /// `always_2`, attached by our pinned link.
    Old,
    /// `xdp_drop_icmp`, attached by our pinned link.
    New,
}

/// The objects of both states, in files, and where they are attached.
struct Bench {
    rig: Rig,
    folder: TempDir,
}

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        kernel("kill::during_attach", || {
            killed(&["attach", "eth0", "new.o"], State::Nothing, State::New)
        }),
        kernel("kill::during_replace", || {
            killed(
                &["attach", "eth0", "new.o", "--replace"],
                State::Old,
                State::New,
            )
        }),
        kernel("kill::during_detach", || {
            killed(&["detach", "eth0"], State::Old, State::Nothing)
        }),
        kernel("kill::in_the_foreground", in_the_foreground),
    ]
}

fn killed(arguments: &[&str], before: State, after: State) -> Outcome {
    let bench = Bench::new()?;
    bench.set(before)?;
    let start = Instant::now();
    bench.run(arguments)?;
    let usual = start.elapsed();
    ensure_eq!(bench.state()?, after, "the state after the whole command");
    let mut seen = Vec::new();
    for round in 0..ROUNDS {
        bench.set(before)?;
        let delay = usual * round * 3 / (ROUNDS * 2);
        let mut child = bench.start(arguments)?;
        thread::sleep(delay);
        child.kill()?;
        child.wait()?;
        let state = bench.state()?;
        let whole = state == before || state == after;
        ensure!(
            whole,
            "killed after {delay:?}: {state:?}, neither {before:?} nor {after:?}"
        );
        seen.push(state);
    }
    ensure!(
        seen.contains(&before),
        "no kill came early enough to matter"
    );
    ensure!(seen.contains(&after), "no command was let finish");
    Ok(())
}

/// In the foreground nothing is pinned, so that the kernel takes all away with the process.
fn in_the_foreground() -> Outcome {
    let bench = Bench::new()?;
    let mut child = bench.start(&["attach", "eth0", "new.o", "--foreground"])?;
    let end = Instant::now() + Duration::from_secs(10);
    while running(&bench.rig)?.is_none() && Instant::now() < end {
        thread::sleep(Duration::from_millis(5));
    }
    let there = running(&bench.rig)?;
    child.kill()?;
    child.wait()?;
    let by_link = there.is_some_and(|there| matches!(there.by, AttachedBy::OtherLink { .. }));
    ensure!(by_link, "it was not attached by a link of its own");
    ensure_eq!(bench.state()?, State::Nothing, "the state after the kill");
    Ok(())
}

impl Bench {
    fn new() -> Outcome<Bench> {
        let folder = tempfile::tempdir()?;
        let save = |name: &str, object: &object::Object| -> Outcome {
            Ok(std::fs::write(
                folder.path().join(name),
                object::write(object)?,
            )?)
        };
        save("old.o", &subjects::constant(XDP_PASS)?.object)?;
        save("new.o", &subjects::drop_icmp()?.object)?;
        Ok(Bench {
            rig: Rig::new()?,
            folder,
        })
    }

    fn start(&self, arguments: &[&str]) -> Outcome<Child> {
        let mut command = self.command(arguments)?;
        command.stdout(Stdio::null()).stderr(Stdio::null());
        self.rig.inside(move || Ok(command.spawn()?))
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        let mut command = self.command(arguments)?;
        self.rig
            .inside(move || tool::output(&mut command).map(drop))
    }

    fn command(&self, arguments: &[&str]) -> Outcome<Command> {
        let mut command = commands::ebpfld()?;
        command.args(arguments).current_dir(self.folder.path());
        Ok(command)
    }

    /// Makes the state, whatever was there before.
    fn set(&self, state: State) -> Outcome {
        with_xdp(&self.rig, |xdp, interface| match xdp.detach(interface) {
            Ok(_) | Err(Error::NothingAttached { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        })?;
        match state {
            State::Nothing => Ok(()),
            State::Old => self.run(&["attach", "eth0", "old.o"]),
            State::New => self.run(&["attach", "eth0", "new.o"]),
        }
    }

    /// What is there, if it is one of the whole states.
    fn state(&self) -> Outcome<State> {
        let pin = with_xdp(&self.rig, |xdp, interface| {
            Ok(xdp.pins().path(interface.index))
        })?;
        let Some(there) = running(&self.rig)? else {
            ensure!(!is_pinned(&pin), "a pin without a program: {pin:?}");
            return Ok(State::Nothing);
        };
        let ours = matches!(&there.by, AttachedBy::OurLink { pin: found, .. } if *found == pin);
        ensure!(ours, "attached, and not by our pinned link: {there}");
        match there.program.as_ref().map(|program| program.name.as_str()) {
            Some("always_2") => Ok(State::Old),
            Some("xdp_drop_icmp") => Ok(State::New),
            other => Err(format!("an unknown program: {other:?}").into()),
        }
    }
}

fn is_pinned(pin: &Path) -> bool {
    pin.symlink_metadata().is_ok()
}
