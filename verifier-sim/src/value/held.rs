//! What a register or a slot of the stack holds, as the copies of a state share it.
//!
//! States are copied at every branch and kept at checkpoints, and most of what they know stays
//! as it is. So copies share it until one of them changes something, a state is small, and that
//! two states have the same in a place is mostly seen without looking at what it is.
//!
//! Read before: `reg.rs`. Read next: `stack.rs`.

use crate::value::reg::RegState;
use std::ops::Deref;
use std::rc::Rc;

/// What a register holds, a spilled one or a description of an object of the kernel. Reads as
/// [`RegState::NOT_INIT`] where there is nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Held(Option<Rc<RegState>>);

impl Held {
    /// Nothing.
    pub(crate) const NOTHING: Held = Held(None);

    /// What is held, to change it; `None` if there is nothing.
    pub(crate) fn get_mut(&mut self) -> Option<&mut RegState> {
        self.0.as_mut().map(Rc::make_mut)
    }

    /// What is held, to change it, even if there is nothing.
    pub(crate) fn to_mut(&mut self) -> &mut RegState {
        let held = self.0.get_or_insert_with(|| Rc::new(RegState::NOT_INIT));
        Rc::make_mut(held)
    }

    /// Holds something else.
    pub(crate) fn set(&mut self, to: RegState) {
        match self.0.as_mut().and_then(Rc::get_mut) {
            // Nobody shares it: its place is taken.
            Some(held) => *held = to,
            None => *self = to.into(),
        }
    }

    /// Whether the same is held, wherever it comes from.
    pub(crate) fn is_same_as(&self, other: &Held) -> bool {
        let (one, other): (&RegState, &RegState) = (self, other);
        let origin = other.origin;
        // Numbers differ most.
        std::ptr::eq(one, other)
            || one.scalar == other.scalar && RegState { origin, ..*one } == *other
    }
}

impl From<RegState> for Held {
    fn from(reg: RegState) -> Held {
        Held(Some(Rc::new(reg)))
    }
}

impl Deref for Held {
    type Target = RegState;

    fn deref(&self) -> &RegState {
        self.0.as_deref().unwrap_or(&RegState::NOT_INIT)
    }
}
