//! Each thing that no verified program does, done once.

use super::super::{Access, FaultKind, Input, Machine, Region, RunError};
use super::{fault, kind, map, object, packet, run, run_with};
use ebpf_asm::insn::{Fields, Insn, Reg::*};
use ebpf_asm::isa::Size::*;
use ebpf_asm::isa::{AtomicOp, Callee, Cast, Sem};
use ebpf_asm::map_type::MapType;
use ebpf_asm::program::Reference;
use ebpf_asm::span::Sources;

#[test]
fn a_fault_says_what_where_and_why() {
    let mut sources = Sources::new();
    sources.add(file!(), include_str!("faults.rs"));
    let object = object("xdp", Vec::new(), |a| {
        a.sources(sources);
        a.ldx(W, R6, R1, 0);
        a.ldx(W, R0, R6, 62); // two bytes too far
        a.exit();
    });
    let fault = fault(Machine::new(&object).unwrap().run("p", packet()));
    assert_eq!((fault.program.as_str(), fault.slot), ("p", 1));
    let text = fault.to_string();
    assert!(
        text.contains("read of 4 bytes at offset 62 of the packet, which has the offsets 0..64"),
        "{text}"
    );
    assert!(text.contains("faults.rs:"), "{text}");
    assert!(text.contains("two bytes too far"), "{text}");
}

#[test]
fn registers_and_stack_must_be_written_before_they_are_read() {
    let result = run(|a| {
        a.mov(R0, R5).exit();
    });
    assert_eq!(kind(result), FaultKind::UninitialisedRegister(R5));
    let result = run(|a| {
        a.exit();
    });
    assert_eq!(kind(result), FaultKind::UninitialisedRegister(R0));
    let result = run(|a| {
        a.st(W, R10, -8, 0).ldx(DW, R0, R10, -8).exit();
    });
    assert_eq!(kind(result), FaultKind::UninitialisedStack { offset: -4 });
    let result = run(|a| {
        a.mov(R1, 0).call(8).mov(R0, R1).exit();
    });
    assert_eq!(kind(result), FaultKind::UninitialisedRegister(R1));
}

#[test]
fn accesses_stay_in_their_region() {
    let stack = |offset| {
        kind(run(|a| {
            a.st(DW, R10, offset, 0).mov(R0, 0).exit();
        }))
    };
    for offset in [0, 8, -520, 4096] {
        let expected = FaultKind::OutOfBounds {
            access: Access::Write,
            region: Region::Stack { frame: 0 },
            offset: i64::from(offset),
            size: 8,
            valid: (-512, 0),
        };
        assert_eq!(stack(offset), expected);
    }
    for offset in [-1, 64, 61, 0x1000] {
        let result = run(|a| {
            a.ldx(W, R6, R1, 0).ldx(W, R0, R6, offset).exit();
        });
        let FaultKind::OutOfBounds {
            region,
            offset: at,
            valid,
            ..
        } = kind(result)
        else {
            panic!("offset {offset}");
        };
        assert!(matches!(region, Region::Packet { .. }));
        assert_eq!((at, valid), (i64::from(offset), (0, 64)));
    }
    for offset in [-4, 24, 2] {
        let result = run(|a| {
            a.ldx(W, R0, R1, offset).exit();
        });
        assert!(matches!(
            kind(result),
            FaultKind::OutOfBounds {
                region: Region::Ctx,
                ..
            }
        ));
    }
}

#[test]
fn null_and_numbers_are_no_memory() {
    for address in [0, 8, 0x1234_5678_9abc, u64::MAX] {
        let result = run(|a| {
            a.ld_imm64(R1, address).ldx(B, R0, R1, 0).exit();
        });
        assert!(
            matches!(kind(result), FaultKind::NoMemory { .. }),
            "{address:#x}"
        );
    }
    let maps = vec![map(MapType::Array, 4, 8, 1)];
    let result = run_with(maps, |a| {
        a.ld_reference(R1, Reference::Map(0))
            .ldx(B, R0, R1, 0)
            .exit();
    });
    let region = Region::Map { map: 0 };
    assert!(matches!(kind(result), FaultKind::NoMemory { region: r, .. } if r == region));
}

#[test]
fn stack_and_atomics_are_aligned() {
    let result = run(|a| {
        a.st(W, R10, -6, 0).mov(R0, 0).exit();
    });
    assert!(matches!(
        kind(result),
        FaultKind::Misaligned {
            offset: -6,
            size: 4,
            ..
        }
    ));
    let maps = vec![map(MapType::Array, 4, 16, 1)];
    let result = run_with(maps, |a| {
        a.ld_reference(R1, Reference::MapValue { map: 0, offset: 4 });
        a.mov(R2, 1)
            .atomic(AtomicOp::Add, DW, R1, 0, R2)
            .mov(R0, 0)
            .exit();
    });
    assert!(matches!(
        kind(result),
        FaultKind::Misaligned {
            offset: 4,
            size: 8,
            ..
        }
    ));
}

#[test]
fn atomics_go_to_memory_that_the_kernel_allows() {
    let result = run(|a| {
        a.ldx(W, R6, R1, 0).mov(R2, 1);
        a.atomic(AtomicOp::Add, W, R6, 0, R2).mov(R0, 0).exit();
    });
    assert!(matches!(
        kind(result),
        FaultKind::Forbidden {
            access: Access::Atomic,
            ..
        }
    ));
}

/// The kernel lets programs read a map's own structure, with acquire ordering as well.
#[test]
fn a_load_with_acquire_ordering_is_a_read() {
    let load = Sem::LoadAcquire { size: DW }.row().unwrap();
    let fields = Fields {
        dst: R0,
        src: R6,
        ..Fields::default()
    };
    let result = run(|a| {
        a.mov(R6, 0);
        a.insn(Insn::new(load, fields)).exit();
    });
    assert!(matches!(
        kind(result),
        FaultKind::NoMemory {
            access: Access::Read,
            ..
        }
    ));
}

#[test]
fn the_context_and_the_frame_pointer_are_read_only() {
    let result = run(|a| {
        a.st(W, R1, 12, 0).mov(R0, 0).exit();
    });
    assert!(matches!(
        kind(result),
        FaultKind::Forbidden {
            region: Region::Ctx,
            ..
        }
    ));
    let result = run(|a| {
        a.add(R10, -8).exit();
    });
    assert_eq!(kind(result), FaultKind::FramePointerWrite);
}

#[test]
fn socket_filters_have_no_pointers_to_the_packet() {
    let object = object("socket", Vec::new(), |a| {
        a.ldx(W, R0, R1, 76).exit();
    });
    let result = Machine::new(&object).unwrap().run("p", packet());
    assert!(matches!(
        kind(result),
        FaultKind::Forbidden {
            region: Region::Ctx,
            ..
        }
    ));
}

#[test]
fn a_pointer_to_the_packet_ends_when_the_packet_moves() {
    let result = run(|a| {
        a.ldx(W, R6, R1, 0)
            .mov(R2, -4)
            .call(44)
            .ldx(B, R0, R6, 0)
            .exit();
    });
    assert!(matches!(
        kind(result),
        FaultKind::StalePacketPointer { size: 1, .. }
    ));
}

#[test]
fn jumps_lead_to_instructions() {
    let jump = |distance| {
        let ja = Insn::new(
            Sem::Ja.row().unwrap(),
            Fields {
                offset: distance,
                ..Fields::default()
            },
        );
        kind(run(|a| {
            a.insn(ja).ld_imm64(R0, 0).exit();
        }))
    };
    assert_eq!(jump(1), FaultKind::JumpOutOfRange { target: 2 });
    assert_eq!(jump(3), FaultKind::JumpOutOfRange { target: 4 });
    assert_eq!(jump(-2), FaultKind::JumpOutOfRange { target: -1 });
    let result = run(|a| {
        a.mov(R0, 0);
    });
    assert_eq!(kind(result), FaultKind::FellOff);
    assert_eq!(kind(run(|_| {})), FaultKind::FellOff);
}

#[test]
fn an_endless_loop_ends_with_the_budget() {
    let object = object("xdp", Vec::new(), |a| {
        let top = a.label();
        a.bind(top).ja(top);
    });
    let mut machine = Machine::new(&object).unwrap();
    machine.set_budget(1000);
    assert_eq!(
        kind(machine.run("p", packet())),
        FaultKind::BudgetUsedUp(1000)
    );
}

#[test]
fn what_is_not_modelled_is_named() {
    let named = |sem: Sem, name: &str| {
        let insn = Insn::new(
            sem.row().unwrap(),
            Fields {
                imm: 7,
                ..Fields::default()
            },
        );
        let result = run(|a| {
            a.mov(R0, 0).insn(insn).exit();
        });
        let FaultKind::NotModelled(what) = kind(result) else {
            panic!("{name}");
        };
        assert!(what.contains(name), "{what}");
    };
    named(Sem::Call(Callee::Kfunc), "BTF id 7");
    named(Sem::AddrSpaceCast(Cast::ToArena), "addr_space_cast");
    named(Sem::Gotox, "gotox");
    named(Sem::Call(Callee::Register), "callx");
    named(Sem::Call(Callee::NumberedRegister), "callx");
    let result = run(|a| {
        a.call(25).exit();
    });
    assert_eq!(
        kind(result),
        FaultKind::NotModelled("the helper perf_event_output".into())
    );
    let result = run(|a| {
        a.call(4000).exit();
    });
    assert_eq!(kind(result), FaultKind::UnknownHelper(4000));
}

#[test]
fn helpers_get_what_they_ask_for() {
    let result = run(|a| {
        a.mov(R1, 5).mov(R2, R10).call(1).exit();
    });
    assert!(matches!(
        kind(result),
        FaultKind::Argument {
            reg: R1,
            expected: "a map",
            ..
        }
    ));
    let result = run(|a| {
        a.mov(R1, R10).mov(R2, 0).call(44).exit();
    });
    assert!(matches!(kind(result), FaultKind::Argument { reg: R1, .. }));
    let maps = || vec![map(MapType::Array, 4, 8, 1)];
    let result = run_with(maps(), |a| {
        a.ld_reference(R1, Reference::Map(0))
            .mov(R2, R10)
            .add(R2, -4)
            .call(1)
            .exit();
    });
    assert_eq!(kind(result), FaultKind::UninitialisedStack { offset: -4 });
    let result = run_with(maps(), |a| {
        a.ld_reference(R1, Reference::Map(3)).mov(R0, 0).exit();
    });
    assert_eq!(kind(result), FaultKind::NoMap);
}

#[test]
fn ring_buffer_records_are_given_back_once() {
    let ring = || vec![map(MapType::Ringbuf, 0, 0, 4096)];
    let result = run_with(ring(), |a| {
        a.ld_reference(R1, Reference::Map(0))
            .mov(R2, 8)
            .mov(R3, 0)
            .call(131);
        a.mov(R0, 0).exit();
    });
    assert_eq!(kind(result), FaultKind::UnreleasedRecords(1));
    let result = run_with(ring(), |a| {
        a.ld_reference(R1, Reference::Map(0))
            .mov(R2, 8)
            .mov(R3, 0)
            .call(131);
        a.mov(R6, R0).mov(R1, R6).mov(R2, 0).call(132);
        a.st(DW, R6, 0, 1).mov(R0, 0).exit();
    });
    assert!(matches!(kind(result), FaultKind::NoMemory { .. }));
    let result = run_with(ring(), |a| {
        a.ld_reference(R1, Reference::Map(0))
            .mov(R2, 8)
            .mov(R3, 0)
            .call(131);
        a.mov(R6, R0).mov(R1, R6).mov(R2, 0).call(132);
        a.mov(R1, R6).mov(R2, 0).call(133).mov(R0, 0).exit();
    });
    assert!(matches!(kind(result), FaultKind::Argument { reg: R1, .. }));
}

#[test]
fn read_only_maps_are_not_written() {
    let mut rodata = map(MapType::Array, 4, 8, 1);
    rodata.map_flags = 1 << 7;
    let result = run_with(vec![rodata], |a| {
        a.ld_reference(R1, Reference::MapValue { map: 0, offset: 0 });
        a.st(DW, R1, 0, 1).mov(R0, 0).exit();
    });
    assert!(matches!(
        kind(result),
        FaultKind::Forbidden {
            access: Access::Write,
            ..
        }
    ));
}

#[test]
fn there_is_no_run_without_a_program_a_packet_and_a_type() {
    let machine = |section| {
        let object = object(section, Vec::new(), |a| {
            a.mov(R0, 0).exit();
        });
        Machine::new(&object).unwrap()
    };
    assert!(matches!(
        machine("lirc_mode2").run("p", packet()),
        Err(RunError::ProgType(_))
    ));
    let mut machine = machine("kprobe");
    assert!(matches!(
        machine.run("p", packet()),
        Err(RunError::Input { .. })
    ));
    for (len, runs) in [(0, true), (168, true), (169, false)] {
        let input = Input::Context(vec![0; len]);
        assert_eq!(machine.run("p", input).is_ok(), runs, "{len}");
    }
    assert!(matches!(
        machine.run("q", packet()),
        Err(RunError::NoProgram(_))
    ));
    assert!(machine.map("m").is_err() && machine.map_mut("m").is_err());
}
