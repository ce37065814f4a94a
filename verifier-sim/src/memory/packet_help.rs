//! What to say when a packet access is not proven: which check proves how much, and what
//! must be changed for it to prove more.
//!
//! The kernel says nothing of it: the words are ours.
//!
//! Read before: `within.rs`. Read next: `map_value.rs`.

use crate::diag::Rejection;
use crate::env::Env;
use crate::step::branch_packet::MAX_PACKET_OFF;
use crate::value::reg::{Kind, RegState};
use ebpf_asm::isa::{AluOp, Operand, Sem, Width};
use ebpf_asm::prog_type::ProgType;
use ebpf_asm::program::Program;

/// Adds what was proven for `base`, and how to prove `wanted` bytes where it is used, at `slot`.
pub(crate) fn prove_more(
    env: &Env<'_>,
    slot: usize,
    refused: Box<Rejection>,
    (base, wanted): (&RegState, i64),
) -> Box<Rejection> {
    let program = env.program;
    let range = i64::from(base.range.bytes());
    let origin = base.origin;
    let area = Area::of(program, base);
    if let Some(too_far) = TooFar::of(base, wanted) {
        return too_far.explain(refused, base);
    }
    let turns = |at: usize| env.components.of(at);
    match origin.proved.slot() {
        // What is proven before a loop stays the same in each of its rounds.
        Some(check) if range > 0 && turns(slot).is_some() && turns(slot) != turns(check) => {
            let label = area.proven(&refused, range);
            refused.because(origin.proved, label).help(format!(
                "inside of the loop, before each use, compare the pointer that is used here plus {} \
                 with {}, and leave if it is greater",
                wanted - i64::from(base.off),
                area.end
            ))
        }
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
            let label = area.proven(&refused, range);
            refused
                .because(origin.proved, label)
                .help(more((program, area), base, (check, wanted)))
        }
    }
}

/// Why no comparison proves bytes: they are further behind the packet's beginning than one proves.
enum TooFar {
    /// The offset that was added may be as large as this.
    Offset(u64),
    /// The pointer has moved by constants alone, as a loop moves it.
    Moved,
}

impl TooFar {
    fn of(base: &RegState, wanted: i64) -> Option<TooFar> {
        let most = base.scalar.bounds.u64.max;
        let wanted = u64::try_from(wanted).unwrap_or_default();
        let too_far = most.saturating_add(wanted) > MAX_PACKET_OFF;
        too_far.then_some(match base.constant_var_off() {
            None => TooFar::Offset(most),
            Some(_) => TooFar::Moved,
        })
    }

    fn explain(&self, refused: Box<Rejection>, base: &RegState) -> Box<Rejection> {
        let origin = base.origin;
        match self {
            TooFar::Offset(most) => refused
                .because(
                    origin.made,
                    format!("the pointer is made here, of an offset that may be {most}"),
                )
                .help(format!(
                    "the offset may be as large as {most}, and a comparison proves nothing behind \
                     {MAX_PACKET_OFF} bytes: bound it before it is added, as with & 0x7fff or if \
                     (off > 1500) return 0, and compare behind that"
                )),
            TooFar::Moved => refused
                .because(origin.proved, "no comparison proves more than this one")
                .help(format!(
                    "a comparison proves nothing behind {MAX_PACKET_OFF} bytes: stay before them; \
                     bound the rounds of a loop that moves the pointer, as with i < 1500"
                )),
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

    /// What the check proves that was not enough.
    fn proven(self, refused: &Rejection, range: i64) -> String {
        let whose = owner(&refused.message);
        format!("this check proves bytes 0..{range} of {whose}{}", self.name)
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
