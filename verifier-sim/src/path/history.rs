//! History: the instructions that were executed, with what one must know to go back over them.
//!
//! Paths are followed one after the other, so that what one of them executes between two nodes
//! of the tree (`tree.rs`) stands in one [`Stretch`].
//!
//! There are up to a million steps, and of most one must know only where they were: these take
//! four bytes each.
//!
//! Read before: `value/state.rs`. Read next: `notes.rs`.

use crate::flow::cfg::Cfg;
use crate::flow::registers::RegSet;
use crate::path::notes::Notes;
use ebpf_asm::insn::Reg;

/// A slot of the stack of an active function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StackSlot {
    /// The function, by its depth in the chain of calls.
    pub(crate) depth: u8,
    /// The slot, counted from R10 downwards; at most 63.
    pub(crate) index: u8,
}

/// A register or slot that shares its number with another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sharer {
    /// A register of the function at this depth.
    Reg(u8, Reg),
    /// A spill.
    Slot(StackSlot),
}

/// In which function execution goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum GoesOn {
    /// Where the instruction says.
    #[default]
    Here,
    /// In the caller, by a tail call whose program returns there.
    InCaller,
    /// In a function that the call calls back.
    InCallback,
    /// At the call that called the function back, which ends here.
    AtCall,
}

/// An instruction that was executed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Past {
    /// Where it is, as a slot of the program.
    pub(crate) slot: u32,
    /// The spill that it wrote or filled from.
    pub(crate) spill: Option<StackSlot>,
    /// Where the next instruction is.
    pub(crate) goes_on: GoesOn,
    /// For comparisons: how many shared the compared numbers, and where they stand.
    sharers: u8,
    first_sharer: u32,
}

impl Past {
    /// An instruction of which there is nothing to know but where it is.
    fn plain(slot: u32) -> Past {
        Past {
            slot,
            spill: None,
            goes_on: GoesOn::Here,
            sharers: 0,
            first_sharer: 0,
        }
    }
}

/// A step in four bytes: twice the slot of an instruction of which there is nothing more to
/// know, or twice the index of one of which there is, and one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step(u32);

impl Step {
    /// An instruction of which there is nothing to know but that it is at `slot`.
    fn plain(slot: u32) -> Step {
        Step(slot << 1)
    }

    /// An instruction by its index in [`History::noted`].
    fn noted(index: u32) -> Step {
        Step(index << 1 | 1)
    }

    fn number(self) -> u32 {
        self.0 >> 1
    }

    fn is_noted(self) -> bool {
        self.0 & 1 == 1
    }

    /// Whether the same must be known before the instruction as after it, if these registers of
    /// its function are needed after it. So it is with most.
    pub(crate) fn is_idle(self, cfg: &Cfg<'_>, needed: RegSet) -> bool {
        if self.is_noted() {
            return false;
        }
        let uses = cfg.uses(self.number() as usize);
        uses.matters_for.is_some_and(|regs| !regs.meets(needed))
    }
}

/// A part of the history: what was executed between two nodes of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Stretch {
    from: u32,
    to: u32,
}

/// Everything that was executed, in order of execution.
#[derive(Debug)]
pub(crate) struct History {
    steps: Vec<Step>,
    /// The instructions of which there is more to know than where they are.
    noted: Vec<Past>,
    sharers: Vec<Sharer>,
}

impl History {
    /// Nothing was executed yet of a program of so many slots.
    pub(crate) fn new(slots: usize) -> History {
        History {
            // Most instructions are followed more than once, and what grows is copied.
            steps: Vec::with_capacity(slots.saturating_mul(4)),
            noted: Vec::with_capacity(slots),
            sharers: Vec::new(),
        }
    }

    /// Nothing was executed.
    pub(crate) fn clear(&mut self) {
        self.steps.clear();
        self.noted.clear();
        self.sharers.clear();
    }

    /// The stretch that begins now.
    pub(crate) fn begin(&self) -> Stretch {
        let now = index(self.steps.len());
        Stretch { from: now, to: now }
    }

    /// The stretch that began there and ends now.
    pub(crate) fn until_now(&self, stretch: Stretch) -> Stretch {
        Stretch {
            to: index(self.steps.len()),
            ..stretch
        }
    }

    /// Adds the instruction at `slot`, which left `notes`.
    pub(crate) fn push(&mut self, slot: usize, notes: &Notes) {
        let sharers = notes.sharers.as_slice();
        if notes.spill.is_none() && notes.goes_on == GoesOn::Here && sharers.is_empty() {
            self.steps.push(Step::plain(index(slot)));
            return;
        }
        self.note(Past {
            spill: notes.spill,
            goes_on: notes.goes_on,
            sharers: u8::try_from(sharers.len()).unwrap_or(u8::MAX),
            first_sharer: index(self.sharers.len()),
            ..Past::plain(index(slot))
        });
        self.sharers.extend_from_slice(sharers);
    }

    /// Notes that execution went on elsewhere than behind the instruction at `slot`.
    pub(crate) fn went_on(&mut self, slot: usize, elsewhere: GoesOn) {
        self.note(Past {
            goes_on: elsewhere,
            ..Past::plain(index(slot))
        });
    }

    fn note(&mut self, past: Past) {
        self.steps.push(Step::noted(index(self.noted.len())));
        self.noted.push(past);
    }

    /// The steps of a stretch, in order of execution.
    pub(crate) fn steps(&self, stretch: Stretch) -> &[Step] {
        let stretch = stretch.from as usize..stretch.to as usize;
        self.steps.get(stretch).unwrap_or_default()
    }

    /// What there is to know of a step.
    pub(crate) fn past(&self, step: Step) -> Past {
        let noted = self.noted.get(step.number() as usize);
        let noted = noted.filter(|_| step.is_noted());
        noted.copied().unwrap_or(Past::plain(step.number()))
    }

    /// What shared the numbers that an instruction compared.
    pub(crate) fn sharers(&self, past: &Past) -> &[Sharer] {
        let first = past.first_sharer as usize;
        let sharers = self.sharers.get(first..first + usize::from(past.sharers));
        sharers.unwrap_or_default()
    }
}

/// An index in four bytes: there are at most a million instructions, executed a million times.
fn index(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}
