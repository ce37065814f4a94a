//! What to write for what people write who know another assembler, or C: a table of lines that are
//! no instructions.
//!
//! Read before: `misses.rs`. Read next: `labels.rs`.

/// How a line that is wrong is known.
#[derive(Debug, Clone, Copy)]
enum Sign {
    /// It begins so.
    Begins(&'static str),
    /// Its first word is one of these.
    Mnemonic(&'static [&'static str]),
    /// It has this in it.
    Has(&'static str),
    /// A register gets what begins so.
    Gets(&'static str),
}

use Sign::{Begins, Gets, Has, Mnemonic};

/// The signs and the help; the first that is found counts.
#[rustfmt::skip]
const SLIPS: &[(Sign, &str)] = &[
    (Begins("#"), "a comment begins with ;"),
    (Begins("//"), "a comment begins with ;"),
    (Begins("/*"), "a comment begins with ;"),
    (Mnemonic(&["mov", "mov32", "mov64", "movl", "movq"]), "it is spelled as the kernel prints it: r1 = 5"),
    (Mnemonic(&["lddw", "ld_imm64"]), "it is spelled as the kernel prints it: r1 = 5 ll"),
    (Mnemonic(&["add", "add32", "add64"]), "it is spelled as the kernel prints it: r1 += 5"),
    (Mnemonic(&["sub", "sub32", "sub64"]), "it is spelled as the kernel prints it: r1 -= 5"),
    (Mnemonic(&["mul", "mul32", "mul64"]), "it is spelled as the kernel prints it: r1 *= 5"),
    (Mnemonic(&["div", "div32", "div64", "mod", "mod32", "mod64"]), "it is spelled as the kernel prints it: r1 /= 5, r1 %= 5"),
    (Mnemonic(&["and", "and32", "and64", "or", "or32", "or64", "xor", "xor32", "xor64"]), "it is spelled as the kernel prints it: r1 &= 5, r1 |= 5, r1 ^= 5"),
    (Mnemonic(&["lsh", "lsh32", "lsh64", "rsh", "rsh32", "rsh64", "arsh", "arsh32", "arsh64"]), "it is spelled as the kernel prints it: r1 <<= 5, r1 >>= 5, r1 s>>= 5"),
    (Mnemonic(&["neg", "neg32", "neg64"]), "it is spelled as the kernel prints it: r1 = -r1"),
    (Mnemonic(&["ldx", "ldxb", "ldxh", "ldxw", "ldxdw", "load"]), "it is spelled as the kernel prints it: r1 = *(u32 *)(r2 + 4)"),
    (Mnemonic(&["st", "stb", "sth", "stw", "stdw", "stx", "stxb", "stxh", "stxw", "stxdw", "store"]), "it is spelled as the kernel prints it: *(u32 *)(r1 + 4) = r2"),
    (Mnemonic(&["jeq", "jne", "jgt", "jge", "jlt", "jle", "jset", "jsgt", "jsge", "jslt", "jsle"]), "it is spelled as the kernel prints it: if r1 == 5 goto out"),
    (Mnemonic(&["ja", "jmp", "jump", "b"]), "it is spelled as the kernel prints it: goto out"),
    (Mnemonic(&["return", "ret"]), "the result is in r0: r0 = 2, and then exit"),
    (Begins("if ("), "without brackets: if r1 == 5 goto out"),
    (Begins("if("), "without brackets: if r1 == 5 goto out"),
    (Has("&&"), "one condition an instruction: if r1 == 5 goto out"),
    (Has("||"), "one condition an instruction: if r1 == 5 goto out"),
    (Has("++"), "as an addition: r1 += 1"),
    (Has("--"), "as a subtraction: r1 -= 1"),
    (Begins("if "), "a comparison of a register with a register or number, and a jump: if r1 == 5 goto out"),
    (Has(" == "), "a comparison begins with if, and a register gets a number by one =: r1 = 5"),
    (Gets("map["), "the address of a map, by its name: r1 = NAME ll"),
    (Gets("&"), "the address of a map or variable, by its name: r1 = NAME ll"),
    (Gets("-r"), "a register changes its own sign: r1 = r2, and then r1 = -r1"),
    (Gets("-w"), "a register changes its own sign: w1 = w2, and then w1 = -w1"),
    (Has("*)r"), "behind the size stand a register and an offset, in brackets: r1 = *(u32 *)(r2 + 0)"),
    (Gets("["), "a load is spelled as the kernel prints it: r1 = *(u32 *)(r2 + 4)"),
    (Gets("r"), "one operation an instruction: r1 = r2, and then r1 += 4"),
    (Gets("w"), "one operation an instruction: w1 = w2, and then w1 += 4"),
];

/// What to write for a line that is no instruction, if it is a slip that is known.
pub(super) fn help(line: &str) -> Option<&'static str> {
    let code = line.split_once(';').map_or(line, |(code, _)| code);
    let line = code.trim();
    if let Some(help) = of_value(line) {
        return Some(help);
    }
    let row = SLIPS.iter().find(|(sign, _)| is_found(*sign, line));
    row.map(|(_, help)| *help)
}

fn is_found(sign: Sign, line: &str) -> bool {
    match sign {
        Begins(text) => line.starts_with(text),
        Mnemonic(names) => {
            let first = line
                .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .next();
            first.is_some_and(|first| names.contains(&first))
        }
        Has(text) => line.contains(text),
        Gets(text) => value(line).is_some_and(|value| value.starts_with(text)),
    }
}

/// What a register gets in a line like `r1 = 5`.
fn value(line: &str) -> Option<&str> {
    let (register, value) = line.split_once('=')?;
    let number = register.trim().strip_prefix(['r', 'w'])?;
    number.parse::<u8>().ok()?;
    Some(value.trim())
}

/// The help for a name, or a number of more than 32 bits, in the place of a number.
fn of_value(line: &str) -> Option<&'static str> {
    let value = value(line)?;
    let digits = value.strip_prefix('-').unwrap_or(value);
    let is_wide = line.starts_with('r') && digits.starts_with(|c: char| c.is_ascii_digit());
    let one_word = value.split_whitespace().count() == 1;
    let is_name = value.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '.')
        && value
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '.'));
    match (one_word, is_wide, is_name) {
        (true, true, _) => Some("a number of more than 32 bits: r1 = 0x123456789 ll"),
        (true, _, true) => Some("the address of a map or variable, by its name: r1 = NAME ll"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::parse;

    /// What the help has behind a colon is an instruction, or a part of one in words.
    #[test]
    fn what_is_to_be_written_is_an_instruction() {
        for (_, help) in SLIPS {
            let Some((_, example)) = help.rsplit_once(": ") else {
                continue;
            };
            for line in example.split(", ") {
                let line = line.trim_start_matches("and then ").replace("NAME", "m");
                let text = format!(
                    ".map m array key_size=4 value_size=4 max_entries=1\n\
                     .prog xdp\n{line}\nr0 = 2\nout:\nexit\n"
                );
                let parsed = parse("slips", &text);
                assert!(parsed.is_ok(), "{line}: {parsed:?}");
            }
        }
    }
}
