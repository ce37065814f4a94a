//! Raw tracepoints: programs that see what the kernel hands to a tracepoint, as it is.
//!
//! The arguments are those of the tracepoint's definition in the kernel (`TP_PROTO`), by
//! number; what they are is the program's word.

use crate::kernel_ptr::{KernelPtr, PointedTo};
use crate::recorder::{Rec, Recorder};
use crate::recording::{ContextField, OpKind, Operand as Raw, ProgramKind, Type, ValueId};
use crate::returns::{RawTracepoint, Returns};
use crate::scope::Scope;
use crate::unit::Unit;
use crate::value::{Scalar, Value};

/// The most arguments that a tracepoint has (`MAX_BPF_FUNC_ARGS`).
pub(crate) const MAX_ARGS: u32 = 12;

/// What a raw tracepoint's program gets: the kernel's `struct bpf_raw_tracepoint_args`.
#[derive(Debug)]
pub struct RawTracepointContext<'p> {
    rec: Rec<'p>,
}

impl<'p> RawTracepointContext<'p> {
    /// The tracepoint's argument of this number, from 0: `ctx.arg::<*const task_struct>(1)`.
    ///
    /// Of a number the low bits are taken that a `T` has. The kernel refuses to attach a
    /// program that reads an argument which its tracepoint has not.
    #[track_caller]
    pub fn arg<T: TracepointArg>(&self, number: u32) -> T::Value<'p> {
        let field = ContextField::Args(number);
        let define = |dst| OpKind::Context { dst, field };
        T::of(self.rec, self.rec.recorder().define(Type::U64, define))
    }
}

/// What an argument of a tracepoint can be: a number, or a pointer into the kernel's memory.
#[diagnostic::on_unimplemented(
    message = "an argument of a tracepoint cannot be a `{Self}`",
    note = "it is a number (`u64`, `u32`...) or a pointer (`*const T`)"
)]
pub trait TracepointArg {
    /// The argument, as the program has it.
    type Value<'p>;
    #[doc(hidden)]
    fn of(rec: Rec<'_>, id: ValueId) -> Self::Value<'_>;
}

impl<T: PointedTo> TracepointArg for *const T {
    type Value<'p> = KernelPtr<'p, T>;

    fn of(rec: Rec<'_>, id: ValueId) -> KernelPtr<'_, T> {
        KernelPtr::of_number(rec, id)
    }
}

impl TracepointArg for u64 {
    type Value<'p> = Value<'p, u64>;

    fn of(rec: Rec<'_>, id: ValueId) -> Value<'_, u64> {
        Value::new(rec, id)
    }
}

macro_rules! narrow {
    ($($ty:ty)*) => {$(
        impl TracepointArg for $ty {
            type Value<'p> = Value<'p, $ty>;

            #[track_caller]
            fn of(rec: Rec<'_>, id: ValueId) -> Value<'_, $ty> {
                Value::new(rec, rec.recorder().cast(<$ty as Scalar>::TYPE, id))
            }
        }
    )*};
}

narrow!(u8 u16 u32);

impl<'p> Returns<'p, RawTracepoint> for () {
    fn returned(self, _: Rec<'p>) -> Option<Raw> {
        // The kernel looks at no result.
        Some(Raw::Const(0))
    }
}

impl Unit {
    /// Records a program for a raw tracepoint, such as `sched_switch`. `body` gets the
    /// program's scope and its context, and returns nothing.
    #[track_caller]
    pub fn raw_tracepoint(
        self,
        name: &str,
        tracepoint: &str,
        body: impl for<'p> FnOnce(&mut Scope<'p, RawTracepoint>, &RawTracepointContext<'p>),
    ) -> Self {
        let mut body = Some(body);
        self.record_raw_tracepoint(name, tracepoint, &mut |f, ctx| {
            // It is called once.
            if let Some(body) = body.take() {
                body(f, ctx);
            }
        })
    }

    #[track_caller]
    fn record_raw_tracepoint(mut self, name: &str, tracepoint: &str, body: &mut Body<'_>) -> Self {
        let recorder = Recorder::default();
        let loc = recorder.begin();
        record(&recorder, body);
        let tracepoint = tracepoint.to_string();
        self.add_program(
            name,
            ProgramKind::RawTracepoint { tracepoint },
            loc,
            recorder,
        );
        self
    }
}

/// A program's closure, as a call that is compiled here.
type Body<'a> = dyn for<'p> FnMut(&mut Scope<'p, RawTracepoint>, &RawTracepointContext<'p>) + 'a;

/// Runs a program's closure. The lifetime of the borrow is the program's brand.
#[track_caller]
fn record(recorder: &Recorder, body: &mut Body<'_>) {
    let rec = Rec::new(recorder);
    let mut scope = Scope::new(rec);
    body(&mut scope, &RawTracepointContext { rec });
    scope.return_(());
}
