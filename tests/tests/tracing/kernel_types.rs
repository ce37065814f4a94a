//! What the running kernel's types answer comes to the program, each answer in its place.

use std::fs;
use std::time::{Duration, Instant};

use ebpf_asm::btf::{Bitfields, Btf, Kind, TypeId};
use ebpf_dsl::prelude::*;
use ebpf_loader::Loader;
use ebpf_tests::{Outcome, ensure, ensure_eq};
use libtest_mimic::Trial;

use crate::{attach, kernel, map, object, value};

kernel_struct! {
    /// A thread; no kernel has the last field.
    struct task_struct {
        pid: i32,
        comm: [u8; 16],
        se: sched_entity,
        never_there: u64,
    }
}

kernel_struct! {
    struct sched_entity { vruntime: u64 }
}

kernel_struct! {
    struct never_there { field: u64 }
}

kernel_enum! {
    enum pid_type { PIDTYPE_SID, PIDTYPE_TGID, PIDTYPE_NEVER }
}

/// The number of the answer that says that all are there.
const DONE: u32 = 0;

/// How long a switch of threads may be waited for.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn trials() -> Vec<Trial> {
    vec![kernel("kernel_types::answers_come_to_the_program", answers)]
}

/// Stores each answer in `answers`, from number 1 on.
fn asking() -> Unit {
    let mut unit = Unit::new("asking").license("GPL");
    let answers = unit.array::<u64>("answers", 16);
    unit.raw_tracepoint("asking", "sched_switch", |f, ctx| {
        let task = ctx.arg::<*const task_struct>(2);
        let fields = f.core_field_exists::<task_struct>();
        let never = fields.never_there();
        let given = [
            f.core_field_offset::<task_struct>().pid(),
            f.core_field_offset::<task_struct>().comm(),
            f.core_field_size::<task_struct>().comm(),
            f.core_type_size::<task_struct>(),
            f.core_type_size::<never_there>(),
            f.core_enum_value(pid_type::PIDTYPE_SID),
            f.core_enum_value(pid_type::PIDTYPE_TGID),
            fields.comm().to_u32().to_u64(),
            never.to_u32().to_u64(),
            f.core_type_exists::<sched_entity>().to_u32().to_u64(),
            f.core_type_exists::<never_there>().to_u32().to_u64(),
            f.core_enum_value_exists(pid_type::PIDTYPE_TGID)
                .to_u32()
                .to_u64(),
            f.core_enum_value_exists(pid_type::PIDTYPE_NEVER)
                .to_u32()
                .to_u64(),
            KernelPtr::address(task.se()) - KernelPtr::address(task),
        ];
        // The kernel's verifier does not go where this does not hold.
        f.if_(never).then(|f| {
            f.lookup(answers, DONE)
                .then(|_, done| done.set(task.never_there()));
            f.return_(());
        });
        for (number, answer) in (1..).zip(given) {
            f.lookup(answers, number).then(|_, place| place.set(answer));
        }
        f.lookup(answers, DONE).then(|_, done| done.set(1));
    })
}

fn answers() -> Outcome {
    let object = object(&asking())?;
    let mut loader = Loader::new(&object);
    let _link = attach(&mut loader, "asking")?;
    let answers = map(&mut loader, "answers")?;
    let begun = Instant::now();
    while value::<u64>(answers, &DONE)? == Some(0) {
        ensure!(begun.elapsed() < PATIENCE, "no thread was switched to");
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut given = Vec::new();
    for number in 1..15u32 {
        given.push(value::<u64>(answers, &number)?);
    }
    ensure_eq!(given, expected()?.map(Some), "the answers");
    Ok(())
}

/// What [`asking`] shall store, from the names in the kernel's types and from its headers.
fn expected() -> Outcome<[u64; 14]> {
    let kernel = Btf::from_bytes(&fs::read("/sys/kernel/btf/vmlinux")?)?;
    let task = kernel.find("task_struct", |kind| matches!(kind, Kind::Struct { .. }));
    let task = task.ok_or("the kernel has no threads")?;
    let size = kernel
        .size_of(task)
        .map(u64::from)
        .ok_or("a thread has no size")?;
    let offset = |name| offset(&kernel, task, name).ok_or(format!("a thread has no {name}"));
    // TASK_COMM_LEN of linux/sched.h, and enum pid_type of linux/pid_types.h.
    const COMM: u64 = 16;
    const SID: u64 = 3;
    const TGID: u64 = 1;
    let (yes, no) = (1, 0);
    let (pid, comm, se) = (offset("pid")?, offset("comm")?, offset("se")?);
    Ok([
        pid, comm, COMM, size, 0, SID, TGID, yes, no, yes, no, yes, no, se,
    ])
}

/// Where a member is, in bytes.
fn offset(btf: &Btf, ty: TypeId, name: &str) -> Option<u64> {
    let Kind::Struct {
        members, bitfields, ..
    } = &btf.get(ty)?.kind
    else {
        return None;
    };
    let member = members.iter().find(|member| btf.str(member.name) == name)?;
    let bits = match bitfields {
        Bitfields::No => member.offset,
        Bitfields::Yes => member.offset & 0xff_ffff,
    };
    Some(u64::from(bits / 8))
}
