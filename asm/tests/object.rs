//! Objects through ELF and back, and what is no object.

use ebpf_asm::assembler::Assembler;
use ebpf_asm::btf::build::{complete, int, scalar};
use ebpf_asm::btf::{Btf, IntEncoding};
use ebpf_asm::helper;
use ebpf_asm::insn::Reg::*;
use ebpf_asm::isa::Size::*;
use ebpf_asm::map_type::MapType;
use ebpf_asm::object::{Map, Object, read, write};
use ebpf_asm::program::{Program, Reference};
use ebpf_asm::span::Sources;
use ebpf_asm::text::parse;
use proptest::prelude::*;

fn counting(name: &str) -> Program {
    let mut sources = Sources::new();
    sources.add(file!(), include_str!("object.rs"));
    let mut a = Assembler::new(name);
    a.sources(sources);
    let out = a.label();
    a.st(W, R10, -4, 0);
    a.mov(R2, R10).add(R2, -4);
    a.ld_reference(R1, Reference::Map(1));
    a.call(helper::by_name("map_lookup_elem").unwrap().id);
    a.jeq(R0, 0, out);
    a.mov(R1, 1);
    a.atomic(ebpf_asm::isa::AtomicOp::Add, DW, R0, 0, R1);
    a.bind(out).mov(R0, 2);
    a.exit();
    a.finish("xdp").unwrap()
}

fn array(name: &str, btf: &mut Btf) -> Map {
    let key = int(btf);
    Map {
        key_size: 4,
        value_size: 8,
        max_entries: 16,
        key_type: Some(key),
        value_type: Some(scalar(btf, "u64", 8, IntEncoding::default())),
        ..Map::new(name, MapType::Array)
    }
}

fn object() -> Object {
    let mut btf = Btf::new();
    let maps = vec![array("first", &mut btf), array("second", &mut btf)];
    Object {
        license: "GPL".into(),
        programs: vec![counting("one"), counting("two")],
        maps,
        btf: Some(btf),
        ..Object::default()
    }
}

#[test]
fn what_is_written_is_read() {
    let object = object();
    let bytes = write(&object).unwrap();
    if let Some(path) = std::env::var_os("WRITE_OBJECT") {
        std::fs::write(path, &bytes).unwrap();
    }
    let again = read(&bytes).unwrap();
    let described = complete(&object);
    assert_eq!(again.programs, described.programs);
    assert_eq!(again.maps, described.maps);
    assert_eq!(again.license, "GPL");
    assert_eq!(write(&again).unwrap(), bytes);
}

/// The number of 8 bytes at a place of a file.
fn word(bytes: &mut [u8], at: usize) -> &mut [u8; 8] {
    bytes[at..].first_chunk_mut().unwrap()
}

/// The places of the headers of sections of this type.
fn headers(bytes: &mut [u8], sh_type: u8) -> Vec<usize> {
    let first = u64::from_le_bytes(*word(bytes, 0x28)) as usize;
    let all = (first..bytes.len()).step_by(64);
    all.filter(|at| bytes[at + 4] == sh_type).collect()
}

/// What stands in a table of relocations or symbols is read or refused, not passed over.
#[test]
fn damaged_tables_are_refused() {
    let text = "\
.data .data size=24
.address 0 func p
.address 8 func p
.prog xdp p
 r0 = 2
 exit
";
    let written = write(&parse("t", text).unwrap()).unwrap();
    let [table] = headers(&mut written.clone(), 9)[..] else {
        panic!("one SHT_REL is wanted");
    };
    let entries = u64::from_le_bytes(*word(&mut written.clone(), table + 24)) as usize;
    let second_at = |place: u64| {
        let mut bytes = written.clone();
        *word(&mut bytes, entries + 16) = place.to_le_bytes();
        bytes
    };
    assert!(read(&second_at(16)).is_ok());
    let address = "relocation of type 2 against 'p'";
    let room = "an address has 8 bytes, and the section 24";
    for place in [17, 24, 1 << 32, u64::MAX] {
        let expected = format!("section '.data', byte {place}: {address}: {room}");
        assert_eq!(error(&second_at(place)), expected);
    }
    for place in [0, 7] {
        let there = "the address at byte 0 is there";
        let expected = format!("section '.data', byte {place}: {address}: {there}");
        assert_eq!(error(&second_at(place)), expected);
    }
    let [symbols] = headers(&mut written.clone(), 2)[..] else {
        panic!("one SHT_SYMTAB is wanted");
    };
    for (header, name, entry) in [(table, ".rel.data", 16), (symbols, ".symtab", 24)] {
        let mut bytes = written.clone();
        let size = word(&mut bytes, header + 32);
        let len = u64::from_le_bytes(*size);
        *size = (len - 1).to_le_bytes();
        let (whole, rest) = (len - entry, entry - 1);
        let why = format!("{rest} bytes are left, and an entry of the table has {entry}");
        assert_eq!(
            error(&bytes),
            format!("section '{name}', byte {whole}: {why}")
        );
    }
}

fn error(bytes: &[u8]) -> String {
    read(bytes).unwrap_err().to_string()
}

#[test]
fn what_is_no_object_says_why() {
    let bytes = write(&object()).unwrap();
    let with = |at: usize, byte: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = byte;
        bytes
    };
    assert_eq!(
        error(b"#!/bin/sh"),
        "not an ELF file: it begins with \"#!/b\""
    );
    assert_eq!(error(b""), "not an ELF file: it begins with \"\"");
    assert_eq!(
        error(&bytes[..4]),
        "broken ELF tables: the file ends within the ELF header"
    );
    assert_eq!(
        error(&with(4, 1)),
        "not for this kind of machine: 32-bit ELF, and 64-bit is wanted"
    );
    assert_eq!(
        error(&with(5, 2)),
        "not for this kind of machine: big-endian, and little-endian (bpfel) is wanted"
    );
    assert_eq!(
        error(&with(18, 62)),
        "not a BPF object: its machine is 62, and BPF is 247"
    );
    assert_eq!(
        error(&with(16, 2)),
        "not a relocatable object: its type is 2, and 1 is wanted"
    );
    let half = error(&bytes[..bytes.len() / 2]);
    assert!(
        half.contains("(section headers)") && half.ends_with("it is truncated"),
        "{half}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Damaged objects are read or refused; what is read can be written.
    #[test]
    fn damage_is_no_panic(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        keep in any::<bool>(),
    ) {
        let mut bytes = write(&object()).unwrap();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if !keep {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(object) = read(&bytes) {
            prop_assert!(write(&object).is_ok());
        }
    }
}
