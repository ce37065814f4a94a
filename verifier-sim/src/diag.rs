//! A rejection: what the kernel will say, where, why, and what to do about it.
//!
//! The message begins with the kernel's own first words. What follows is ours: the place of
//! the instruction, the places that led there, and a help where one is known.
//!
//! Read before: `codes.rs`. Read next: `warning.rs`.

use std::num::NonZeroU32;

use crate::codes::Code;
use crate::path::explore::Stats;

/// Why a program is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The stable code.
    pub code: Code,
    /// The kernel's words, the first line of them.
    pub message: String,
    /// The lines of them behind the first.
    pub more: Vec<String>,
    /// The slot of the instruction that is refused.
    pub slot: usize,
    /// What the instruction does that it must not.
    pub label: String,
    /// What led there, in the order of execution.
    pub causes: Vec<Cause>,
    /// What would help.
    pub help: Option<String>,
    /// The branches of the path that was followed, in the order of execution.
    pub path: Vec<Step>,
    /// What was followed until there.
    pub stats: Stats,
    /// Whether it is refused since the kernel has no type of something.
    pub(crate) wants_types: bool,
}

/// An instruction that has to do with a rejection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The instruction's slot.
    pub slot: usize,
    /// What it did.
    pub text: String,
}

/// A conditional jump on the way to a rejection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The jump's slot.
    pub slot: usize,
    /// The slot where the path went on.
    pub to: usize,
}

impl Rejection {
    /// A rejection with the kernel's words; the explorer fills in the slot and the path.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Box<Rejection> {
        Box::new(Rejection {
            code,
            message: message.into(),
            more: Vec::new(),
            slot: 0,
            label: String::new(),
            causes: Vec::new(),
            help: None,
            path: Vec::new(),
            stats: Stats::default(),
            wants_types: false,
        })
    }

    /// That the kernel has no type of what it is about, which may have been left out.
    pub(crate) fn wants_types(mut self: Box<Self>) -> Box<Rejection> {
        self.wants_types = true;
        self
    }

    /// What the kernel says in a line of its own behind the message.
    pub(crate) fn adds(mut self: Box<Self>, line: impl Into<String>) -> Box<Rejection> {
        self.more.push(line.into());
        self
    }

    /// All of the kernel's words in one line, as [`VerifierLog::point`] gives those of its log.
    ///
    /// [`VerifierLog::point`]: ebpf_asm::verifier_log::VerifierLog::point
    pub fn words(&self) -> String {
        let more = self.more.iter().map(|line| format!("; {line}"));
        self.message.clone() + &more.collect::<String>()
    }

    /// What the instruction does that it must not.
    pub(crate) fn label(mut self: Box<Self>, label: impl Into<String>) -> Box<Rejection> {
        self.label = label.into();
        self
    }

    /// Something that led there, unless its place is unknown.
    pub(crate) fn because(
        mut self: Box<Self>,
        place: Place,
        text: impl Into<String>,
    ) -> Box<Rejection> {
        if let Some(slot) = place.slot() {
            let text = text.into();
            self.causes.push(Cause { slot, text });
        }
        self
    }

    /// What would help, if that is known.
    pub(crate) fn help_if(self: Box<Self>, help: Option<impl Into<String>>) -> Box<Rejection> {
        match help {
            Some(help) => self.help(help),
            None => self,
        }
    }

    /// What would help.
    pub(crate) fn help(mut self: Box<Self>, help: impl Into<String>) -> Box<Rejection> {
        self.help = Some(help.into());
        self
    }
}

/// The result of checking one thing.
pub(crate) type Checked<T = ()> = Result<T, Box<Rejection>>;

/// The slot of an instruction, if one is known, in four bytes: they count from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(Option<NonZeroU32>);

impl Place {
    /// No instruction.
    pub const NONE: Place = Place(None);

    /// The instruction at `slot`.
    pub fn at(slot: usize) -> Place {
        let behind = u32::try_from(slot)
            .ok()
            .and_then(|slot| slot.checked_add(1));
        Place(behind.and_then(NonZeroU32::new))
    }

    /// The slot, if one is known, which is then known no more.
    pub(crate) fn take(&mut self) -> Option<usize> {
        std::mem::replace(self, Place::NONE).slot()
    }

    /// The slot, if one is known.
    pub fn slot(self) -> Option<usize> {
        self.0.map(|behind| behind.get() as usize - 1)
    }
}
