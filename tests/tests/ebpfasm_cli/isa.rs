//! `isa`, and `--cpu` and `--kernel`.

use std::fs;

use ebpf_asm::{object, text};
use ebpf_tests::workspace;

use super::Place;

#[test]
fn the_page_is_the_tables() {
    let printed = Place::new().run(&["isa", "--markdown"]).code(0).stdout;
    let page = fs::read_to_string(workspace().join("ISA.md")).expect("ISA.md is there");
    assert!(
        printed == page,
        "ISA.md is not current: ebpfasm isa --markdown > ISA.md"
    );
}

#[test]
fn an_instruction_is_explained() {
    let ended = Place::new().run(&["isa", "gotox"]).code(0);
    let expected = "\
GOTOX: gotox r1

  byte 0   byte 1              bytes 2 and 3   bytes 4 to 7
  +--------+---------+---------+---------------+-----------------------+
  | opcode | src_reg | dst_reg |    offset     |          imm          |
  |  0x0d  |    0    | 0 to 10 |       0       |           0           |
  +--------+---------+---------+---------------+-----------------------+

does     pc = dst
that is  jumps to an address that was loaded from a jump table
opcode   0x0d = 0000 1 101: code 0x0, source X, class JMP
group    none
cpu      -mcpu=v4 and newer
since    Linux 6.19
source   Linux only
";
    assert_eq!(ended.stdout, expected);
}

#[test]
fn a_wide_instruction_has_two_slots() {
    let ended = Place::new().run(&["isa", "map_by_fd"]).code(0);
    let expected = "\
  |  0x18  |    1    | 0 to 10 |       0       |      any number       |
  +--------+---------+---------+---------------+-----------------------+
  +--------+---------+---------+---------------+-----------------------+
  |        |         |         |               |       next_imm        |
  |   0    |    0    |    0    |       0       |           0           |
";
    assert!(ended.stdout.contains(expected), "{}", ended.stdout);
}

/// By name, by opcode, by a part of the spelling, in any case.
#[test]
fn instructions_are_found() {
    let place = Place::new();
    let found = |words: &[&str]| {
        let args: Vec<&str> = ["isa"].iter().chain(words).copied().collect();
        let stdout = place.run(&args).code(0).stdout;
        let does = |line: &str| line.strip_prefix("does     ").map(str::to_owned);
        stdout.lines().filter_map(does).collect::<Vec<String>>()
    };
    assert_eq!(found(&["movsx"]).len(), 5);
    assert_eq!(found(&["0x06"]), ["pc += imm"]);
    assert_eq!(found(&["s>>="]).len(), 4);
    assert_eq!(found(&["store_release"]).len(), 4);
    assert_eq!(found(&["MAY_GOTO"]).len(), 1);
    assert_eq!(found(&["r1", "+=", "r2"]), ["dst = dst + src"]);
    let all = place.run(&["isa"]).code(0).stdout;
    assert_eq!(all.lines().count(), ebpf_asm::isa::ISA.len());
}

#[test]
fn an_unknown_name_gets_the_nearest() {
    let place = Place::new();
    let ended = place.run(&["isa", "mvosx"]).code(5);
    ended
        .says("error: no instruction is called 'mvosx'")
        .says("did you mean this: ebpfasm isa movsx");
    place.run(&["isa", "0xff"]).code(5);
}

/// An object with an instruction of `-mcpu=v4` and Linux 6.6.
fn modern(place: &Place) {
    let source = ".license GPL\n.prog xdp p\n    r0 = 2\n    r0 = (s8)r0\n    exit\n";
    let object = text::parse("x.bpf", source).expect("it parses");
    let bytes = object::write(&object).expect("it can be written");
    fs::write(place.work().join("p.o"), bytes).expect("a file");
}

#[test]
fn what_is_too_new_is_refused_by_name() {
    let place = Place::new();
    modern(&place);
    place.run(&["check", "p.o", "--kernel", "6.6"]).code(0);
    place
        .run(&["check", "p.o", "--cpu", "v3"])
        .code(7)
        .says("program `p`, slot 1: -mcpu=v3 has no MOVSX `r0 = (s8)r0`: it came with -mcpu=v4")
        .says("ebpfasm isa movsx");
    place
        .run(&["check", "p.o", "--kernel", "5.10"])
        .code(3)
        .says("MOVSX")
        .says("Linux 6.6");
    // The exit code is that of the verdict, whichever command finds it.
    place.write(
        "p.bpf",
        ".license GPL\n.prog xdp p\n    r0 = 2\n    r0 = (s8)r0\n    exit\n",
    );
    place
        .run(&["build", "p.bpf", "--kernel", "5.10"])
        .code(3)
        .says("Linux 6.6")
        .says("ebpfasm explain BPF0902");
    place.run(&["build", "p.bpf", "--cpu", "v3"]).code(7);
    place
        .run(&["check", "p.o", "--cpu", "v5"])
        .code(2)
        .says("expected v1, v2, v3 or v4");
    place
        .run(&["check", "p.o", "--kernel", "new"])
        .code(2)
        .says("expected two numbers like 5.10");
}

/// A program with 32-bit arithmetic, and a comparison by `<`.
const ARITHMETIC: &str = r#"use ebpf_dsl::prelude::*;

pub fn unit() -> Unit {
    unit!("queue.rs").license("GPL").xdp("queue", |f, ctx| {
        let sum = ctx.rx_queue_index() + ctx.ingress_ifindex();
        f.return_if(sum.lt(100), XDP_DROP);
        XDP_PASS
    })
}

pub fn main() -> ExitCode {
    emit(unit())
}
"#;

/// What is built for an old target passes the check for it, and the newest one's does not.
#[test]
fn programs_are_built_for_a_target() {
    let place = Place::new();
    place.write("queue.rs", ARITHMETIC);
    place.run(&["build", "queue.rs", "-o", "new.o"]).code(0);
    place.run(&["check", "new.o", "--cpu", "v1"]).code(7);
    for cpu in ["v1", "v2"] {
        let args = ["build", "queue.rs", "--cpu", cpu, "-o", "old.o"];
        place.run(&args).code(0);
        place.run(&["check", "old.o", "--cpu", cpu]).code(0);
    }
    let args = ["build", "queue.rs", "--kernel", "4.20", "-o", "old.o"];
    place.run(&args).code(0);
    place.run(&["check", "old.o", "--kernel", "4.20"]).code(0);
}

/// Of an object with many programs only the one that is asked for counts.
#[test]
fn a_program_is_checked_for_an_old_target_alone() {
    let place = Place::new();
    let two = ".license GPL\n.prog xdp old\n    r0 = 2\n    exit\n\
               .prog xdp new\n    r0 = 2\n    r0 = (s8)r0\n    exit\n";
    place.write("two.bpf", two);
    place.run(&["build", "two.bpf", "-o", "two.o"]).code(0);
    let check = |name: &str| place.run(&["check", "two.o", "--cpu", "v1", "--prog", name]);
    check("old").code(0);
    check("new").code(7).says("MOVSX");
    place.run(&["check", "two.o", "--cpu", "v1"]).code(7);
}
