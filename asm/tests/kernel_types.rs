//! What programs ask of the kernel's types: as relocations, in ELF, and answered from the types
//! of a kernel that has everything elsewhere.

use ebpf_asm::assembler::Assembler;
use ebpf_asm::btf::core::{CoreKind, POISON};
use ebpf_asm::btf::{Bitfields, Btf, IntEncoding, Kind, Member, Signedness, TypeId, build};
use ebpf_asm::insn::Reg::*;
use ebpf_asm::isa::Cpu;
use ebpf_asm::object::{self, Fate, Object};
use ebpf_asm::{compile, compile_for};
use ebpf_dsl::prelude::*;

kernel_struct! {
    /// As far as the program knows it.
    struct task_struct {
        tgid: i32,
        pid: i32,
        sched_reset_on_fork: Bitfield<u32>,
        comm: [u8; 16],
        real_parent: *const task_struct,
        se: sched_entity,
    }
}

kernel_struct! {
    struct sched_entity {
        on_rq: u8,
        vruntime: u64,
    }
}

kernel_struct! {
    /// A kernel that has a field more.
    struct task_struct___new {
        recent_cid: u32,
    }
}

kernel_enum! {
    enum pid_type {
        PIDTYPE_TGID,
        PIDTYPE_SID,
    }
}

/// A program that asks everything.
fn asking() -> Unit {
    let mut unit = Unit::new("asking").license("GPL");
    let seen = unit.array::<u64>("seen", 1);
    unit.raw_tracepoint("asking", "sched_switch", |f, ctx| {
        let task = ctx.arg::<*const task_struct>(1);
        let seen = f.lookup(seen, 0).or_return(());
        seen.set(task.real_parent().pid().to_u64());
        seen.add(task.sched_reset_on_fork().to_u64());
        seen.add(task.se().vruntime());
        seen.add(f.core_field_size::<task_struct>().comm());
        seen.add(f.core_field_offset::<task_struct>().comm());
        seen.add(f.core_type_size::<sched_entity>());
        seen.add(f.core_enum_value(pid_type::PIDTYPE_SID));
        f.return_if(!f.core_type_exists::<sched_entity>(), ());
        f.return_if(!f.core_enum_value_exists(pid_type::PIDTYPE_TGID), ());
        let new = KernelPtr::cast::<task_struct___new>(task);
        let is_new = f.core_field_exists::<task_struct___new>().recent_cid();
        f.if_(is_new).then(|_| seen.add(new.recent_cid().to_u64()));
    })
}

/// A question: its kind, the type and the path; the number that stands in the instruction; and
/// what [`made_up`] answers, unless it has no such thing.
type Question = (CoreKind, &'static str, &'static str, u64, Option<u64>);

/// What [`asking`] asks, in its order.
const ASKED: [Question; 18] = [
    (
        CoreKind::FieldByteOffset,
        "task_struct",
        "0:4",
        32,
        Some(56),
    ),
    (CoreKind::FieldByteOffset, "task_struct", "0:1", 4, Some(16)),
    (CoreKind::FieldByteSize, "task_struct", "0:1", 4, Some(2)),
    (CoreKind::FieldByteOffset, "task_struct", "0:2", 8, Some(4)),
    (CoreKind::FieldByteSize, "task_struct", "0:2", 4, Some(4)),
    (CoreKind::FieldLshiftU64, "task_struct", "0:2", 32, Some(61)),
    (CoreKind::FieldRshiftU64, "task_struct", "0:2", 32, Some(63)),
    (
        CoreKind::FieldByteOffset,
        "task_struct",
        "0:5:1",
        48,
        Some(80),
    ),
    (CoreKind::FieldByteSize, "task_struct", "0:5:1", 8, Some(8)),
    (CoreKind::FieldByteSize, "task_struct", "0:3", 16, Some(32)),
    (
        CoreKind::FieldByteOffset,
        "task_struct",
        "0:3",
        12,
        Some(24),
    ),
    (CoreKind::TypeSize, "sched_entity", "0", 16, Some(24)),
    (CoreKind::EnumvalValue, "pid_type", "1", 1, Some(1 << 40)),
    (CoreKind::TypeExists, "sched_entity", "0", 1, Some(1)),
    (CoreKind::EnumvalExists, "pid_type", "0", 1, Some(0)),
    (
        CoreKind::FieldExists,
        "task_struct___new",
        "0:0",
        1,
        Some(0),
    ),
    (
        CoreKind::FieldByteOffset,
        "task_struct___new",
        "0:0",
        0,
        None,
    ),
    (CoreKind::FieldByteSize, "task_struct___new", "0:0", 4, None),
];

/// Adds a struct; members are a name, a type, the offset in bits, and of bit fields the size.
fn structure(btf: &mut Btf, name: &str, size: u32, members: &[(&str, TypeId, u32, u32)]) -> TypeId {
    let member = |(name, ty, offset, bits): &(&str, TypeId, u32, u32)| Member {
        name: btf.intern(name),
        ty: *ty,
        offset: offset | bits << 24,
    };
    let members = members.iter().map(member).collect();
    let bitfields = Bitfields::Yes;
    btf.add(
        name,
        Kind::Struct {
            size,
            members,
            bitfields,
        },
    )
}

/// The types of a kernel in which everything is elsewhere, a process number has 16 bits, a
/// field has become a bit field, and process groups are gone.
fn made_up() -> Btf {
    let mut btf = Btf::new();
    let signed = IntEncoding::SIGNED;
    let int = build::int(&mut btf);
    let short = build::scalar(&mut btf, "short", 2, signed);
    let long = build::scalar(&mut btf, "long unsigned int", 8, IntEncoding::default());
    let char = build::scalar(&mut btf, "char", 1, signed);
    let comm = btf.add(
        "",
        Kind::Array {
            element: char,
            index: int,
            len: 32,
        },
    );
    // `vruntime` lies in a struct without a name.
    let inner = structure(
        &mut btf,
        "",
        16,
        &[("load", long, 0, 0), ("vruntime", long, 64, 0)],
    );
    let se = [("", inner, 0, 0), ("on_rq", char, 128, 0)];
    let se = structure(&mut btf, "sched_entity", 24, &se);
    let pointer = btf.add("", Kind::Ptr(TypeId::VOID));
    structure(
        &mut btf,
        "task_struct",
        96,
        &[
            ("in_execve", int, 32, 2),
            ("sched_reset_on_fork", int, 34, 1),
            ("pid", short, 128, 0),
            ("comm", comm, 192, 0),
            ("real_parent", pointer, 448, 0),
            ("se", se, 576, 0),
        ],
    );
    let session = btf.intern("PIDTYPE_SID");
    let kind = Kind::Enum64 {
        size: 8,
        signed: Signedness::Unsigned,
        values: vec![(session, 1 << 40)],
    };
    btf.add("pid_type", kind);
    btf
}

/// The number in the instruction at a slot.
fn number(object: &Object, slot: usize) -> u64 {
    let mut slots = object.programs[0].slots();
    let (_, insn) = slots.find(|(at, _)| *at == slot).unwrap();
    match insn.slots() {
        2 => insn.imm64(),
        _ => insn.imm() as u64,
    }
}

fn assert_asked(object: &Object) {
    let btf = object.btf.as_ref().unwrap();
    let relocations = object.programs[0].core_relocations.iter();
    let asked: Vec<_> = relocations
        .map(|(slot, asked)| {
            let (name, access) = (btf.name(asked.type_id), asked.access.to_string());
            (asked.kind, name, access, number(object, *slot))
        })
        .collect();
    let expected: Vec<_> = ASKED
        .iter()
        .map(|(kind, name, access, local, _)| (*kind, *name, (*access).to_owned(), *local))
        .collect();
    assert_eq!(asked, expected);
}

#[test]
fn what_a_program_asks_stands_in_its_relocations() {
    let object = compile(&asking()).unwrap();
    assert_asked(&object);
    assert_asked(&object::read(&object::write(&object).unwrap()).unwrap());
}

#[test]
fn a_kernel_that_has_everything_elsewhere_answers() {
    let mut object = compile(&asking()).unwrap();
    let before = object.programs[0].insns.clone();
    let answers = object.relocate_core(&made_up()).unwrap();
    assert_eq!(answers.len(), ASKED.len());
    for (answer, (kind, name, access, _, expected)) in answers.iter().zip(ASKED) {
        let what = format!("{kind} of {name} at {access}");
        assert_eq!(
            (answer.relocation.kind, answer.relocation.access.to_string()),
            (kind, access.to_owned())
        );
        match expected {
            Some(expected) => {
                assert_eq!(answer.fate, Fate::Patched, "{what}");
                assert_eq!(number(&object, answer.slot), expected, "{what}");
            }
            None => {
                assert_eq!(answer.fate, Fate::Poisoned, "{what}");
                assert_eq!(number(&object, answer.slot), POISON as u64, "{what}");
            }
        }
    }
    let program = &object.programs[0];
    let unanswered = program.core_relocations.iter().map(|(slot, _)| *slot);
    let poisoned = answers
        .iter()
        .filter(|answer| answer.fate == Fate::Poisoned);
    assert!(unanswered.eq(poisoned.map(|answer| answer.slot)));
    let patched = &program.insns;
    let changed = before.iter().zip(patched).filter(|(a, b)| a != b).count();
    let differ = |(_, _, _, local, answer): &&Question| Some(*local) != *answer;
    assert_eq!(changed, ASKED.iter().filter(differ).count());
    // Asked again, the kernel answers the same.
    let once = object.programs[0].insns.clone();
    object.relocate_core(&made_up()).unwrap();
    assert_eq!(object.programs[0].insns, once);
}

/// What two programs declare alike is one type; what they declare otherwise is two, and each
/// asks about its own.
#[test]
fn programs_of_one_unit_share_what_they_declare() {
    mod other {
        use ebpf_dsl::prelude::*;

        kernel_struct! {
            pub(super) struct task_struct { tgid: i32 }
        }
    }
    let unit = asking()
        .raw_tracepoint("again", "sched_switch", |f, ctx| {
            let task = ctx.arg::<*const task_struct>(1);
            f.return_if(task.pid().eq(0), ());
        })
        .raw_tracepoint("otherwise", "sched_switch", |f, ctx| {
            let task = ctx.arg::<*const other::task_struct>(1);
            f.return_if(task.tgid().eq(0), ());
        });
    let object = compile(&unit).unwrap();
    let first = |program: usize| object.programs[program].core_relocations[0].1.type_id;
    assert_eq!(first(0), first(1));
    assert_ne!(first(0), first(2));
    let btf = object.btf.as_ref().unwrap();
    assert_eq!(btf.name(first(0)), btf.name(first(2)));
}

/// Each read needs memory for a moment: a program may read more than fits the stack at once.
#[test]
fn reads_share_the_stack() {
    let mut unit = Unit::new("reads").license("GPL");
    let seen = unit.array::<u64>("seen", 1);
    let unit = unit.raw_tracepoint("reads", "sched_switch", |f, ctx| {
        let task = ctx.arg::<*const task_struct>(1);
        let seen = f.lookup(seen, 0).or_return(());
        for _ in 0..100 {
            seen.add(task.se().vruntime());
            f.return_if(task.comm().eq([0; 16]), ());
        }
    });
    for cpu in Cpu::ALL {
        let object = compile_for(&unit, cpu.into()).unwrap();
        assert_eq!(object.programs[0].core_relocations.len(), 300, "{cpu}");
    }
}

/// A far jump before an instruction that asks does not move the question.
#[test]
fn far_jumps_leave_questions_where_they_are() {
    let relocation = compile(&asking()).unwrap().programs[0].core_relocations[0]
        .1
        .clone();
    let mut a = Assembler::new("far");
    a.target(Cpu::V1);
    let out = a.label();
    a.jeq(R1, 0, out);
    for _ in 0..40_000 {
        a.mov(R0, 0);
    }
    a.core(relocation.clone()).mov(R2, 7);
    a.bind(out).mov(R0, 0);
    a.exit();
    let program = a.finish("raw_tp").unwrap();
    let [(slot, kept)] = program.core_relocations.as_slice() else {
        panic!("{:?}", program.core_relocations);
    };
    assert_eq!(*kept, relocation);
    let (_, insn) = program.slots().find(|(at, _)| at == slot).unwrap();
    assert_eq!(insn.to_string(), "r2 = 7");
    assert!(*slot > 40_001, "no island moved it");
}
