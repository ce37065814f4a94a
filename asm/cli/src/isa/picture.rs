//! The fields of an instruction as a picture, and its opcode bit by bit.

use ebpf_asm::isa::{Field, Row};

/// The fields of a slot in the order of their bytes, and the width of their boxes.
const WIDTHS: [usize; 5] = [8, 9, 9, 15, 23];

/// The boxes of all slots: names above, what they may hold below.
pub(super) fn picture(row: &Row) -> String {
    let src = match row.src {
        Field::Zero => "0".to_owned(),
        rule => holds(rule),
    };
    let first = [
        format!("{:#04x}", row.opcode),
        src,
        holds(row.dst),
        holds(row.offset),
        holds(row.imm),
    ];
    let bytes = "  byte 0   byte 1              bytes 2 and 3   bytes 4 to 7\n";
    let names = ["opcode", "src_reg", "dst_reg", "offset", "imm"];
    let mut text = format!("{bytes}{}", boxes(&names, &first));
    if let Some(rule) = row.next_imm {
        let zero = || "0".to_owned();
        let second = [zero(), zero(), zero(), zero(), holds(rule)];
        let names = ["", "", "", "", "next_imm"];
        text.push_str(&boxes(&names, &second));
    }
    text
}

/// What a field may hold.
pub(super) fn holds(rule: Field) -> String {
    match rule {
        Field::Zero => "0".to_owned(),
        Field::Is(number) if number > 0xff => format!("{number:#x}"),
        Field::Is(number) => number.to_string(),
        Field::Reg => "0 to 10".to_owned(),
        Field::RegNumber => "1 to 10".to_owned(),
        Field::Any => "any number".to_owned(),
        Field::Jump => "slots".to_owned(),
    }
}

fn boxes(names: &[&str; 5], contents: &[String; 5]) -> String {
    let rule = line("+", &WIDTHS.map(|width| "-".repeat(width)));
    let names = line("|", &names.map(str::to_owned));
    format!("{rule}{names}{}{rule}", line("|", contents))
}

/// The texts in the middle of their boxes.
fn line(between: &str, texts: &[String; 5]) -> String {
    let padded = WIDTHS.iter().zip(texts);
    let padded = padded.map(|(&width, text)| format!("{text:^width$}{between}"));
    format!("  {between}{}\n", padded.collect::<String>())
}

/// The parts of an opcode, RFC 9669 sections 3, 4 and 5.
pub(super) fn bits(row: &Row) -> String {
    let parts = row.opcode_parts();
    let bits = parts.map(|part| format!("{:0width$b}", part.bits, width = part.width));
    let names = parts.map(|part| match part.name {
        Some(name) => format!("{} {name}", part.part),
        None => format!("{} {:#x}", part.part, part.bits),
    });
    let (bits, names) = (bits.join(" "), names.join(", "));
    format!("{:#04x} = {bits}: {names}", row.opcode)
}
