//! `check`, and the verifier's part in `build`.

use std::fs;

use ebpf_asm::{object, text};
use ebpf_loader::{Error, Loader, LogLevel};
use ebpf_syscalls::caps::{self, Capability};
use serde_json::Value;

use super::{Place, program};

/// An object file with these programs.
fn object(place: &Place, name: &str, source: &str) {
    let object = text::parse("x.bpf", source).expect("it parses");
    let bytes = object::write(&object).expect("it can be written");
    fs::write(place.work().join(name), bytes).expect("a file");
}

const GOOD: &str = ".license GPL\n.prog xdp good\n    r0 = 2\n    exit\n";
const BAD: &str = ".prog xdp bad\n    r0 = r7\n    exit\n";

#[test]
fn each_program_gets_a_line() {
    let place = Place::new();
    object(&place, "good.o", GOOD);
    let ended = place.run(&["check", "good.o"]).code(0);
    assert_eq!(
        ended.stdout,
        "good (xdp): accepted, 2 instructions, 2 followed\n"
    );
    object(&place, "both.o", &format!("{GOOD}{BAD}"));
    let ended = place
        .run(&["check", "both.o"])
        .code(3)
        .says("error: the verifier rejects bad")
        .says("R7 !read_ok");
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert!(lines[0].starts_with("good (xdp): accepted"), "{lines:?}");
    assert!(
        lines[1].starts_with("bad (xdp): rejected, BPF"),
        "{lines:?}"
    );
}

/// What is accepted and should not be run is warned of, in the form of an error, and once for
/// several releases; the command ends well.
#[test]
fn what_is_accepted_may_be_warned_of() {
    let place = Place::new();
    let warned = ".license GPL\n.map values hash key_size=4 value_size=8 max_entries=2\n\
                  .prog tc warned\n    *(u32 *)(r10 - 4) = 0\n    r1 = values ll\n    r2 = r10\n    \
                  r2 += -4\n    call map_lookup_elem\n    r1 = r0\n    r2 = 8\n    r3 = 0\n    \
                  r4 = 0\n    r5 = 0\n    call csum_diff\n    r0 = 0\n    exit\n";
    object(&place, "both.o", &format!("{GOOD}{warned}"));
    let ended = place
        .run(&["check", "--kernel", "6.12,6.18", "both.o"])
        .code(0)
        .says("warning[BPF0601]: bpf_csum_diff may be called with null in R1")
        .says("R2 says that there are 8 bytes at R1")
        .says("help: compare R1 with 0 first")
        .says("help: more on it: ebpfasm explain BPF0601");
    assert_eq!(ended.stderr.matches("warning").count(), 1, "{ended:?}");
    let ended = place.run(&["check", "--json", "both.o"]).code(0);
    let lines = ended.stdout.lines().map(serde_json::from_str);
    let lines: Vec<Value> = lines.collect::<Result<_, _>>().expect("JSON");
    assert_eq!(lines[0].get("warnings"), None);
    assert_eq!(lines[1]["verdict"], "accept");
    assert_eq!(lines[1]["warnings"][0]["code"], "BPF0601");
    assert_eq!(lines[1]["warnings"][0]["slot"], 11);
}

/// Tools set sizes between opening and loading: what an object leaves 0 is no fault of programs.
#[test]
fn sizes_of_maps_may_be_left_to_the_loader() {
    let place = Place::new();
    let maps = ".map flows hash key_size=4 value_size=8 max_entries=0\n\
                .map stacks stack_trace key_size=4 value_size=0 max_entries=0\n\
                .map records ringbuf max_entries=0\n\
                .map threads cpumap key_size=4 value_size=4 max_entries=0\n";
    let uses = ".license GPL\n.prog tracepoint good\n    r6 = r1\n    r2 = stacks ll\n    r3 = 0\n    \
                call get_stackid\n    *(u32 *)(r10 - 4) = 0\n    r1 = flows ll\n    r2 = r10\n    \
                r2 += -4\n    call map_lookup_elem\n    r1 = records ll\n    r2 = 0\n    \
                call ringbuf_query\n    r1 = threads ll\n    r0 = 0\n    exit\n";
    object(&place, "open.o", &format!("{maps}{uses}"));
    place
        .run(&["check", "open.o"])
        .code(0)
        .says("note: checked with the least size that can be created: flows, stacks, records, threads")
        .says("what loads it must set it");
}

/// The kernel takes rings of a power of two of pages, and loaders make those of others.
#[test]
fn rings_have_whole_pages() {
    let place = Place::new();
    let source = ".license GPL\n.map records ringbuf max_entries=5000\n\
                  .map rings array_of_maps key_size=4 value_size=4 max_entries=1\n\
                  .inner ringbuf max_entries=1000\n.prog xdp p\n    \
                  r1 = rings ll\n    r1 = records ll\n    r2 = 0\n    call ringbuf_query\n    r0 = 2\n    exit\n";
    object(&place, "ring.o", source);
    let ended = place.run(&["check", "ring.o"]).code(0);
    assert!(!ended.stderr.contains("least size"), "{}", ended.stderr);
}

/// What the running kernel does not have, another may: of that nothing is known.
#[test]
fn functions_of_other_kernels_are_not_judged() {
    let place = Place::new();
    let source = ".license GPL\n.extern func no_such_kfunc\n.prog xdp p\n    \
                  call no_such_kfunc\n    r0 = 2\n    exit\n";
    fs::write(place.work().join("p.bpf"), source).expect("a file");
    place
        .run(&["check", "p.bpf", "--kernel", "5.15"])
        .code(7)
        .says("not modelled: the function no_such_kfunc of Linux 5.15, which the types at hand");
    place
        .run(&["check", "p.bpf"])
        .code(3)
        .says("the kernel has no such function");
}

/// Where a dynptr is, an old kernel makes no other: Linux 6.1 and 6.12 were asked.
#[test]
fn dynptrs_are_made_over_others_by_newer_kernels() {
    let place = Place::new();
    let make = "    r1 = bytes[0] + 0 ll\n    r2 = 64\n    r3 = 0\n    r4 = r10\n    r4 += -16\n    \
                call bpf_dynptr_from_mem\n";
    let map = ".map bytes array key_size=4 value_size=64 max_entries=1\n";
    let source = format!(".license GPL\n{map}.prog xdp p\n{make}{make}    r0 = 2\n    exit\n");
    fs::write(place.work().join("p.bpf"), source).expect("a file");
    let ended = place
        .run(&["check", "p.bpf", "--kernel", "6.1,6.12"])
        .code(3)
        .says("Dynptr has to be an uninitialized dynptr");
    let newest = ended.stdout.lines().last();
    assert!(
        newest.is_some_and(|line| line.starts_with("p (xdp) on Linux 6.12: accepted")),
        "{}",
        ended.stdout
    );
}

/// What a pointer to no structure points to is memory to newer kernels only, which Linux 6.1 and
/// 6.12 were asked.
#[test]
fn untyped_pointers_are_numbers_to_older_kernels() {
    let place = Place::new();
    let source = ".license GPL\n.prog iter/bpf_map p\n    r2 = *(u64 *)(r1 + 0)\n    \
                  r2 = *(u64 *)(r2 + 0)\n    r2 = *(u64 *)(r2 + 0)\n    \
                  r0 = *(u64 *)(r2 + 0)\n    r0 = 0\n    exit\n";
    object(&place, "p.o", source);
    if ebpf_tests::kernel_types::RUNNING.btf().is_none() {
        place.run(&["check", "p.o"]).code(7);
        return;
    }
    let ended = place
        .run(&["check", "p.o", "--kernel", "6.12,6.18"])
        .code(3)
        .says("R2 invalid mem access 'scalar'");
    let newest = ended.stdout.lines().last();
    assert!(
        newest.is_some_and(|line| line.starts_with("p (tracing) on Linux 6.18: accepted")),
        "{}",
        ended.stdout
    );
}

/// What depends on how a kernel was configured is observed of the running one alone.
#[test]
fn a_helper_of_some_configurations_is_not_judged_elsewhere() {
    let place = Place::new();
    let overrides = ".license GPL\n.prog kprobe overrides\n    r2 = 0\n    call override_return\n    \
                     r0 = 0\n    exit\n";
    object(&place, "p.o", overrides);
    for kernel in ["6.1", "6.12"] {
        place
            .run(&["check", "p.o", "--kernel", kernel])
            .code(7)
            .says("built with CONFIG_BPF_KPROBE_OVERRIDE have");
    }
}

/// A section that names no type is named, and nobody is told that the kernel will judge.
#[test]
fn a_mistyped_section_is_named() {
    let place = Place::new();
    let mut mistyped = text::parse("x.bpf", GOOD).expect("it parses");
    for program in &mut mistyped.programs {
        program.section = "xpd".to_owned();
    }
    let bytes = object::write(&mistyped).expect("it can be written");
    fs::write(place.work().join("xpd.o"), bytes).expect("a file");
    let ended = place
        .run(&["check", "xpd.o"])
        .code(7)
        .says("'xpd' names no program type")
        .says("did you mean SEC(\"xdp\")");
    assert!(
        !ended.stderr.contains("nothing is known"),
        "{}",
        ended.stderr
    );
}

/// What the verifier knows nothing about is not held against a program.
#[test]
fn a_program_of_another_type_is_not_judged() {
    let place = Place::new();
    object(&place, "k.o", ".prog lirc_mode2 k\nr0 = 0\nexit\n");
    let ended = place
        .run(&["check", "k.o"])
        .code(7)
        .says("error: the verifier cannot judge k");
    assert!(
        ended.stdout.starts_with("k (lirc_mode2): not judged, BPF"),
        "{}",
        ended.stdout
    );
}

/// `drop_icmp.rs`, whose checks of the packet's length are made to ask for less.
fn too_short() -> String {
    let text = program("drop_icmp.rs").replace(
        "    emit(unit())",
        "    let mut recording = unit().recording().clone();\n    \
         shorten(&mut recording.programs[0].body);\n    \
         emit(Unit::from_recording(recording))",
    );
    text + "use ebpf_dsl::recording::{Block, OpKind};\n\
            fn shorten(block: &mut Block) {\n    \
                for op in block {\n        \
                    match &mut op.kind {\n            \
                        OpKind::InPacket { end, .. } => *end -= 14,\n            \
                        OpKind::If { then, otherwise, .. } => {\n                \
                            shorten(then);\n                \
                            shorten(otherwise);\n            \
                        }\n            \
                        _ => {}\n        \
                    }\n    \
                }\n\
            }\n"
}

#[test]
fn a_rejected_program_is_not_written_unless_that_is_asked_for() {
    let place = Place::new();
    place.write("drop_icmp.rs", &program("drop_icmp.rs"));
    place.run(&["build", "drop_icmp.rs"]).code(0);
    let good = place.read("target/bpf/drop_icmp.o");
    place.write("drop_icmp.rs", &too_short());
    place
        .run(&["build", "drop_icmp.rs"])
        .code(3)
        .says("invalid access to packet")
        .says("--> drop_icmp.rs:")
        .says("error: the verifier rejects xdp_drop_icmp");
    assert_eq!(
        place.read("target/bpf/drop_icmp.o"),
        good,
        "the old object stays"
    );
    let unchecked = place.run(&["build", "drop_icmp.rs", "--no-check"]).code(0);
    assert!(
        unchecked.stdout.ends_with(", not verified\n"),
        "{unchecked:?}"
    );
    assert_ne!(place.read("target/bpf/drop_icmp.o"), good);
    place.run(&["check", "target/bpf/drop_icmp.o"]).code(3);
}

/// The kernel's names are looked through for what was meant.
#[test]
fn what_is_no_function_of_the_kernel_may_be_like_one() {
    let place = Place::new();
    let tracing = ".license GPL\n.prog fentry/vfs_raed traced\n    r0 = 0\n    exit\n";
    object(&place, "traced.o", tracing);
    place
        .run(&["check", "traced.o"])
        .code(3)
        .says("the kernel has no 'vfs_raed' to attach to")
        .says("help: did you mean 'vfs_read'?");
}

/// What was meant is of the kind that is attached to: neither a typedef instead of a function, nor a
/// function that iterators are used by instead of an iterator.
#[test]
fn what_was_meant_may_be_attached_to() {
    let place = Place::new();
    for (section, meant, other) in [
        ("tp_btf/sched_swich", "did you mean 'sched_switch'?", "raw"),
        ("iter/taskk", "did you mean 'task'?", "raw"),
        (
            "iter/num_nex",
            "; there their names begin with bpf_iter_",
            "num_new",
        ),
        ("fentry/size_tt", "help: ", "'size_t'"),
    ] {
        let tracing = format!(".license GPL\n.prog {section} traced\n    r0 = 0\n    exit\n");
        object(&place, "traced.o", &tracing);
        let ended = place.run(&["check", "traced.o"]).code(3).says(meant);
        assert!(!ended.stderr.contains(other), "{ended:?}");
    }
}

/// What the kernel has is what the file says, and the release is the newest unless it is named.
#[test]
fn types_of_another_kernel_are_read_from_a_file() {
    let place = Place::new();
    object(&place, "types.o", GOOD);
    let tracing = ".license GPL\n.prog fentry/vfs_read traced\n    r0 = 0\n    exit\n";
    object(&place, "traced.o", tracing);
    let ended = place
        .run(&["check", "--btf", "types.o", "--kernel", "6.12", "traced.o"])
        .code(3);
    assert_eq!(
        ended.stdout,
        "traced (tracing) on Linux 6.12: rejected, BPF0505 the kernel has no 'vfs_read' to attach \
         to\n"
    );
    ended.says(
        "help: name one that it has: `ebpfasm btf FILE --format raw` lists them, FILE being that of \
         --btf or /sys/kernel/btf/vmlinux\n",
    );
    place
        .run(&["check", "--btf", "types.o", "traced.o"])
        .code(2)
        .says("--kernel <VERSIONS>");
    place
        .run(&[
            "check", "--btf", "types.o", "--kernel", "6.6,6.12", "traced.o",
        ])
        .code(2)
        .says("the types in a file are those of one kernel: name its release alone");
    place
        .run(&["check", "--btf", "none", "--kernel", "6.12", "traced.o"])
        .code(5)
        .says("error: there is no file none\n");
    place
        .run(&["check", "--btf", "types.o", "--kernel-too", "traced.o"])
        .code(2)
        .says("--kernel-too");
}

/// A verdict each, and the newest instructions are refused by the oldest kernel only.
#[test]
fn several_kernels_get_a_verdict_each() {
    let place = Place::new();
    let modern = ".license GPL\n.prog xdp p\n    r0 = 2\n    r0 = (s8)r0\n    exit\n";
    object(&place, "p.o", modern);
    let ended = place
        .run(&["check", "p.o", "--kernel", "5.10,6.6"])
        .code(3)
        .says("the verifier rejects p on Linux 5.10")
        .says("more on it: ebpfasm explain BPF0902");
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert!(
        lines[0].starts_with("p (xdp) on Linux 5.10: rejected, BPF0902 "),
        "{lines:?}"
    );
    assert_eq!(
        lines[1],
        "p (xdp) on Linux 6.6: accepted, 3 instructions, 3 followed"
    );
}

/// Each object is checked, whatever becomes of the others, and its lines have its name.
#[test]
fn several_objects_are_checked() {
    let place = Place::new();
    let program = |what: &str| format!(".license GPL\n.prog xdp p\n    {what}\n    exit\n");
    object(&place, "good.o", &program("r0 = 2"));
    place.write("bad.bpf", &program("r0 = r3"));
    place.run(&["check", "good.o", "good.o"]).code(0);
    let ended = place
        .run(&["check", "missing.o", "bad.bpf", "good.o"])
        .code(5)
        .says("error: there is no object missing.o")
        .says("error: the verifier rejects p")
        .says("error: 2 of 3 objects failed: missing.o, bad.bpf");
    assert_eq!(
        ended.stdout,
        "bad.bpf: p (xdp): rejected, BPF0301 R3 !read_ok\n\
         good.o: p (xdp): accepted, 2 instructions, 2 followed\n"
    );
    let ended = place.run(&["check", "--json", "bad.bpf", "good.o"]).code(3);
    assert!(
        ended
            .stdout
            .lines()
            .all(|line| line.contains(r#""object":""#)),
        "{}",
        ended.stdout
    );
}

/// What could not be judged stands in the last sentence beside what is rejected.
#[test]
fn the_closing_sentence_names_all_that_are_not_accepted() {
    let place = Place::new();
    let source = ".prog xdp p\n    r0 = r3\n    exit\n.prog lirc_mode2 k\n    r0 = 0\n    exit\n";
    place.write("two.bpf", source);
    place
        .run(&["check", "two.bpf"])
        .code(3)
        .says("error: the verifier rejects p, and cannot judge k\n");
}

/// A kernel may load what it has no place for; what it is too old for has an older form.
#[test]
fn what_is_too_new_names_what_to_use_instead() {
    let place = Place::new();
    place.write("tcx.bpf", ".prog tcx/ingress p\n    r0 = 0\n    exit\n");
    for command in ["check", "build"] {
        place
            .run(&[command, "tcx.bpf", "--kernel", "5.10"])
            .code(0)
            .says("p on Linux 5.10 is taken, but cannot be attached there: tcx_ingress came with Linux 6.6")
            .says("help: attach it as a classifier");
        let ended = place.run(&[command, "tcx.bpf", "--kernel", "6.6"]).code(0);
        assert_eq!(ended.stderr, "", "{command}");
    }
    // What is to be said of several is said once.
    let two =
        ".prog tcx/ingress p\n    r0 = 0\n    exit\n.prog tcx/ingress q\n    r0 = 0\n    exit\n";
    place.write("two.bpf", two);
    let ended = place
        .run(&["check", "two.bpf", "--kernel", "5.10,5.15"])
        .code(0)
        .says("4 programs: p on Linux 5.10, p on Linux 5.15, q on Linux 5.10, q on Linux 5.15 are");
    assert_eq!(ended.stderr.matches("note: ").count(), 1, "{ended:?}");
    let task = ".license GPL\n.prog kprobe/do_exit p\n    call bpf_get_current_task\n    \
                r0 = *(u64 *)(r0 + 0)\n    exit\n";
    place.write("task.bpf", task);
    place
        .run(&["check", "task.bpf", "--kernel", "5.4"])
        .code(3)
        .says("read what it points to by bpf_probe_read\n");
    place.write(
        "loop.bpf",
        ".prog xdp p\n    call bpf_ktime_get_boot_ns\n    r0 = 2\n    exit\n",
    );
    place
        .run(&["check", "loop.bpf", "--kernel", "5.4"])
        .code(3)
        .says("bpf_ktime_get_boot_ns came with Linux 5.7")
        .says("help: use bpf_ktime_get_ns");
    place.write(
        "cast.bpf",
        ".prog xdp p\n    r1 = 1\n    r1 = (s8)r1\n    r0 = 2\n    exit\n",
    );
    let ended = place
        .run(&["check", "cast.bpf", "--kernel", "5.4"])
        .code(3)
        .says("error[BPF0902]: the kernel is too old for MOVSX");
    assert!(!ended.stderr.contains("unknown opcode"), "{ended:?}");
}

/// Where the kernel is not asked, there are a reason, something to do about it and an exit code for
/// it; the other verdicts stand.
#[test]
fn a_kernel_that_does_not_judge_is_told_of_with_the_reason() {
    let place = Place::new();
    let two =
        ".prog fentry/do_exit p\n    r0 = 0\n    exit\n.prog lirc_mode2 k\n    r0 = 0\n    exit\n";
    place.write("two.bpf", two);
    let ended = place.run(&["check", "two.bpf", "--kernel-too"]).code(7);
    let two = text::parse("two.bpf", two).expect("it parses");
    let forbidden = match Loader::new(&two).load_with_log("p", LogLevel::Stats) {
        Err(Error::Permission { missing, .. }) => missing.is_empty(),
        _ => false,
    };
    if forbidden {
        let why = "although no capability is missing";
        assert!(ended.stdout.contains(why), "{ended:?}");
        ended
            .says("the running kernel did not judge p")
            .says("help: this kernel may have no programs on its functions")
            .says("error: the verifier cannot judge k");
        // Of many the reason is told once.
        let many = ["check", "two.bpf", "two.bpf", "--kernel-too"];
        let ended = place.run(&many).code(7);
        let count = ended.stderr.matches("no programs on its functions").count();
        assert_eq!(count, 1, "{ended:?}");
    }
    place.write("xdp.bpf", ".prog xdp p\n    r0 = 2\n    exit\n");
    let ended = place.run(&["check", "xdp.bpf", "--kernel-too"]);
    match may_load() {
        true => drop(ended.code(0)),
        false => drop(ended.code(4).says("help: run it as root")),
    }
}

/// The log of a million instructions is larger than every buffer, and its end has the reason: a
/// jump without a state behind it, and the words on the same line.
#[test]
fn the_kernel_s_reason_is_the_end_of_a_log_without_bound() {
    let place = Place::new();
    place.write(
        "long.bpf",
        "; Each round begins with another r6.
.prog socket_filter p
    r6 = 0
    r7 = *(u32 *)(r1 + 0)
again:
    r6 += 1
    if r6 < r7 goto again
    r0 = 0
    exit
",
    );
    let ended = place.run(&["check", "long.bpf", "--kernel-too"]);
    if may_load() {
        let kernel = "running kernel: rejected at 3, BPF0106 BPF program is too large. ";
        assert!(ended.code(3).stdout.contains(kernel));
    } else {
        ended.code(4);
    }
}

/// A program is judged by itself: of those that it may go on to, each is said by its name.
#[test]
fn a_rejected_tail_is_not_taken_for_its_caller() {
    let place = Place::new();
    place.write(
        "tails.bpf",
        ".license GPL
.map tails prog_array key_size=4 value_size=4 max_entries=1
.value 0 tail
.prog xdp caller
    r2 = tails ll
    r3 = 0
    call tail_call
    r0 = 2
    exit
.prog xdp tail
    exit
",
    );
    let ended = place.run(&["check", "tails.bpf", "--kernel-too"]);
    if may_load() {
        let accepted = "caller (xdp) on the running kernel: accepted";
        assert!(ended.code(3).stdout.contains(accepted));
    } else {
        ended.code(4);
    }
}

/// How long the verifier took stands where the kernel's time stands, to be compared.
#[test]
fn both_verdicts_have_times() {
    let place = Place::new();
    place.write("p.bpf", ".prog xdp p\n    r0 = 2\n    exit\n");
    let took = |line: &str| line.starts_with("p (xdp)") && line.ends_with(" us");
    let ended = place.run(&["check", "p.bpf", "--kernel-too"]);
    let expected = match may_load() {
        true => 2,
        false => 1,
    };
    let times = ended.stdout.lines().filter(|line| took(line)).count();
    assert_eq!(times, expected, "{ended:?}");
    let ended = place.run(&["check", "p.bpf", "--json"]).code(0);
    let verdict: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert!(verdict["usec"].is_u64(), "{verdict}");
}

/// Whether programs for the network may be loaded here.
fn may_load() -> bool {
    let effective = caps::effective().expect("capabilities");
    let needed = [Capability::Bpf, Capability::NetAdmin];
    needed.iter().all(|needed| effective.grants(*needed))
}

/// Without a word a release that nobody knows would pass for one that was looked at.
#[test]
fn releases_are_named_as_people_write_them() {
    let place = Place::new();
    place.write("p.bpf", ".prog xdp p\n    r0 = 2\n    exit\n");
    let ended = place.run(&["check", "p.bpf", "--kernel", "v6.6,"]).code(0);
    assert!(ended.stdout.contains("on Linux 6.6: accepted"), "{ended:?}");
    assert!(!ended.stderr.contains("note: Linux"), "{ended:?}");
    for command in ["check", "build"] {
        place
            .run(&[command, "p.bpf", "--kernel", "99.1"])
            .code(0)
            .says("note: Linux 99.1 is not known here: judged as Linux ");
    }
}

#[test]
fn a_trace_shows_what_each_instruction_changes() {
    let place = Place::new();
    object(&place, "good.o", GOOD);
    let expected = "\
begins at 0
           r1 = ctx()
           r10 = fp0
    0  r0 = 2
           r0 = 2
    1  exit
good (xdp): accepted, 2 instructions, 2 followed
";
    assert_eq!(
        place.run(&["check", "good.o", "--trace"]).code(0).stdout,
        expected
    );
    let whole = place
        .run(&["check", "good.o", "--trace=whole"])
        .code(0)
        .stdout;
    assert!(
        whole.contains("    0  r0 = 2\n           r0 = 2\n           r1 = ctx()\n"),
        "{whole}"
    );
}

#[test]
fn a_trace_is_json_a_line_an_event() {
    let place = Place::new();
    object(&place, "good.o", GOOD);
    let ended = place.run(&["check", "good.o", "--trace", "--json"]).code(0);
    let events: Vec<serde_json::Value> = ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(events.len(), 4, "{events:?}");
    assert_eq!(events[0]["event"], "begin");
    assert_eq!(events[1]["regs"]["r0"], "2");
    assert_eq!(events[2]["insn"], "exit");
    assert_eq!(events[3]["verdict"], "accept");
    assert_eq!(events[3]["processed"], 2);
}

#[test]
fn a_verdict_is_json_with_the_place_of_the_refusal() {
    let place = Place::new();
    object(&place, "bad.o", BAD);
    let ended = place.run(&["check", "bad.o", "--json"]).code(3);
    let verdict: serde_json::Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!(verdict["code"], "BPF0301");
    assert_eq!(verdict["msg"], "R7 !read_ok");
    assert_eq!(verdict["line"], 2);
    assert_eq!(verdict["schema"], "ebpfasm.check.v1");
}

#[test]
fn the_log_has_the_kernels_format() {
    let place = Place::new();
    object(&place, "good.o", GOOD);
    let log = place
        .run(&["check", "good.o", "--log-level", "2"])
        .code(0)
        .stdout;
    assert!(
        log.starts_with("0: R1=ctx() R10=fp0\n; r0 = 2 @ x.bpf:3\n0: (b7) r0 = 2"),
        "{log}"
    );
    place.run(&["check", "good.o", "--log-level", "1"]).code(2);
}

#[test]
fn the_log_says_once_where_a_return_is_covered() {
    let place = Place::new();
    place.write(
        "returns.bpf",
        ".prog xdp program\n    call choose\n    r0 = 2\n    exit\n.func choose\n    \
         r2 = *(u32 *)(r1 + 0)\n    r3 = *(u32 *)(r1 + 12)\n    r0 = 0\n    r4 = 1\n    \
         if r3 == 0 goto out\n    r0 = 1\n    r4 = 1\n    r4 = 1\n    r4 = 1\n    exit\n\
         out:\n    exit\n",
    );
    let log = place
        .run(&["check", "returns.bpf", "--log-level", "2"])
        .code(0)
        .stdout;
    // As Linux 6.18 has it: the state after the return is told, and then only that it is covered.
    let end = "to caller at 1:\n R0=0 R10=fp0\n\nfrom 13 to 1: safe\nprocessed ";
    assert!(log.contains(end), "{log}");
}

/// Addresses are 0 to whom the kernel does not tell them, functions have their names and
/// numbers, and the state moves on by eight columns where there is no room for it.
#[test]
fn the_log_spells_calls_and_addresses_as_the_kernel_does() {
    let place = Place::new();
    place.write(
        "iterates.bpf",
        ".license GPL\n.map ring ringbuf max_entries=4096\n.extern func bpf_iter_num_new\n\
         .extern func bpf_iter_num_destroy\n.prog xdp program\n    r1 = ring ll\n    \
         r3 = 0xffffffff ll\n    call bpf_get_current_pid_tgid\n    r1 = r10\n    r1 += -8\n    \
         r2 = 0\n    r3 = 10\n    call bpf_iter_num_new\n    r1 = r10\n    r1 += -8\n    \
         call bpf_iter_num_destroy\n    r0 = 2\n    exit\n",
    );
    let log = place
        .run(&["check", "iterates.bpf", "--log-level", "2"])
        .stdout;
    for line in [
        "0: (18) r1 = 0x0                      ; R1=map_ptr(map=ring,ks=0,vs=0)\n",
        "2: (18) r3 = 0xffffffff               ; R3=0xffffffff\n",
        "4: (85) call bpf_get_current_pid_tgid#14      ; R0=scalar()\n",
    ] {
        assert!(log.contains(line), "{line}in\n{log}");
    }
    // Without the kernel's types nothing is followed behind the call before it.
    let Some(number) = ebpf_tests::kernel_types::function("bpf_iter_num_new") else {
        return;
    };
    let call = format!("9: (85) call bpf_iter_num_new#{number} ");
    assert!(log.contains(&call), "{call} in\n{log}");
    let call = format!("    9  call bpf_iter_num_new#{number}\n");
    let trace = place.run(&["check", "iterates.bpf", "--trace"]).stdout;
    assert!(trace.contains(&call), "{call} in\n{trace}");
}

/// Tools such as veristat read these, also of what is refused.
#[test]
fn the_log_ends_with_all_figures() {
    let place = Place::new();
    object(&place, "good.o", GOOD);
    object(&place, "bad.o", BAD);
    place.write("early.bpf", ".prog xdp program\n    r0 = 2\n");
    let figures = |processed| {
        format!(
            "processed {processed} insns (limit 1000000) max_states_per_insn 0 total_states 0 \
             peak_states 0 mark_read 0\n"
        )
    };
    for (object, end) in [
        ("good.o", figures(2)),
        ("bad.o", format!("R7 !read_ok\n{}", figures(1))),
        (
            "early.bpf",
            format!("last insn is not an exit or jmp\n{}", figures(0)),
        ),
    ] {
        let log = place.run(&["check", object, "--log-level", "2"]).stdout;
        assert!(log.contains(&end), "{end}in\n{log}");
    }
}
