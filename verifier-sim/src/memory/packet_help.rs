//! What to say when a packet access is not proven: which check proves how much, and what
//! must be changed for it to prove more.
//!
//! Read before: `within.rs`. Read next: `number_help.rs`.

use crate::diag::Rejection;
use crate::value::reg::{Kind, RegState};
use ebpf_asm::isa::{AluOp, Operand, Sem, Width};
use ebpf_asm::prog_type::ProgType;
use ebpf_asm::program::Program;

/// Adds what was proven for `base`, and how to prove `wanted` bytes.
pub(crate) fn prove_more(
    program: &Program,
    refused: Box<Rejection>,
    base: &RegState,
    wanted: i64,
) -> Box<Rejection> {
    let range = i64::from(base.range.bytes());
    let origin = base.origin;
    let area = Area::of(program, base);
    match origin.proved.slot() {
        None => refused
            .because(origin.made, "the pointer is made here, with nothing proven")
            .help(format!("first {}", area.comparison(base, wanted))),
        Some(_) if range == 0 => refused
            .because(
                origin.proved,
                "this check is passed on the side where nothing is proven",
            )
            .help(format!(
                "turn the check round: {}, and read where it is not",
                area.comparison(base, wanted)
            )),
        Some(check) => {
            let whose = owner(&refused.message);
            let label = format!("this check proves bytes 0..{range} of {whose}{}", area.name);
            refused
                .because(origin.proved, label)
                .help(more((program, area), base, (check, wanted)))
        }
    }
}

/// How to prove `wanted` bytes where a check proves fewer: by what it compares, if that is a number
/// on a line, and else by another check.
fn more(
    (program, area): (&Program, Area),
    base: &RegState,
    (check, wanted): (usize, i64),
) -> String {
    let missing = wanted - i64::from(base.range.bytes());
    let bound = base.origin.bound.slot();
    let instead = bound.and_then(|slot| Some((slot, instead_of(program, slot, missing)?)));
    match (instead, missing) {
        (Some((slot, instead)), 1) => {
            format!("prove one byte more in {}: {instead}", place(program, slot))
        }
        (Some((slot, instead)), n) => {
            format!(
                "prove {n} bytes more in {}: {instead}",
                place(program, slot)
            )
        }
        (None, _) => format!(
            "behind {} {}",
            place(program, check),
            area.comparison(base, wanted)
        ),
    }
}

/// What a pointer is into whose bytes are proven by comparisons.
#[derive(Debug, Clone, Copy)]
struct Area {
    /// What it is.
    name: &'static str,
    /// What messages call a pointer into it.
    pointer: &'static str,
    /// The field of the context that is its end.
    end: &'static str,
}

/// The packet, from `data` to `data_end`.
const PACKET: Area = Area {
    name: "packet",
    pointer: "the packet pointer",
    end: "data_end",
};
/// The meta data before it.
const META: Area = Area {
    name: "meta data",
    pointer: "the pointer from data_meta",
    end: "data",
};
/// The value of a socket's option.
const OPTION: Area = Area {
    name: "option's value",
    pointer: "the pointer from optval",
    end: "optval_end",
};

impl Area {
    fn of(program: &Program, base: &RegState) -> Area {
        match (base.kind, program.prog_type) {
            (Kind::PacketMeta, _) => META,
            (_, ProgType::CgroupSockopt) => OPTION,
            _ => PACKET,
        }
    }

    /// The check that proves so many bytes from where `base` was made.
    fn comparison(self, base: &RegState, wanted: i64) -> String {
        // Of a pointer at a computed place no variable points to where it begins.
        let (pointer, bytes) = match base.constant_var_off() {
            Some(_) => (self.pointer, wanted),
            None => (
                "the pointer that is used here",
                wanted - i64::from(base.off),
            ),
        };
        let end = self.end;
        format!("compare {pointer} plus {bytes} with {end}, and leave if it is greater")
    }
}

/// `line 9`, or where no line is known the instruction.
fn place(program: &Program, slot: usize) -> String {
    match program.span(slot) {
        Some(span) if span.line > 0 => format!("line {}", span.line),
        _ => format!("instruction {slot}"),
    }
}

/// `R2's `: the register that the kernel's message is about.
fn owner(message: &str) -> String {
    let register = message
        .split(", ")
        .last()
        .and_then(|part| part.split_once('('));
    match register {
        Some((name, _)) if name.starts_with('R') => format!("{name}'s "),
        _ => "the ".to_owned(),
    }
}

/// `a.add(R3, 15) instead of 14`: the line that made the compared pointer, adding more.
fn instead_of(program: &Program, slot: usize, missing: i64) -> Option<String> {
    let (_, insn) = program.slots().find(|(at, _)| *at == slot)?;
    let adds = Sem::Alu {
        op: AluOp::Add,
        width: Width::W64,
        operand: Operand::Imm,
    };
    if insn.sem() != adds {
        return None;
    }
    let (old, new) = (i64::from(insn.imm()), i64::from(insn.imm()) + missing);
    let code = match program.span(slot) {
        Some(span) if !span.text.trim().is_empty() => statement(span.text, span.column),
        _ => insn.to_string(),
    };
    let changed = replace_number(code.trim(), old, new)?;
    Some(format!("{changed} instead of {old}"))
}

/// The statement at a column of a line, without comments. A `;` ends it in Rust and C, and begins a
/// comment in text.
fn statement(line: &str, column: u32) -> String {
    let before = (column as usize).checked_sub(1);
    let before = before.and_then(|end| line.get(..end)).unwrap_or_default();
    let begin = before.rfind(';').map_or(0, |at| at + 1);
    let mut rest = line.get(begin..).unwrap_or_default();
    let mut code = String::new();
    while let Some((part, comment)) = rest.split_once("/*") {
        code.push_str(part);
        rest = comment.split_once("*/").map_or("", |(_, behind)| behind);
    }
    code.push_str(rest);
    let end = [";", "//"].iter().filter_map(|mark| code.find(mark)).min();
    code.truncate(end.unwrap_or(code.len()));
    code
}

/// The line with the last number `old` in it replaced.
fn replace_number(line: &str, old: i64, new: i64) -> Option<String> {
    let old = old.to_string();
    let stands_alone = |at: &usize| {
        let before = line.get(..*at).and_then(|text| text.chars().next_back());
        let after = line
            .get(at + old.len()..)
            .and_then(|text| text.chars().next());
        let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !part(before) && !part(after)
    };
    let (at, _) = line
        .rmatch_indices(old.as_str())
        .find(|(at, _)| stands_alone(at))?;
    let (before, after) = (line.get(..at)?, line.get(at + old.len()..)?);
    Some(format!("{before}{new}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_number_itself_is_replaced() {
        let replaced = |line| replace_number(line, 14, 15);
        assert_eq!(replaced("a.add(R3, 14)").as_deref(), Some("a.add(R3, 15)"));
        assert_eq!(replaced("r14 += 14").as_deref(), Some("r14 += 15"));
        assert_eq!(replaced("r3 += 0x14"), None);
        assert_eq!(replaced("a.add(R3, ETH_HLEN)"), None);
    }

    #[test]
    fn comments_and_other_statements_are_no_part_of_a_statement() {
        let of = |line, column| statement(line, column).trim().to_owned();
        assert_eq!(of("    r3 += 14 ; 14 bytes", 5), "r3 += 14");
        assert_eq!(of("a.add(R3, 14); // 14; all", 0), "a.add(R3, 14)");
        assert_eq!(of("n = 14; p = data + 14; q = 14;", 9), "p = data + 14");
        assert_eq!(of("p += 14 /* 14; all */ + n; // 14", 1), "p += 14  + n");
        assert_eq!(of("é /* 14", 2), "é");
        assert_eq!(of("r3 += 14", 99), "r3 += 14");
    }
}
