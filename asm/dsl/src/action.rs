//! XDP actions: what a program decides about a frame.

use core::marker::PhantomData;

use crate::recorder::Rec;
use crate::recording::{Operand as Raw, ValueId};
use crate::value::{Operand, Value};

/// What is to happen to the frame: one of the `XDP_*` constants, or a recorded value.
///
/// Wherever a `u32` operand is asked for, an action can stand, for instance as the key of an
/// array that counts verdicts.
// Covariant in its lifetime, or the constants could not serve every program. A recorded action
// of another program does not fit all the same: neither program outlives the other.
#[derive(Clone, Copy, Debug)]
pub struct Action<'p>(Kind<'p>);

#[derive(Clone, Copy, Debug)]
enum Kind<'p> {
    Const(u32),
    Recorded(ValueId, PhantomData<&'p ()>),
}

/// The program failed: drop the frame and report it through the tracepoint `xdp_exception`.
pub const XDP_ABORTED: Action<'static> = Action(Kind::Const(0));
/// Drop the frame.
pub const XDP_DROP: Action<'static> = Action(Kind::Const(1));
/// Let the frame go on to the network stack.
pub const XDP_PASS: Action<'static> = Action(Kind::Const(2));
/// Send the frame back out by the interface it came in by.
pub const XDP_TX: Action<'static> = Action(Kind::Const(3));
/// Send the frame where the last redirect helper said.
pub const XDP_REDIRECT: Action<'static> = Action(Kind::Const(4));

/// How many actions there are: `XDP_ABORTED` (0) to `XDP_REDIRECT` (4).
pub const XDP_ACTIONS: u32 = 5;

impl<'p> Action<'p> {
    pub(crate) fn recorded(id: ValueId) -> Self {
        Action(Kind::Recorded(id, PhantomData))
    }

    pub(crate) fn raw(self) -> Raw {
        match self.0 {
            Kind::Const(action) => Raw::Const(u64::from(action)),
            Kind::Recorded(id, _) => Raw::Value(id),
        }
    }
}

impl<'p> Value<'p, u32> {
    /// This number as the program's action. The kernel takes 5 and above for `XDP_ABORTED`.
    pub fn to_action(self) -> Action<'p> {
        Action::recorded(self.id)
    }
}

impl<'p> Operand<'p, u32> for Action<'p> {
    fn operand(self, _: Rec<'p>) -> Raw {
        self.raw()
    }
}
