//! A warning: what the kernel accepts, although it may end badly when the program runs.
//!
//! Warnings have codes and pages as rejections have, from BPF0601 on. They change no verdict.
//!
//! Read before: `diag.rs`. Read next: `report/render.rs`.

use crate::codes::Code;
use crate::diag::{Cause, Place};

/// What is to be said of an accepted program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The stable code.
    pub code: Code,
    /// What may happen.
    pub message: String,
    /// The slot of the instruction where it may.
    pub slot: usize,
    /// What the instruction does.
    pub label: String,
    /// What led there, in the order of execution.
    pub causes: Vec<Cause>,
    /// What would help.
    pub help: Option<String>,
}

impl Warning {
    /// A warning of the instruction at `slot`.
    pub(crate) fn new(code: Code, slot: usize, message: String) -> Warning {
        Warning {
            code,
            message,
            slot,
            label: String::new(),
            causes: Vec::new(),
            help: None,
        }
    }

    pub(crate) fn label(mut self, label: String) -> Warning {
        self.label = label;
        self
    }

    /// Something that led there, if its place is known.
    pub(crate) fn because(mut self, place: Place, text: String) -> Warning {
        let causes = place.slot().map(|slot| Cause { slot, text });
        self.causes.extend(causes);
        self
    }

    pub(crate) fn help(mut self, help: String) -> Warning {
        self.help = Some(help);
        self
    }
}
