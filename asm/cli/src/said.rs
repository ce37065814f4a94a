//! What the running kernel says of a program, for people and as JSON.

use ebpf_asm::program::Program;
use ebpf_cli::exit::Exit;
use ebpf_verifier_sim::{Decor, KernelRefusal, Verdict};
use serde_json::{Value, json};

use crate::verdict::{SCHEMA, causes};

/// The kernel's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "nobody answers there")
)]
pub(crate) enum Said {
    /// It takes the program.
    Accepts {
        /// Instructions followed, over all paths, if it says that.
        processed: Option<u64>,
        /// How long it took, in microseconds, if it says that.
        usec: Option<u64>,
    },
    /// Its verifier refuses the program.
    Rejects(Box<KernelRefusal>),
    /// It was not asked, or did not come to verifying.
    Nothing {
        /// Why.
        why: String,
        /// How a command ends that cannot do without the answer.
        exit: Exit,
        /// What to do about it.
        help: Vec<String>,
    },
}

impl Said {
    /// One line, in the words of our own verdict.
    pub(crate) fn line(&self, program: &Program) -> String {
        let said = match self {
            Said::Accepts { processed, usec } => {
                let processed = processed.map(|count| format!(", {count} followed"));
                let usec = usec.map(|usec| format!(" in {usec} us"));
                let figures = [processed, usec].into_iter().flatten();
                format!("accepted{}", figures.collect::<String>())
            }
            Said::Rejects(why) => rejected(why),
            Said::Nothing { why, .. } => format!("not judged, {why}"),
        };
        let Program {
            name, prog_type, ..
        } = program;
        format!("{name} ({prog_type}) on the running kernel: {said}")
    }

    /// The refusal explained, unless our own verifier has made the same point.
    pub(crate) fn explanation(&self, program: &Program, ours: &Verdict) -> Option<String> {
        let Said::Rejects(why) = self else {
            return None;
        };
        let same = ours
            .rejection()
            .is_some_and(|ours| ours.message.starts_with(&why.message));
        (!same).then(|| why.render(program, Decor::Styled))
    }

    /// The same as JSON.
    pub(crate) fn json(&self, program: &Program) -> Value {
        let said = match self {
            Said::Accepts { processed, usec } => {
                json!({"verdict": "accept", "processed": processed, "usec": usec})
            }
            Said::Rejects(why) => {
                let line = why.slot.and_then(|slot| program.span(slot));
                json!({
                    "verdict": "reject",
                    "code": why.code.map(|code| code.to_string()),
                    "msg": why.message,
                    "slot": why.slot,
                    "file": line.map(|line| line.file),
                    "line": line.map(|line| line.line),
                    "label": why.label,
                    "causes": causes(program, &why.causes),
                    "reason": why.reason,
                    "help": why.help,
                })
            }
            Said::Nothing { why, .. } => json!({"verdict": "unsupported", "msg": why}),
        };
        json!({
            "schema": SCHEMA,
            "event": "kernel_verdict",
            "program": program.name,
            "prog_type": program.prog_type.name(),
            "kernel": said,
        })
    }
}

/// `rejected at 4, BPF0203 invalid access to packet`, as far as the place and the code are known.
fn rejected(why: &KernelRefusal) -> String {
    let at = why
        .slot
        .map_or_else(String::new, |slot| format!(" at {slot}"));
    let code = why.code.map_or_else(String::new, |code| format!("{code} "));
    format!("rejected{at}, {code}{}", why.message)
}
