//! The kernel's types are many: they are read only for programs that ask for something of them.

use ebpf_asm::dsl::prelude::*;
use ebpf_asm::object::Object;
use ebpf_verifier_sim::{Config, KernelTypes, verify_with};

/// A program that uses maps, and nothing of the kernel's.
fn counting() -> Object {
    let mut unit = Unit::new("counting").license("GPL");
    let seen = unit.hash::<u32, u64>("seen", 16);
    let ring = unit.ringbuf::<u64>("ring", 4096);
    let unit = unit.raw_tracepoint("counting", "sched_switch", |f, _| {
        f.delete(seen, 1);
        f.reserve(ring, |_, record| record.discard());
    });
    ebpf_asm::compile(&unit).expect("a program")
}

#[test]
fn types_are_not_read_for_a_program_with_maps() {
    let types = KernelTypes::on_demand(|| panic!("they are read"));
    let object = counting();
    let verdict = verify_with(&object, &object.programs[0], &Config::default(), &types);
    assert!(verdict.is_accepted(), "{verdict:?}");
}
