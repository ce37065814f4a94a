//! What the running kernel says of a program, for people and as JSON.

use ebpf_asm::program::Program;
use serde_json::{Value, json};

use crate::verdict::SCHEMA;

/// The kernel's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "nobody answers there")
)]
pub(crate) enum Said {
    /// It takes the program.
    Accepts {
        /// Instructions followed, over all paths.
        processed: u64,
        /// How long it took, in microseconds.
        usec: u64,
    },
    /// Its verifier refuses the program.
    Rejects {
        /// The last instruction that it looked at.
        slot: Option<usize>,
        /// Its words.
        words: String,
    },
    /// It was not asked, or did not come to verifying.
    Nothing(String),
}

impl Said {
    /// One line, in the words of our own verdict.
    pub(crate) fn line(&self, program: &Program) -> String {
        let said = match self {
            Said::Accepts { processed, usec } => {
                format!("accepted, {processed} followed in {usec} us")
            }
            Said::Rejects {
                slot: Some(slot),
                words,
            } => format!("rejected at {slot}, {words}"),
            Said::Rejects { slot: None, words } => format!("rejected, {words}"),
            Said::Nothing(why) => format!("not judged, {why}"),
        };
        let Program {
            name, prog_type, ..
        } = program;
        format!("{name} ({prog_type}) on the running kernel: {said}")
    }

    /// The same as JSON.
    pub(crate) fn json(&self, program: &Program) -> Value {
        let said = match self {
            Said::Accepts { processed, usec } => {
                json!({"verdict": "accept", "processed": processed, "usec": usec})
            }
            Said::Rejects { slot, words } => {
                json!({"verdict": "reject", "slot": slot, "msg": words})
            }
            Said::Nothing(why) => json!({"verdict": "unsupported", "msg": why}),
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
