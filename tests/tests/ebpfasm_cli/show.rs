//! `dis` and `cfg`: what they show of objects, and of what is none.

use std::fs;
use std::io::{Read, Write};
use std::process::Stdio;

use ebpf_asm::insn::encode_all;
use ebpf_asm::object::MapValue;
use ebpf_asm::program::Reference;
use ebpf_asm::text::parse;
use ebpf_asm::{object, text};
use serde_json::Value;

use super::{Place, ended, program};

/// A program of which everything is to be shown: a map, a loop, a function.
const TEXT: &str = "\
.license GPL
.map seen array key_size=4 value_size=8 max_entries=1
.prog xdp first
    r6 = 10
L1:
    r6 += -1
    r1 = seen ll
    if r6 != 0 goto L1
    call twice
    exit
.func twice
    r0 = 2
    exit
.prog tc second
    r0 = 0
    exit
";

fn written(place: &Place, name: &str, source: &str) -> Vec<u8> {
    let object = text::parse("x.bpf", source).expect("it parses");
    let bytes = object::write(&object).expect("it can be written");
    fs::write(place.work().join(name), &bytes).expect("a file");
    bytes
}

#[test]
fn whatever_is_added_is_a_comment() {
    let place = Place::new();
    written(&place, "x.o", TEXT);
    let plain = place.run(&["dis", "x.o"]).code(0).stdout;
    let parsed = text::parse("a", &plain).expect("it parses");
    for options in [&["--bytes"][..], &["--source"], &["--bytes", "--source"]] {
        let args = [&["dis", "x.o"], options].concat();
        let shown = place.run(&args).code(0).stdout;
        assert_ne!(shown, plain, "{options:?}");
        let again = text::parse("a", &shown).expect("it parses");
        for (again, parsed) in again.programs.iter().zip(&parsed.programs) {
            assert_eq!(again.insns, parsed.insns, "{options:?}");
            assert_eq!(again.references, parsed.references, "{options:?}");
        }
        let code = |text: &str| -> Vec<String> {
            let lines = text
                .lines()
                .map(|line| line.split(';').next().unwrap_or(""));
            let lines = lines.map(|line| line.trim_end().to_owned());
            lines.filter(|line| !line.is_empty()).collect()
        };
        assert_eq!(code(&shown), code(&plain), "{options:?}");
    }
}

#[test]
fn the_whole_of_an_object_is_built_again() {
    let place = Place::new();
    let bytes = written(&place, "x.o", TEXT);
    let whole = place.run(&["dis", "--whole", "x.o"]).code(0).stdout;
    for line in [
        ".btf",
        "[1] INT 'int' ",
        ".line \"x.bpf\" 4 5 \"    r6 = 10\"",
    ] {
        assert!(whole.contains(line), "no {line} in:\n{whole}");
    }
    assert!(!whole.contains("left out"), "{whole}");
    let plain = place.run(&["dis", "x.o"]).code(0).stdout;
    let hint = "; left out: types, which --whole prints\n";
    assert!(plain.ends_with(hint), "{plain}");
    let args = ["dis", "--whole", "--bytes", "--source", "x.o"];
    let shown = place.run(&args).code(0).stdout;
    for text in [whole, shown] {
        place.write("whole.bpf", &text);
        place.run(&["build", "whole.bpf", "-o", "again.o"]).code(0);
        let again = fs::read(place.work().join("again.o")).expect("a file");
        let [first, again] = [&bytes, &again].map(|bytes| object::read(bytes).expect("an object"));
        assert_eq!(again, first, "{text}");
    }
}

#[test]
fn bytes_and_source_lines_stand_beside_and_between() {
    let place = Place::new();
    place.write("drop_icmp.rs", &program("drop_icmp.rs"));
    place.run(&["build", "drop_icmp.rs"]).code(0);
    let args = ["dis", "target/bpf/drop_icmp.o", "--bytes", "--source"];
    let shown = place.run(&args).code(0).stdout;
    let lines: Vec<&str> = shown.lines().collect();
    assert!(lines[2].starts_with("    ; drop_icmp.rs:"), "{shown}");
    let r0 = "    r0 = 2                                     ; 0: b7 00 00 00 02 00 00 00";
    assert_eq!(lines[3], r0);
    // Once a change of line, not once an instruction.
    assert!(!lines[4].trim_start().starts_with(';'), "{shown}");
}

#[test]
fn one_program_alone_and_one_that_is_not_there() {
    let place = Place::new();
    written(&place, "x.o", TEXT);
    for command in ["dis", "cfg"] {
        let one = place.run(&[command, "x.o", "--prog", "second"]).code(0);
        assert!(one.stdout.contains("second") && !one.stdout.contains("first"));
        place
            .run(&[command, "x.o", "--prog", "third"])
            .code(5)
            .says("error: x.o has no program 'third'")
            .says("help: it has first, second");
    }
}

/// A program is shown with the programs that its maps of programs hold, and reads again.
#[test]
fn one_program_with_what_its_maps_hold() {
    let place = Place::new();
    let text = "\
.license GPL
.map unused array key_size=4 value_size=4 max_entries=1
.map inner_one array key_size=4 value_size=4 max_entries=1
.map outer array_of_maps key_size=4 value_size=4 max_entries=1
.inner array key_size=4 value_size=4 max_entries=1
.value 0 inner_one
.map tails prog_array key_size=4 value_size=4 max_entries=3
.value 0 next
.extern var unused_here
.prog xdp alone
    r0 = 1
    exit
.prog xdp main
    r2 = tails ll
    r3 = 0
    call bpf_tail_call
    r0 = 2
    exit
.prog xdp next
    r1 = outer ll
    r0 = 2
    exit
";
    written(&place, "x.o", text);
    let shown = place.run(&["dis", "x.o", "--prog", "main"]).code(0).stdout;
    let absent = ["alone", "unused"];
    assert!(!absent.iter().any(|name| shown.contains(name)), "{shown}");
    let again = parse("again", &shown).unwrap_or_else(|error| panic!("{error}\n{shown}"));
    let programs: Vec<&str> = again.programs.iter().map(|p| &*p.name).collect();
    let maps: Vec<&str> = again.maps.iter().map(|map| &*map.name).collect();
    assert_eq!(programs, ["main", "next"]);
    assert_eq!(maps, ["inner_one", "outer", "tails"]);
    assert_eq!(again.maps[1].values, [(0, MapValue::Map(0))]);
    assert_eq!(again.programs[1].references, [(0, Reference::Map(1))]);
    let alone = place.run(&["dis", "x.o", "--prog", "alone"]).code(0).stdout;
    assert!(!alone.contains("tails"), "{alone}");
}

#[test]
fn standard_input_is_an_object_or_bare_instructions() {
    let place = Place::new();
    let bytes = written(&place, "x.o", TEXT);
    let feed = |args: &[&str], bytes: &[u8]| {
        fs::write(place.work().join("input"), bytes).expect("a file");
        let input = fs::File::open(place.work().join("input")).expect("a file");
        ended(place.command(args).stdin(input))
    };
    let from_file = place.run(&["dis", "x.o"]).code(0).stdout;
    assert_eq!(feed(&["dis", "-"], &bytes).code(0).stdout, from_file);
    feed(&["cfg", "-"], &bytes).code(0);
    let object = text::parse("x.bpf", TEXT).expect("it parses");
    let raw = encode_all(&object.programs[1].insns);
    let shown = feed(&["dis", "-", "--raw"], &raw).code(0).stdout;
    assert!(
        shown.ends_with(".prog socket raw\n    r0 = 0\n    exit\n"),
        "{shown}"
    );
    feed(&["dis", "-"], b"")
        .code(8)
        .says("error: standard input is empty");
    feed(&["dis", "--raw", "-"], &raw[..12])
        .code(8)
        .says("error: standard input: slot 1: ");
}

#[test]
fn json_is_the_object() {
    let place = Place::new();
    written(&place, "x.o", TEXT);
    let shown = place
        .run(&["dis", "x.o", "--json", "--prog", "first"])
        .code(0);
    let json: Value = serde_json::from_str(&shown.stdout).expect("JSON");
    assert_eq!(json["schema"], "ebpfasm.object.v1");
    assert_eq!(json["programs"].as_array().map(Vec::len), Some(1));
    assert_eq!(json["programs"][0]["insns"][2]["map"], "seen");
}

/// `ebpfasm cfg` of the program that this project shows first.
#[test]
fn the_blocks_of_drop_icmp() {
    let place = Place::new();
    place.write("drop_icmp.rs", &program("drop_icmp.rs"));
    place.run(&["build", "drop_icmp.rs"]).code(0);
    let shown = place.run(&["cfg", "target/bpf/drop_icmp.o"]).code(0).stdout;
    assert!(shown.lines().all(|line| line.len() <= 100), "{shown}");
    // Lines of source move with every change of the file's head.
    let code: Vec<&str> = shown.lines().filter(|line| !line.contains("; ")).collect();
    let expected = "\
xdp xdp_drop_icmp: 11 instructions in 5 blocks

b0: xdp_drop_icmp
       0  r0 = 2
       1  r2 = *(u32 *)(r1 + 0)
       2  r1 = *(u32 *)(r1 + 4)
       3  r2 += 34
       4  if r2 > r1 goto L10
    taken -> b4
    fall -> b1

b1: <- b0
       5  r1 = *(u16 *)(r2 - 22)
       6  if r1 != 8 goto L10
    taken -> b4
    fall -> b2

b2: <- b1
       7  r1 = *(u8 *)(r2 - 11)
       8  if r1 != 1 goto L10
    taken -> b4
    fall -> b3

b3: <- b2
       9  r0 = 1
    fall -> b4

b4: <- b0, b1, b2, b3
      10  exit";
    assert_eq!(code.join("\n"), expected);
}

/// What stands in quotes in a file for graphviz ends where it should.
#[test]
fn dot_is_balanced_whatever_names_hold() {
    let place = Place::new();
    written(&place, "x.o", TEXT);
    let dot = place.run(&["cfg", "x.o", "--format", "dot"]).code(0).stdout;
    let (mut depth, mut in_quotes, mut escaped) = (0, false, false);
    for c in dot.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if in_quotes => escaped = true,
            '"' => in_quotes = !in_quotes,
            '{' if !in_quotes => depth += 1,
            '}' if !in_quotes => depth -= 1,
            '\n' => assert!(!in_quotes, "a string goes on behind its line: {dot}"),
            _ => {}
        }
        assert!(depth >= 0, "{dot}");
    }
    assert_eq!((depth, in_quotes), (0, false), "{dot}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let place = Place::new();
    let long: String = (0..20_000).map(|n| format!("r1 = {n}\n")).collect();
    written(&place, "x.o", &format!(".prog xdp p\n{long}r0 = 2\nexit\n"));
    for command in ["dis", "cfg"] {
        let mut child = place
            .command(&[command, "x.o"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut some = [0; 10];
        let mut output = child.stdout.take().expect("a pipe");
        output.read_exact(&mut some).expect("ten bytes");
        drop(output);
        let rest = child.wait_with_output().expect("it ends");
        assert_eq!(String::from_utf8_lossy(&rest.stderr), "", "{command}");
        assert_eq!(rest.status.code(), Some(0), "{command}");
    }
}

/// Objects with some bytes changed end in any way but by a fault of ours.
#[test]
fn no_object_makes_them_fail_by_a_fault_of_their_own() {
    let place = Place::new();
    let bytes = written(&place, "x.o", TEXT);
    let mut state = 1u64;
    let mut random = |end: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % end
    };
    for round in 0..60 {
        let mut changed = bytes.clone();
        for _ in 0..=random(8) {
            let at = random(changed.len());
            changed[at] = random(256) as u8;
        }
        let name = place.work().join("changed.o");
        let mut file = fs::File::create(name).expect("a file");
        file.write_all(&changed).expect("it is written");
        for args in [
            &["dis", "changed.o", "--bytes", "--source"][..],
            &["dis", "changed.o", "--json"],
            &["cfg", "changed.o"],
            &["cfg", "changed.o", "--format", "dot"],
            &["diff", "x.o", "changed.o"],
        ] {
            let ended = place.run(args);
            let differs = args[0] == "diff" && ended.code == Some(1) && ended.stderr.is_empty();
            assert!(
                differs || matches!(ended.code, Some(0 | 7 | 8)),
                "round {round}, {args:?}: {ended:?}"
            );
        }
    }
}
