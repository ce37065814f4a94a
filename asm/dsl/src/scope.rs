//! Scopes: where operations are recorded and how control flows.
//!
//! A scope is what a closure of the DSL gets as `f`. Methods that only record take `&self`;
//! methods that open a scope within take `&mut self`, so that an outer `f` cannot be used
//! in a branch by mistake.

use core::marker::PhantomData;

use crate::recorder::{IfAt, Rec};
use crate::recording::{Helper, Type};
use crate::returns::{ReturnType, Returns};
use crate::value::{Cond, Operand, Scalar, Value};
use crate::var::Var;

/// A scope of program `'p`, which returns an `R`.
///
/// A scope ends with its closure. What is recorded in it runs where the scope is: in the
/// branch, in the inlined function, or in the program itself.
#[derive(Debug)]
pub struct Scope<'p, R> {
    pub(crate) rec: Rec<'p>,
    returns: PhantomData<fn(R)>,
}

impl<'p, R> Scope<'p, R> {
    pub(crate) fn new(rec: Rec<'p>) -> Self {
        Scope {
            rec,
            returns: PhantomData,
        }
    }

    /// Returns `result` from the program, or from the inlined function around this scope.
    ///
    /// What is recorded behind it in the same scope never runs.
    #[track_caller]
    pub fn return_(&self, result: impl Returns<'p, R>) {
        let result = result.returned(self.rec);
        self.rec.recorder().return_(result);
    }

    /// Returns `result` if `cond` holds.
    #[track_caller]
    pub fn return_if(&self, cond: Cond<'p>, result: impl Returns<'p, R>) {
        let result = result.returned(self.rec);
        self.rec.recorder().return_if(cond.id, result);
    }

    /// Branches: `f.if_(cond).then(|f| ...).else_(|f| ...)`.
    pub fn if_(&mut self, cond: Cond<'p>) -> If<'_, 'p, R> {
        If { scope: self, cond }
    }

    /// Runs a function in a scope of its own: a return within leaves the function only.
    ///
    /// Every operation within knows its own line and the line of this call.
    ///
    /// ```
    /// use ebpf_dsl::prelude::*;
    ///
    /// fn is_ipv4<'p>(f: &mut Scope<'p, u32>, ctx: &XdpContext<'p>) -> U32<'p> {
    ///     let eth = f.header::<ethhdr>(ctx.packet()).or_return(0);
    ///     eth.h_proto().eq(ETH_P_IP).to_u32()
    /// }
    ///
    /// let unit = Unit::new("ipv4").xdp("xdp_ipv4", |f, ctx| {
    ///     let ipv4 = f.inlined(|f| is_ipv4(f, ctx));
    ///     f.return_if(ipv4.eq(1), XDP_DROP);
    ///     XDP_PASS
    /// });
    /// assert!(unit.check().is_ok());
    /// ```
    #[track_caller]
    pub fn inlined<S, T, F>(&mut self, body: F) -> S::Result<'p>
    where
        S: ReturnType,
        T: Returns<'p, S>,
        F: FnOnce(&mut Scope<'p, S>) -> T,
    {
        self.rec.recorder().open_inlined();
        let mut scope = Scope::new(self.rec);
        let result = body(&mut scope);
        scope.return_(result);
        S::close(self.rec)
    }

    /// A variable: a value that can be set in one branch and read behind it.
    #[track_caller]
    pub fn var<T: Scalar>(&self, initial: impl Operand<'p, T>) -> Var<'p, T> {
        let initial = initial.operand(self.rec);
        Var::new(self.rec, initial)
    }

    /// Nanoseconds since boot, not counting suspends (`bpf_ktime_get_ns`).
    #[track_caller]
    pub fn ktime_get_ns(&self) -> Value<'p, u64> {
        let id = self.rec.recorder().call(Type::U64, Helper::KtimeGetNs, []);
        Value::new(self.rec, id)
    }

    /// Number of the CPU that runs the program (`bpf_get_smp_processor_id`).
    #[track_caller]
    pub fn get_smp_processor_id(&self) -> Value<'p, u32> {
        let recorder = self.rec.recorder();
        let id = recorder.call(Type::U32, Helper::GetSmpProcessorId, []);
        Value::new(self.rec, id)
    }
}

/// A condition waiting for what runs when it holds.
#[must_use = "nothing branches yet: add `.then(|f| ...)`"]
#[derive(Debug)]
pub struct If<'f, 'p, R> {
    scope: &'f mut Scope<'p, R>,
    cond: Cond<'p>,
}

impl<'f, 'p, R> If<'f, 'p, R> {
    /// Records what runs if the condition holds.
    #[track_caller]
    pub fn then(self, body: impl FnOnce(&mut Scope<'p, R>)) -> Then<'f, 'p, R> {
        let rec = self.scope.rec;
        rec.recorder().open();
        body(&mut Scope::new(rec));
        Then::close(self.scope, self.cond)
    }
}

/// A branch that can still be given its other side.
#[derive(Debug)]
pub struct Then<'f, 'p, R> {
    scope: &'f mut Scope<'p, R>,
    at: IfAt,
}

impl<'f, 'p, R> Then<'f, 'p, R> {
    #[track_caller]
    pub(crate) fn close(scope: &'f mut Scope<'p, R>, cond: Cond<'p>) -> Self {
        let at = scope.rec.recorder().close_then(cond.id);
        Then { scope, at }
    }

    /// Records what runs if the condition does not hold.
    pub fn else_(self, body: impl FnOnce(&mut Scope<'p, R>)) {
        let rec = self.scope.rec;
        rec.recorder().open();
        body(&mut Scope::new(rec));
        rec.recorder().close_else(self.at);
    }
}
