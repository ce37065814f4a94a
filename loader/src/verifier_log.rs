//! A program that the kernel's verifier refused, and what it said: its log, to the point.

use std::fmt;

use ebpf_asm::program::Program;
use ebpf_asm::span::Span;
use ebpf_asm::verifier_log::VerifierLog;
use ebpf_syscalls::Errno;

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
        let read = VerifierLog::read(&log);
        let slot = read.slot();
        let source = slot.and_then(|slot| {
            let known = program.span(slot).filter(|span| !span.text.is_empty());
            known.or_else(|| read.source(slot)).map(SourceLine::of)
        });
        Rejection {
            program: program.name.clone(),
            errno,
            point: point(&read, errno),
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

impl SourceLine {
    fn of(span: Span<&str>) -> SourceLine {
        SourceLine {
            place: (!span.file.is_empty()).then(|| (span.file.to_owned(), span.line)),
            text: span.text.to_owned(),
        }
    }
}

/// The refusal in one line.
fn point(log: &VerifierLog<'_>, errno: Errno) -> String {
    log.point()
        .unwrap_or_else(|| format!("{errno}, without a reason in the log"))
}

/// Whether the refusal is of the program's `func_info` or `line_info`, and not of what the program
/// does; nor of a callback of exceptions that its types ask for: without them it would be another
/// program, which the kernel may take.
pub(crate) fn blames_records(log: &str) -> bool {
    let log = VerifierLog::read(log);
    // These are checked before the verifier follows the program.
    if log.last_slot().is_some() {
        return false;
    }
    let point = log.point().unwrap_or_default().to_lowercase();
    let names = |words: &[&str]| words.iter().any(|word| point.contains(word));
    names(&["func_info", "func info", "line_info"]) && !names(&["exception callback"])
}

#[cfg(test)]
mod tests {
    use super::*;
    use ebpf_asm::assembler::Assembler;

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
            "exception callback 'nope' could not be found in BTF\nprocessed 0 insns",
            "invalid exception callback insn_off in func_info: 0\nprocessed 0 insns",
        ] {
            assert!(!blames_records(log), "{log}");
        }
    }

    #[test]
    fn the_line_is_the_program_s_or_the_log_s() {
        let mut a = Assembler::new("p");
        a.exit();
        let program = a.finish("xdp").expect("a program");
        let said = |log: &str| Rejection::new(&program, Errno::EACCES, log.to_owned());
        let packet = said(PACKET);
        assert_eq!(packet.slot, Some(1));
        let source = SourceLine {
            place: Some(("drop_icmp.rs".into(), 14)),
            text: "let ip = f.header(eth.end());".into(),
        };
        assert_eq!(packet.source, Some(source));
        let old = said(OLD).source.map(|line| (line.place, line.text));
        assert_eq!(old, Some((None, "return x;".into())));
        let bare = "EACCES: Permission denied, without a reason in the log";
        assert_eq!(said("").point, bare);
        assert_eq!(said("").source, None);
    }
}
