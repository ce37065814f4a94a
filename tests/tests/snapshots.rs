//! The bytecode of every program in `programs/`, as it is; and how long `drop_icmp` is.
//!
//! A snapshot that changes is looked at, and accepted with `cargo insta accept` or by
//! `INSTA_UPDATE=always`.
#![forbid(unsafe_code)]

use std::fmt::Write;

use ebpf_asm::insn::encode_all;
use ebpf_asm::object::Object;
use ebpf_asm::program::Program;
use ebpf_asm::text::{Options, parse, print_object};
use ebpf_dsl::Unit;
use ebpf_tests::program_files;

/// A program file: its name, and what it declares.
type ProgramFile = (&'static str, fn() -> Unit);

/// All of `programs/`.
const PROGRAMS: [ProgramFile; 3] = [
    ("count_protocols", ebpf_programs::count_protocols::unit),
    ("drop_icmp", ebpf_programs::drop_icmp::unit),
    ("sched_watch", ebpf_programs::sched_watch::unit),
];

/// Text for people, and the bytes that the kernel gets, eight a line.
fn listing(object: &Object) -> String {
    let mut listing = String::new();
    print_object(&mut listing, object, Options::CODE).expect("a string takes any text");
    for program in &object.programs {
        writeln!(listing, "\n; {} in bytes", program.name).expect("a string takes any text");
        hex(&mut listing, program);
    }
    listing
}

fn hex(listing: &mut String, program: &Program) {
    for slot in encode_all(&program.insns).chunks(8) {
        let bytes: Vec<String> = slot.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(listing, "{}", bytes.join(" ")).expect("a string takes any text");
    }
}

#[test]
fn every_program_has_its_bytecode() {
    for (name, unit) in PROGRAMS {
        let object = ebpf_asm::compile(&unit()).expect(name);
        insta::assert_snapshot!(name, listing(&object));
    }
}

#[test]
fn every_program_is_read_as_it_was_printed() {
    for (name, unit) in PROGRAMS {
        let object = ebpf_asm::compile(&unit()).expect(name);
        let bytes = ebpf_asm::object::write(&object).expect(name);
        let complete = ebpf_asm::object::read(&bytes).expect(name);
        for object in [object, complete] {
            let mut text = String::new();
            print_object(&mut text, &object, Options::WHOLE).expect("a string takes any text");
            assert_eq!(parse(name, &text).expect(name), object, "{text}");
        }
    }
}

#[test]
fn every_file_in_programs_is_here() {
    let files = program_files().expect("programs/ is there");
    assert_eq!(files, PROGRAMS.map(|(name, _)| name));
}

#[test]
fn the_same_unit_gives_the_same_bytes() {
    for (name, unit) in PROGRAMS {
        let bytes = || {
            let object = ebpf_asm::compile(&unit()).expect(name);
            ebpf_asm::object::write(&object).expect(name)
        };
        assert_eq!(bytes(), bytes(), "{name}");
    }
}

#[test]
fn drop_icmp_is_at_most_12_instructions() {
    let object = ebpf_asm::compile(&ebpf_programs::drop_icmp::unit()).expect("drop_icmp");
    let slots = object.programs[0].slot_count();
    assert!(slots <= 12, "{slots} instructions:\n{}", listing(&object));
}
