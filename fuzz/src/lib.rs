//! The laws that fuzz targets hold to, apart from the fuzzer: `fuzz_targets/` feeds them what
//! it makes up, `tests/seeds.rs` the files in `seeds/` on any toolchain, and `tests/mutants.rs` these
//! with a few bytes changed.
#![forbid(unsafe_code)]

use ebpf_asm::blocks::Blocks;
use ebpf_asm::btf::Btf;
use ebpf_asm::btf::c::header;
use ebpf_asm::btf::ext::Ext;
use ebpf_asm::insn::{decode_all, encode_all};
use ebpf_asm::isa::{Callee, Imm64, Sem};
use ebpf_asm::object::{Object, read, write};
use ebpf_asm::program::Program;
use ebpf_asm::text::{Options, parse, print_object};
use std::collections::BTreeSet;

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

/// A text is an object or an error; an object of which all is printed is read as the same, and
/// what people see of it has the same programs. One that can be written as ELF survives that.
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
    let (again, printed) = printed(&object, Options::WHOLE);
    assert_eq!(again, object, "{printed}");
    let (again, printed) = self::printed(&object, Options::CODE);
    assert_eq!(again.programs.len(), object.programs.len(), "{printed}");
    for (again, first) in again.programs.iter().zip(&object.programs) {
        assert_eq!(again.insns, first.insns, "{printed}");
        assert_eq!(again.references, first.references, "{printed}");
    }
    // Reading refuses files without a program.
    if !object.programs.is_empty() {
        survives_elf(&object);
    }
}

/// An object that can be written is read with the same programs, but for functions that they do
/// not reach, and maps, and from then on stays the same.
fn survives_elf(object: &Object) {
    let Ok(written) = write(object) else { return };
    let again = read(&written).expect("what was written is an object");
    assert_eq!(again.programs.len(), object.programs.len());
    for (again, first) in again.programs.iter().zip(&object.programs) {
        let lengths = [first.insns.len(), reached(first)];
        assert!(lengths.contains(&again.insns.len()), "{lengths:?}");
    }
    assert_eq!(again.maps.len(), object.maps.len());
    let written = write(&again).expect("what was read back can be written");
    let third = read(&written).expect("what was written again is an object");
    assert_eq!(third, again);
}

/// The object that the text of one is, and the text.
fn printed(object: &Object, options: Options<'_>) -> (Object, String) {
    let mut printed = String::new();
    print_object(&mut printed, object, options).expect("a String takes all text");
    let again = parse("again", &printed).unwrap_or_else(|error| panic!("{error}\n{printed}"));
    (again, printed)
}

/// A file is an object or an error; an object that can be written survives that.
///
/// # Panics
/// If it does not.
pub fn elf_read(bytes: &[u8]) {
    if let Ok(object) = read(bytes) {
        survives_elf(&object);
    }
}

/// How many instructions the functions have that a program reaches by calls and addresses.
fn reached(program: &Program) -> usize {
    let function_at = |slot: usize| {
        let behind = program.functions.partition_point(|f| f.slot <= slot);
        behind.saturating_sub(1)
    };
    let mut insns = vec![Vec::new(); program.functions.len().max(1)];
    for (slot, insn) in program.slots() {
        if let Some(insns) = insns.get_mut(function_at(slot)) {
            insns.push((slot, insn));
        }
    }
    let (mut open, mut seen) = (vec![0], BTreeSet::from([0]));
    while let Some(function) = open.pop() {
        for (slot, insn) in insns.get(function).into_iter().flatten() {
            let leads = matches!(
                insn.sem(),
                Sem::Call(Callee::Local) | Sem::LoadImm64(Imm64::Code)
            );
            let target = program.target(*slot, insn).filter(|_| leads);
            if let Some(callee) = target.map(function_at)
                && seen.insert(callee)
            {
                open.push(callee);
            }
        }
    }
    let reached = seen.iter().filter_map(|function| insns.get(*function));
    reached.map(Vec::len).sum()
}

/// A file that is an object can be shown: as text, and cut into basic blocks that hold each
/// instruction once, with ways that lead to blocks.
///
/// # Panics
/// If it cannot.
pub fn elf_show(bytes: &[u8]) {
    let Ok(object) = read(bytes) else { return };
    let mut printed = String::new();
    print_object(&mut printed, &object, Options::WHOLE).expect("a String takes all text");
    for program in &object.programs {
        let blocks = Blocks::of(program);
        let held = blocks.all.iter().map(|block| block.insns.len());
        assert_eq!(held.sum::<usize>(), program.insns.len());
        let edges = blocks.all.iter().flat_map(|block| &block.edges);
        let mut leads = edges.filter_map(|edge| edge.to);
        assert!(leads.all(|to| to < blocks.all.len()));
    }
}

/// Bytes are BTF or an error, and what is read is written and read as the same, and printed as
/// C, and as text that is the same types; likewise for `.BTF.ext`, which is not printed.
///
/// # Panics
/// If they are not.
pub fn btf_read(bytes: &[u8]) {
    if let Ok(btf) = Btf::from_bytes(bytes) {
        // Types that lie in themselves have no C.
        let _ = header(&btf);
        assert_eq!(Btf::from_bytes(&btf.to_bytes()).as_ref(), Ok(&btf));
        let object = Object {
            btf: Some(btf),
            ..Object::default()
        };
        let (again, printed) = printed(&object, Options::WHOLE);
        assert_eq!(again, object, "{printed}");
    }
    if let Ok(ext) = Ext::from_bytes(bytes) {
        assert_eq!(Ext::from_bytes(&ext.to_bytes()), Ok(ext));
    }
}
