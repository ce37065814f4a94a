//! What a file may have several of under one name: functions that programs are and call, symbols
//! of what the kernel defines, sections of code and of variables; and what it may not: maps.
//! Sections of variables whose names say where these are.

use ebpf_asm::btf::Linkage;
use ebpf_asm::lines::Lines;
use ebpf_asm::map_type::MapType;
use ebpf_asm::object::{
    Data, DataKind, Extern, ExternKind, Map, MapValue, Object, Strength, read, write,
};
use ebpf_asm::program::Reference;
use ebpf_asm::text::parse;

fn parsed(text: &str) -> Object {
    parse("names", text).unwrap()
}

/// Without the lines of the text, by which equal functions would differ.
fn without_lines(text: &str) -> Object {
    let mut object = parsed(text);
    for program in &mut object.programs {
        program.lines = Lines::default();
    }
    object
}

/// As clang compiles functions without a section.
const FUNCTIONS_ALONE: &str = "
.prog .text caller type=unspec
    call called
    r0 += 1
    exit
.func called global
    r0 = r1
    exit
.prog .text called type=unspec
    r0 = r1
    exit
";

#[test]
fn a_program_that_others_call_is_written_once() {
    let object = without_lines(FUNCTIONS_ALONE);
    let again = read(&write(&object).unwrap()).unwrap();
    let mut names: Vec<&str> = again.programs.iter().map(|p| p.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["called", "caller"]);
    let caller = again.program("caller").unwrap();
    assert_eq!(caller.functions[1].name, "called");
    assert_eq!(caller.insns, object.program("caller").unwrap().insns);
}

#[test]
fn what_would_be_read_as_other_programs_is_not_written() {
    let error = |text: &str| write(&without_lines(text)).unwrap_err().to_string();
    let what = "program 'caller': it has the global function 'called', which is no such program";
    assert_eq!(
        error(&FUNCTIONS_ALONE.replacen("r0 = r1", "r0 = r2", 1)),
        what
    );
    let mixed = format!("{FUNCTIONS_ALONE}.prog xdp first\n    exit\n");
    let what = "program 'caller': it is in section '.text', which has programs where no other \
                section has one";
    assert_eq!(error(&mixed), what);
}

#[test]
fn functions_of_one_name_that_not_all_see_are_different() {
    // The kernel checks a global function on its own, a static one where it is called.
    let object = parsed(
        "
.prog xdp first
    call called
    exit
.func called global
    r0 = r1
    exit
.prog xdp second
    call called
    exit
.func called
    r0 = r1
    exit
",
    );
    let again = read(&write(&object).unwrap()).unwrap();
    let called = |at: usize| &again.programs[at].functions[1];
    assert_eq!(
        (&*called(0).name, called(0).linkage),
        ("called", Linkage::Global)
    );
    assert_eq!(
        (&*called(1).name, called(1).linkage),
        ("called", Linkage::Static)
    );
}

#[test]
fn symbols_of_one_name_are_one_extern() {
    let object = parsed(
        "
.extern func some_kfunc
.prog xdp first
    call some_kfunc
    exit
",
    );
    let of = |kind, strength| Extern {
        kind,
        strength,
        ..object.externs[0].clone()
    };
    let twice = Object {
        externs: vec![
            of(ExternKind::Function, Strength::Weak),
            of(ExternKind::Function, Strength::Strong),
        ],
        ..object.clone()
    };
    let again = read(&write(&twice).unwrap()).unwrap();
    assert_eq!(again.externs.len(), 1);
    assert_eq!(again.externs[0].strength, Strength::Strong);
    assert_eq!(again.externs[0].kind, ExternKind::Function);
    assert_eq!(again.programs[0].references, object.programs[0].references);
}

#[test]
fn programs_of_one_section_stand_together() {
    let text = "
.prog xdp first
    exit
.prog tc second
    r0 = 2
    exit
.prog xdp_ third type=xdp
    r0 = 3
    r0 += 3
    exit
";
    let bytes = write(&without_lines(text)).unwrap();
    let name = |bytes: &[u8], name: &[u8]| bytes.windows(name.len()).position(|w| w == name);
    // The third section gets the name of the first.
    let mut bytes = bytes;
    let at = name(&bytes, b"xdp_\0").unwrap();
    bytes[at + 3] = 0;
    let object = read(&bytes).unwrap();
    let names: Vec<&str> = object.programs.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["first", "third", "second"]);
    assert_eq!(read(&write(&object).unwrap()).unwrap(), object);
}

#[test]
fn code_is_in_a_section_with_a_name() {
    let mut object = without_lines(".prog xdp first\n    exit\n");
    object.programs[0].section = String::new();
    let error = write(&object).unwrap_err().to_string();
    assert_eq!(error, "program 'first': it is in a section without a name");
}

#[test]
fn maps_that_would_not_be_read_are_not_written() {
    let error = |maps: &[Map]| {
        let object = Object {
            maps: maps.to_vec(),
            ..parsed(".prog xdp first\n    exit\n")
        };
        write(&object).unwrap_err().to_string()
    };
    let map = |map_type| Map::new("m", map_type);
    let hash = map(MapType::Hash);
    assert_eq!(
        error(&[hash.clone(), hash.clone()]),
        "map 'm': another map has its name"
    );
    let holding = |map: &Map, value| Map {
        values: vec![(0, value)],
        ..map.clone()
    };
    assert_eq!(
        error(&[holding(&hash, MapValue::Program("first".into()))]),
        "map 'm': its type holds no such thing from the start"
    );
    assert_eq!(
        error(&[holding(&map(MapType::HashOfMaps), MapValue::Map(0))]),
        "map 'm': it holds a map, and does not say what maps in it are like"
    );
    let of_hashes = |map: &Map| Map {
        inner: Some(Box::new(hash.clone())),
        ..map.clone()
    };
    assert_eq!(
        error(&[of_hashes(&hash)]),
        "map 'm': it says what maps in it are like, and its type holds none"
    );
    let twice = Map {
        inner: Some(Box::new(of_hashes(&hash))),
        ..map(MapType::ArrayOfMaps)
    };
    assert_eq!(
        error(&[twice]),
        "map 'm': a map in a map of maps holds no maps itself"
    );
}

/// An object with sections of 4 bytes of constants.
fn with_sections(names: &[&str]) -> Object {
    let data = Data {
        kind: DataKind::Rodata,
        bytes: vec![1; 4],
        variables: Vec::new(),
        addresses: Vec::new(),
    };
    let maps = names.iter().map(|name| Map::of_data(*name, data.clone()));
    Object {
        maps: maps.collect(),
        ..parsed(".prog xdp first\n    r0 = 2\n    exit\n")
    }
}

/// The bytes of an object, with another name of the same length for a section.
fn renamed(object: &Object, from: &str, to: &str) -> Vec<u8> {
    let mut bytes = write(object).unwrap();
    let (from, to) = (from.as_bytes(), to.as_bytes());
    let at = bytes.windows(from.len()).position(|w| w == from).unwrap();
    bytes[at..at + to.len()].copy_from_slice(to);
    bytes
}

#[test]
fn sections_of_variables_of_one_name_are_put_together() {
    let text = "
.data .data.a size=5
.var first u32 1
.data .data.b size=8
.var second u32 2
.var third u32 3
.prog xdp both
    r1 = first ll
    r2 = third ll
    r0 = 2
    exit
";
    let object = without_lines(text);
    let error = |second: &str| {
        let mut object = object.clone();
        object.maps[1].name = second.to_owned();
        write(&object).unwrap_err().to_string()
    };
    let what = "global variables '.data.a': there is another section of this name";
    assert_eq!(error(".data.a"), what);
    let object = read(&renamed(&object, ".data.b", ".data.a")).unwrap();
    let [map] = &object.maps[..] else {
        panic!("{:?}", object.maps);
    };
    let data = map.data.as_ref().unwrap();
    assert_eq!(data.bytes, [1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0]);
    let places = data.variables.iter().map(|v| (v.name.as_str(), v.offset));
    let places: Vec<_> = places.collect();
    assert_eq!(places, [("first", 0), ("second", 8), ("third", 12)]);
    let value = |offset| Reference::MapValue { map: 0, offset };
    assert_eq!(
        object.programs[0].references,
        [(0, value(0)), (2, value(12))]
    );
    assert_eq!(read(&write(&object).unwrap()).unwrap(), object);
}

const IN_ARENA: &str = "
.map memory arena max_entries=1 map_flags=mmapable
.data .addr_space.1
.var seven u32 7
.prog syscall first
    r1 = seven ll
    r1 = memory ll
    r0 = 0
    exit
";

#[test]
fn variables_in_an_arena_are_its_own() {
    let object = without_lines(IN_ARENA);
    assert_eq!(object.maps.len(), 1);
    let again = read(&write(&object).unwrap()).unwrap();
    assert_eq!(again.programs[0].references, object.programs[0].references);
    let data = |object: &Object| object.maps[0].data.clone().unwrap();
    assert_eq!(data(&again).bytes, data(&object).bytes);
    assert_eq!(data(&again).variables[0].name, "seven");
    assert_eq!(read(&write(&again).unwrap()).unwrap(), again);
}

#[test]
fn variables_in_an_arena_are_in_just_one_with_room() {
    let object = without_lines(IN_ARENA);
    let mut two = object.clone();
    two.maps.push(Map {
        data: None,
        name: "other".into(),
        ..object.maps[0].clone()
    });
    let error = read(&write(&two).unwrap()).unwrap_err().to_string();
    let what = "section '.addr_space.1', byte 0: its variables are in an arena, and the object \
                does not have just one";
    assert_eq!(error, what);
    let error = read(&renamed(
        &with_sections(&[".rodata.abcde"]),
        ".rodata.abcde",
        ".addr_space.1",
    ));
    assert_eq!(error.unwrap_err().to_string(), what);
    let mut full = object.clone();
    full.maps[0].max_entries = 0;
    let error = write(&full).unwrap_err().to_string();
    let what = "global variables 'memory': the arena has fewer pages than they need";
    assert_eq!(error, what);
}
