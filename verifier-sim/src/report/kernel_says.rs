//! The kernel's refusal, told as our own are: from its log, whether in plain words or with the
//! report of Linux 7.3.
//!
//! What the log does not say is concluded from it, as far as that is certain: the code from the
//! words ([`kernel_words`](crate::report::kernel_words)), what led there from the instructions of the
//! path, and what to do from the page of the code.
//!
//! Read before: `kernel_words.rs`, `render.rs`.

use crate::codes::Code;
use crate::diag::Cause;
use crate::report::kernel_words;
use crate::report::render::{Decor, Quoted, REMARK, Told, render};
use ebpf_asm::span::Span;
use ebpf_asm::verifier_log::{Report, Step, Trail, VerifierLog};

/// How many copies and writes of a register are followed back.
const LINKS: usize = 4;

/// Why the kernel refuses a program, by its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelRefusal {
    /// The code under which we explain it, if its words are known.
    pub code: Option<Code>,
    /// The kernel's words, the first line of them.
    pub message: String,
    /// The instruction that is refused, in slots, if the kernel came to one.
    pub slot: Option<usize>,
    /// What it says besides, to that instruction.
    pub label: String,
    /// What led there, in the order of execution.
    pub causes: Vec<Cause>,
    /// The reason in sentences, which kernels give since 7.3.
    pub reason: Option<String>,
    /// What to do: the kernel's suggestion, or what the code's page says.
    pub help: Option<String>,
}

/// What stands for the kernel's words where it has none but the errno of this name.
pub fn without_reason(errno: &str) -> String {
    format!("{errno}, without a reason in the log")
}

impl KernelRefusal {
    /// Reads it off a log; `None` if the log gives no reason.
    ///
    /// ```
    /// use ebpf_asm::verifier_log::VerifierLog;
    /// use ebpf_verifier_sim::{Code, KernelRefusal};
    ///
    /// let log = VerifierLog::read("0: R1=ctx() R10=fp0\n0: (bf) r0 = r2\nR2 !read_ok\n");
    /// let refusal = KernelRefusal::of(&log).expect("a reason");
    /// assert_eq!(refusal.code, Some(Code::UninitRegister));
    /// assert_eq!(refusal.slot, Some(0));
    /// ```
    pub fn of(log: &VerifierLog<'_>) -> Option<KernelRefusal> {
        let point = log.point()?;
        let words = log.words();
        let (first, besides) = match words.split_first() {
            Some((first, besides)) => ((*first).to_owned(), besides.join("; ")),
            None => (point.clone(), String::new()),
        };
        let slot = named_slot(&point).or_else(|| log.slot());
        let insn = slot.and_then(|slot| log.insn(slot));
        let code = kernel_words::code(&point, insn);
        let report = log.report();
        Some(KernelRefusal {
            code,
            label: label(report, besides),
            causes: match report {
                Some(report) if !report.causes.is_empty() => told_causes(report),
                _ => concluded_causes(&first, &log.trail()),
            },
            reason: report
                .map(|report| report.reason.clone())
                .filter(|reason| is_told(reason)),
            help: report
                .map(|report| report.suggestion.clone())
                .filter(|help| is_told(help))
                .or_else(|| code.and_then(how_to_mend)),
            message: first,
            slot,
        })
    }

    /// A refusal of which the log gives no reason, as of programs that the kernel does not begin
    /// to verify: nothing but the errno of this name.
    pub fn without_reason(errno: &str) -> KernelRefusal {
        KernelRefusal {
            code: None,
            message: without_reason(errno),
            slot: None,
            label: String::new(),
            causes: Vec::new(),
            reason: None,
            help: None,
        }
    }

    /// The refusal of a program as text of several lines, the last one ended. Lines are quoted
    /// from `quoted`: the program, or the log itself.
    pub fn render(&self, quoted: &dyn Quoted, decor: Decor) -> String {
        let told = Told {
            code: self.code,
            message: &self.message,
            refused: self.slot.map(|slot| (slot, self.label.as_str())),
            causes: &self.causes,
            note: self.reason.as_deref(),
            help: self.help.as_deref(),
        };
        render(&told, quoted, decor)
    }
}

fn is_told(text: &str) -> bool {
    !text.is_empty()
}

/// The remark at the refused instruction: the report's, or the words behind the first line.
fn label(report: Option<&Report<'_>>, besides: String) -> String {
    let remark = report.and_then(|report| report.at.as_ref());
    match remark {
        Some(remark) if !remark.text.is_empty() => remark.text.to_owned(),
        _ => besides,
    }
}

/// The slot in words such as `unreachable insn 2` and `infinite loop detected at insn 1`, which
/// are not of the instruction that the verifier looked at last.
fn named_slot(words: &str) -> Option<usize> {
    let (_, rest) = words.split_once("insn ")?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// What led there, as the report says.
fn told_causes(report: &Report<'_>) -> Vec<Cause> {
    let causes = report.causes.iter().filter_map(|cause| {
        let text = match cause.kind {
            "" => cause.text.to_owned(),
            kind => format!("{kind}: {}", cause.text),
        };
        cause.slot.map(|slot| Cause { slot, text })
    });
    causes.collect()
}

/// What led there, from the instructions of the path: where the register that is refused comes
/// from, and the last branch.
fn concluded_causes(words: &str, trail: &Trail<'_>) -> Vec<Cause> {
    let Some((_refused, before)) = trail.steps().split_last() else {
        return Vec::new();
    };
    let mut causes = named_register(words).map_or_else(Vec::new, |named| origin(before, named));
    if let Some((slot, to)) = before
        .iter()
        .rev()
        .find_map(|step| Some((step.slot, step.to?)))
        && causes.iter().all(|cause| cause.slot != slot)
    {
        let text = format!("the path goes on at {to} from here");
        causes.push(Cause { slot, text });
    }
    let when = |cause: &Cause| before.iter().rposition(|step| step.slot == cause.slot);
    causes.sort_by_key(when);
    causes
}

/// Where a register's value comes from: the last instruction that wrote it, and of a copy the one
/// that wrote what was copied.
fn origin(before: &[Step<'_>], mut register: u8) -> Vec<Cause> {
    let mut causes = Vec::new();
    for step in before.iter().rev() {
        if causes.len() == LINKS || step.changes_frame() {
            break;
        }
        if !step.writes(register) {
            continue;
        }
        let slot = step.slot;
        let text = match step.becomes(register) {
            Some(value) => format!("R{register} becomes {value}"),
            None if register != 0 && step.is_call() => {
                format!("the call leaves nothing in R{register}")
            }
            None => format!("R{register} is written here"),
        };
        causes.push(Cause { slot, text });
        match step.copies() {
            Some(from) => register = from,
            None => break,
        }
    }
    causes
}

/// The first register that words name: 2 in `invalid access to packet, off=14 size=1, R2(...)`.
fn named_register(words: &str) -> Option<u8> {
    let words = words.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words
        .filter_map(|word| word.strip_prefix('R')?.parse().ok())
        .find(|number| *number < 10)
}

/// The first paragraph of how to mend it, on the code's page, in one line, without what leads over
/// to the program behind it.
fn how_to_mend(code: Code) -> Option<String> {
    let (_, mend) = code.entry()?.page.split_once("\n## How to mend it\n")?;
    let paragraph = mend.trim_start().split("\n\n").next()?;
    let line = paragraph.lines().collect::<Vec<_>>().join(" ");
    Some(match line.strip_suffix(':') {
        None => line,
        Some(leads) => match leads.rsplit_once(". ") {
            Some((advice, _)) => format!("{advice}."),
            None => format!("{leads}."),
        },
    })
}

impl Quoted for VerifierLog<'_> {
    fn name(&self) -> &str {
        "log"
    }

    fn span(&self, slot: usize) -> Option<Span<&str>> {
        let annotations = self.report().into_iter().flat_map(Report::annotations);
        let reported = annotations
            .filter(|one| one.slot == Some(slot))
            .find_map(|one| one.source);
        reported.or_else(|| self.source(slot).filter(|span| !span.file.is_empty()))
    }

    /// With the source line, of which kernels before 6.10 say no place.
    fn insn(&self, slot: usize) -> Option<String> {
        let insn = VerifierLog::insn(self, slot)?;
        let source = self.source(slot).map(|span| span.text.trim());
        Some(match source {
            Some(text) if !text.is_empty() => format!("{insn}{REMARK}{text}"),
            _ => insn.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::CODES;

    fn refusal(log: &str) -> KernelRefusal {
        KernelRefusal::of(&VerifierLog::read(log)).expect("a reason")
    }

    fn rendered(log: &str) -> String {
        refusal(log).render(&VerifierLog::read(log), Decor::Plain)
    }

    #[test]
    fn what_to_do_stands_without_the_program_that_shows_it() {
        for entry in CODES {
            let mend = how_to_mend(entry.code);
            let mend = mend.unwrap_or_else(|| panic!("{}: nothing to do", entry.code));
            assert!(mend.ends_with('.'), "{}: {mend}", entry.code);
            assert!(!mend.contains("```"), "{}: {mend}", entry.code);
        }
        let special = how_to_mend(Code::SpecialField);
        assert_eq!(
            special.as_deref(),
            Some("Leave the member to its helpers, and access the others.")
        );
    }

    #[test]
    fn copies_are_followed_back_to_where_they_come_from() {
        let log = "0: R1=ctx() R10=fp0\n\
                   0: (61) r2 = *(u32 *)(r1 +0)          ; R1=ctx() R2_w=pkt(r=0)\n\
                   1: (bf) r3 = r2                       ; R2_w=pkt(r=0) R3_w=pkt(r=0)\n\
                   2: (71) r0 = *(u8 *)(r3 +14)\n\
                   invalid access to packet, off=14 size=1, R3(id=0,off=14,r=0)\n\
                   R3 offset is outside of the packet\n";
        let said = refusal(log);
        assert_eq!(said.code, Some(Code::PacketBounds));
        assert_eq!(said.label, "R3 offset is outside of the packet");
        let causes: Vec<_> = said
            .causes
            .iter()
            .map(|cause| (cause.slot, cause.text.as_str()))
            .collect();
        assert_eq!(
            causes,
            [(0, "R2 becomes pkt(r=0)"), (1, "R3 becomes pkt(r=0)")]
        );
        assert_eq!(
            rendered(log),
            "error[BPF0203]: invalid access to packet, off=14 size=1, R3(id=0,off=14,r=0)\n \
             --> log:2:1\n  |\n\
             0 | r2 = *(u32 *)(r1 +0)\n  | -------------------- R2 becomes pkt(r=0)\n\
             1 | r3 = r2\n  | ------- R3 becomes pkt(r=0)\n\
             2 | r0 = *(u8 *)(r3 +14)\n  | ^^^^^^^^^^^^^^^^^^^^ R3 offset is outside of the packet\n  |\n\
             help: Prove as many bytes as are read, from the same packet pointer, and again after \
             every helper that may move the packet.\n"
        );
    }

    /// Lines of the source without a place, as of kernels before 6.10, stand beside the instructions.
    #[test]
    fn source_lines_without_a_place_are_quoted() {
        let log = "0: R1=ctx() R10=fp0\n; void *data = (void *)(long)ctx->data;\n\
                   0: (61) r2 = *(u32 *)(r1 +0)          ; R1=ctx() R2_w=pkt(r=0)\n\
                   ; return *(char *)data;\n1: (71) r0 = *(u8 *)(r2 +0)\n\
                   invalid access to packet, off=0 size=1, R2(id=0,off=0,r=0)\n";
        let text = rendered(log);
        assert!(
            text.contains(
                "0 | r2 = *(u32 *)(r1 +0)  ; void *data = (void *)(long)ctx->data;\n  \
                 | -------------------- R2 becomes pkt(r=0)\n\
                 1 | r0 = *(u8 *)(r2 +0)  ; return *(char *)data;\n  \
                 | ^^^^^^^^^^^^^^^^^^^\n"
            ),
            "{text}"
        );
    }

    #[test]
    fn what_a_call_takes_is_a_cause() {
        let log = "0: (85) call bpf_ktime_get_ns#5       ; R0_w=scalar()\n\
                   1: (bf) r0 = r1\nR1 !read_ok\n";
        let said = refusal(log);
        assert_eq!(said.causes[0].text, "the call leaves nothing in R1");
        assert_eq!(said.code, Some(Code::UninitRegister));
    }

    #[test]
    fn words_without_an_instruction_have_no_place_or_the_one_they_name() {
        assert_eq!(
            refusal("unreachable insn 2\nprocessed 0 insns").slot,
            Some(2)
        );
        let said = refusal("last insn is not an exit or jmp\nprocessed 0 insns");
        assert_eq!((said.slot, said.code), (None, Some(Code::FallsOff)));
        let text = said.render(&VerifierLog::default(), Decor::Plain);
        assert!(
            text.starts_with("error[BPF0104]: last insn is not an exit or jmp\n"),
            "{text}"
        );
    }

    #[test]
    fn a_report_speaks_for_itself() {
        let log = "1: (95) exit\nR0 !read_ok\n\n\
                   Verification failed: Register Type Safety: Unreadable register\n\n\
                   Reason:\n  Nobody has written it.\n\n\
                   At:\n  f @ a.c:7:3\n  >>> 7 |   }        >>> 1 | (95) exit\n    \
                   | ^-- error: R0 is not readable\n\n\
                   Causal path:\n  f @ a.c:6:1\n  >>> 6 | if (x)     >>> 0 | (55) if r1 != 0x0 goto pc+1\n    \
                   | ^-- branch: explored as true, goto followed\n\n\
                   Suggestion:\n  Initialize R0.\n";
        let said = refusal(log);
        assert_eq!(said.code, Some(Code::NoReturnValue));
        assert_eq!(said.reason.as_deref(), Some("Nobody has written it."));
        assert_eq!(said.help.as_deref(), Some("Initialize R0."));
        assert_eq!(
            rendered(log),
            "error[BPF0501]: R0 !read_ok\n --> a.c:7:3\n  |\n\
             6 | if (x)\n  | ------ branch: explored as true, goto followed\n\
             7 |   }\n  |   ^ R0 is not readable\n  |\n\
             note: Nobody has written it.\nhelp: Initialize R0.\n"
        );
    }

    #[test]
    fn a_log_without_words_is_a_refusal_without_reason() {
        let log = VerifierLog::read("processed 0 insns (limit 1000000)\n");
        assert_eq!(KernelRefusal::of(&log), None);
        let said = KernelRefusal::without_reason("EINVAL").render(&log, Decor::Plain);
        assert_eq!(said, "error: EINVAL, without a reason in the log\n");
    }

    #[test]
    fn words_that_nobody_knows_are_told_as_they_are() {
        let said = refusal("0: (95) exit\nthe moon is wrong\n");
        assert_eq!((said.code, said.help), (None, None));
        assert_eq!(said.message, "the moon is wrong");
    }
}
