//! A program written in Rust with the assembler: a rejection quotes its lines.

use ebpf_asm::assembler::Assembler;
use ebpf_asm::insn::Reg::*;
use ebpf_asm::isa::Size::*;
use ebpf_asm::object::Object;
use ebpf_asm::program::Program;
use ebpf_asm::span::Sources;
use ebpf_verifier_sim::{Config, Decor, Verdict, verify};

fn assembler() -> Assembler {
    let mut sources = Sources::new();
    sources.add(file!(), include_str!("rust_lines.rs"));
    let mut a = Assembler::new("lesson");
    a.sources(sources);
    a
}

/// The rendered rejection, without the folder that the test was compiled in.
fn rejection(program: Program) -> String {
    let object = Object {
        license: "GPL".to_owned(),
        programs: vec![program],
        maps: Vec::new(),
        ..Object::default()
    };
    let program = &object.programs[0];
    match verify(&object, program, &Config::default()) {
        Verdict::Accepted(..) => panic!("accepted"),
        Verdict::Rejected(why) => why
            .render(program, Decor::Plain)
            .replace(file!(), "rust_lines.rs"),
    }
}

/// Checks 14 bytes and reads the one behind them.
fn one_byte_short() -> Program {
    let mut a = assembler();
    let pass = a.label();
    a.ldx(W, R2, R1, 0);
    a.ldx(W, R1, R1, 4);
    a.mov(R3, R2);
    a.add(R3, 14);
    a.jgt(R3, R1, pass);
    // The protocol is in the header behind Ethernet's.
    a.ldx(B, R0, R2, 14);
    a.bind(pass).mov(R0, 2);
    a.exit();
    a.finish("xdp").unwrap()
}

#[test]
fn an_unproven_packet_byte() {
    let expected = "\
error[BPF0203]: invalid access to packet, off=14 size=1, R2(id=0,off=14,r=14)
  --> rust_lines.rs:46:7
   |
44 |     a.jgt(R3, R1, pass);
   |       --- this check proves bytes 0..14 of R2's packet
46 |     a.ldx(B, R0, R2, 14);
   |       ^^^ reads byte 14, which no check has proven
   |
help: prove one byte more in line 43: a.add(R3, 15) instead of 14
";
    assert_eq!(rejection(one_byte_short()), expected);
}

/// Uses an argument register after a call.
fn clobbered() -> Program {
    let mut a = assembler();
    a.call(5);
    a.ldx(W, R0, R1, 12);
    a.exit();
    a.finish("xdp").unwrap()
}

#[test]
fn a_register_that_a_call_took_away() {
    let expected = "\
error[BPF0301]: R1 !read_ok
  --> rust_lines.rs:72:7
   |
71 |     a.call(5);
   |       ---- this call leaves nothing in R1 to R5
72 |     a.ldx(W, R0, R1, 12);
   |       ^^^ reads R1, which a call has taken away
   |
help: keep the value in R6 to R9, which calls leave alone
";
    assert_eq!(rejection(clobbered()), expected);
}

/// Without sources the instructions are quoted, by their slots.
#[test]
fn a_program_without_sources() {
    let mut a = Assembler::new("bare");
    a.mov(R0, 0);
    a.mov(R10, R0);
    a.exit();
    let expected = "\
error[BPF0302]: frame pointer is read only
 --> bare:1:1
  |
1 | r10 = r0
  | ^^^^^^^^ writes R10
  |
help: copy R10 to another register and change that
";
    assert_eq!(rejection(a.finish("xdp").unwrap()), expected);
}
