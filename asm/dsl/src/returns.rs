//! What a scope returns: the program its action, an inlined function its result.

use crate::action::Action;
use crate::order::{Be16, Be32};
use crate::recorder::Rec;
use crate::recording::{Operand as Raw, Type};
use crate::value::{Operand, Scalar, Value};

/// Marks the scopes of an XDP program: they return an [`Action`].
#[derive(Clone, Copy, Debug)]
pub enum Xdp {}

/// Marks the scopes of a raw tracepoint's program: they return nothing.
#[derive(Clone, Copy, Debug)]
pub enum RawTracepoint {}

/// Marks the scopes in which a ring buffer record is open: nothing can return there, since
/// the record must be submitted or discarded first.
#[derive(Clone, Copy, Debug)]
pub enum RecordIsOpen {}

/// What an inlined function can return: [`Xdp`]'s action, a number, or nothing.
pub trait ReturnType {
    /// What the caller of an inlined function gets.
    type Result<'p>;
    #[doc(hidden)]
    fn close(rec: Rec<'_>) -> Self::Result<'_>;
}

/// A result that a scope of return type `R` can return.
#[diagnostic::on_unimplemented(
    message = "a scope that returns `{R}` cannot return `{Self}`",
    note = "an XDP program (`Xdp`) returns an action such as `XDP_PASS`, one for a raw tracepoint (`RawTracepoint`) nothing: `()`",
    note = "while a ring buffer record is open (`RecordIsOpen`) nothing can return: submit or discard the record first"
)]
pub trait Returns<'p, R> {
    #[doc(hidden)]
    fn returned(self, rec: Rec<'p>) -> Option<Raw>;
}

impl ReturnType for Xdp {
    type Result<'p> = Action<'p>;

    #[track_caller]
    fn close(rec: Rec<'_>) -> Action<'_> {
        Action::recorded(rec.recorder().close_inlined(Type::U32))
    }
}

impl<'p> Returns<'p, Xdp> for Action<'p> {
    fn returned(self, _: Rec<'p>) -> Option<Raw> {
        Some(self.raw())
    }
}

impl ReturnType for () {
    type Result<'p> = ();

    #[track_caller]
    fn close(rec: Rec<'_>) {
        rec.recorder().close_inlined_procedure();
    }
}

impl<'p> Returns<'p, ()> for () {
    fn returned(self, _: Rec<'p>) -> Option<Raw> {
        None
    }
}

macro_rules! numbers {
    ($($ty:ty)*) => {$(
        impl ReturnType for $ty {
            type Result<'p> = Value<'p, $ty>;

            #[track_caller]
            fn close(rec: Rec<'_>) -> Value<'_, $ty> {
                let id = rec.recorder().close_inlined(<$ty as Scalar>::TYPE);
                Value::new(rec, id)
            }
        }

        impl<'p> Returns<'p, $ty> for $ty {
            fn returned(self, rec: Rec<'p>) -> Option<Raw> {
                Some(Operand::<$ty>::operand(self, rec))
            }
        }
    )*};
}

numbers!(u8 u16 u32 u64 Be16 Be32);

/// A host constant where network order is returned: swapped at build time.
impl<'p> Returns<'p, Be16> for u16 {
    fn returned(self, rec: Rec<'p>) -> Option<Raw> {
        Some(Operand::<Be16>::operand(self, rec))
    }
}

/// A host constant where network order is returned: swapped at build time.
impl<'p> Returns<'p, Be32> for u32 {
    fn returned(self, rec: Rec<'p>) -> Option<Raw> {
        Some(Operand::<Be32>::operand(self, rec))
    }
}

impl<'p, T: Scalar> Returns<'p, T> for Value<'p, T> {
    fn returned(self, _: Rec<'p>) -> Option<Raw> {
        Some(self.raw())
    }
}
