//! What the kernel's verifier said, to the point.
//!
//! The log is a protocol: source lines (`; text @ file:line`), instructions
//! (`3: (71) r0 = *(u8 *)(r2 +14)`), register states, and at its end the
//! refusal in plain words, followed by statistics. Form as observed on Linux
//! 5.4 to 6.18; none of it is a promise of the kernel's, so what is not found
//! is left out, and the whole log is always kept.

use std::fmt;

use ebpf_asm::program::Program;
use ebpf_syscalls::Errno;

/// The refusal that stands behind an instruction, on its line, with states after it.
const ENDLESS: &str = "infinite loop detected";

/// Most lines of the refusal that are quoted.
const LINES: usize = 3;

/// A program that the kernel's verifier refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The program.
    pub program: String,
    /// The kernel's errno.
    pub errno: Errno,
    /// The kernel's words at the end of its log, in one line.
    pub point: String,
    /// The last instruction that the verifier looked at, in slots.
    pub slot: Option<usize>,
    /// Where that comes from.
    pub source: Option<SourceLine>,
    /// The kernel's whole log.
    pub log: String,
}

/// A line of the program's source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceLine {
    /// The file and line, where they are known.
    pub place: Option<(String, u32)>,
    /// The line's text.
    pub text: String,
}

impl Rejection {
    /// Reads the log that the kernel gave for `program`.
    pub(crate) fn new(program: &Program, errno: Errno, log: String) -> Self {
        let slot = last_slot(&log);
        let source = slot
            .and_then(|slot| from_object(program, slot))
            .or_else(|| from_log(&log));
        Rejection {
            program: program.name.clone(),
            errno,
            point: point(&log),
            slot,
            source,
            log,
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the kernel refuses program '{}': {}",
            self.program, self.point
        )?;
        if let Some(source) = &self.source {
            if let Some((file, line)) = &source.place {
                write!(f, "\n  --> {file}:{line}")?;
            }
            write!(f, "\n   | {}", source.text.trim())?;
        }
        Ok(())
    }
}

/// The refusal: the last lines of the verifier's log in plain words, joined.
#[must_use]
pub fn point(log: &str) -> String {
    if let Some(at) = log.rfind(ENDLESS) {
        let words = log.get(at..).and_then(|rest| rest.lines().next());
        return words.unwrap_or(ENDLESS).to_owned();
    }
    let mut lines: Vec<_> = log
        .lines()
        .rev()
        .map(str::trim)
        .skip_while(|line| line.is_empty() || is_statistics(line))
        .take_while(|line| !line.is_empty() && !is_protocol(line))
        .take(LINES)
        .collect();
    lines.reverse();
    if lines.is_empty() {
        return "it gives no reason".to_owned();
    }
    lines.join("; ")
}

/// The number behind the last occurrence of a text in a log, such as `processed `; 0 if there is
/// none.
#[must_use]
pub fn figure(log: &str, text: &str) -> u64 {
    let rest = log.rfind(text).and_then(|at| log.get(at + text.len()..));
    let digits = rest.map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
    digits
        .flatten()
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0)
}

/// Whether the refusal is of the program's BTF, `func_info` or `line_info`, and
/// not of what the program does.
pub(crate) fn blames_records(log: &str) -> bool {
    // These are checked before the verifier follows the program.
    if last_slot(log).is_some() {
        return false;
    }
    let point = point(log).to_lowercase();
    ["func_info", "func info", "line_info", "btf"]
        .iter()
        .any(|name| point.contains(name))
}

fn is_statistics(line: &str) -> bool {
    [
        "processed ",
        "verification time ",
        "stack depth ",
        "max_states_per_insn ",
    ]
    .iter()
    .any(|beginning| line.starts_with(beginning))
}

/// Lines that tell of the way there: source, instructions, states of registers, functions that
/// are verified on their own.
fn is_protocol(line: &str) -> bool {
    line.starts_with(';')
        || line.starts_with("from ")
        || line.starts_with("caller:")
        || line.starts_with("callee:")
        || line.starts_with("mark_precise:")
        || line.starts_with("Validating ")
        || line.contains(" is safe for any args that match its prototype")
        || slot(line).is_some()
        || is_state(line)
}

/// A line of register states only, as in `R1=ctx() R10=fp0`.
fn is_state(line: &str) -> bool {
    line.split_whitespace().next().is_some_and(|word| {
        word.starts_with(['R', 'f']) && word.contains('=') && !word.contains('(')
            || is_register(word)
    })
}

/// `R1=ctx()`, `R1_w=pkt(...)`: a register's name, then an equals sign.
fn is_register(word: &str) -> bool {
    word.strip_prefix('R')
        .and_then(|rest| rest.split_once('='))
        .is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
}

/// The slot number in front of an instruction or state: `3: (71) ...`.
fn slot(line: &str) -> Option<usize> {
    line.split_once(':')
        .and_then(|(number, _)| number.parse().ok())
}

/// The instruction that the verifier looked at last.
fn last_slot(log: &str) -> Option<usize> {
    log.lines()
        .rev()
        .find(|line| line.split_once(": (").is_some())
        .and_then(slot)
}

fn from_object(program: &Program, slot: usize) -> Option<SourceLine> {
    let span = program.span(slot)?;
    Some(SourceLine {
        place: Some((span.file.to_owned(), span.line)),
        text: span.text.to_owned(),
    })
    .filter(|line| !line.text.is_empty())
}

/// The last source line in the log; its place is there since Linux 6.10.
fn from_log(log: &str) -> Option<SourceLine> {
    let line = log.lines().rev().find_map(|line| line.strip_prefix("; "))?;
    let placed = line.rsplit_once(" @ ").and_then(|(text, place)| {
        let (file, number) = place.rsplit_once(':')?;
        Some(SourceLine {
            place: Some((file.to_owned(), number.parse().ok()?)),
            text: text.to_owned(),
        })
    });
    Some(placed.unwrap_or_else(|| SourceLine {
        place: None,
        text: line.to_owned(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: &str = "0: R1=ctx() R10=fp0
; let ip = f.header(eth.end()); @ drop_icmp.rs:14
0: (61) r2 = *(u32 *)(r1 +0)          ; R1=ctx() R2_w=pkt(r=0)
1: (71) r0 = *(u8 *)(r2 +14)
invalid access to packet, off=14 size=1, R2(id=0,off=14,r=0)
R2 offset is outside of the packet
processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0";

    const OLD: &str = "; return x;
0: (95) exit
R0 !read_ok
verification time 12 usec
stack depth 0
processed 1 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
";

    #[test]
    fn the_point_is_the_plain_words_at_the_end() {
        assert_eq!(
            point(PACKET),
            "invalid access to packet, off=14 size=1, R2(id=0,off=14,r=0); \
             R2 offset is outside of the packet"
        );
        assert_eq!(point(OLD), "R0 !read_ok");
    }

    #[test]
    fn only_records_are_blamed_that_the_kernel_names() {
        for log in [
            "Invalid line_info[1].insn_off:5 (prev_offset:0 prog->len:2)\nprocessed 0 insns",
            "func_info BTF section doesn't match subprog layout in BPF program\n",
            "invalid type id 9 in func info\n",
        ] {
            assert!(blames_records(log), "{log}");
        }
        let quoting = "; let btf = line_info; @ a.rs:1\n0: (95) exit\nR0 !read_ok\n";
        for log in [
            PACKET,
            OLD,
            quoting,
            "",
            "last insn is not an exit or jmp\n",
        ] {
            assert!(!blames_records(log), "{log}");
        }
    }

    #[test]
    fn an_endless_loop_is_the_point_before_its_states() {
        let log = "2: (55) if r2 != 0x5 goto pc-2 infinite loop detected at insn 1\n\
                   cur state: R0=0 R10=fp0\nold state: R0=0 R10=fp0\n";
        assert_eq!(point(log), "infinite loop detected at insn 1");
    }

    #[test]
    fn states_and_branches_are_not_the_point() {
        let log = "from 3 to 5: R0=1 R10=fp0\nR1=ctx() R10=fp0\n5: (95) exit\nR0 !read_ok\n";
        assert_eq!(point(log), "R0 !read_ok");
        assert_eq!(
            point("0: (95) exit\nprocessed 1 insns"),
            "it gives no reason"
        );
        assert_eq!(point(""), "it gives no reason");
    }

    #[test]
    fn functions_that_were_verified_before_are_not_the_point() {
        let log = "Validating caught() func#1...\nFunc#1 ('caught') is safe for any args that match \
                   its prototype\ninsn 7 cannot call exception cb directly\n";
        assert_eq!(point(log), "insn 7 cannot call exception cb directly");
    }

    #[test]
    fn the_last_instruction_and_source_line_are_found() {
        assert_eq!(last_slot(PACKET), Some(1));
        assert_eq!(
            from_log(PACKET),
            Some(SourceLine {
                place: Some(("drop_icmp.rs".into(), 14)),
                text: "let ip = f.header(eth.end());".into(),
            })
        );
        assert_eq!(
            from_log(OLD).map(|l| (l.place, l.text)),
            Some((None, "return x;".into()))
        );
        assert_eq!((last_slot(""), from_log("")), (None, None));
    }
}
