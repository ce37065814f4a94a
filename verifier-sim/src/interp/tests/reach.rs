//! What leads a run elsewhere, or lasts longer than one: other programs, maps in maps, objects,
//! locks. What else these helpers do is compared with the kernel (`tests/c/runs`).

use super::super::{Errno, FaultKind, Machine};
use super::{kind, map, object, packet};
use ebpf_asm::assembler::Assembler;
use ebpf_asm::insn::Reg::*;
use ebpf_asm::isa::Size::*;
use ebpf_asm::map_type::MapType;
use ebpf_asm::object::{Map, Object};
use ebpf_asm::program::Reference;

/// The ids of helpers.
const TAIL_CALL: i32 = 12;
const LOOKUP: i32 = 1;
const SPIN_LOCK: i32 = 93;
const SPIN_UNLOCK: i32 = 94;

fn program(section: &str, name: &str, code: impl FnOnce(&mut Assembler)) -> Object {
    let mut asm = Assembler::new(name);
    code(&mut asm);
    Object {
        programs: vec![asm.finish(section).unwrap()],
        ..Object::default()
    }
}

#[test]
fn a_tail_call_goes_on_in_a_program_of_the_same_type() {
    let mut object = object("xdp", vec![map(MapType::ProgArray, 4, 4, 2)], |a| {
        a.ld_reference(R2, Reference::Map(0))
            .mov(R3, 1)
            .call(TAIL_CALL);
        a.mov(R0, 1).exit();
    });
    let returns = |ret: i32| {
        move |a: &mut Assembler| {
            a.mov(R0, ret).exit();
        }
    };
    object
        .programs
        .extend(program("xdp", "same", returns(7)).programs);
    object
        .programs
        .extend(program("tc", "other", returns(8)).programs);
    let mut machine = Machine::new(&object).unwrap();
    let mut ret = |name: Option<&str>| {
        if let Some(name) = name {
            machine.set_program("m", 1, name).unwrap();
        }
        machine.run("p", packet()).unwrap().ret
    };
    assert_eq!(ret(None), 1);
    assert_eq!(ret(Some("same")), 7);
    assert_eq!(ret(Some("other")), 1);
    assert_eq!(machine.set_program("m", 2, "same"), Err(Errno::TooBig));
    assert_eq!(machine.set_program("m", 0, "none"), Err(Errno::NoEntry));
    assert_eq!(machine.set_program("n", 0, "same"), Err(Errno::NoEntry));
}

/// A map of maps, whose first has a value of 1 byte.
fn outer() -> Map {
    Map {
        inner: Some(Box::new(map(MapType::Array, 4, 1, 2))),
        ..map(MapType::ArrayOfMaps, 4, 4, 2)
    }
}

#[test]
fn a_map_in_a_map_is_found_and_keeps_what_was_written() {
    let object = object("xdp", vec![outer()], |a| {
        let out = a.label();
        a.st(W, R10, -4, 0).mov(R2, R10).add(R2, -4);
        a.ld_reference(R1, Reference::Map(0)).call(LOOKUP);
        a.jeq(R0, 0, out);
        a.mov(R1, R0).mov(R2, R10).add(R2, -4).call(LOOKUP);
        a.ldx(B, R1, R0, 0).add(R1, 1).st(B, R0, 0, R1).mov(R0, R1);
        a.bind(out).exit();
    });
    let mut machine = Machine::new(&object).unwrap();
    assert_eq!(machine.run("p", packet()).unwrap().ret, 0);
    assert_eq!(machine.fill_inner("m", &[2, 0, 0, 0]), Err(Errno::TooBig));
    assert_eq!(machine.fill_inner("m", &[0; 3]), Err(Errno::Invalid));
    assert_eq!(machine.fill_inner("m", &[0; 4]), Ok(()));
    assert_eq!(machine.run("p", packet()).unwrap().ret, 1);
    assert_eq!(machine.run("p", packet()).unwrap().ret, 2);
}

#[test]
fn a_lock_is_held_once_and_given_back() {
    let run = |calls: &[i32]| {
        let object = object("xdp", vec![map(MapType::Array, 4, 8, 1)], |a| {
            for call in calls {
                let value = Reference::MapValue { map: 0, offset: 0 };
                a.ld_reference(R1, value).call(*call);
            }
            a.mov(R0, 0).exit();
        });
        Machine::new(&object).unwrap().run("p", packet())
    };
    assert!(run(&[SPIN_LOCK, SPIN_UNLOCK, SPIN_LOCK, SPIN_UNLOCK]).is_ok());
    assert_eq!(kind(run(&[SPIN_LOCK])), FaultKind::HeldLock);
    for calls in [&[SPIN_LOCK, SPIN_LOCK][..], &[SPIN_UNLOCK]] {
        let fault = kind(run(calls));
        assert!(matches!(fault, FaultKind::Argument { .. }), "{fault}");
    }
}
