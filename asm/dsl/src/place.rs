//! Places: memory that changes under the program, such as a map value.
//!
//! A packet's fields are read when named; a place is read with [`get`](Place::get), since
//! another CPU or user space may write it between two reads.

use core::marker::PhantomData;

use crate::address::{Address, Field, Write};
use crate::recording::{BinaryOp, OpKind, Operand as Raw, Type};
use crate::value::{Operand, Scalar};

/// A `T` in memory that the program may read and write while `'m` lasts.
#[derive(Debug)]
pub struct Place<'m, 'p, T> {
    at: Address<'m, 'p>,
    ty: PhantomData<fn() -> T>,
}

impl<T> Clone for Place<'_, '_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Place<'_, '_, T> {}

impl<'m, 'p, T> Place<'m, 'p, T> {
    #[doc(hidden)]
    pub fn new(at: Address<'m, 'p>) -> Self {
        Place {
            at,
            ty: PhantomData,
        }
    }
}

impl<'m, 'p, T: Field> Place<'m, 'p, T> {
    /// Reads the place.
    #[track_caller]
    pub fn get(self) -> T::Read<'p> {
        T::read(self.at)
    }

    /// Writes the place.
    #[track_caller]
    pub fn set(self, value: impl Write<'p, T>) {
        value.write(self.at);
    }
}

macro_rules! counters {
    ($($ty:ty)*) => {$(
        impl<'p> Place<'_, 'p, $ty> {
            /// Adds by reading and writing back. Right for per-CPU values, where an XDP
            /// program is never interrupted by itself; elsewhere another CPU's addition can
            /// be lost: use [`atomic_add`](Self::atomic_add).
            #[track_caller]
            pub fn add(self, amount: impl Operand<'p, $ty>) {
                add(self.at, <$ty as Scalar>::TYPE, amount.operand(self.at.rec));
            }

            /// Adds atomically.
            #[track_caller]
            pub fn atomic_add(self, amount: impl Operand<'p, $ty>) {
                atomic_add(self.at, <$ty as Scalar>::TYPE, amount.operand(self.at.rec));
            }
        }
    )*};
}

counters!(u32 u64);

#[track_caller]
fn add(at: Address<'_, '_>, ty: Type, amount: Raw) {
    let old = Raw::Value(at.load(ty));
    let sum = at.rec.recorder().binary(ty, BinaryOp::Add, old, amount);
    at.store(ty, Raw::Value(sum));
}

#[track_caller]
fn atomic_add(at: Address<'_, '_>, ty: Type, value: Raw) {
    let Address {
        rec, ptr, offset, ..
    } = at;
    rec.recorder().effect(OpKind::AtomicAdd {
        ptr,
        offset,
        ty,
        value,
    });
}
