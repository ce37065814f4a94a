//! The page ISA.md.

use ebpf_asm::isa::{Field, ISA, Row, Source};

use super::{example, group, meaning, picture, since};

const HEAD: &str = "\
# The instruction set

Printed from the table in `asm/src/isa/table/`, and tested to be current. To print it anew:

    ebpfasm isa --markdown > ISA.md

An instruction is a slot of eight bytes, little-endian: the opcode, `dst_reg` in the low and
`src_reg` in the high half of the second byte, `offset` in 16 and `imm` in 32 bits. One with a
`next_imm` takes a second slot, whose `imm` that is and whose other fields are zero. A field
that is not named holds 0, one that is named `reg` a register from 0 to 10, one that is named
`slots` a distance from the end of the first slot. What no row allows is no instruction.

*cpu* is the least `-mcpu` with which compilers emit the row, *since* the first Linux release
that takes it, *source* the section of RFC 9669. `ebpfasm isa NAME` explains one.

| opcode | name | fields | example | does | group | cpu | since | source |
|---|---|---|---|---|---|---|---|---|
";

/// The whole page.
pub(super) fn page() -> String {
    let lines = ISA.iter().map(line);
    HEAD.to_owned() + &lines.collect::<String>()
}

fn line(row: &'static Row) -> String {
    let source = match row.source {
        Source::Rfc9669(section) => section.to_owned(),
        Source::Linux => "Linux".to_owned(),
        Source::Compilers => "LLVM".to_owned(),
    };
    // A bar would end the cell.
    let code = |text: &str| format!("`{}`", text.replace('|', "\\|"));
    let cells = [
        format!("{:#04x}", row.opcode),
        row.name.to_owned(),
        fields(row),
        code(&example(row)),
        code(&meaning::pseudo(row)),
        group(row),
        row.cpu.to_string(),
        since(row),
        source,
    ];
    format!("| {} |\n", cells.join(" | "))
}

/// The fields that may hold more than 0, or another number.
fn fields(row: &Row) -> String {
    let rules = [
        ("dst", row.dst),
        ("src", row.src),
        ("offset", row.offset),
        ("imm", row.imm),
        ("next_imm", row.next_imm.unwrap_or(Field::Zero)),
    ];
    let named = rules.into_iter().filter_map(|(name, rule)| match rule {
        Field::Zero => None,
        Field::Reg => Some(format!("{name} reg")),
        Field::Any => Some(format!("{name} any")),
        other => Some(format!("{name} {}", picture::holds(other))),
    });
    named.collect::<Vec<_>>().join(", ")
}
