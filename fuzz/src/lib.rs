//! The laws that fuzz targets hold to, apart from the fuzzer: `fuzz_targets/` feeds them what
//! it makes up, `tests/seeds.rs` the files in `seeds/` on any toolchain.
#![forbid(unsafe_code)]

use ebpf_asm::insn::{decode_all, encode_all};
use ebpf_asm::object::Object;
use ebpf_asm::text::{parse, print_object};

/// Bytes decode and encode back to the same bytes, or are an error: all of them, and each slot
/// with the one behind it.
///
/// # Panics
/// If they do not.
pub fn decode(bytes: &[u8]) {
    let slots = (0..bytes.len()).step_by(8).filter_map(|at| bytes.get(at..));
    let pairs = slots.map(|rest| rest.get(..16).unwrap_or(rest));
    for bytes in pairs.chain([bytes]) {
        if let Ok(insns) = decode_all(bytes) {
            assert_eq!(encode_all(&insns), bytes);
        }
    }
}

/// A text is an object or an error; an object that is printed is read as the same, but for
/// the places of its instructions.
///
/// # Panics
/// If it is not.
pub fn text(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(object) = parse("first", text) else {
        return;
    };
    let mut printed = String::new();
    print_object(&mut printed, &object).expect("a String takes all text");
    let again = parse("again", &printed).unwrap_or_else(|error| panic!("{error}\n{printed}"));
    assert_eq!(without_lines(again), without_lines(object), "{printed}");
}

fn without_lines(mut object: Object) -> Object {
    for program in &mut object.programs {
        program.lines.clear();
    }
    object
}
