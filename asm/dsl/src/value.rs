//! Recorded values: numbers and conditions that exist when the program runs.
//!
//! A [`Value`] is a number of the recording, not a number: what is done with it is recorded
//! too. Its type parameter is the plain Rust type, so that compiler errors name it.

use core::marker::PhantomData;

use crate::order::{Be16, Be32};
use crate::recorder::Rec;
use crate::recording::{Operand as Raw, Type, ValueId};

/// A value of type `T` that exists when the program `'p` runs.
///
/// Arithmetic is written with operators (`+ - * / % & | ^ << >>`, wrapping), comparisons with
/// methods ([`eq`](Value::eq), [`lt`](Value::lt)...) that give a [`Cond`]: `==` and `<` must
/// give a `bool`, which is known when the program is built, and do not compile.
#[must_use = "a value that is not used is not in the program"]
#[derive(Debug)]
pub struct Value<'p, T> {
    pub(crate) id: ValueId,
    pub(crate) rec: Rec<'p>,
    ty: PhantomData<fn() -> T>,
}

impl<T> Clone for Value<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Value<'_, T> {}

/// Eight bits.
pub type U8<'p> = Value<'p, u8>;
/// Sixteen bits in host order.
pub type U16<'p> = Value<'p, u16>;
/// Thirty-two bits in host order.
pub type U32<'p> = Value<'p, u32>;
/// Sixty-four bits in host order.
pub type U64<'p> = Value<'p, u64>;
/// A condition. Conditions combine with `&`, `|` and `!`.
pub type Cond<'p> = Value<'p, bool>;

impl<'p, T> Value<'p, T> {
    pub(crate) fn new(rec: Rec<'p>, id: ValueId) -> Self {
        Value {
            id,
            rec,
            ty: PhantomData,
        }
    }

    pub(crate) fn raw(self) -> Raw {
        Raw::Value(self.id)
    }
}

/// A type that a [`Value`] can have: `u8` to `u64`, [`Be16`], [`Be32`].
pub trait Scalar: Copy + 'static {
    /// The type as it is recorded.
    const TYPE: Type;
    /// The number, of a constant.
    fn number(self) -> u64;
}

/// A constant or a value that can stand where a `T` is asked for.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a `{T}` and not a recorded value of that type",
    label = "expected `{T}` or `Value<'_, {T}>`",
    note = "network order (`Be16`, `Be32`) and host order (`u16`, `u32`) do not mix: call `.to_host()` on the network-order side, or compare with a host constant, which is swapped at build time",
    note = "widths do not mix either: widen with `.to_u32()` or `.to_u64()`"
)]
pub trait Operand<'p, T> {
    /// The operand as it is recorded.
    #[doc(hidden)]
    fn operand(self, rec: Rec<'p>) -> Raw;
}

impl<'p, T: Scalar> Operand<'p, T> for Value<'p, T> {
    fn operand(self, _: Rec<'p>) -> Raw {
        self.raw()
    }
}

macro_rules! scalars {
    ($($ty:ty, $constant:ident, $number:expr;)*) => {$(
        impl Scalar for $ty {
            const TYPE: Type = Type::$constant;
            fn number(self) -> u64 {
                let number: fn($ty) -> u64 = $number;
                number(self)
            }
        }

        impl<'p> Operand<'p, $ty> for $ty {
            fn operand(self, _: Rec<'p>) -> Raw {
                Raw::Const(self.number())
            }
        }
    )*};
}

scalars! {
    u8, U8, u64::from;
    u16, U16, u64::from;
    u32, U32, u64::from;
    u64, U64, |number| number;
    Be16, Be16, |number| u64::from(number.to_host());
    Be32, Be32, |number| u64::from(number.to_host());
}

/// A host constant where network order is asked for: swapped at build time, and so not to be swapped
/// before (`53`, not `53u16.to_be()`, which is 13568).
impl<'p> Operand<'p, Be16> for u16 {
    fn operand(self, _: Rec<'p>) -> Raw {
        Raw::Const(u64::from(self))
    }
}

/// A host constant where network order is asked for: swapped at build time, and so not to be swapped
/// before.
impl<'p> Operand<'p, Be32> for u32 {
    fn operand(self, _: Rec<'p>) -> Raw {
        Raw::Const(u64::from(self))
    }
}

macro_rules! widen {
    ($from:ty => $($method:ident $to:ty, $doc:literal;)*) => {
        impl<'p> Value<'p, $from> {
            $(
                #[doc = $doc]
                #[track_caller]
                pub fn $method(self) -> Value<'p, $to> {
                    let id = self.rec.recorder().cast(<$to as Scalar>::TYPE, self.id);
                    Value::new(self.rec, id)
                }
            )*
        }
    };
}

widen!(u8 =>
    to_u16 u16, "The same number in 16 bits.";
    to_u32 u32, "The same number in 32 bits.";
    to_u64 u64, "The same number in 64 bits.";
);
widen!(u16 =>
    to_u8 u8, "The low 8 bits.";
    to_u32 u32, "The same number in 32 bits.";
    to_u64 u64, "The same number in 64 bits.";
);
widen!(u32 =>
    to_u8 u8, "The low 8 bits.";
    to_u16 u16, "The low 16 bits.";
    to_u64 u64, "The same number in 64 bits.";
);
widen!(u64 =>
    to_u8 u8, "The low 8 bits.";
    to_u16 u16, "The low 16 bits.";
    to_u32 u32, "The low 32 bits.";
);
widen!(bool =>
    to_u32 u32, "1 if the condition holds, 0 if not.";
);

macro_rules! swaps {
    ($($from:ty, $method:ident, $to:ty, $doc:literal;)*) => {$(
        impl<'p> Value<'p, $from> {
            #[doc = $doc]
            #[track_caller]
            pub fn $method(self) -> Value<'p, $to> {
                let id = self.rec.recorder().swap(<$to as Scalar>::TYPE, self.id);
                Value::new(self.rec, id)
            }
        }
    )*};
}

swaps! {
    Be16, to_host, u16, "The number in host order; records a byte swap.";
    Be32, to_host, u32, "The number in host order; records a byte swap.";
    u16, to_be, Be16, "The number in network order; records a byte swap.";
    u32, to_be, Be32, "The number in network order; records a byte swap.";
}
