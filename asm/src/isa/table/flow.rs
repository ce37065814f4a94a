//! Jumps, calls and the exit: RFC 9669 section 4.3.

use super::*;

/// The four rows of a conditional jump, section 4.3.
const fn jump(code: u8, name: &'static str, cond: Cond, texts: [&'static str; 4]) -> [Row; 4] {
    let mut rows = [row(0, name, "", Sem::Exit); 4];
    let mut n = 0;
    while n < 4 {
        let (width, operand) = FORMS[n];
        let opcode = code | form_bits(FORMS[n], JMP32, JMP);
        let group = match width {
            Width::W32 => Group::Base32,
            Width::W64 => Group::Base64,
        };
        let (cpu, since) = match (width, cond) {
            (Width::W32, _) => (Cpu::V3, (5, 1)),
            (Width::W64, Jlt | Jle | Jslt | Jsle) => (Cpu::V2, (4, 14)),
            (Width::W64, _) => (Cpu::V1, FIRST),
        };
        let sem = Sem::Jump {
            cond,
            width,
            operand,
        };
        rows[n] = row(opcode, name, texts[n], sem)
            .dst()
            .operand(operand)
            .offset(Jump)
            .rfc("4.3", group)
            .cpu(cpu, since);
        n += 1;
    }
    rows
}

pub(super) const JUMP_ROWS: [[Row; 4]; 11] = [
    jump(0x10, "JEQ", Jeq, spellings!("if ", "==", " goto {j}")),
    jump(0x20, "JGT", Jgt, spellings!("if ", ">", " goto {j}")),
    jump(0x30, "JGE", Jge, spellings!("if ", ">=", " goto {j}")),
    jump(0x40, "JSET", Jset, spellings!("if ", "&", " goto {j}")),
    jump(0x50, "JNE", Jne, spellings!("if ", "!=", " goto {j}")),
    jump(0x60, "JSGT", Jsgt, spellings!("if ", "s>", " goto {j}")),
    jump(0x70, "JSGE", Jsge, spellings!("if ", "s>=", " goto {j}")),
    jump(0xa0, "JLT", Jlt, spellings!("if ", "<", " goto {j}")),
    jump(0xb0, "JLE", Jle, spellings!("if ", "<=", " goto {j}")),
    jump(0xc0, "JSLT", Jslt, spellings!("if ", "s<", " goto {j}")),
    jump(0xd0, "JSLE", Jsle, spellings!("if ", "s<=", " goto {j}")),
];

pub(super) const FLOW_ROWS: [Row; 10] = [
    row(JMP, "JA", "goto {j}", Sem::Ja)
        .offset(Jump)
        .rfc("4.3", Group::Base32),
    row(JMP32, "JA", "gotol {ji}", Sem::Gotol)
        .imm(Jump)
        .rfc("4.3", Group::Base32)
        .cpu(Cpu::V4, (6, 6)),
    // The jump tables of Linux 6.19; RFC 9669 does not have it.
    row(JMP | X, "GOTOX", "gotox {d}", Sem::Gotox)
        .dst()
        .cpu(Cpu::V4, (6, 19)),
    row(0x80 | JMP, "CALL", "call {h}", Sem::Call(Callee::Helper))
        .imm(Any)
        .rfc("4.3.1", Group::Base32),
    row(0x80 | JMP, "CALL", "call {f}", Sem::Call(Callee::Local))
        .src(Is(1))
        .imm(Jump)
        .rfc("4.3.2", Group::Base32)
        .cpu(Cpu::V1, (4, 16)),
    row(
        0x80 | JMP,
        "CALL",
        "call kfunc({i}, {n})",
        Sem::Call(Callee::Kfunc),
    )
    .src(Is(2))
    .offset(Any)
    .imm(Any)
    .rfc("4.3.1", Group::Base32)
    .cpu(Cpu::V1, (5, 13)),
    // LLVM emits it for calls through pointers at every -mcpu: without optimisation also for
    // helpers that are called through a variable. RFC 9669 has no such call.
    row(
        0x80 | JMP | X,
        "CALLX",
        "callx {d}",
        Sem::Call(Callee::Register),
    )
    .dst()
    .compilers_only(),
    row(
        0x80 | JMP | X,
        "CALLX",
        "callx {ri} in imm",
        Sem::Call(Callee::NumberedRegister),
    )
    .imm(RegNumber)
    .compilers_only(),
    row(0x90 | JMP, "EXIT", "exit", Sem::Exit).rfc("4.3", Group::Base32),
    row(0xe0 | JMP, "JCOND", "may_goto {j}", Sem::MayGoto)
        .offset(Jump)
        .cpu(Cpu::V1, (6, 9)),
];
