//! The state of a program between two instructions: frames with registers and stack, and
//! references that are still to be given back.
//!
//! Read before: `stack.rs`, `sections.rs`. Read next: `env.rs`.

use crate::object::lock::Lock;
use crate::value::held::Held;
use crate::value::reg::{Kind, RegState};
use crate::value::sections::{Opened, Sections};
use crate::value::stack::{End, Stack};
use ebpf_asm::insn::Reg;
use std::ops::{Deref, RangeInclusive};
use std::rc::Rc;

/// The state of one active function.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    /// R0 to R10.
    pub regs: [Held; 11],
    /// Its stack.
    pub stack: Stack,
    /// Where its caller goes on: the slot after the call, or for a callback the slot of the
    /// call; unused for the first.
    pub return_to: usize,
    /// Which function it is: the first slot.
    pub function: usize,
    /// Who entered it.
    pub entered: Entered,
    /// How often the call that it is at has called back by now.
    pub called_back: u32,
}

/// Who entered a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entered {
    /// The program, or the function is where execution began.
    Call,
    /// A helper, which wants one of these results.
    Callback(RangeInclusive<i64>),
    /// The kernel, later, which wants one of these results. And how often functions that are
    /// called so were set on the way.
    Later {
        results: RangeInclusive<i64>,
        entries: u32,
    },
}

impl Entered {
    /// Whether who entered expects the same of the function.
    pub(crate) fn is_like(&self, other: &Entered) -> bool {
        match (self, other) {
            (Entered::Later { results: old, .. }, Entered::Later { results: new, .. }) => {
                old == new
            }
            _ => self == other,
        }
    }
}

/// Something acquired that must be given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reference {
    /// Its id, as in [`RegState::ref_id`].
    pub id: u32,
    /// The slot of the call that acquired it.
    pub acquired_at: usize,
}

/// What must be given back or undone before the program ends.
#[derive(Debug, Clone, Default)]
pub(crate) struct Owed {
    /// What was acquired.
    pub references: Vec<Reference>,
    /// How interrupts were each time that they were turned off, the last last.
    pub irq_flags: Vec<Reference>,
    /// The locks that are held, the last taken last.
    pub locks: Vec<Lock>,
}

impl Owed {
    const NOTHING: &Owed = &Owed {
        references: Vec::new(),
        irq_flags: Vec::new(),
        locks: Vec::new(),
    };
}

/// The state of a program. Copies share the frames of callers, and what they owe, until one of
/// them is changed.
#[derive(Debug, Clone)]
pub(crate) struct State {
    /// The innermost of the functions that are active. A copy is mostly made to go on in it, so that
    /// each has its own.
    innermost: Frame,
    /// Those that called it, the outermost first. Mostly there are none.
    callers: Vec<Rc<Frame>>,
    /// What it owes, if it ever owed something.
    owed: Option<Rc<Owed>>,
    /// The sections that are open.
    pub sections: Sections,
    /// Where they were opened.
    pub opened: Opened,
    /// Whether one may sleep: in the program if it says so, in what is called later if that is
    /// called so that it may.
    pub in_sleepable: bool,
    /// How many callbacks there were on the way.
    pub callbacks: u32,
    /// How many `may_goto` did not end their loops on the way.
    pub may_gotos: u32,
}

impl Frame {
    /// A function at its beginning: nothing but R10.
    pub(crate) fn new(depth: u8, function: usize, return_to: usize) -> Frame {
        let mut regs = [const { Held::NOTHING }; 11];
        regs[Reg::R10.index()] = RegState::pointer(Kind::Stack(depth)).into();
        Frame {
            regs,
            stack: Stack::default(),
            return_to,
            function,
            entered: Entered::Call,
            called_back: 0,
        }
    }
}

impl Frame {
    /// Whether a helper or a function of the kernel called it.
    pub(crate) fn is_called_back(&self) -> bool {
        matches!(self.entered, Entered::Callback(_))
    }

    /// The slot of the call that entered it; unused for the first.
    pub(crate) fn called_at(&self) -> usize {
        match self.entered {
            Entered::Call | Entered::Later { .. } => self.return_to.saturating_sub(1),
            Entered::Callback(_) => self.return_to,
        }
    }
}

impl State {
    /// The function that begins at slot `function`, at its beginning: only R10 holds something.
    pub(crate) fn entry(function: usize) -> State {
        State {
            innermost: Frame::new(0, function, 0),
            callers: Vec::new(),
            owed: None,
            sections: Sections::default(),
            opened: Opened::NOWHERE,
            in_sleepable: false,
            callbacks: 0,
            may_gotos: 0,
        }
    }

    /// What must be given back or undone before the program ends.
    pub(crate) fn owed(&self) -> &Owed {
        self.owed.as_deref().unwrap_or(Owed::NOTHING)
    }

    /// The same, to change it.
    pub(crate) fn owed_mut(&mut self) -> &mut Owed {
        Rc::make_mut(self.owed.get_or_insert_default())
    }

    /// Ends a reference, if there is one.
    pub(crate) fn end_reference(&mut self, id: u32) {
        let is_it = |reference: &Reference| reference.id == id;
        if self.owed().references.iter().any(is_it) {
            self.owed_mut()
                .references
                .retain(|reference| !is_it(reference));
        }
    }

    /// The active functions, the innermost last.
    pub(crate) fn frames(&self) -> impl DoubleEndedIterator<Item = &Frame> {
        let callers = self.callers.iter().map(Rc::as_ref);
        callers.chain([&self.innermost])
    }

    fn frames_mut(&mut self) -> impl Iterator<Item = FrameMut<'_>> {
        let callers = self.callers.iter_mut().map(FrameMut::Shared);
        callers.chain([FrameMut::Own(&mut self.innermost)])
    }

    /// The frame at this depth, the program's own at 0.
    pub(crate) fn frame_of(&self, depth: usize) -> Option<&Frame> {
        match depth == self.callers.len() {
            true => Some(&self.innermost),
            false => self.callers.get(depth).map(Rc::as_ref),
        }
    }

    /// The same, to change it.
    pub(crate) fn frame_at(&mut self, depth: u8) -> Option<&mut Frame> {
        let depth = usize::from(depth);
        match depth == self.callers.len() {
            true => Some(self.frame_mut()),
            false => self.callers.get_mut(depth).map(Rc::make_mut),
        }
    }

    /// The stack of the frame at this depth.
    pub(crate) fn stack_at(&self, depth: u8) -> Option<&Stack> {
        let frame = self.frame_of(usize::from(depth));
        frame.map(|frame| &frame.stack)
    }

    /// How many functions are active.
    pub(crate) fn active(&self) -> usize {
        self.callers.len() + 1
    }

    /// The depth of the innermost function, 0 for the program itself.
    pub(crate) fn depth(&self) -> u8 {
        // At most 8 are ever active.
        self.callers.len() as u8
    }

    /// Enters a function.
    pub(crate) fn push(&mut self, frame: Frame) {
        let caller = std::mem::replace(&mut self.innermost, frame);
        self.callers.push(Rc::new(caller));
    }

    /// Leaves the innermost function; `None`, and no change, if it is the program itself.
    pub(crate) fn pop(&mut self) -> Option<Frame> {
        let caller = Rc::unwrap_or_clone(self.callers.pop()?);
        Some(std::mem::replace(&mut self.innermost, caller))
    }

    /// The innermost function.
    pub(crate) fn frame(&self) -> &Frame {
        &self.innermost
    }

    /// The innermost function, to change it.
    pub(crate) fn frame_mut(&mut self) -> &mut Frame {
        &mut self.innermost
    }

    /// Whether the same functions are active, called from the same places.
    pub(crate) fn same_calls(&self, other: &State) -> bool {
        let same = |(a, b): (&Frame, &Frame)| {
            let same = a.function == b.function && a.return_to == b.return_to;
            same && a.entered.is_like(&b.entered)
        };
        self.active() == other.active() && self.frames().zip(other.frames()).all(same)
    }

    /// A register of the innermost function.
    pub(crate) fn reg(&self, reg: Reg) -> &RegState {
        &self.frame().regs[reg.index()]
    }

    /// A register of the innermost function, to change it.
    pub(crate) fn reg_mut(&mut self, reg: Reg) -> &mut RegState {
        self.frame_mut().regs[reg.index()].to_mut()
    }

    /// Gives a register of the innermost function other contents.
    pub(crate) fn set_reg(&mut self, reg: Reg, to: RegState) {
        self.frame_mut().regs[reg.index()].set(to);
    }

    /// What a register of the innermost function holds, to be shared.
    pub(crate) fn held(&self, reg: Reg) -> Held {
        self.frame().regs[reg.index()].clone()
    }

    /// Makes a register of the innermost function hold what another one does.
    pub(crate) fn copy_reg(&mut self, from: Reg, to: Reg) {
        let held = self.held(from);
        self.frame_mut().regs[to.index()] = held;
    }

    /// Forgets all slots of stacks but these, by the depth of the functions.
    pub(crate) fn keep_slots(&mut self, slots: &[u64], end: End) {
        for (mut frame, &slots) in self.frames_mut().zip(slots) {
            if let Some(length) = frame.stack.left_of(slots, end) {
                frame.to_mut().stack.keep(length, slots);
            }
        }
    }

    /// Does something to every register that holds something, those spilled to stacks
    /// included, of which `which` is true.
    pub(crate) fn change_regs(
        &mut self,
        which: impl Fn(&RegState) -> bool,
        mut change: impl FnMut(&mut RegState),
    ) {
        for mut frame in self.frames_mut() {
            if frame.registers().any(&which) {
                let regs = frame.to_mut().regs.iter_mut();
                let regs = regs.filter(|reg| !reg.is_nothing() && which(reg));
                regs.filter_map(Held::get_mut).for_each(&mut change);
            }
            if frame.spills().any(&which) {
                let slots = frame.to_mut().stack.slots_mut().iter_mut();
                let spills = slots.filter(|slot| slot.is_spill() && which(&slot.reg));
                let regs = spills.filter_map(|slot| slot.reg.get_mut());
                regs.for_each(&mut change);
            }
        }
    }
}

/// A frame of a state, to look at it, and perhaps to change it.
enum FrameMut<'s> {
    /// Other states may have it too, as long as it is not changed.
    Shared(&'s mut Rc<Frame>),
    Own(&'s mut Frame),
}

impl FrameMut<'_> {
    fn to_mut(&mut self) -> &mut Frame {
        match self {
            FrameMut::Shared(frame) => Rc::make_mut(frame),
            FrameMut::Own(frame) => frame,
        }
    }
}

impl Deref for FrameMut<'_> {
    type Target = Frame;

    fn deref(&self) -> &Frame {
        match self {
            FrameMut::Shared(frame) => frame,
            FrameMut::Own(frame) => frame,
        }
    }
}

impl Frame {
    /// The registers that hold something.
    fn registers(&self) -> impl Iterator<Item = &RegState> {
        let regs = self.regs.iter().map(|reg| &**reg);
        regs.filter(|reg| !reg.is_nothing())
    }

    /// The registers that are spilled to its stack.
    fn spills(&self) -> impl Iterator<Item = &RegState> {
        let spills = self.stack.slots().iter().filter(|slot| slot.is_spill());
        spills.map(|slot| &*slot.reg)
    }
}
