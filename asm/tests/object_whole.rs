//! An object with everything in it, through ELF and back: functions that programs share,
//! global variables, options, externs, maps that hold maps and programs, CO-RE relocations.

use ebpf_asm::btf::build::{complete, int};
use ebpf_asm::btf::core::{Access, CoreKind, CoreRelocation};
use ebpf_asm::btf::{Btf, Kind, Linkage, Signedness};
use ebpf_asm::insn::{Fields, Insn};
use ebpf_asm::isa::{AluOp, Callee, Imm64, Operand, Sem, Width};
use ebpf_asm::lines::Lines;
use ebpf_asm::map_type::MapType;
use ebpf_asm::object::{
    Data, DataKind, Extern, ExternKind, Map, MapValue, Object, Pinning, Strength, Variable, read,
    write,
};
use ebpf_asm::prog_type::ProgType;
use ebpf_asm::program::{Function, Program, Reference};
use ebpf_asm::span::Span;
use ebpf_asm::text::parse;
use proptest::prelude::*;
use std::fmt::Write;
use std::time::Instant;

fn insn(sem: Sem, imm: i32) -> Insn {
    let fields = Fields {
        imm,
        ..Fields::default()
    };
    Insn::new(sem.row().unwrap(), fields)
}

/// `r0 += number`.
fn add(number: i32) -> Insn {
    let (op, width, operand) = (AluOp::Add, Width::W64, Operand::Imm);
    insn(Sem::Alu { op, width, operand }, number)
}

/// What stands in the body of a function.
#[derive(Debug, Clone)]
enum Step {
    Add(i32),
    /// Calls the function of this number.
    Call(usize),
    /// Takes its address.
    Address(usize),
    Refer(Reference),
}

/// What the functions of the object do; each calls only later ones.
fn steps(function: usize, count: usize) -> impl Strategy<Value = Vec<Step>> {
    let later = function + 1..count.max(function + 2);
    let callee = move |n: usize| n.min(count - 1);
    let references = prop_oneof![
        (0..4usize).prop_map(Reference::Map),
        (0..8u32).prop_map(|offset| Reference::MapValue { map: 4, offset }),
        (0..8u32).prop_map(|offset| Reference::MapValue { map: 5, offset }),
        Just(Reference::MapValue { map: 6, offset: 4 }),
        (0..2usize).prop_map(Reference::Extern),
    ];
    let is_last = function + 1 >= count;
    let step = prop_oneof![
        any::<i32>().prop_map(Step::Add),
        references.prop_map(Step::Refer),
        later.clone().prop_map(move |n| Step::Call(callee(n))),
        later.prop_map(move |n| Step::Address(callee(n))),
    ];
    let step = step.prop_map(move |step| match step {
        Step::Call(_) | Step::Address(_) if is_last => Step::Add(1),
        step => step,
    });
    proptest::collection::vec(step, 0..6)
}

/// The program that begins with function `first`, with those it reaches behind it, in the
/// order of meeting.
fn link(bodies: &[Vec<Step>], first: usize, name: &str, section: &str) -> Program {
    fn meet(bodies: &[Vec<Step>], at: usize, order: &mut Vec<usize>) {
        if order.contains(&at) {
            return;
        }
        order.push(at);
        for step in &bodies[at] {
            if let Step::Call(to) | Step::Address(to) = step {
                meet(bodies, *to, order);
            }
        }
    }
    let mut order = Vec::new();
    meet(bodies, first, &mut order);
    let slots = |step: &Step| match step {
        Step::Add(_) | Step::Call(_) | Step::Refer(Reference::Extern(0)) => 1,
        Step::Address(_) | Step::Refer(_) => 2,
    };
    let len = |at: usize| bodies[at].iter().map(slots).sum::<usize>() + 1;
    let begin = |at: usize| {
        let before = order.iter().take_while(|known| **known != at);
        before.map(|known| len(*known)).sum::<usize>()
    };
    let known = ebpf_asm::section::section(section).unwrap();
    let mut program = Program {
        name: name.into(),
        section: section.into(),
        prog_type: known.prog_type,
        expected_attach_type: known.attach_type,
        attach_btf_id: None,
        insns: Vec::new(),
        references: Vec::new(),
        functions: Vec::new(),
        lines: Lines::new(),
        core_relocations: Vec::new(),
    };
    let mut slot = 0;
    for &at in &order {
        program.functions.push(Function {
            slot,
            name: if at == first {
                name.into()
            } else {
                format!("f{at}")
            },
            linkage: match at {
                at if at == first || at % 2 == 0 => Linkage::Global,
                _ => Linkage::Static,
            },
            type_id: None,
        });
        for step in &bodies[at] {
            let distance = |to: usize| begin(to) as i32 - slot as i32 - 1;
            let made = match step {
                Step::Add(number) => {
                    if number % 3 == 0 {
                        program.core_relocations.push((slot, size_of_int()));
                    }
                    add(*number)
                }
                Step::Call(to) => insn(Sem::Call(Callee::Local), distance(*to)),
                Step::Address(to) => insn(Sem::LoadImm64(Imm64::Code), distance(*to)),
                Step::Refer(reference) => {
                    program.references.push((slot, *reference));
                    let sem = match reference {
                        Reference::Map(_) => Sem::LoadImm64(Imm64::MapFd),
                        Reference::MapValue { .. } => Sem::LoadImm64(Imm64::MapValueFd),
                        Reference::Extern(0) => Sem::Call(Callee::Kfunc),
                        Reference::Extern(_) => Sem::LoadImm64(Imm64::Variable),
                    };
                    insn(sem, 0)
                }
            };
            slot += made.slots();
            program.insns.push(made);
        }
        program.insns.push(insn(Sem::Exit, 0));
        slot += 1;
    }
    program
}

/// Type 1 of the object is `int`.
fn size_of_int() -> CoreRelocation {
    CoreRelocation {
        kind: CoreKind::TypeSize,
        type_id: ebpf_asm::btf::TypeId(1),
        access: Access::parse("0").unwrap(),
    }
}

fn variables(kind: DataKind, name: &str) -> Map {
    let variable = |name: String, offset| Variable {
        name,
        offset,
        size: 4,
        strength: match (kind, offset) {
            (DataKind::Kconfig, 4) => Strength::Weak,
            _ => Strength::Strong,
        },
        type_id: None,
    };
    let first = variable(format!("first_{kind:?}"), 0);
    let second = variable(format!("second_{kind:?}"), 4);
    let bytes = match kind {
        DataKind::Bss | DataKind::Kconfig => vec![0; 8],
        DataKind::Data | DataKind::Rodata | DataKind::Arena => (1..9).collect(),
    };
    let data = Data {
        kind,
        bytes,
        variables: vec![first, second],
        addresses: Vec::new(),
    };
    Map::of_data(name, data)
}

fn maps() -> Vec<Map> {
    let sized = |name: &str, map_type| Map {
        key_size: 4,
        value_size: 4,
        max_entries: 3,
        ..Map::new(name, map_type)
    };
    let inner = Map {
        map_extra: 1 << 40,
        ..sized("inner", MapType::Array)
    };
    vec![
        Map {
            inner: Some(Box::new(Map {
                name: String::new(),
                ..inner.clone()
            })),
            values: vec![(0, MapValue::Map(1)), (2, MapValue::Map(1))],
            ..sized("outer", MapType::ArrayOfMaps)
        },
        inner,
        Map {
            values: vec![(1, MapValue::Program("two".into()))],
            ..sized("programs", MapType::ProgArray)
        },
        Map {
            pinning: Pinning::ByName,
            map_flags: 1,
            numa_node: 3,
            map_extra: 7,
            ..sized("shared", MapType::Hash)
        },
        variables(DataKind::Data, ".data"),
        variables(DataKind::Rodata, ".rodata.mine"),
        variables(DataKind::Kconfig, ".kconfig"),
    ]
}

fn object(bodies: &[Vec<Step>]) -> Object {
    let of_kernel = |name: &str, kind, strength| Extern {
        name: name.into(),
        kind,
        strength,
        type_id: None,
    };
    let mut btf = Btf::new();
    int(&mut btf);
    Object {
        license: "GPL".into(),
        version: Some(7),
        programs: vec![
            link(bodies, 0, "one", "xdp"),
            link(bodies, 1, "two", "xdp"),
            link(bodies, 2, "three", "?tp/a/b"),
        ],
        maps: maps(),
        externs: vec![
            of_kernel("kfunc", ExternKind::Function, Strength::Weak),
            of_kernel("variable", ExternKind::Variable, Strength::Strong),
        ],
        btf: Some(btf),
    }
}

/// Functions 0 to 2 begin programs; programs call only functions from 3 on.
fn bodies() -> impl Strategy<Value = Vec<Vec<Step>>> {
    let count = 7;
    let of = move |at: usize| steps(at.max(2), count);
    (of(0), of(1), of(2), of(3), of(4), of(5), of(6))
        .prop_map(|(a, b, c, d, e, f, g)| vec![a, b, c, d, e, f, g])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// What is written is read, and written again the same.
    #[test]
    fn objects_survive_elf(bodies in bodies()) {
        let object = object(&bodies);
        let bytes = write(&object).unwrap();
        let again = read(&bytes).unwrap();
        let described = complete(&object);
        prop_assert_eq!(&again.programs, &described.programs);
        prop_assert_eq!(&again.maps, &described.maps);
        prop_assert_eq!(&again.externs, &described.externs);
        prop_assert_eq!((&again.license, again.version), (&object.license, object.version));
        prop_assert_eq!(write(&again).unwrap(), bytes);
    }

    /// Damage is an object or an error, never a panic; what is read can mostly be written,
    /// and then be read again.
    #[test]
    fn damage_is_no_panic(
        bodies in bodies(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = write(&object(&bodies)).unwrap();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(written) = read(&bytes).map(|object| write(&object))
            && let Ok(written) = written
        {
            prop_assert!(read(&written).is_ok());
        }
    }
}

#[test]
fn equal_functions_are_written_once() {
    let bodies: Vec<Vec<Step>> = vec![
        vec![Step::Call(3)],
        vec![Step::Call(3), Step::Call(4)],
        vec![],
        vec![Step::Add(1), Step::Call(5)],
        vec![Step::Add(2)],
        vec![Step::Add(3)],
        vec![],
    ];
    let bytes = write(&object(&bodies)).unwrap();
    let count = |name: &[u8]| bytes.windows(name.len()).filter(|w| *w == name).count();
    // In ELF's string table; the object knows no types of functions.
    assert_eq!(count(b"\0f3\0"), 1);
    let again = read(&bytes).unwrap();
    let names = |at: usize| {
        let functions = again.programs[at].functions.iter();
        functions.map(|f| f.name.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(names(0), ["one", "f3", "f5"]);
    assert_eq!(names(1), ["two", "f3", "f5", "f4"]);
    assert_eq!(names(2), ["three"]);
    assert_eq!(again.programs[2].prog_type, ProgType::Tracepoint);
}

#[test]
fn members_outside_of_a_definition_are_an_error() {
    let mut bytes = write(&object(&vec![Vec::new(); 7])).unwrap();
    // The anonymous struct of 32 bytes with 5 members that is first is that of `outer`.
    let words = [0, 4 << 24 | 5, 32].map(u32::to_le_bytes);
    let outer = words.as_flattened();
    let at = bytes.windows(outer.len()).position(|found| found == outer);
    let size = at.unwrap() + 8;
    for (len, member, begin) in [(31, "values", 32), (24, "max_entries", 24), (0, "type", 0)] {
        bytes[size] = len;
        let error = read(&bytes).unwrap_err().to_string();
        let member = format!("its member '{member}' begins at byte {begin}");
        assert_eq!(error, format!("map 'outer': {member} of a struct of {len}"));
    }
    bytes[size + 3] = 2;
    let error = read(&bytes).unwrap_err().to_string();
    let begin = "map 'outer': its struct has 33554432 bytes, and its section ";
    assert!(error.starts_with(begin), "{error}");
}

/// A program whose places cannot be counted from its beginning is refused, not written wrong.
#[test]
fn what_is_no_program_is_an_error() {
    let wrong = |spoil: &dyn Fn(&mut Program)| {
        let mut object = parse(
            "t",
            ".prog xdp p\n r1 = 1\n call f\n exit\n.func f\n r0 = 1\n exit\n",
        );
        let object = object.as_mut().unwrap();
        assert!(write(object).is_ok());
        spoil(&mut object.programs[0]);
        write(object).unwrap_err().to_string()
    };
    assert_eq!(
        wrong(&|program| program.functions.clear()),
        "program 'p': it has no function, and itself is one"
    );
    assert_eq!(
        wrong(&|program| program.functions[0].slot = 1),
        "program 'p': its first function 'p' begins at slot 1, and 0 is wanted"
    );
    assert_eq!(
        wrong(&|program| program.functions.extend_from_within(..1)),
        "program 'p': its functions do not ascend by slot"
    );
    assert_eq!(
        wrong(&|program| program.insns.clear()),
        "program 'p': it has no instruction, and reading would pass it over"
    );
    let reference = |slot| (slot, Reference::Extern(0));
    assert_eq!(
        wrong(&|program| program.references = vec![reference(4), reference(0)]),
        "program 'p': its references do not ascend by slot"
    );
    assert_eq!(
        wrong(&|program| program.lines.push(
            0,
            Span {
                file: "",
                line: 1,
                column: 1,
                text: ""
            }
        )),
        "program 'p': its lines do not ascend by slot"
    );
}

/// `vlen` of BTF has 16 bits.
#[test]
fn a_type_of_more_members_than_btf_counts_is_an_error() {
    let with = |count: usize| {
        let mut btf = Btf::new();
        let values = vec![(btf.intern("same"), 0); count];
        let (size, signed) = (4, Signedness::Unsigned);
        btf.add(
            "many",
            Kind::Enum {
                size,
                signed,
                values,
            },
        );
        let btf = Some(btf);
        write(&Object {
            btf,
            ..Object::default()
        })
    };
    assert!(with(65_535).is_ok());
    assert_eq!(
        with(65_536).unwrap_err().to_string(),
        "type 'many' has 65536 members, and BTF holds 65535 at most"
    );
}

/// As many variables as a section of BTF holds, with an offset and without, in no time that
/// grows with their square; one more is refused.
#[test]
fn variables_may_be_many() {
    let written = |count: usize| {
        let mut text = String::from(".data .data\n");
        for number in 0..count {
            match number % 2 {
                0 => writeln!(text, ".var v{number} offset={} u32 1", number * 4).unwrap(),
                _ => writeln!(text, ".var v{number} u32 {number}").unwrap(),
            }
        }
        text += ".map m array key_size=4 value_size=4 max_entries=1\n";
        text += ".prog xdp p\n r0 = 2\n exit\n";
        write(&parse("t", &text).unwrap())
    };
    let begin = Instant::now();
    let object = read(&written(65_535).unwrap()).unwrap();
    let data = object.maps.iter().find_map(|map| map.data.as_ref());
    let variables = &data.unwrap().variables;
    assert_eq!(variables.len(), 65_535);
    for (number, variable) in variables.iter().enumerate() {
        assert_eq!(variable.name, format!("v{number}"));
        assert_eq!((variable.offset as usize, variable.size), (number * 4, 4));
    }
    assert_eq!(
        written(65_536).unwrap_err().to_string(),
        "type '.data' has 65536 members, and BTF holds 65535 at most"
    );
    assert!(begin.elapsed().as_secs() < 20, "{:?}", begin.elapsed());
}

#[test]
fn what_elf_cannot_hold_is_an_error() {
    let bodies = vec![Vec::new(); 7];
    let with = |map: Map| {
        let mut object = object(&bodies);
        object.maps.push(map);
        write(&object).unwrap_err().to_string()
    };
    assert_eq!(
        with(variables(DataKind::Rodata, "numbers")),
        "global variables 'numbers': a section of their kind is called '.rodata' or '.rodata.*'"
    );
    let mut bss = variables(DataKind::Bss, ".bss");
    bss.data.as_mut().unwrap().bytes[0] = 1;
    assert_eq!(
        with(bss),
        "global variables '.bss': they begin as zeros, and one is set to something else"
    );
    let holds = Map {
        values: vec![(0, MapValue::Program("nobody".into()))],
        ..Map::new("more", MapType::ProgArray)
    };
    assert_eq!(
        with(holds),
        "map 'more' holds program 'nobody', which the object does not have"
    );
    for index in [u32::MAX, u32::MAX / 8, 9 << 20] {
        let holds = Map {
            values: vec![(index, MapValue::Program("one".into()))],
            ..Map::new("more", MapType::ProgArray)
        };
        assert_eq!(
            with(holds),
            format!(
                "map 'more' holds something at index {index}: the definitions of all maps have \
                 64 MiB at most, and each index up to the last takes 8 bytes of it"
            )
        );
    }
}
