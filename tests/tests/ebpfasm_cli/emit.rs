//! The forms of `build --emit` and `dis`.

use ebpf_asm::insn::encode_all;
use ebpf_asm::object::Object;
use ebpf_asm::text;
use serde_json::Value;

use super::{Place, program};

fn built() -> Place {
    let place = Place::new();
    place.write("count_protocols.rs", &program("count_protocols.rs"));
    place.run(&["build", "count_protocols.rs"]).code(0);
    place
}

fn in_process() -> Object {
    ebpf_asm::compile(&ebpf_programs::count_protocols::unit()).expect("it compiles")
}

/// What `--emit` prints.
fn emitted(form: &str) -> String {
    let ended = built()
        .run(&["build", "count_protocols.rs", "--emit", form])
        .code(0);
    assert_eq!(ended.stderr, "");
    ended.stdout
}

#[test]
fn hex_is_eight_bytes_a_line() {
    let text = emitted("hex");
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("; xdp xdp_count_protocols"));
    let bytes = lines.flat_map(|line| line.split(' ').map(|b| u8::from_str_radix(b, 16)));
    let bytes: Result<Vec<u8>, _> = bytes.collect();
    assert_eq!(bytes, Ok(encode_all(&in_process().programs[0].insns)));
}

#[test]
fn text_is_parsed_back_to_the_same_instructions_and_maps() {
    let text = emitted("asm");
    let parsed = text::parse("x.bpf", &text).expect("it parses");
    let object = in_process();
    assert_eq!(parsed.license, object.license);
    assert_eq!(parsed.programs[0].insns, object.programs[0].insns);
    let names = |object: &Object| -> Vec<String> {
        object.maps.iter().map(|map| map.name.clone()).collect()
    };
    assert_eq!(names(&parsed), names(&object));
}

#[test]
fn dis_shows_the_object_as_emit_asm_does() {
    let place = built();
    let dis = place.run(&["dis", "target/bpf/count_protocols.o"]).code(0);
    let left_out = "; left out: types, which --whole prints\n";
    assert_eq!(dis.stdout, emitted("asm") + left_out);
}

#[test]
fn json_names_its_schema_and_has_numbers_as_numbers() {
    let json: Value = serde_json::from_str(&emitted("json")).expect("JSON");
    assert_eq!(json["schema"], "ebpfasm.object.v1");
    assert_eq!(json["maps"][0]["name"], "protocols");
    assert_eq!(json["maps"][0]["map_type"], "percpu_array");
    assert_eq!(json["maps"][0]["max_entries"], 256);
    let program = &json["programs"][0];
    assert_eq!(program["prog_type"], "xdp");
    assert_eq!(program["expected_attach_type"], "xdp");
    let insns = program["insns"].as_array().expect("a list");
    assert_eq!(insns.len(), in_process().programs[0].insns.len());
    assert!(insns.iter().all(|insn| insn["slot"].is_u64()));
    let sources = insns.iter().map(|insn| &insn["source"]);
    assert!(
        sources
            .clone()
            .all(|s| s["file"] == "count_protocols.rs" && s["line"].is_u64())
    );
    assert!(insns.iter().any(|insn| insn["map"] == "verdicts"));
}

#[test]
fn every_form_goes_where_it_is_told() {
    let place = built();
    let file = "count_protocols.rs";
    std::fs::create_dir(place.work().join("deep")).expect("a folder");
    for form in ["elf", "hex", "asm", "json"] {
        let told = place
            .run(&["build", file, "--emit", form, "-o", "deep/out"])
            .code(0);
        assert!(
            told.stdout.starts_with("deep/out: xdp_count_protocols"),
            "{told:?}"
        );
        let piped = place
            .command(&["build", file, "--emit", form, "-o", "-"])
            .output();
        assert_eq!(
            piped.expect("it runs").stdout,
            place.read("deep/out"),
            "{form}"
        );
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let place = built();
    let object = "target/bpf/count_protocols.o";
    for args in [&["dis", object][..], &["check", object], &["--help"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = place
            .command(args)
            .stdout(writer)
            .output()
            .expect("it runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*stderr), (Some(0), ""), "{args:?}");
    }
}
