//! What is asked of the kernel's types and not answered yet: both answers are followed.

use ebpf_asm::dsl::prelude::*;
use ebpf_asm::object::Object;
use ebpf_asm::program::Reference;
use ebpf_verifier_sim::{Config, Verdict, verify};

kernel_struct! {
    struct task_struct { __state: u32 }
}

kernel_enum! {
    enum pid_type { PIDTYPE_TGID }
}

/// What a program asks.
type Question = for<'p> fn(&mut Scope<'p, RawTracepoint>) -> Cond<'p>;

/// A program that deletes from a map in one of two branches, and uses a ring buffer behind.
fn object(question: Question, branch: Branch) -> Object {
    let mut unit = Unit::new("asking").license("GPL");
    let seen = unit.hash::<u32, u64>("seen", 1);
    let ring = unit.ringbuf::<u64>("ring", 4096);
    let unit = unit.raw_tracepoint("asking", "sched_switch", |f, _| {
        let there = question(f);
        let there = match branch {
            Branch::There => there,
            Branch::Missing => !there,
        };
        f.if_(there).then(|f| {
            f.delete(seen, 1);
        });
        f.reserve(ring, |_, record| record.discard());
    });
    ebpf_asm::compile(&unit).unwrap()
}

/// The program deleting from the ring buffer, which has no keys.
fn mistaken(mut object: Object) -> Object {
    for (_, reference) in &mut object.programs[0].references {
        *reference = Reference::Map(1);
    }
    object
}

/// Where a program deletes.
#[derive(Clone, Copy, Debug)]
enum Branch {
    There,
    Missing,
}

fn verdict(object: &Object) -> Result<(), String> {
    match verify(object, &object.programs[0], &Config::default()) {
        Verdict::Accepted(..) => Ok(()),
        Verdict::Rejected(why) => Err(why.message),
    }
}

#[test]
fn a_mistake_in_either_branch_is_found() {
    let questions: [Question; 3] = [
        |f| f.core_field_exists::<task_struct>().__state(),
        |f| f.core_type_exists::<task_struct>(),
        |f| f.core_enum_value_exists(pid_type::PIDTYPE_TGID),
    ];
    for question in questions {
        for branch in [Branch::There, Branch::Missing] {
            let object = object(question, branch);
            assert_eq!(verdict(&object), Ok(()), "{branch:?}");
            let error = verdict(&mistaken(object)).unwrap_err();
            assert_eq!(error, "invalid zero-sized read", "{branch:?}");
        }
    }
}
