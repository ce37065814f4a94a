//! The kernel's memory as programs read it: the thread that runs, bit fields, and what cannot
//! be read.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ebpf_dsl::prelude::*;
use ebpf_loader::Loader;
use ebpf_tests::policy::{self, Need};
use ebpf_tests::{Outcome, ensure, ensure_eq};
use libtest_mimic::Trial;
use nix::unistd::gettid;

use crate::{attach, kernel, map, object, value};

kernel_struct! {
    /// A thread.
    struct task_struct {
        tgid: i32,
        pid: i32,
        comm: [u8; 16],
        real_parent: *const task_struct,
        sched_reset_on_fork: Bitfield<u32>,
    }
}

record! {
    /// A thread, by its helpers and by its memory.
    #[derive(Debug, PartialEq)]
    struct Seen {
        tgid: u32,
        tgid_read: u32,
        pid_read: u32,
        ppid_read: u32,
        comm: [u8; 16],
        comm_read: [u8; 16],
    }
}

record! {
    /// How reading ended.
    #[derive(Debug, PartialEq)]
    struct Reads {
        runs: u64,
        null: u64,
        failed: u64,
        /// What was read where nothing can be.
        read: u64,
        /// Failures where something is.
        failed_there: u64,
    }
}

/// How long what is to be seen may be waited for.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn trials() -> Vec<Trial> {
    let chrt = [Need::Kernel, Need::Vmlinux, Need::Tool("chrt")];
    vec![
        kernel("memory::the_current_thread_is_ours", current),
        kernel(
            "memory::what_cannot_be_read_is_zero_and_has_failed",
            unreadable,
        ),
        policy::trial("memory::a_bit_is_what_chrt_sets", &chrt, bits),
    ]
}

/// Runs until a condition holds.
fn wait(mut done: impl FnMut() -> Outcome<bool>) -> Outcome {
    let begun = Instant::now();
    while !done()? {
        ensure!(begun.elapsed() < PATIENCE, "nothing was seen");
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Notes the threads of a process that make system calls, by their numbers.
fn watching(process: u32) -> Unit {
    let mut unit = Unit::new("watching").license("GPL");
    let threads = unit.hash::<u32, Seen>("threads", 1024);
    unit.raw_tracepoint("watching", "sys_enter", |f, _| {
        let numbers = f.get_current_pid_tgid();
        f.return_if(numbers.tgid().ne(process), ());
        let task = f.get_current_task::<task_struct>();
        let seen = f.local::<Seen>();
        seen.fields().tgid().set(numbers.tgid());
        seen.fields().tgid_read().set(task.tgid());
        seen.fields().pid_read().set(task.pid());
        seen.fields().ppid_read().set(task.real_parent().tgid());
        seen.fields().comm().set(f.get_current_comm());
        seen.fields().comm_read().set(task.comm());
        f.update(threads, numbers.pid(), &seen, BPF_ANY);
    })
}

fn current() -> Outcome {
    let (process, thread) = (std::process::id(), gettid().as_raw() as u32);
    let object = object(&watching(process))?;
    let mut loader = Loader::new(&object);
    let _link = attach(&mut loader, "watching")?;
    let threads = map(&mut loader, "threads")?;
    let mut seen = None;
    wait(|| {
        seen = value::<Seen>(threads, &thread)?;
        Ok(seen.is_some())
    })?;
    let mut comm = [0; 16];
    let name = fs::read("/proc/thread-self/comm")?;
    let name = name.strip_suffix(b"\n").unwrap_or(&name);
    comm[..name.len()].copy_from_slice(name);
    let expected = Seen {
        tgid: process,
        tgid_read: process,
        pid_read: thread,
        ppid_read: std::os::unix::process::parent_id(),
        comm,
        comm_read: comm,
    };
    ensure_eq!(seen, Some(expected), "the thread of this test");
    Ok(())
}

/// Takes for a pointer what is none: whether the thread was preempted, 0 or 1.
fn reading_nothing() -> Unit {
    let mut unit = Unit::new("reading").license("GPL");
    let reads = unit.array::<Reads>("reads", 1);
    unit.raw_tracepoint("reading", "sched_switch", |f, ctx| {
        let (nothing, task) = (
            ctx.arg::<*const task_struct>(0),
            ctx.arg::<*const task_struct>(1),
        );
        let reads = f.lookup(reads, 0).or_return(());
        reads.runs().atomic_add(1);
        f.if_(KernelPtr::is_null(nothing))
            .then(|_| reads.null().atomic_add(1));
        // Not zero before, so that it is the helper that clears it.
        let copy = f.local::<u64>();
        copy.fields().set(7);
        let failed = f.probe_read_kernel(&copy, nothing).failed();
        f.if_(failed).then(|_| reads.failed().atomic_add(1));
        reads.read().atomic_add(copy.fields().get());
        reads.read().atomic_add(nothing.pid().to_u64());
        reads
            .read()
            .atomic_add(nothing.real_parent().tgid().to_u64());
        let failed = f.probe_read_kernel(&copy, task).failed();
        f.if_(failed).then(|_| reads.failed_there().atomic_add(1));
    })
}

fn unreadable() -> Outcome {
    let object = object(&reading_nothing())?;
    let mut loader = Loader::new(&object);
    let link = attach(&mut loader, "reading")?;
    let map = map(&mut loader, "reads")?;
    let reads = || -> Outcome<Reads> {
        Ok(value::<Reads>(map, &0u32)?.ok_or("an array lacks an element")?)
    };
    wait(|| Ok(reads()?.null > 10))?;
    drop(link);
    let (first, last) = (reads()?, reads()?);
    ensure_eq!(first, last, "what is counted behind the detachment");
    let expected = Reads {
        failed: last.runs,
        read: 0,
        failed_there: 0,
        ..last
    };
    ensure_eq!(last, expected, "how reading ended");
    Ok(())
}

/// Notes of each process whether its children shall be scheduled as usual, 1 or 0.
fn noting_bits() -> Unit {
    let mut unit = Unit::new("bits").license("GPL");
    let bits = unit.hash::<u32, u32>("bits", 16_384);
    unit.raw_tracepoint("noting", "sched_switch", |f, ctx| {
        let task = ctx.arg::<*const task_struct>(1);
        f.update(bits, task.tgid(), task.sched_reset_on_fork(), BPF_ANY);
    })
}

/// `chrt --reset-on-fork` sets the bit; without it it is not set.
fn bits() -> Outcome {
    let object = object(&noting_bits())?;
    let mut loader = Loader::new(&object);
    let _link = attach(&mut loader, "noting")?;
    let map = map(&mut loader, "bits")?;
    for (options, expected) in [
        (["--other", "0"].as_slice(), 0),
        (&["--reset-on-fork", "--other", "0"], 1),
    ] {
        let mut sleeper = Command::new("chrt");
        let sleeper = sleeper
            .args(options)
            .args(["sleep", "60"])
            .stdin(Stdio::null());
        let mut sleeper = sleeper.spawn()?;
        let pid = sleeper.id();
        // Its name is `sleep` once the command is what was asked for, and it then sleeps.
        let is_asleep = || -> Outcome<bool> {
            let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
            Ok(status.starts_with("Name:\tsleep\n") && status.contains("\nState:\tS"))
        };
        let asleep = wait(|| Ok(is_asleep()? && value::<u32>(map, &pid)? == Some(expected)));
        let bit = value::<u32>(map, &pid)?;
        sleeper.kill()?;
        sleeper.wait()?;
        ensure!(asleep.is_ok(), "chrt {options:?} gives {bit:?}");
    }
    Ok(())
}
