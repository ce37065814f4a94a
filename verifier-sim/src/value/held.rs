//! What a register or a slot of the stack holds, as the copies of a state share it.
//!
//! States are copied at every branch and kept at checkpoints, and most of what they know stays
//! as it is. So copies share it until one of them changes something, a state is small, and that
//! two states have the same in a place is mostly seen without looking at what it is.
//!
//! Nearly every instruction holds something new, and lets go of something. The room of what nobody
//! holds any more is kept for that, so that the allocator is seldom asked (BENCHMARKS.md,
//! "Verification").
//!
//! Read before: `words.rs`. Read next: `bytes.rs`.

use crate::value::reg::RegState;
use std::cell::RefCell;
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
        self.0.as_mut().map(unshared)
    }

    /// What is held, to change it, even if there is nothing.
    pub(crate) fn to_mut(&mut self) -> &mut RegState {
        unshared(self.0.get_or_insert_with(|| placed(RegState::NOT_INIT)))
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
        Held(Some(placed(reg)))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let is_last = |held: &Rc<RegState>| Rc::strong_count(held) == 1;
        if self.0.as_ref().is_some_and(is_last) {
            keep_room(self.0.take());
        }
    }
}

impl Deref for Held {
    type Target = RegState;

    fn deref(&self) -> &RegState {
        self.0.as_deref().unwrap_or(&RegState::NOT_INIT)
    }
}

thread_local! {
    /// Room that nobody holds anything in.
    static ROOM: RefCell<Vec<Rc<RegState>>> = const { RefCell::new(Vec::new()) };
}

/// For how many registers room is kept at most, half a megabyte.
const MOST_ROOM: usize = 4096;

/// Puts a register where there is room.
fn placed(reg: RegState) -> Rc<RegState> {
    let room = ROOM.try_with(|room| room.borrow_mut().pop());
    let mut room = room.ok().flatten();
    match room.as_mut().and_then(Rc::get_mut) {
        Some(place) => *place = reg,
        None => room = None,
    }
    room.unwrap_or_else(|| Rc::new(reg))
}

/// Keeps the room of a register that nobody else holds. Apart, so that letting go of one that is
/// shared, as most are, stays small.
#[inline(never)]
fn keep_room(last: Option<Rc<RegState>>) {
    // When the thread ends there is nothing to keep it for.
    let _ = ROOM.try_with(|room| {
        let mut room = room.borrow_mut();
        if room.len() < MOST_ROOM {
            room.extend(last);
        }
    });
}

/// The register, to change it: a copy of it if others share it.
fn unshared(held: &mut Rc<RegState>) -> &mut RegState {
    if Rc::strong_count(held) > 1 {
        *held = placed(**held);
    }
    Rc::make_mut(held)
}
