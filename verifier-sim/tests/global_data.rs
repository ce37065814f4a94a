//! Global variables: what the verifier knows of constants, and what programs find in them.

use ebpf_asm::assembler::Assembler;
use ebpf_asm::insn::Reg::*;
use ebpf_asm::isa::Size::*;
use ebpf_asm::object::{Data, DataKind, Map, Object};
use ebpf_asm::program::Reference;
use ebpf_verifier_sim::interp::{Machine, Packet};
use ebpf_verifier_sim::{Config, Verdict, verify};

/// Reads a number, and uses it as an offset from the frame pointer: good for a known -8 only.
fn object(kind: DataKind) -> Object {
    let mut a = Assembler::new("prog");
    a.ld_reference(R1, Reference::MapValue { map: 0, offset: 4 });
    a.ldx(DW, R1, R1, 4);
    a.mov(R2, R10).add(R2, R1);
    a.st(DW, R2, 0, 7);
    a.ldx(DW, R0, R10, -8);
    a.exit();
    let mut bytes = vec![0; 8];
    bytes.extend((-8i64).to_le_bytes());
    let data = Data {
        kind,
        bytes,
        variables: Vec::new(),
        addresses: Vec::new(),
    };
    Object {
        license: "GPL".into(),
        programs: vec![a.finish("xdp").unwrap()],
        maps: vec![Map::of_data("numbers", data)],
        ..Object::default()
    }
}

fn accepts(object: &Object, config: &Config) -> bool {
    matches!(
        verify(object, &object.programs[0], config),
        Verdict::Accepted(..)
    )
}

#[test]
fn constants_are_known_and_variables_are_not() {
    let now = Config::default();
    assert!(accepts(&object(DataKind::Rodata), &now));
    for kind in [DataKind::Data, DataKind::Bss, DataKind::Kconfig] {
        assert!(!accepts(&object(kind), &now), "{kind:?}");
    }
    let before = Config {
        kernel: (5, 4),
        ..Config::default()
    };
    assert!(!accepts(&object(DataKind::Rodata), &before));
}

#[test]
fn programs_find_what_variables_begin_with() {
    for kind in [DataKind::Rodata, DataKind::Data] {
        let mut machine = Machine::new(&object(kind)).unwrap();
        let run = machine.run("prog", Packet::new(&[0; 64])).unwrap();
        assert_eq!(run.ret, 7, "{kind:?}");
    }
}

/// Writing to constants is refused, and writing to variables is not.
#[test]
fn constants_are_not_written() {
    for (kind, allowed) in [(DataKind::Rodata, false), (DataKind::Bss, true)] {
        let mut a = Assembler::new("prog");
        a.ld_reference(R1, Reference::MapValue { map: 0, offset: 0 });
        a.st(W, R1, 0, 1).mov(R0, 0).exit();
        let mut object = object(kind);
        object.programs = vec![a.finish("xdp").unwrap()];
        assert_eq!(accepts(&object, &Config::default()), allowed, "{kind:?}");
    }
}
