//! What goes wrong, each with its exit code, one clear error, and nothing left behind.

use std::fs;

use super::{Place, ended, verdict_file};

#[test]
fn the_command_line_is_checked() {
    let place = Place::new();
    for args in [
        &[][..],
        &["nonsense"],
        &["build"],
        &["build", "x.rs", "--emit", "pdf"],
        &["check"],
    ] {
        place.run(args).code(2);
    }
    let help = place.run(&["--help"]).code(0);
    assert!(
        help.stdout.contains("\n  3  the verifier rejects"),
        "{help:?}"
    );
}

#[test]
fn missing_files_are_not_found() {
    let place = Place::new();
    place
        .run(&["build", "no.rs"])
        .code(5)
        .says("error: there is no file no.rs");
    for command in ["check", "dis"] {
        place
            .run(&[command, "no.o"])
            .code(5)
            .says("error: there is no object no.o")
            .says("help: build it");
    }
}

#[test]
fn a_file_that_does_not_compile_shows_the_compilers_own_words() {
    let place = Place::new();
    place.write("x.rs", &verdict_file("x.rs", "XDP_NONSENSE"));
    place
        .run(&["build", "x.rs"])
        .code(8)
        .says("error[E0425]: cannot find value `XDP_NONSENSE`")
        .says("--> x.rs:3:")
        .says("error: x.rs does not compile");
    assert!(!place.work().join("target").exists());
    place.write("x.rs", &verdict_file("x.rs", "XDP_PASS"));
    place.run(&["build", "x.rs"]).code(0);
}

#[test]
fn a_file_that_hands_over_no_unit_is_told_so() {
    let place = Place::new();
    place.write("nothing.rs", "fn main() {}\n");
    place
        .run(&["build", "nothing.rs"])
        .code(8)
        .says("hands over nothing");
    place.write("panics.rs", "fn main() { panic!(\"on purpose\") }\n");
    place
        .run(&["build", "panics.rs"])
        .code(8)
        .says("on purpose")
        .says("error: panics.rs fails when it is run");
    place.write(
        "garbage.rs",
        "fn main() {\n    \
            let path = std::env::var(ebpf_dsl::UNIT_PATH).expect(\"a path\");\n    \
            std::fs::write(path, \"no unit\").expect(\"a file\");\n\
         }\n",
    );
    place
        .run(&["build", "garbage.rs"])
        .code(8)
        .says("hands over no unit");
    place.write(
        "empty.rs",
        "use ebpf_dsl::prelude::*;\nfn main() -> ExitCode { emit(unit!(\"empty.rs\")) }\n",
    );
    place
        .run(&["build", "empty.rs"])
        .code(8)
        .says("declares no program");
}

#[test]
fn a_unit_cannot_name_its_object_out_of_its_folder() {
    let place = Place::new();
    let text = verdict_file("x.rs", "XDP_PASS").replace("unit!(\"x.rs\")", "Unit::new(\"../x\")");
    place.write("x.rs", &text);
    place
        .run(&["build", "x.rs"])
        .code(8)
        .says("no file can be called")
        .says("-o OUT");
    place.run(&["build", "x.rs", "-o", "y.o"]).code(0);
}

#[test]
fn objects_that_are_none_are_bad_objects() {
    let place = Place::new();
    place.write("x.rs", &verdict_file("x.rs", "XDP_PASS"));
    place.run(&["build", "x.rs"]).code(0);
    let object = place.read("target/bpf/x.o");
    let mut big_endian = object.clone();
    big_endian[5] = 2;
    let mut x86 = object.clone();
    x86[18] = 62;
    for (name, bytes) in [
        ("empty.o", &[][..]),
        ("text.o", b"not an object"),
        ("truncated.o", &object[..object.len() / 2]),
        ("header.o", &object[..64]),
        ("big_endian.o", &big_endian),
        ("x86.o", &x86),
    ] {
        fs::write(place.work().join(name), bytes).expect("a file");
        for command in ["check", "dis"] {
            place
                .run(&[command, name])
                .code(8)
                .says(&format!("error: {name}"));
        }
    }
    for command in [
        &["check"][..],
        &["check", "--batch"],
        &["dis"],
        &["dis", "--raw"],
        &["cfg"],
        &["btf"],
        &["build"],
        &["diff", "target/bpf/x.o"],
        &["explain", "--log"],
    ] {
        place
            .run(&[command, &["target"]].concat())
            .code(8)
            .says("error: target is a folder, not a file");
    }
}

#[test]
fn without_a_compiler_nothing_is_built() {
    let place = Place::new();
    place.write("x.rs", &verdict_file("x.rs", "XDP_PASS"));
    let mut no_path = place.command(&["build", "x.rs"]);
    ended(no_path.env("PATH", "/nonexistent").env_remove("RUSTC"))
        .code(5)
        .says("there is no Rust compiler")
        .says("rustup");
    let mut named = place.command(&["build", "x.rs"]);
    ended(named.env("RUSTC", "/nonexistent/rustc"))
        .code(5)
        .says("/nonexistent/rustc");
    let mut no_compiler = place.command(&["build", "x.rs"]);
    ended(no_compiler.env("RUSTC", "/bin/false"))
        .code(7)
        .says("fails");
}

#[test]
fn a_full_disk_and_a_folder_in_the_way_are_told() {
    let place = Place::new();
    place.write("x.rs", &verdict_file("x.rs", "XDP_PASS"));
    place
        .run(&["build", "x.rs", "-o", "/dev/full"])
        .code(9)
        .says("No space left")
        .says("help: make room");
    fs::create_dir_all(place.work().join("target/bpf/x.o/y")).expect("a folder");
    place.run(&["build", "x.rs"]).code(9).says("cannot write");
    let left = super::entries(&place.work().join("target/bpf"));
    assert_eq!(left, ["x.o"], "nothing half-written stays");
    fs::write(place.work().join("file"), "").expect("a file");
    place.run(&["build", "x.rs", "-o", "file/x.o"]).code(9);
    place
        .run(&["build", "x.rs", "-o", "missing/x.o"])
        .code(5)
        .says("help: make its folder first");
    assert!(!place.work().join("missing").exists());
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .expect("/dev/full");
    let mut hex = place.command(&["build", "x.rs", "--emit", "hex"]);
    let output = hex.stdout(full).output().expect("it runs");
    assert_eq!(output.status.code(), Some(9));
}

/// Files are known by their names; what is in one with another name says what to do.
#[test]
fn what_is_called_otherwise_than_it_is_gets_advice() {
    let place = Place::new();
    place.write("p.txt", "; text\n.prog xdp p\n    r0 = 2\n    exit\n");
    for command in ["check", "build"] {
        place
            .run(&[command, "p.txt"])
            .code(8)
            .says("known by its name: mv p.txt p.bpf");
    }
    place.write("empty.o", "");
    place
        .run(&["build", "empty.o"])
        .code(8)
        .says("empty.o is empty");
    place.run(&["build", "p.bpf"]).code(5);
    place.write("p.bpf", ".prog xdp p\n    r0 = 2\n    exit\n");
    place.run(&["build", "p.bpf", "-o", "p.o"]).code(0);
    place
        .run(&["build", "p.o"])
        .code(8)
        .says("p.o is an object already")
        .says("ebpfasm check p.o");
}
