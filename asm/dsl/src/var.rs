//! Variables: values that change while the program runs.

use core::marker::PhantomData;

use crate::recorder::Rec;
use crate::recording::{OpKind, Operand as Raw, VarId};
use crate::value::{Operand, Scalar, Value};

/// A variable of type `T`, made by [`Scope::var`](crate::Scope::var).
///
/// ```
/// use ebpf_dsl::prelude::*;
///
/// let unit = Unit::new("short").xdp("xdp_short", |f, ctx| {
///     let short = f.var::<u32>(0);
///     f.if_(ctx.len().lt(60)).then(|_| short.set(1));
///     f.return_if(short.get().eq(1), XDP_DROP);
///     XDP_PASS
/// });
/// assert!(unit.check().is_ok());
/// ```
#[derive(Debug)]
pub struct Var<'p, T> {
    rec: Rec<'p>,
    var: VarId,
    ty: PhantomData<fn() -> T>,
}

impl<T> Clone for Var<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Var<'_, T> {}

impl<'p, T: Scalar> Var<'p, T> {
    #[track_caller]
    pub(crate) fn new(rec: Rec<'p>, initial: Raw) -> Self {
        let var = rec.recorder().new_var(T::TYPE, initial);
        Var {
            rec,
            var,
            ty: PhantomData,
        }
    }

    /// The variable as it is now. Setting it later does not change this value.
    #[track_caller]
    pub fn get(self) -> Value<'p, T> {
        let var = self.var;
        let get = |dst| OpKind::GetVar { dst, var };
        Value::new(self.rec, self.rec.recorder().define(T::TYPE, get))
    }

    /// Sets the variable.
    #[track_caller]
    pub fn set(self, value: impl Operand<'p, T>) {
        let value = value.operand(self.rec);
        let var = self.var;
        self.rec.recorder().effect(OpKind::SetVar { var, value });
    }
}
