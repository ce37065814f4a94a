//! `diff`: what differs between objects, and how it ends.

use std::fs;

use ebpf_asm::{object, text};
use serde_json::Value;

use super::{Place, program};

fn written(place: &Place, name: &str, source: &str) {
    let object = text::parse("x.bpf", source).expect("it parses");
    let bytes = object::write(&object).expect("it can be written");
    fs::write(place.work().join(name), bytes).expect("a file");
}

const OLD: &str = "\
.license GPL
.map seen array key_size=4 value_size=8 max_entries=1
.prog xdp p
    r1 = seen ll
    r0 = 2
    exit
.prog tc q
    r0 = 0
    exit
";

#[test]
fn it_ends_with_0_if_nothing_differs_and_with_1_if_something_does() {
    let place = Place::new();
    written(&place, "a.o", OLD);
    written(&place, "b.o", &OLD.replace("r0 = 2", "r0 = 1"));
    let same = place.run(&["diff", "a.o", "a.o"]).code(0);
    assert_eq!((same.stdout.as_str(), same.stderr.as_str()), ("", ""));
    let other = place.run(&["diff", "a.o", "b.o"]).code(1);
    assert_eq!(other.stderr, "");
    let lines: Vec<&str> = other.stdout.lines().collect();
    assert_eq!(lines[..2], ["--- a.o", "+++ b.o"]);
    for line in [
        "@@ p: slots 0..3 and slots 0..3 @@",
        "-    r0 = 2",
        "+    r0 = 1",
    ] {
        assert!(lines.contains(&line), "no '{line}' in\n{}", other.stdout);
    }
    place.run(&["diff", "a.o", "b.o", "--prog", "q"]).code(0);
    place.run(&["diff", "a.o", "b.o", "--prog", "p"]).code(1);
}

/// What structs of functions hold, and whose addresses data should hold, are definitions too.
#[test]
fn structs_and_addresses_are_compared() {
    let place = Place::new();
    let text = "\
.map ops struct_ops key_size=4 value_size=64 max_entries=1
.value 8 p
.bytes 16 \"a name of more bytes than are shown elsewhere\"
.data .data size=16
.address 8 map ops
.prog xdp p
    r0 = 2
    exit
";
    let write = |name: &str, text: &str| {
        fs::write(place.work().join(name), text).expect("a file");
    };
    write("a.bpf", text);
    for (from, to, says) in [
        ("elsewhere", "anywhere!", "+map ops"),
        (".value 8", ".value 0", "+map ops"),
        ("8 map ops", "8 data .data 4", "of byte 4 of .data"),
        ("8 map ops", "0 map ops", "+address at byte 0 of .data"),
    ] {
        write("b.bpf", &text.replace(from, to));
        let other = place.run(&["diff", "a.bpf", "b.bpf"]).code(1).stdout;
        assert!(other.contains(says), "no '{says}' in\n{other}");
    }
    place.run(&["diff", "a.bpf", "a.bpf"]).code(0);
}

#[test]
fn errors_have_their_own_codes() {
    let place = Place::new();
    written(&place, "a.o", OLD);
    place.run(&["diff", "a.o"]).code(2);
    place
        .run(&["diff", "a.o", "b.o"])
        .code(5)
        .says("error: there is no object b.o");
    fs::write(place.work().join("text.o"), "text").expect("a file");
    place
        .run(&["diff", "text.o", "a.o"])
        .code(8)
        .says("error: text.o");
    place
        .run(&["diff", "a.o", "a.o", "--prog", "r"])
        .code(5)
        .says("has no program 'r'");
    let help = place.run(&["diff", "--help"]).code(0).stdout;
    assert!(
        help.contains("Ends with 0 if nothing differs, with 1"),
        "{help}"
    );
}

/// Lines that moved are no difference, and what differs is shown with its line.
#[test]
fn a_rust_program_that_was_changed() {
    let place = Place::new();
    let source = program("drop_icmp.rs");
    place.write("drop_icmp.rs", &source);
    place.run(&["build", "drop_icmp.rs", "-o", "a.o"]).code(0);
    place.write("drop_icmp.rs", &format!("// A line more.\n{source}"));
    place
        .run(&["build", "drop_icmp.rs", "-o", "moved.o"])
        .code(0);
    place.run(&["diff", "a.o", "moved.o"]).code(0);
    let udp = source.replace(".eq(IPPROTO_ICMP)", ".eq(IPPROTO_UDP)");
    place.write("drop_icmp.rs", &udp);
    place.run(&["build", "drop_icmp.rs", "-o", "udp.o"]).code(0);
    let shown = place.run(&["diff", "a.o", "udp.o"]).code(1).stdout;
    assert!(shown.contains("\n-    if r1 != 1 goto L10\n"), "{shown}");
    assert!(shown.contains("\n+    if r1 != 17 goto L10\n"), "{shown}");
    assert!(shown.contains("IPPROTO_UDP"), "{shown}");
}

#[test]
fn json_says_the_same() {
    let place = Place::new();
    written(&place, "a.o", OLD);
    written(
        &place,
        "b.o",
        &OLD.replace("max_entries=1", "max_entries=2"),
    );
    let shown = place.run(&["diff", "a.o", "b.o", "--json"]).code(1).stdout;
    let json: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(json["schema"], "ebpfasm.diff.v1");
    assert_eq!(json["differs"], true);
    assert_eq!(json["definitions"][0]["name"], "map seen");
    assert_eq!(json["functions"].as_array().map(Vec::len), Some(0));
    let same = place.run(&["diff", "a.o", "a.o", "--json"]).code(0).stdout;
    let json: Value = serde_json::from_str(&same).expect("JSON");
    assert_eq!(json["differs"], false);
}
