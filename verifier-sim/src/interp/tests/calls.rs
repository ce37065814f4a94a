//! Functions of the program itself.

use super::super::{FaultKind, Input, MAX_FRAMES, Machine, Packet};
use super::{kind, run};
use ebpf_asm::insn::Reg::*;
use ebpf_asm::isa::Size::*;
use ebpf_asm::text::parse;

#[test]
fn a_function_has_its_own_stack_and_gives_the_callers_registers_back() {
    let run = run(|a| {
        let f = a.label();
        a.mov(R6, 40).st(DW, R10, -8, 2).mov(R1, R10).add(R1, -8);
        a.call_local(f);
        a.add(R0, R6).ldx(DW, R1, R10, -8).add(R0, R1).exit();
        a.function(f, "f");
        // Adds 100 to what the caller points at, by way of its own stack.
        a.mov(R6, 100).st(DW, R10, -8, R6).ldx(DW, R0, R1, 0);
        a.add(R0, R6).st(DW, R1, 0, R0).mov(R0, 0).exit();
    });
    assert_eq!(run.unwrap().ret, 40 + 102);
}

#[test]
fn a_function_does_not_see_its_callers_registers() {
    let result = run(|a| {
        let f = a.label();
        a.mov(R6, 1).call_local(f).exit();
        a.function(f, "f").mov(R0, R6).exit();
    });
    assert_eq!(kind(result), FaultKind::UninitialisedRegister(R6));
}

#[test]
fn arguments_end_with_the_call() {
    let result = run(|a| {
        let f = a.label();
        a.mov(R1, 1).call_local(f).mov(R0, R1).exit();
        a.function(f, "f").mov(R0, 0).exit();
    });
    assert_eq!(kind(result), FaultKind::UninitialisedRegister(R1));
}

#[test]
fn the_stack_of_a_function_ends_with_it() {
    let result = run(|a| {
        let f = a.label();
        a.call_local(f).ldx(DW, R0, R0, -8).exit();
        a.function(f, "f").st(DW, R10, -8, 1).mov(R0, R10).exit();
    });
    assert!(matches!(kind(result), FaultKind::NoMemory { .. }));
}

#[test]
fn functions_nest_up_to_the_kernels_limit() {
    let nest = |depth: i32| {
        run(|a| {
            let (f, out) = (a.label(), a.label());
            a.mov(R1, depth - 1).mov(R0, 0).jeq(R1, 0, out);
            a.call_local(f).bind(out).exit();
            a.function(f, "f");
            let leaf = a.label();
            a.mov(R0, 0).sub(R1, 1).jeq(R1, 0, leaf);
            a.call_local(f).bind(leaf).add(R0, 1).exit();
        })
    };
    assert_eq!(nest(MAX_FRAMES as i32).unwrap().ret, MAX_FRAMES as u32 - 1);
    assert_eq!(kind(nest(MAX_FRAMES as i32 + 1)), FaultKind::CallDepth);
}

/// A function that is called when a program throws is not modelled, and not passed over.
#[test]
fn what_is_thrown_and_caught_is_not_modelled() {
    let text = "
.license GPL
.extern func bpf_throw
.prog xdp program type_id=3
    r1 = 1
    call bpf_throw
    r0 = 0
    exit
.btf
[1] INT 'int' size=4 encoding=SIGNED
[2] FUNC_PROTO '(anon)' ret_type_id=1
[3] FUNC 'program' type_id=2 linkage=global
TAG
";
    let thrown = |tag: &str| {
        let object = parse("thrown", &text.replace("TAG", tag)).unwrap();
        let input = Input::Packet(Packet::new(&[0; 64]));
        Machine::new(&object).unwrap().run("program", input)
    };
    assert_eq!(thrown("").unwrap().ret, 1);
    let caught = thrown("[4] DECL_TAG 'exception_callback:program' type_id=3 component_idx=-1");
    assert!(matches!(kind(caught), FaultKind::NotModelled(_)));
}

#[test]
fn memory_for_objects_comes_to_an_end() {
    let text = "
.license GPL
.extern func bpf_obj_new_impl
.prog xdp program
    r6 = 0
again:
    r1 = 2 ll
    r2 = 0
    call bpf_obj_new_impl
    if r0 == 0 goto out
    r6 += 1
    if r6 != 20000 goto again
out:
    r0 = r6
    exit
.btf
[1] INT 'unsigned long long' size=8
[2] STRUCT 'item' size=8
        'number' type_id=1 bits_offset=0
";
    let object = parse("objects", text).unwrap();
    let input = Input::Packet(Packet::new(&[0; 64]));
    let ended = Machine::new(&object).unwrap().run("program", input);
    assert_eq!(ended.unwrap().ret, 1 << 14);
}
