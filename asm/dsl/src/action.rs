//! XDP actions: what a program decides about a frame.

use crate::recorder::{Rec, Recorder};
use crate::recording::{Operand as Raw, ValueId};
use crate::value::{Operand, Value};

/// What is to happen to the frame: one of the `XDP_*` constants, or a recorded value.
///
/// Wherever a `u32` operand is asked for, an action can stand, for instance as the key of an
/// array that counts verdicts.
#[derive(Clone, Copy, Debug)]
pub struct Action<'p>(Kind<'p>);

#[derive(Clone, Copy, Debug)]
enum Kind<'p> {
    Const(u32),
    Recorded(ValueId, &'p Recorder),
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
    pub(crate) fn recorded(rec: Rec<'p>, id: ValueId) -> Self {
        Action(Kind::Recorded(id, rec.recorder()))
    }

    /// The action as an operand of `rec`'s program.
    ///
    /// An action is covariant in its lifetime, or the constants could not serve every program.
    /// So it is the one value whose program the types cannot tell, and this asks.
    #[track_caller]
    pub(crate) fn operand_of(self, rec: Rec<'_>) -> Raw {
        match self.0 {
            Kind::Const(action) => Raw::Const(u64::from(action)),
            Kind::Recorded(id, of) if core::ptr::eq(of, rec.recorder()) => Raw::Value(id),
            Kind::Recorded(..) => {
                rec.recorder().foreign_action();
                Raw::Const(0)
            }
        }
    }
}

impl<'p> Value<'p, u32> {
    /// This number as the program's action. The kernel takes 5 and above for `XDP_ABORTED`.
    pub fn to_action(self) -> Action<'p> {
        Action::recorded(self.rec, self.id)
    }
}

impl<'p> Operand<'p, u32> for Action<'p> {
    #[track_caller]
    fn operand(self, rec: Rec<'p>) -> Raw {
        self.operand_of(rec)
    }
}
