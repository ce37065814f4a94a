//! History: the instructions that were executed, with what one must know to go back over them.
//!
//! Paths are followed one after the other, so that what one of them executes between two nodes
//! of the tree (`tree.rs`) stands in one [`Stretch`].
//!
//! Read before: `state.rs`. Read next: `notes.rs`.

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

/// A part of the history: what was executed between two nodes of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Stretch {
    from: u32,
    to: u32,
}

/// Everything that was executed, in order of execution.
#[derive(Debug)]
pub(crate) struct History {
    steps: Vec<Past>,
    sharers: Vec<Sharer>,
}

impl History {
    /// Nothing was executed yet of a program of so many slots.
    pub(crate) fn new(slots: usize) -> History {
        History {
            steps: Vec::with_capacity(slots),
            sharers: Vec::new(),
        }
    }

    /// Nothing was executed.
    pub(crate) fn clear(&mut self) {
        self.steps.clear();
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

    /// Adds the instruction at `slot`.
    pub(crate) fn push(
        &mut self,
        slot: usize,
        spill: Option<StackSlot>,
        goes_on: GoesOn,
        sharers: &[Sharer],
    ) {
        self.steps.push(Past {
            slot: index(slot),
            spill,
            goes_on,
            sharers: u8::try_from(sharers.len()).unwrap_or(u8::MAX),
            first_sharer: index(self.sharers.len()),
        });
        if !sharers.is_empty() {
            self.sharers.extend_from_slice(sharers);
        }
    }

    /// The instructions of a stretch, in order of execution.
    pub(crate) fn steps(&self, stretch: Stretch) -> &[Past] {
        let stretch = stretch.from as usize..stretch.to as usize;
        self.steps.get(stretch).unwrap_or_default()
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
