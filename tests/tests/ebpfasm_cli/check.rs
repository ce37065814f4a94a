//! `check`, and the verifier's part in `build`.

use std::fs;

use ebpf_asm::{object, text};

use super::{Place, program};

/// An object file with these programs.
fn object(place: &Place, name: &str, source: &str) {
    let object = text::parse("x.bpf", source).expect("it parses");
    let bytes = object::write(&object).expect("it can be written");
    fs::write(place.work().join(name), bytes).expect("a file");
}

const GOOD: &str = ".license GPL\n.prog xdp good\n    r0 = 2\n    exit\n";
const BAD: &str = ".prog xdp bad\n    r0 = r7\n    exit\n";

#[test]
fn each_program_gets_a_line() {
    let place = Place::new();
    object(&place, "good.o", GOOD);
    let ended = place.run(&["check", "good.o"]).code(0);
    assert_eq!(
        ended.stdout,
        "good (xdp): accepted, 2 instructions, 2 followed\n"
    );
    object(&place, "both.o", &format!("{GOOD}{BAD}"));
    let ended = place
        .run(&["check", "both.o"])
        .code(3)
        .says("error: the verifier rejects bad")
        .says("R7 !read_ok");
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert!(lines[0].starts_with("good (xdp): accepted"), "{lines:?}");
    assert!(
        lines[1].starts_with("bad (xdp): rejected, BPF"),
        "{lines:?}"
    );
}

/// What the verifier knows nothing about is not held against a program.
#[test]
fn a_program_of_another_type_is_not_judged() {
    let place = Place::new();
    object(&place, "k.o", ".prog fentry/do_exit k\nr0 = 0\nexit\n");
    let ended = place
        .run(&["check", "k.o"])
        .code(7)
        .says("error: the verifier cannot judge k");
    assert!(
        ended.stdout.starts_with("k (tracing): not judged, BPF"),
        "{}",
        ended.stdout
    );
}

/// `drop_icmp.rs`, whose checks of the packet's length are made to ask for less.
fn too_short() -> String {
    let text = program("drop_icmp.rs").replace(
        "    emit(unit())",
        "    let mut recording = unit().recording().clone();\n    \
         shorten(&mut recording.programs[0].body);\n    \
         emit(Unit::from_recording(recording))",
    );
    text + "use ebpf_dsl::recording::{Block, OpKind};\n\
            fn shorten(block: &mut Block) {\n    \
                for op in block {\n        \
                    match &mut op.kind {\n            \
                        OpKind::InPacket { end, .. } => *end -= 14,\n            \
                        OpKind::If { then, otherwise, .. } => {\n                \
                            shorten(then);\n                \
                            shorten(otherwise);\n            \
                        }\n            \
                        _ => {}\n        \
                    }\n    \
                }\n\
            }\n"
}

#[test]
fn a_rejected_program_is_not_written_unless_that_is_asked_for() {
    let place = Place::new();
    place.write("drop_icmp.rs", &program("drop_icmp.rs"));
    place.run(&["build", "drop_icmp.rs"]).code(0);
    let good = place.read("target/bpf/drop_icmp.o");
    place.write("drop_icmp.rs", &too_short());
    place
        .run(&["build", "drop_icmp.rs"])
        .code(3)
        .says("invalid access to packet")
        .says("--> drop_icmp.rs:")
        .says("error: the verifier rejects xdp_drop_icmp");
    assert_eq!(
        place.read("target/bpf/drop_icmp.o"),
        good,
        "the old object stays"
    );
    let unchecked = place.run(&["build", "drop_icmp.rs", "--no-check"]).code(0);
    assert!(
        unchecked.stdout.ends_with(", not verified\n"),
        "{unchecked:?}"
    );
    assert_ne!(place.read("target/bpf/drop_icmp.o"), good);
    place.run(&["check", "target/bpf/drop_icmp.o"]).code(3);
}
