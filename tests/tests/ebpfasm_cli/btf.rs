//! `ebpfasm btf`: types as C, as raw lines and as JSON, and what it refuses.

use std::fs;
use std::process::Stdio;

use ebpf_asm::btf::{Bitfields, Btf, IntEncoding, Kind, Member};

use crate::Place;

/// `typedef int number; struct pair { int a; number b : 3; };`, and so many types beside.
fn sample(others: usize) -> Btf {
    let mut btf = Btf::new();
    let int = btf.add(
        "int",
        Kind::Int {
            size: 4,
            encoding: IntEncoding::SIGNED,
            offset: 0,
            bits: 32,
        },
    );
    let number = btf.add("number", Kind::Typedef(int));
    let [a, b] = ["a", "b"].map(|name| btf.intern(name));
    let member = |name, ty, offset| Member { name, ty, offset };
    let members = vec![member(a, int, 0), member(b, number, 3 << 24 | 32)];
    let bitfields = Bitfields::Yes;
    let pair = Kind::Struct {
        size: 8,
        members,
        bitfields,
    };
    btf.add("pair", pair);
    for other in 0..others {
        btf.add(&format!("other_{other}"), Kind::Typedef(int));
    }
    btf
}

fn place(btf: &[u8]) -> Place {
    let place = Place::new();
    fs::write(place.work().join("types"), btf).expect("a file");
    place
}

#[test]
fn types_are_shown_as_c_with_what_they_need() {
    let place = place(&sample(1).to_bytes());
    let pair = "typedef int number;\n\nstruct pair {\n\tint a;\n\tnumber b: 3;\n};\n\n";
    for chosen in ["pair", "3"] {
        let ended = place.run(&["btf", "types", "--type", chosen]).code(0);
        assert_eq!(ended.stdout, pair);
    }
    let whole = place.run(&["btf", "types"]).code(0).stdout;
    assert!(whole.contains(pair), "{whole}");
    assert!(whole.contains("typedef int other_0;"), "{whole}");
}

#[test]
fn types_are_shown_as_lines_and_as_json() {
    let place = place(&sample(0).to_bytes());
    let raw = place.run(&["btf", "types", "--format", "raw"]).code(0);
    assert_eq!(
        raw.stdout,
        "[1] INT 'int' size=4 bits_offset=0 nr_bits=32 encoding=SIGNED\n\
         [2] TYPEDEF 'number' type_id=1\n\
         [3] STRUCT 'pair' size=8 vlen=2\n\
         \t'a' type_id=1 bits_offset=0\n\
         \t'b' type_id=2 bits_offset=32 bitfield_size=3\n"
    );
    let json = place.run(&["btf", "types", "--format", "json"]).code(0);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(json["schema"], "ebpfasm.btf.v1");
    assert_eq!(json["types"][2]["name"], "pair");
    assert_eq!(json["types"][2]["members"][1]["bitfield_size"], 3);
}

#[test]
fn types_that_go_on_from_others_are_shown_with_their_base() {
    let base = std::sync::Arc::new(sample(0));
    let mut btf = Btf::split(base.clone());
    let pair = base.find("pair", |_| true).expect("pair");
    btf.add("twice", Kind::Typedef(pair));
    let place = place(&btf.to_bytes());
    fs::write(place.work().join("base"), base.to_bytes()).expect("a file");
    let args = ["btf", "types", "--base", "base", "--format", "raw"];
    assert_eq!(
        place.run(&args).code(0).stdout,
        "[4] TYPEDEF 'twice' type_id=3\n"
    );
    place.run(&["btf", "types"]).code(8);
}

#[test]
fn what_is_not_there_and_what_is_broken_is_said() {
    let place = place(&sample(0).to_bytes());
    let ended = place.run(&["btf", "types", "--type", "none_such"]).code(5);
    assert!(
        ended.stderr.contains("types has no type 'none_such'"),
        "{}",
        ended.stderr
    );

    let mut bytes = sample(0).to_bytes();
    // The typedef's type.
    bytes[24 + 16 + 8] = 9;
    fs::write(place.work().join("broken"), bytes).expect("a file");
    let ended = place.run(&["btf", "broken"]).code(8);
    let wanted = "type 2 (TYPEDEF) at byte 40: its type is 0x9, and a type up to 0x3 is wanted";
    assert!(ended.stderr.contains(wanted), "{}", ended.stderr);

    fs::write(place.work().join("text"), "no BTF").expect("a file");
    let ended = place.run(&["btf", "text"]).code(8);
    let wanted = "neither BTF nor an ELF file: it begins with \"no B\"";
    assert!(ended.stderr.contains(wanted), "{}", ended.stderr);
}

/// A reader that goes away, as `head` does, ends it quietly.
#[test]
fn a_reader_that_goes_away_is_no_error() {
    let place = place(&sample(20_000).to_bytes());
    for format in ["c", "raw", "json"] {
        let mut command = place.command(&["btf", "types", "--format", format]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(0), "{format}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{format}");
    }
}
