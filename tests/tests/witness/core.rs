//! CO-RE: what we write into the instructions for the running kernel, of clang's objects and of
//! programs in Rust, is what libbpf hands to it.

use std::fs;
use std::path::Path;

use ebpf_asm::btf::Btf;
use ebpf_asm::btf::core::CoreKind;
use ebpf_asm::insn::encode_all;
use ebpf_asm::object::{self, Fate, Object};
use ebpf_dsl::prelude::*;
use ebpf_tests::policy::{self, Need};
use ebpf_tests::{Outcome, clang, ensure, ensure_eq, tool};
use libtest_mimic::Trial;

/// A compiler, and what it takes beside the source: clang 14 does not know `TYPE_MATCHES`.
const CLANGS: [(&str, &[&str], usize); 2] =
    [("clang-14", &[], 12), ("clang-22", &["-DMATCHES"], 13)];

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |(clang, flags, kinds): (&'static str, &'static [&'static str], usize)| {
        let needs = [
            Need::Kernel,
            Need::Vmlinux,
            Need::Tool(clang),
            Need::Tool("cc"),
            Need::Header("bpf/libbpf.h"),
        ];
        let name = format!("core::we_answer_relocations_of_{clang}_as_libbpf_does");
        policy::trial(name, &needs, move || answers(clang, flags, kinds))
    };
    let ours = policy::trial(
        "core::we_answer_relocations_of_the_dsl_as_libbpf_does",
        &[
            Need::Kernel,
            Need::Vmlinux,
            Need::Tool("cc"),
            Need::Header("bpf/libbpf.h"),
        ],
        answers_of_dsl,
    );
    CLANGS.into_iter().map(trial).chain([ours]).collect()
}

fn answers(clang: &str, flags: &[&str], kinds: usize) -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("core.o");
    let mut command = tool::command(clang);
    command
        .args(["-O2", "-g", "-target", "bpf", "-c"])
        .args(flags);
    command.arg(format!(
        "-I/usr/include/{}-linux-gnu",
        std::env::consts::ARCH
    ));
    command.arg(clang::source("core.c")).arg("-o").arg(&path);
    tool::output(&mut command)?;
    let object = object::read(&fs::read(&path)?)?;
    as_libbpf(object, &path, CoreKind::all().take(kinds))
}

kernel_struct! {
    /// A thread: fields of every kind, one in another size than any kernel's, one that is a bit
    /// field, and two that no kernel has.
    struct task_struct {
        pid: i32,
        exit_state: i64,
        sched_reset_on_fork: Bitfield<u32>,
        in_execve: Bitfield<i64>,
        comm: [u8; 16],
        real_parent: *const task_struct,
        mm: *const u8,
        se: sched_entity,
        never_there: u32,
        never_pointing: *const task_struct,
    }
}

kernel_struct! {
    struct sched_entity {
        on_rq: u8,
        vruntime: u64,
        load: load_weight,
    }
}

kernel_struct! {
    struct load_weight { weight: u64 }
}

kernel_struct! {
    /// A thread of a kernel that kept its state elsewhere.
    struct task_struct___old { state: i64 }
}

kernel_struct! {
    /// Its members lie in unions without names.
    struct sock_common {
        skc_dport: Be16,
        skc_num: u16,
        skc_daddr: Be32,
        skc_state: u8,
    }
}

kernel_struct! {
    union bpf_attr { map_type: u32 }
}

kernel_struct! {
    struct never_there { field: u64 }
}

kernel_enum! {
    enum pid_type { PIDTYPE_SID, PIDTYPE_NEVER, PIDTYPE_TGID }
}

/// Asks all that the DSL can ask.
fn asking() -> Unit {
    let mut unit = Unit::new("asking").license("GPL");
    let sums = unit.array::<u64>("sums", 1);
    unit.raw_tracepoint("asking", "sched_switch", |f, ctx| {
        let sum = f.lookup(sums, 0).or_return(());
        let task = ctx.arg::<*const task_struct>(1);
        sum.add(task.pid().to_u64() + task.exit_state());
        sum.add(task.sched_reset_on_fork().to_u64() + task.in_execve());
        sum.add(task.real_parent().se().vruntime() + task.se().on_rq().to_u64());
        sum.add(task.se().load().weight() + KernelPtr::address(task.mm()));
        f.return_if(task.comm().eq(*b"sh\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), ());
        let never = f.core_field_exists::<task_struct>().never_there();
        f.if_(never).then(|_| {
            sum.add(task.never_there().to_u64());
            sum.add(task.never_pointing().pid().to_u64());
        });
        let old = f.core_field_exists::<task_struct___old>().state();
        f.if_(old).then(|_| {
            let task = KernelPtr::cast::<task_struct___old>(task);
            sum.add(task.state());
        });
        let socket = ctx.arg::<*const sock_common>(2);
        f.return_if(socket.skc_dport().eq(443) | socket.skc_daddr().eq(0), ());
        f.return_if(socket.skc_num().eq(1) | socket.skc_state().eq(1), ());
        sum.add(f.core_type_size::<bpf_attr>() + f.core_type_size::<never_there>());
        sum.add(f.core_field_size::<sock_common>().skc_daddr());
        sum.add(f.core_field_offset::<task_struct>().comm());
        f.return_if(f.core_type_exists::<never_there>(), ());
        f.return_if(!f.core_type_exists::<pid_type>(), ());
        f.return_if(f.core_enum_value_exists(pid_type::PIDTYPE_NEVER), ());
        sum.add(f.core_enum_value(pid_type::PIDTYPE_SID));
        sum.add(f.core_enum_value(pid_type::PIDTYPE_TGID));
    })
}

fn answers_of_dsl() -> Outcome {
    let folder = tempfile::tempdir()?;
    let object = ebpf_asm::compile(&asking())?;
    let path = crate::save(&object, folder.path())?;
    let kinds = [
        CoreKind::FieldByteOffset,
        CoreKind::FieldByteSize,
        CoreKind::FieldExists,
        CoreKind::FieldLshiftU64,
        CoreKind::FieldRshiftU64,
        CoreKind::TypeExists,
        CoreKind::TypeSize,
        CoreKind::EnumvalExists,
        CoreKind::EnumvalValue,
    ];
    as_libbpf(object, &path, kinds)
}

/// Our answers to an object's relocations, which are of these kinds, are libbpf's.
fn as_libbpf(
    mut object: Object,
    path: &Path,
    kinds: impl IntoIterator<Item = CoreKind>,
) -> Outcome {
    let folder = tempfile::tempdir()?;
    let vmlinux = Btf::from_bytes(&fs::read("/sys/kernel/btf/vmlinux")?)?;
    let answers = object.relocate_core(&vmlinux)?;
    for kind in kinds {
        let mut asked = answers.iter().map(|answer| answer.relocation.kind);
        ensure!(asked.any(|asked| asked == kind), "nothing asks for {kind}");
    }
    let poisoned = answers
        .iter()
        .filter(|answer| answer.fate == Fate::Poisoned);
    ensure!(poisoned.count() >= 2, "nothing is missing");

    let theirs = libbpf(path, folder.path())?;
    for program in &object.programs {
        let ours = encode_all(&program.insns);
        let ours: Vec<String> = ours.chunks_exact(8).map(shown).collect();
        let theirs: Vec<&str> = theirs
            .lines()
            .filter_map(|line| {
                line.strip_prefix(program.name.as_str())?
                    .trim_start()
                    .split_once(' ')
            })
            .map(|(_, insn)| insn)
            .collect();
        ensure_eq!(theirs.len(), ours.len(), "the slots of the program");
        for (slot, (theirs, ours)) in theirs.iter().zip(&ours).enumerate() {
            if program.reference(slot).is_some() {
                // libbpf has made the map that ours only names.
                continue;
            }
            let asked: Vec<_> = answers
                .iter()
                .filter(|answer| answer.slot == slot)
                .collect();
            ensure!(
                theirs == ours,
                "slot {slot} is '{theirs}' by libbpf, and '{ours}' by us: {asked:?}"
            );
        }
    }
    Ok(())
}

/// An instruction as `libbpf_core.c` prints it.
fn shown(insn: &[u8]) -> String {
    let [code, registers, o0, o1, i0, i1, i2, i3] = *insn else {
        return String::new();
    };
    let (offset, imm) = (
        i16::from_le_bytes([o0, o1]),
        i32::from_le_bytes([i0, i1, i2, i3]),
    );
    format!(
        "{code:02x} {} {} {offset} {imm}",
        registers & 15,
        registers >> 4
    )
}

fn libbpf(object: &Path, folder: &Path) -> Outcome<String> {
    let show = clang::link_libbpf(&clang::source("libbpf_core.c"), folder)?;
    tool::output(std::process::Command::new(show).arg(object))
}
