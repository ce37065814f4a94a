//! Why lines make no program.

use crate::isa::Sem;
use crate::span::Span;

/// Why lines make no program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssembleError {
    /// A label that something jumps to was never bound.
    #[error("instruction {line} ({insn}) goes to {}, which is nowhere bound", called(.label))]
    Unbound {
        /// The index of the instruction.
        line: usize,
        /// The instruction, its distance not yet known.
        insn: String,
        /// The label's name, if it has one.
        label: Option<String>,
        /// Where the instruction comes from.
        span: Option<Box<Span>>,
    },
    /// What no jump of the instruction set reaches, and no chain of jumps.
    #[error(
        "instruction {line} ({insn}) is {distance} slots from {}, which its field cannot hold, \
         and too many jumps go as far for chains of goto to serve them",
        called(.label)
    )]
    TooFar {
        /// The index of the instruction.
        line: usize,
        /// The instruction, its distance not yet known.
        insn: String,
        /// The distance in slots.
        distance: i64,
        /// The label's name, if it has one.
        label: Option<String>,
        /// Where the instruction comes from.
        span: Option<Box<Span>>,
    },
    /// A section name that stands for no program type.
    #[error("section '{0}' names no program type")]
    Section(String),
    /// A combination of operation, width and size that no instruction has.
    #[error("instruction {line}: no instruction means {sem:?}")]
    Missing {
        /// The index of the instruction.
        line: usize,
        /// What was asked for.
        sem: Sem,
    },
}

impl AssembleError {
    /// The index of the instruction that cannot be; `None` if it is none of them.
    pub(crate) fn index(&self) -> Option<usize> {
        match self {
            AssembleError::Unbound { line, .. }
            | AssembleError::TooFar { line, .. }
            | AssembleError::Missing { line, .. } => Some(*line),
            AssembleError::Section(_) => None,
        }
    }

    /// The source place of the instruction that cannot be, where that is known.
    pub fn span(&self) -> Option<&Span> {
        match self {
            AssembleError::Unbound { span, .. } | AssembleError::TooFar { span, .. } => {
                span.as_deref()
            }
            AssembleError::Section(_) | AssembleError::Missing { .. } => None,
        }
    }
}

/// `'name'`, or what a label without name is.
fn called(name: &Option<String>) -> String {
    match name {
        Some(name) => format!("'{name}'"),
        None => "its label".to_owned(),
    }
}
