//! Order between recorded values, and what is said where there is none to be had.
//!
//! Rust's own comparison operators give a `bool`, and whether two recorded values are equal is
//! not known when the program is built. The compiler would say that much and no more: so they
//! are implemented here under a bound that nothing meets, and whose message names the methods.
//! In the same way `lt` and its kin exist for every type, and ask for [`Ordered`].
//!
//! Nothing in this file is made by a macro, since compiler errors show these lines.

use core::cmp::Ordering;

use crate::address::Bytes;
use crate::recording::CompareOp;
use crate::value::{Cond, Operand, Scalar, Value};

/// A type whose values have an order: `u8` to `u64`.
#[diagnostic::on_unimplemented(
    message = "recorded values of type `{Self}` have no order",
    label = "`{Self}` values can be equal, not greater or less",
    note = "numbers in network order (`Be16`, `Be32`) have one once they are swapped: `.to_host()`"
)]
pub trait Ordered: Scalar {}

impl Ordered for u8 {}
impl Ordered for u16 {}
impl Ordered for u32 {}
impl Ordered for u64 {}

impl<'p, T> Value<'p, T> {
    /// Whether `self < rhs`. Numbers in network order are swapped first: `.to_host()`.
    #[track_caller]
    pub fn lt(self, rhs: impl Operand<'p, T>) -> Cond<'p>
    where
        T: Ordered,
    {
        let rhs = rhs.operand(self.rec);
        self.compare(T::TYPE, CompareOp::Lt, rhs)
    }

    /// Whether `self <= rhs`. Numbers in network order are swapped first: `.to_host()`.
    #[track_caller]
    pub fn le(self, rhs: impl Operand<'p, T>) -> Cond<'p>
    where
        T: Ordered,
    {
        let rhs = rhs.operand(self.rec);
        self.compare(T::TYPE, CompareOp::Le, rhs)
    }

    /// Whether `self > rhs`. Numbers in network order are swapped first: `.to_host()`.
    #[track_caller]
    pub fn gt(self, rhs: impl Operand<'p, T>) -> Cond<'p>
    where
        T: Ordered,
    {
        let rhs = rhs.operand(self.rec);
        self.compare(T::TYPE, CompareOp::Gt, rhs)
    }

    /// Whether `self >= rhs`. Numbers in network order are swapped first: `.to_host()`.
    #[track_caller]
    pub fn ge(self, rhs: impl Operand<'p, T>) -> Cond<'p>
    where
        T: Ordered,
    {
        let rhs = rhs.operand(self.rec);
        self.compare(T::TYPE, CompareOp::Ge, rhs)
    }
}

/// What recorded values can be compared with by operators: nothing. Use the methods.
#[diagnostic::on_unimplemented(
    message = "recorded values are compared with methods, not with operators",
    label = "write `.eq(...)`, `.ne(...)`, `.lt(...)`, `.le(...)`, `.gt(...)` or `.ge(...)`",
    note = "operators give a `bool` when the program is built, methods a condition for when it runs; conditions combine with `&`, `|` and `!`"
)]
pub trait WithOperators {
    #[doc(hidden)]
    fn never(&self) -> !;
}

impl<T, R: WithOperators> PartialEq<R> for Value<'_, T> {
    fn eq(&self, rhs: &R) -> bool {
        rhs.never()
    }
}

impl<T, R: WithOperators> PartialOrd<R> for Value<'_, T> {
    fn partial_cmp(&self, rhs: &R) -> Option<Ordering> {
        rhs.never()
    }
}

impl<R: WithOperators, const N: usize> PartialEq<R> for Bytes<'_, N> {
    fn eq(&self, rhs: &R) -> bool {
        rhs.never()
    }
}
