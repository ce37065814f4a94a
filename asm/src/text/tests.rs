//! Laws of the text syntax, over the whole table, and what errors say.

mod types;

use super::{Options, parse, print_object};
use crate::assembler::Assembler;
use crate::btf::Linkage;
use crate::insn::{Fields, Insn, Reg};
use crate::isa::{Callee, ISA, Imm64, Sem};
use crate::lines::Lines;
use crate::map_type::MapType;
use crate::object::{
    Address, Addressed, Autocreate, Data, DataKind, Extern, ExternKind, Map, MapValue, Object,
    Pinning, Strength, Variable,
};
use crate::prog_type::{AttachType, ProgType};
use crate::program::{Program, Reference};
use crate::span::Span;
use proptest::prelude::*;
use std::fmt::Write;

#[test]
fn no_spelling_is_read_as_another_row() {
    for row in &ISA {
        let insn = Insn::new(row, Fields::default());
        assert_eq!(reread(&insn), Ok(insn));
    }
}

/// The instruction that the text of `insn` is.
fn reread(insn: &Insn) -> Result<Insn, String> {
    let object = parse("t", &format!(".prog xdp\n{insn}")).map_err(|e| e.to_string())?;
    object.programs[0]
        .insns
        .first()
        .copied()
        .ok_or_else(|| "nothing".into())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn parse_inverts_print(
        row in 0..ISA.len(),
        regs in (0..11u8, 0..11u8),
        offset in any::<i16>(),
        imms in (any::<i32>(), any::<i32>()),
    ) {
        let fields = Fields {
            dst: Reg::new(regs.0).unwrap(),
            src: Reg::new(regs.1).unwrap(),
            offset,
            imm: imms.0,
            next_imm: imms.1,
        };
        let insn = Insn::new(&ISA[row], fields);
        prop_assert_eq!(reread(&insn), Ok(insn));
    }

    #[test]
    fn any_text_is_an_object_or_an_error(
        words in proptest::collection::vec(
            prop_oneof![
                Just("r1"), Just("w2"), Just("="), Just("*("), Just("u8"), Just("goto"),
                Just("-"), Just("99999999999999999999"), Just("\n"), Just(".prog xdp"),
                Just(".map m array"), Just("m"), Just("ll"), Just(":"), Just("é"), Just("0x"),
            ],
            0..30,
        ),
    ) {
        let text = words.join(" ");
        if let Ok(object) = parse("t", &text) {
            let mut printed = String::new();
            print_object(&mut printed, &object, Options::CODE).unwrap();
            prop_assert!(parse("t", &printed).is_ok(), "{}", printed);
        }
    }
}

#[test]
fn a_whole_object_goes_through_text_and_back() {
    let text = "\
.license GPL
.map counters percpu_array key_size=4 value_size=16 max_entries=256
.map seen hash key_size=8 value_size=8 max_entries=1024 map_flags=no_prealloc
.prog xdp first
    r1 = counters ll
    r2 = seen[0] + 4 ll
    if r1 == r2 goto L7
    call twice
    call bpf_map_lookup_elem
L7:
    r0 = 2
    exit
.func twice
    r0 = 1
    exit
.prog tc second
    r0 = -1
    exit
";
    let object = parse("t.bpf", text).unwrap();
    let mut printed = String::new();
    print_object(&mut printed, &object, Options::CODE).unwrap();
    assert_eq!(printed, text);
    let again = parse("t.bpf", &printed).unwrap();
    assert_eq!(again, object);
    let first = &object.programs[0];
    assert_eq!(
        first.references,
        [
            (0, Reference::Map(0)),
            (2, Reference::MapValue { map: 1, offset: 4 })
        ]
    );
    assert_eq!(
        first.span(0).map(|span| span.text),
        Some("    r1 = counters ll")
    );
}

/// The examples of the module's own text are objects, and the same when they are printed.
#[test]
fn the_description_has_examples_that_are_read() {
    let lines = include_str!("mod.rs").lines();
    let lines: Vec<&str> = lines.filter_map(|line| line.strip_prefix("//!")).collect();
    let mut examples = 0;
    for fenced in lines.split(|line| line.trim() == "```").map(<[_]>::iter) {
        let example = fenced.skip_while(|line| line.trim() != "```text").skip(1);
        let example: Vec<&str> = example.copied().collect();
        if example.is_empty() {
            continue;
        }
        let object = parse("t", &example.join("\n")).expect("an example");
        let mut printed = String::new();
        print_object(&mut printed, &object, Options::WHOLE).unwrap();
        assert_eq!(parse("t", &printed).as_ref(), Ok(&object), "{printed}");
        examples += 1;
    }
    assert_eq!(examples, 2);
}

/// Inputs, each line behind `> `, and below them what is said of them.
const ERRORS: &str = include_str!("errors.txt");

#[test]
fn errors_say_where_and_what_is_expected() {
    let mut input = String::new();
    let mut actual = String::new();
    for line in ERRORS.lines() {
        if let Some(text) = line.strip_prefix("> ") {
            input.push_str(text);
            input.push('\n');
            writeln!(actual, "{line}").unwrap();
        } else if line.is_empty() {
            writeln!(actual, "{}\n", shown_error(&input)).unwrap();
            input.clear();
        }
    }
    assert_eq!(
        actual, ERRORS,
        "asm/src/text/errors.txt should be:\n{actual}"
    );
}

/// `LINE:COLUMN [LENGTH] MESSAGE; HELP`.
fn shown_error(input: &str) -> String {
    // A directive or a listing stands as it is, instructions stand in a program.
    let begins = |words: &[&str]| words.iter().any(|word| input.starts_with(word));
    let text = match begins(&[".", "0:", "D", "goto +0 "]) {
        true => input.to_owned(),
        false => format!(".prog xdp\n{input}"),
    };
    match parse("t", &text) {
        Ok(_) => "no error".to_owned(),
        Err(error) => {
            let help = error.help.as_ref().map(|help| format!("; {help}"));
            let help = help.unwrap_or_default();
            let place = &error.span;
            let (line, column, len) = (place.line, place.column, error.len);
            format!("{line}:{column} [{len}] {}{help}", error.message)
        }
    }
}

#[test]
fn a_listing_ends_before_its_numbers_do() {
    for first in [
        "18446744073709551615: (95) exit",
        "18446744073709551614: (18) r1 = 0x1",
    ] {
        let text = format!("; a comment\n{first}\n");
        let error = parse("t", &text).unwrap_err();
        let (number, _) = first.split_once(':').unwrap();
        assert_eq!(
            error.message,
            format!("no instruction can follow number {number}")
        );
        assert_eq!((error.span.line, &*error.span.text), (2, first));
    }
}

/// A `.line` says where code comes from, not where it stands in this text.
#[test]
fn what_cannot_be_reached_is_quoted_from_this_text() {
    let far = "r0 = 0\n".repeat(33_000);
    let beyond = "gotol +2147483647";
    for (line, from) in [
        (2, ""),
        (3, ".line \"other.rs\" 4000 1 \"x\"\n"),
        (3, ".line none\n"),
    ] {
        let text = format!(".prog xdp\n{from}{beyond}\nif r0 == 0 goto far\n{far}far:\nexit\n");
        let error = parse("t", &text).unwrap_err();
        assert!(
            error.message.contains("which its field cannot hold"),
            "{error}"
        );
        assert_eq!((error.span.line, &*error.span.text), (line, beyond));
    }
}

#[test]
fn a_log_of_two_paths_is_one_program() {
    let log = "\
func#0 @0
Live regs before insn:
      0: .1........ (61) r2 = *(u32 *)(r1 +4)
      1: .12....... (15) if r2 == 0xfffffffe goto pc+1
0: R1=ctx() R10=fp0
; int p(struct xdp_md *ctx) @ p.c:1
0: (61) r2 = *(u32 *)(r1 +4)          ; R1=ctx() R2_w=pkt_end()
1: (15) if r2 == 0xfffffffe goto pc+1  ; R2_w=pkt_end()
2: (b7) r0 = 1                        ; R0_w=1
3: (95) exit

from 1 to 3: R0=scalar() R1=ctx() R10=fp0
3: R0=scalar() R1=ctx()
3: (95) exit
processed 5 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
";
    let object = parse("log", log).unwrap();
    let mut printed = String::new();
    print_object(&mut printed, &object, Options::CODE).unwrap();
    let expected = "\
.prog socket prog
    r2 = *(u32 *)(r1 + 4)
    if r2 == -2 goto L3
    r0 = 1
L3:
    exit
";
    assert_eq!(printed, expected);
}

#[test]
fn a_section_of_functions_is_one_program_and_others_begin_one_each() {
    let listing = "\
x.o:\tfile format elf64-bpf

Disassembly of section .text:

0000000000000000 <one>:
       0:\tw0 = 0x1
       1:\texit

0000000000000010 <two>:
       2:\tgoto +0x0 <LBB1_1>

0000000000000018 <LBB1_1>:
       3:\texit

Disassembly of section tc:

0000000000000000 <in>:
       0:\texit

0000000000000008 <out>:
       1:\texit
";
    let object = parse("x", listing).unwrap();
    let names: Vec<_> = object
        .programs
        .iter()
        .map(|p| (&*p.section, &*p.name))
        .collect();
    assert_eq!(names, [(".text", "one"), ("tc", "in"), ("tc", "out")]);
    let functions: Vec<_> = object.programs[0]
        .functions
        .iter()
        .map(|f| (f.slot, &*f.name))
        .collect();
    assert_eq!(functions, [(0, "one"), (2, "two")]);
}

/// Any name: of letters, of whatever signs, or one that means something else elsewhere.
fn any_name() -> impl Strategy<Value = String> {
    let taken = [
        "",
        "-",
        "\0",
        "r1",
        "w10",
        "L2",
        "pc",
        "if",
        "ll",
        "u32",
        "kfunc",
        "global",
        "weak",
        "none",
        "size=8",
        "\"",
        "a\\b",
        "a b",
        "a;b",
        "a:",
        "map_lookup_elem",
        "bpf_map_lookup_elem",
    ];
    prop_oneof![
        "[a-z_.0-9]{1,6}",
        ".{0,6}",
        prop::sample::select(taken.to_vec()).prop_map(str::to_owned)
    ]
}

/// Names that differ from each other.
fn different_names(count: usize) -> impl Strategy<Value = Vec<String>> {
    let names = proptest::collection::hash_set(any_name(), count);
    names.prop_map(|names| names.into_iter().collect())
}

fn any_map() -> impl Strategy<Value = Map> {
    let numbers = (
        0..64_u32,
        0..64_u32,
        any::<u32>(),
        any::<u32>(),
        any::<u64>(),
        0..4_u32,
    );
    let inner = proptest::option::of((0..64_u32, 0..64_u32));
    (0..MapType::ALL.len(), numbers, any::<bool>(), inner).prop_map(
        |(
            of,
            (key_size, value_size, max_entries, map_flags, map_extra, numa_node),
            pins,
            inner,
        )| {
            let map_type = MapType::ALL[of];
            let pinning = if pins { Pinning::ByName } else { Pinning::None };
            let inner = inner.map(|(key_size, value_size)| {
                let inner = Map::new("", MapType::Array);
                Box::new(Map {
                    key_size,
                    value_size,
                    ..inner
                })
            });
            Map {
                key_size,
                value_size,
                max_entries,
                map_flags,
                map_extra,
                numa_node,
                pinning,
                inner,
                ..Map::new("", map_type)
            }
        },
    )
}

fn any_data() -> impl Strategy<Value = Map> {
    // Variables may have the names of others, and of what else there is.
    let names = proptest::collection::vec(any_name(), 5);
    let kinds = [
        (".data", DataKind::Data),
        (".rodata.x", DataKind::Rodata),
        (".bss", DataKind::Bss),
        (".kconfig", DataKind::Kconfig),
        ("arena", DataKind::Arena),
    ];
    let places = proptest::collection::vec((0..3_u32, 0..17_u32), 0..5);
    (
        0..kinds.len(),
        places,
        proptest::collection::vec(any::<u8>(), 0..90),
        names,
    )
        .prop_map(move |(of, places, mut bytes, names)| {
            let (name, kind) = kinds[of];
            let (mut variables, mut at) = (Vec::new(), 0);
            for (n, (gap, size)) in places.into_iter().enumerate() {
                variables.push(Variable {
                    name: names[n].clone(),
                    offset: at + gap,
                    size,
                    strength: if gap == 2 {
                        Strength::Weak
                    } else {
                        Strength::Strong
                    },
                    type_id: None,
                });
                at += gap + size.max(1);
            }
            bytes.resize(bytes.len().max(at as usize), 7);
            Map::of_data(
                name,
                Data {
                    kind,
                    bytes,
                    variables,
                    addresses: Vec::new(),
                },
            )
        })
}

/// Addresses of each kind, as many as there is room for.
fn any_addresses(len: usize, externs: usize) -> Vec<Address> {
    let mut of = vec![
        Addressed::Function("f0".into()),
        Addressed::Reference(Reference::Map(0)),
        Addressed::Reference(Reference::MapValue { map: 0, offset: 5 }),
    ];
    if externs > 0 {
        of.push(Addressed::Reference(Reference::Extern(0)));
    }
    let places = (0..len as u32).step_by(9).zip(of);
    let places = places.filter(|(offset, _)| *offset as usize + 8 <= len);
    places.map(|(offset, of)| Address { offset, of }).collect()
}

/// The insns of a program, with references to what the object has.
fn any_insns() -> impl Strategy<Value = Vec<(usize, Fields)>> {
    let fields = (0..11u8, 0..11u8, -9..9_i16, -9..9_i32, any::<i32>());
    let fields = fields.prop_map(|(dst, src, offset, imm, next_imm)| Fields {
        dst: Reg::new(dst).unwrap(),
        src: Reg::new(src).unwrap(),
        offset,
        imm,
        next_imm,
    });
    proptest::collection::vec((0..ISA.len(), fields), 1..40)
}

/// An object of all that text can say.
fn any_object() -> impl Strategy<Value = Object> {
    let externs = proptest::collection::vec((any::<bool>(), any::<bool>()), 0..3);
    let functions = proptest::collection::vec(any_name(), 0..5);
    let programs = proptest::collection::vec((any_insns(), functions, any::<bool>()), 1..3);
    let maps = proptest::collection::vec(any_map(), 0..4);
    let version = proptest::option::of(any::<u32>());
    (
        (version, any_name()),
        maps,
        proptest::option::of(any_data()),
        externs,
        programs,
        different_names(9),
    )
        .prop_map(
            |((version, license), maps, data, externs, programs, names)| {
                let mut names = names.into_iter();
                let mut name = || names.next().unwrap();
                let program_names = [name(), name()];
                let mut maps: Vec<Map> = maps
                    .into_iter()
                    .map(|map| Map {
                        name: name(),
                        ..map
                    })
                    .collect();
                if let Some(first) = maps.first_mut() {
                    let program = MapValue::Program(program_names[0].clone());
                    first.values = vec![(3, program), (9, MapValue::Map(0))];
                }
                for map in maps.iter_mut().filter(|m| m.map_type == MapType::StructOps) {
                    map.autocreate = Autocreate::OnRequest;
                    map.values = vec![
                        (0, MapValue::Program(program_names[0].clone())),
                        (17, MapValue::Bytes(b"a\"\0b".to_vec())),
                    ];
                }
                maps.extend(data);
                if let Some(data) = maps.last_mut().and_then(|map| map.data.as_mut()) {
                    data.addresses = any_addresses(data.bytes.len(), externs.len());
                }
                let externs = externs.into_iter().map(|(is_func, is_weak)| Extern {
                    name: name(),
                    kind: if is_func {
                        ExternKind::Function
                    } else {
                        ExternKind::Variable
                    },
                    strength: if is_weak {
                        Strength::Weak
                    } else {
                        Strength::Strong
                    },
                    type_id: None,
                });
                let mut object = Object {
                    license,
                    version,
                    externs: externs.collect(),
                    maps,
                    ..Object::default()
                };
                let programs = programs.into_iter().zip(program_names);
                for ((insns, functions, is_plain), name) in programs {
                    let program = assembled(&object, name, insns, functions, is_plain);
                    object.programs.push(program);
                }
                object
            },
        )
}

fn assembled(
    object: &Object,
    name: String,
    insns: Vec<(usize, Fields)>,
    functions: Vec<String>,
    is_plain: bool,
) -> Program {
    let mut assembler = Assembler::new(name);
    assembler.at(None);
    let every = insns.len() / (functions.len() + 1) + 1;
    let mut functions = functions.into_iter();
    for (at, (row, fields)) in insns.into_iter().enumerate() {
        if at > 0
            && at.is_multiple_of(every)
            && let Some(name) = functions.next()
        {
            let label = assembler.label();
            assembler.function(label, name);
        }
        let insn = Insn::new(&ISA[row], fields);
        let pick = |count: usize| at.checked_rem(count);
        let size = |map: usize| object.maps[map].value_size.max(1);
        match (
            insn.sem(),
            pick(object.maps.len()),
            pick(object.externs.len()),
        ) {
            (Sem::LoadImm64(Imm64::MapFd), Some(map), _) => {
                assembler.ld_reference(insn.dst(), Reference::Map(map))
            }
            (Sem::LoadImm64(Imm64::MapValueFd), Some(map), _) => {
                let offset = fields.next_imm as u32 % size(map);
                assembler.ld_reference(insn.dst(), Reference::MapValue { map, offset })
            }
            (Sem::LoadImm64(Imm64::Variable), _, Some(index)) => {
                assembler.ld_reference(insn.dst(), Reference::Extern(index))
            }
            (Sem::Call(Callee::Kfunc), _, Some(index)) => assembler.call_extern(index),
            _ => assembler.insn(insn),
        };
    }
    let mut program = assembler.finish("xdp").unwrap();
    for function in program.functions.iter_mut().skip(2) {
        function.linkage = Linkage::Global;
    }
    if !is_plain {
        program.prog_type = ProgType::SchedCls;
        program.expected_attach_type = Some(AttachType::CgroupInetIngress);
    }
    program
}

/// The object without the lines that its instructions come from.
fn without_lines(mut object: Object) -> Object {
    for program in &mut object.programs {
        program.lines.clear();
    }
    object
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn an_object_is_read_as_it_was_printed(object in any_object()) {
        let mut printed = String::new();
        print_object(&mut printed, &object, Options::CODE).unwrap();
        let again = parse("t", &printed).map_err(|error| {
            TestCaseError::fail(format!("{error}: {:?}\n{printed}", error.help))
        })?;
        prop_assert_eq!(without_lines(again), object, "{}", printed);
    }

    #[test]
    fn source_lines_go_through_text(lines in proptest::collection::vec((0..3_u32, ".{0,9}"), 1..9)) {
        let mut object = parse("t", ".prog xdp p\n    exit\n").unwrap();
        let exit = object.programs[0].insns[0];
        object.programs[0].insns = vec![exit; lines.len()];
        let mut places = Lines::new();
        for (slot, (line, text)) in lines.iter().enumerate() {
            places.push(slot, Span {
                file: "a b.c",
                line: *line,
                column: slot as u32,
                text,
            });
        }
        object.programs[0].lines = places;
        let mut printed = String::new();
        print_object(&mut printed, &object, Options::WHOLE).unwrap();
        let again = parse("t", &printed).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(again, object);
    }

    #[test]
    fn no_text_panics(text in "(\\PC{0,20}\\n?){0,6}", prefix in 0..4_usize) {
        let begins = ["", ".prog xdp\n", "0: (95) exit\n1: ", "   0:\t95 00 00 00 00 00 00 00\t"];
        let _ = parse("t", &format!("{}{text}", begins[prefix]));
    }
}
