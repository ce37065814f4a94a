//! What the assembler makes of lines.

use super::*;
use crate::insn::Reg::*;
use crate::isa::{AtomicOp, Size};

#[test]
fn labels_count_slots_and_wide_instructions_take_two() {
    let mut a = Assembler::new("p");
    let (back, out) = (a.label(), a.label());
    a.bind(back).jeq(R1, 0, out);
    a.ld_imm64(R2, 1 << 40);
    a.ja(back);
    a.bind(out).exit();
    let program = a.finish("socket").unwrap();
    let texts: Vec<String> = program.insns.iter().map(Insn::to_string).collect();
    let expected = [
        "if r1 == 0 goto +3",
        "r2 = 0x10000000000 ll",
        "goto -4",
        "exit",
    ];
    assert_eq!(texts, expected);
}

#[test]
fn a_line_knows_where_it_was_written() {
    let mut sources = Sources::new();
    sources.add(file!(), include_str!("tests.rs"));
    let mut a = Assembler::new("p");
    a.sources(sources);
    a.mov(R0, 7); // this line
    a.exit();
    let program = a.finish("xdp").unwrap();
    let span = program.span(0).unwrap();
    assert_eq!(span.text.trim(), "a.mov(R0, 7); // this line");
    assert_ne!(program.span(1), Some(span));
}

#[test]
fn what_cannot_be_bound_is_an_error() {
    let mut a = Assembler::new("p");
    let nowhere = a.label();
    a.ja(nowhere);
    assert!(matches!(
        a.finish("xdp"),
        Err(AssembleError::Unbound { line: 0, .. })
    ));

    let mut a = Assembler::new("p");
    a.atomic(AtomicOp::Add, Size::B, R1, 0, R2);
    assert!(matches!(
        a.finish("xdp"),
        Err(AssembleError::Missing { line: 0, .. })
    ));
    assert!(matches!(
        Assembler::new("p").finish("nonsense"),
        Err(AssembleError::Section(_))
    ));
}
