//! What a line of the log is.
//!
//! Read before: `mod.rs`. Read next: `report.rs`.

use crate::span::Span;
use crate::text::{live_registers_off, opcode_before};

/// A line, without what nobody asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// `; text @ file:line`.
    Source(Span<&'a str>),
    /// `3: (71) r0 = *(u8 *)(r2 +14) ; R0_w=...`.
    Insn {
        slot: usize,
        opcode: u8,
        text: &'a str,
        /// The registers that it changed, if they are printed beside it.
        state: &'a str,
    },
    /// `from 3 to 5: R0=1 R10=fp0`: the path went another way.
    Branch { from: usize, to: usize },
    /// States, and how the verifier goes about its work.
    Protocol,
    /// `infinite loop detected at insn 1`, which stands behind an instruction, on its line, with
    /// states after it.
    Endless(&'a str),
    /// Plain words.
    Words(&'a str),
    /// What was done, counted.
    Statistics,
}

/// How the refusal begins that stands behind an instruction.
const ENDLESS: &str = "infinite loop detected";

/// How the refusal begins that stands behind an instruction where no state comes between: the
/// instruction is read as well, and it is where the verifier stopped.
const TOO_LARGE: &str = "BPF program is too large. ";

/// How lines begin that count what was done.
const STATISTICS: [&str; 5] = [
    "processed ",
    "verification time ",
    "stack depth",
    "max_states_per_insn ",
    "insns processed ",
];

/// How lines begin that tell of the verifier's work, by its releases since 5.4.
const PROTOCOL: [&str; 18] = [
    "from ",
    "caller:",
    "callee:",
    "caller ",
    "to caller at ",
    "returning from callee:",
    "mark_precise:",
    "propagating ",
    "last_idx ",
    "regs=",
    "parent ",
    "cur state:",
    "old state:",
    "Validating ",
    "Func#",
    "func#",
    "Live regs before insn",
    "subprog#",
];

impl<'a> Line<'a> {
    /// What a line of the log says: an instruction and the refusal behind it are two.
    pub(super) fn all(line: &'a str) -> impl Iterator<Item = Line<'a>> {
        let at = line.find(TOO_LARGE).filter(|_| insn(line.trim()).is_some());
        let (line, refusal) = line
            .split_at_checked(at.unwrap_or(line.len()))
            .unwrap_or((line, ""));
        [line, refusal].into_iter().filter_map(Line::read)
    }

    /// A line of the log; none if it is empty.
    fn read(line: &'a str) -> Option<Line<'a>> {
        if let Some(at) = line.find(ENDLESS) {
            return line.get(at..).map(Line::Endless);
        }
        let line = line.trim();
        if line.is_empty() {
            return None;
        }
        if let Some(text) = line.strip_prefix(';') {
            return Some(Line::Source(source(text.trim_start())));
        }
        Some(
            insn(line)
                .or_else(|| branch(line))
                .unwrap_or_else(|| other(line)),
        )
    }
}

fn other(line: &str) -> Line<'_> {
    let begins = |beginnings: &[&str]| beginnings.iter().any(|one| line.starts_with(one));
    match () {
        () if begins(&STATISTICS) => Line::Statistics,
        () if begins(&PROTOCOL) || numbered(line).is_some() => Line::Protocol,
        () if is_state(line) || is_liveness(line) => Line::Protocol,
        () => Line::Words(without_count(line)),
    }
}

/// Whether a line tells which slots of the stack are live, as `(0,12) frame 0 insn 6 +live -8`, or
/// that this was found out: so since Linux 6.18, behind the calls that lead there.
fn is_liveness(line: &str) -> bool {
    let calls = line
        .strip_prefix('(')
        .and_then(|rest| rest.split_once(") "));
    calls.is_some_and(|(calls, rest)| {
        let are_numbers = calls.chars().all(|c| c.is_ascii_digit() || c == ',');
        are_numbers
            && ["frame ", "live stack "]
                .iter()
                .any(|one| rest.starts_with(one))
    })
}

/// Words up to the statistics, which follow on the same line where the kernel forgets to end it.
fn without_count(words: &str) -> &str {
    let counted = [
        ("verification time ", " usec"),
        ("processed ", " insns (limit "),
    ];
    let cut = counted.into_iter().find_map(|(begins, has)| {
        let (words, rest) = words.rsplit_once(begins)?;
        rest.contains(has).then_some(words)
    });
    cut.map_or(words, str::trim_end)
}

/// A source line; what does not end in a place is all text.
fn source(text: &str) -> Span<&str> {
    let placed = text.rsplit_once(" @ ").and_then(|(text, place)| {
        let (file, line) = place.rsplit_once(':')?;
        Some(Span {
            file,
            line: line.parse().ok()?,
            column: 0,
            text,
        })
    });
    placed.unwrap_or(Span {
        file: "",
        line: 0,
        column: 0,
        text,
    })
}

/// `3: (71) r0 = ...`, or `3: .12....... (71) r0 = ...` with the live registers.
fn insn(line: &str) -> Option<Line<'_>> {
    let (slot, rest) = numbered(line)?;
    let (opcode, text) = opcode_before(live_registers_off(rest))?;
    // Behind a jump, the state of where it goes may follow on the same line.
    let text = match text.find(" pc").map(|at| at + " pc".len()) {
        Some(sign) => without_what_follows(text, sign),
        None => text,
    };
    let (text, state) = text.split_once(';').unwrap_or((text, ""));
    Some(Line::Insn {
        slot,
        opcode,
        text: text.trim_end(),
        state: state.trim(),
    })
}

/// A jump up to the digits of its distance, whose sign stands at `sign`.
fn without_what_follows(text: &str, sign: usize) -> &str {
    let rest = text.get(sign + 1..).unwrap_or_default();
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let end = sign + 1 + digits;
    let followed = text
        .get(end..)
        .is_some_and(|rest| rest.trim_start().starts_with(|c: char| c.is_ascii_digit()));
    match followed {
        true => text.get(..end).unwrap_or(text),
        false => text,
    }
}

/// `from 3 to 5: ...`.
fn branch(line: &str) -> Option<Line<'_>> {
    let (from, rest) = line.strip_prefix("from ")?.split_once(" to ")?;
    let (to, _) = rest.split_once(':')?;
    Some(Line::Branch {
        from: from.parse().ok()?,
        to: to.parse().ok()?,
    })
}

/// The slot in front of an instruction or a state, and what stands behind.
fn numbered(line: &str) -> Option<(usize, &str)> {
    let (number, rest) = line.split_once(':')?;
    Some((number.parse().ok()?, rest.trim_start()))
}

/// A line of states only, as in `R1=ctx() R10=fp0` or `frame1: R1_w=pkt(...)`.
fn is_state(line: &str) -> bool {
    let first = line.split_whitespace().next().unwrap_or_default();
    let is_frame = first
        .strip_prefix("frame")
        .is_some_and(|rest| rest.trim_end_matches(':').parse::<usize>().is_ok());
    is_frame || is_register(first) || first.starts_with("fp-") && first.contains('=')
}

/// `R1=ctx()`, `R1_w=pkt(...)`: a register's name, then an equals sign.
fn is_register(word: &str) -> bool {
    word.strip_prefix('R')
        .and_then(|rest| rest.split_once('='))
        .is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
}
