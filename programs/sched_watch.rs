//! Counts context switches: how often each process was switched away from, by its number.
//!
//! `processes` has an entry for each process that ran since the program was attached, as long
//! as there is room: how often a thread of it was switched away from; the number of its parent
//! when it was seen first; number and name of the thread that was switched away from last.
//!
//! The kernel's `struct task_struct` differs from build to build: where the fields are is
//! asked of the kernel that the program is loaded into (CO-RE).

use ebpf_dsl::prelude::*;

kernel_struct! {
    /// A thread.
    pub struct task_struct {
        /// Its number: what user space calls its TID.
        pid: i32,
        /// Its process's: what user space calls its PID.
        tgid: i32,
        /// Its name, zeros behind it.
        comm: [u8; 16],
        /// The process that started its own.
        real_parent: *const task_struct,
    }
}

record! {
    /// What is known of a process.
    #[cfg_attr(feature = "user", derive(Clone, Copy, Debug, PartialEq, Eq))]
    pub struct Process {
        /// How often a thread of it was switched away from.
        pub switches: u64,
        /// Its parent's number, when it was seen first.
        pub ppid: u32,
        /// The number of the thread that was switched away from last.
        pub tid: u32,
        /// The name of that thread, zeros behind it.
        pub comm: [u8; 16],
    }
}

/// Everything that this file declares.
pub fn unit() -> Unit {
    let mut unit = unit!("sched_watch.rs").license("GPL");
    let processes = unit.hash::<u32, Process>("processes", 16_384);
    unit.raw_tracepoint("sched_watch", "sched_switch", |f, ctx| {
        // TP_PROTO(bool preempt, struct task_struct *prev, struct task_struct *next, ...)
        let prev = ctx.arg::<*const task_struct>(1);
        let tgid = prev.tgid();
        // Number 0 is no process: it is each CPU's idle thread.
        f.return_if(tgid.eq(0), ());
        f.lookup(processes, tgid)
            .then(|_, process| {
                process.switches().atomic_add(1);
                process.tid().set(prev.pid());
                process.comm().set(prev.comm());
            })
            .else_(|f| {
                let first = f.local::<Process>();
                first.fields().switches().set(1);
                first.fields().ppid().set(prev.real_parent().tgid());
                first.fields().tid().set(prev.pid());
                first.fields().comm().set(prev.comm());
                f.update(processes, tgid, &first, BPF_NOEXIST);
            });
    })
}

/// Hands the unit to `ebpfasm build`; run by hand, prints it.
pub fn main() -> ExitCode {
    emit(unit())
}
