//! Runs of programs whose context is no packet's.

use super::super::{FaultKind, Input, Machine, Run, RunError, Takes, Unwritten, takes};
use super::{kind, object, packet, run};
use ebpf_asm::assembler::Assembler;
use ebpf_asm::insn::Reg::*;
use ebpf_asm::isa::Size::*;
use ebpf_asm::prog_type::ProgType;

/// Runs a program on the context 0, 1, 2...
fn on_context(section: &str, len: u8, code: impl FnOnce(&mut Assembler)) -> Result<Run, RunError> {
    let mut machine = Machine::new(&object(section, Vec::new(), code)).unwrap();
    machine.run("p", Input::Context((0..len).collect()))
}

/// What reading `size` bytes at an offset gives.
fn read(section: &str, len: u8, offset: i16) -> Result<Run, RunError> {
    on_context(section, len, |a| {
        a.ldx(B, R0, R1, offset).exit();
    })
}

#[test]
fn each_type_is_given_what_it_takes() {
    assert_eq!(takes(ProgType::Xdp), Some(Takes::Packet));
    assert_eq!(takes(ProgType::CgroupSkb), Some(Takes::Packet));
    assert_eq!(takes(ProgType::Kprobe), Some(Takes::Context { most: 168 }));
    assert_eq!(takes(ProgType::StructOps), None);
    for section in [
        "kprobe",
        "perf_event",
        "raw_tp",
        "syscall",
        "tracepoint",
        "cgroup/dev",
    ] {
        let run = read(section, 12, 8);
        assert_eq!(run.unwrap().ret, 8, "{section}");
    }
    let mut machine = Machine::new(&object("xdp", Vec::new(), |a| {
        a.mov(R0, 0).exit();
    }))
    .unwrap();
    let given = machine.run("p", Input::Context(Vec::new()));
    assert!(matches!(given, Err(RunError::Input { .. })));
}

#[test]
fn a_record_ends_where_it_was_given_to() {
    assert!(read("tracepoint", 20, 19).is_ok());
    for offset in [20, 7, -1] {
        let fault = kind(read("tracepoint", 20, offset));
        assert!(matches!(fault, FaultKind::OutOfBounds { .. }), "{fault}");
    }
}

#[test]
fn only_the_arguments_of_a_syscall_program_may_be_written() {
    let write = |a: &mut Assembler| {
        a.st(W, R1, 4, 7).mov(R0, 0).exit();
    };
    let run = on_context("syscall", 8, write).unwrap();
    assert_eq!(run.context, [0, 1, 2, 3, 7, 0, 0, 0]);
    for section in ["kprobe", "raw_tp", "cgroup/dev"] {
        let fault = kind(on_context(section, 8, write));
        assert!(matches!(fault, FaultKind::Forbidden { .. }), "{fault}");
    }
}

#[test]
fn a_packet_that_may_only_be_read_is_not_written() {
    let code = |a: &mut Assembler| {
        a.ldx(W, R2, R1, 76)
            .ldx(B, R0, R2, 3)
            .st(B, R2, 3, 1)
            .exit();
    };
    let machine = |section| {
        let mut machine = Machine::new(&object(section, Vec::new(), code)).unwrap();
        machine.run("p", packet())
    };
    assert_eq!(machine("lwt_xmit").unwrap().packet[3], 1);
    let fault = kind(machine("cgroup_skb/egress"));
    assert!(matches!(fault, FaultKind::Forbidden { .. }), "{fault}");
}

#[test]
fn what_nobody_wrote_on_the_stack_is_chance_where_that_is_asked_for() {
    let code = |a: &mut Assembler| {
        a.ldx(W, R0, R10, -4).exit();
    };
    assert!(matches!(
        kind(run(code)),
        FaultKind::UninitialisedStack { offset: -4 }
    ));
    let mut machine = Machine::new(&object("xdp", Vec::new(), code)).unwrap();
    machine.set_unwritten(Unwritten::Chance);
    let mut next = || machine.run("p", packet()).unwrap().ret;
    assert_ne!(next(), next());
}

/// The addresses of a socket are several fields, of which each may be read.
#[test]
fn fields_that_are_not_modelled_are_no_faults() {
    let object = object("cgroup_skb/egress", Vec::new(), |a| {
        a.ldx(W, R0, R1, 88).exit();
    });
    let ended = Machine::new(&object)
        .unwrap()
        .run("p", Input::Packet(packet()));
    assert!(matches!(kind(ended), FaultKind::NotModelled(_)));
}
