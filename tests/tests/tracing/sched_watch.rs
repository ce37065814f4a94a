//! `sched_watch` counts as the kernel does.

use std::fs;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ebpf_loader::Loader;
use ebpf_programs::user;
use ebpf_tests::{Outcome, ensure, ensure_eq};
use libtest_mimic::Trial;

use crate::{attach, kernel, map, object};

/// How often the process is woken.
const ROUNDS: u32 = 100;

/// How long a process may take to fall asleep.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn trials() -> Vec<Trial> {
    vec![kernel("sched_watch::counts_as_the_kernel_does", counts)]
}

/// A process with one thread, from its first moment on: the switches counted are those that
/// `/proc/PID/status` has.
fn counts() -> Outcome {
    let object = object(&ebpf_programs::sched_watch::unit())?;
    let mut loader = Loader::new(&object);
    let _link = attach(&mut loader, "sched_watch")?;
    let mut echo = Echo::start()?;
    for round in 0..ROUNDS {
        echo.once(round as u8)?;
    }
    let (pid, expected) = (echo.0.id(), echo.switches_when_asleep()?);
    let process = user::process(map(&mut loader, "processes")?, pid)?;
    let process = process.ok_or("the process was not seen")?;
    ensure!(
        expected >= u64::from(ROUNDS),
        "{expected} switches of {ROUNDS}"
    );
    ensure_eq!(process.switches, expected, "the switches");
    ensure_eq!(process.ppid, std::process::id(), "the parent");
    ensure_eq!(process.tid, pid, "the thread");
    ensure_eq!(&process.comm, b"cat\0\0\0\0\0\0\0\0\0\0\0\0\0", "the name");
    Ok(())
}

/// A process that sleeps until it is sent a byte, which it sends back.
struct Echo(Child);

impl Echo {
    fn start() -> Outcome<Echo> {
        let mut cat = Command::new("cat");
        let cat = cat.stdin(Stdio::piped()).stdout(Stdio::piped());
        Ok(Echo(cat.spawn()?))
    }

    fn once(&mut self, byte: u8) -> Outcome {
        let (input, output) = (self.0.stdin.as_mut(), self.0.stdout.as_mut());
        let (input, output) = input.zip(output).ok_or("cat has no pipes")?;
        input.write_all(&[byte])?;
        let mut back = [0];
        output.read_exact(&mut back)?;
        ensure_eq!(back, [byte], "what cat sends back");
        Ok(())
    }

    /// How often it was switched away from, by the kernel's own count, once that grows no more.
    fn switches_when_asleep(&self) -> Outcome<u64> {
        let (begun, mut last) = (Instant::now(), self.switches()?);
        while begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(50));
            let now = self.switches()?;
            if now == last && self.sleeps()? {
                return Ok(now);
            }
            last = now;
        }
        Err("the process does not fall asleep".into())
    }

    fn status(&self) -> Outcome<String> {
        Ok(fs::read_to_string(format!("/proc/{}/status", self.0.id()))?)
    }

    fn sleeps(&self) -> Outcome<bool> {
        Ok(self.status()?.contains("\nState:\tS"))
    }

    /// See proc_pid_status(5).
    fn switches(&self) -> Outcome<u64> {
        let status = self.status()?;
        let counts = status
            .lines()
            .filter_map(|line| line.split_once("voluntary_ctxt_switches:\t"));
        let counts = counts.map(|(_, count)| count.parse::<u64>());
        let counts = counts.collect::<Result<Vec<u64>, _>>()?;
        ensure_eq!(counts.len(), 2, "the kinds of switches in\n{status}");
        Ok(counts.iter().sum())
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        // It ends when its input does.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
