//! Ring buffers: events for user space.
//!
//! A record that was reserved must be submitted or discarded on every path, or the verifier
//! refuses the program. So it lives in a closure that has to return one or the other.

use core::marker::PhantomData;

use crate::address::Address;
use crate::record::Data;
use crate::recorder::Rec;
use crate::recording::{Arg, Helper, MapId, Operand as Raw, Type, ValueId};
use crate::returns::RecordIsOpen;
use crate::scope::{Scope, Then};
use crate::value::Value;

/// A ring buffer of `V` records, declared by [`Unit::ringbuf`](crate::Unit::ringbuf).
#[derive(Debug)]
pub struct Ringbuf<V> {
    id: MapId,
    name: &'static str,
    ty: PhantomData<fn(V)>,
}

impl<V> Clone for Ringbuf<V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for Ringbuf<V> {}

impl<V> Ringbuf<V> {
    pub(crate) fn new(id: MapId, name: &'static str) -> Self {
        Ringbuf {
            id,
            name,
            ty: PhantomData,
        }
    }
}

/// A reserved record, open until it is submitted or discarded.
#[must_use = "return `record.submit()` or `record.discard()`"]
#[derive(Debug)]
pub struct RingRecord<'r, 'p, V> {
    rec: Rec<'p>,
    ptr: ValueId,
    // Invariant in 'r, so that only this record's `SubmittedOrDiscarded` can be returned.
    brand: PhantomData<fn(&'r V) -> &'r V>,
}

/// Says that the record `'r` was submitted or discarded.
#[derive(Debug)]
pub struct SubmittedOrDiscarded<'r>(PhantomData<fn(&'r ()) -> &'r ()>);

impl<'r, 'p, V: Data> RingRecord<'r, 'p, V> {
    /// The record's fields. Each must be set: the kernel does not clear the memory.
    pub fn fields(&self) -> V::Handle<'_, 'p> {
        V::handle(Address::new(self.rec, self.ptr))
    }

    /// Hands the record to user space (`bpf_ringbuf_submit`).
    #[track_caller]
    pub fn submit(self) -> SubmittedOrDiscarded<'r> {
        finish(self.rec, self.ptr, Helper::RingbufSubmit);
        SubmittedOrDiscarded(PhantomData)
    }

    /// Drops the record (`bpf_ringbuf_discard`).
    #[track_caller]
    pub fn discard(self) -> SubmittedOrDiscarded<'r> {
        finish(self.rec, self.ptr, Helper::RingbufDiscard);
        SubmittedOrDiscarded(PhantomData)
    }
}

#[track_caller]
fn finish(rec: Rec<'_>, ptr: ValueId, helper: Helper) {
    const NO_FLAGS: Arg = Arg::Operand(Raw::Const(0));
    let args = [Arg::Operand(Raw::Value(ptr)), NO_FLAGS];
    rec.recorder().call(Type::U64, helper, args);
}

impl<'p, R> Scope<'p, R> {
    /// Reserves a record and runs `body` with it; where the ring is full, runs nothing, or
    /// what `else_` says.
    ///
    /// ```
    /// use ebpf_dsl::prelude::*;
    ///
    /// record! {
    ///     /// A frame that came in.
    ///     pub struct Event { pub ifindex: u32, pub len: u32 }
    /// }
    ///
    /// let mut unit = Unit::new("events").license("GPL");
    /// let events = unit.ringbuf::<Event>("events", 4096);
    /// let unit = unit.xdp("xdp_events", |f, ctx| {
    ///     let (ifindex, len) = (ctx.ingress_ifindex(), ctx.len());
    ///     f.reserve(events, |_, event| {
    ///         event.fields().ifindex().set(ifindex);
    ///         event.fields().len().set(len);
    ///         event.submit()
    ///     });
    ///     XDP_PASS
    /// });
    /// assert!(unit.check().is_ok());
    /// ```
    #[track_caller]
    pub fn reserve<V: Data>(
        &mut self,
        ring: Ringbuf<V>,
        body: impl for<'r> FnOnce(
            &mut Scope<'p, RecordIsOpen>,
            RingRecord<'r, 'p, V>,
        ) -> SubmittedOrDiscarded<'r>,
    ) -> Then<'_, 'p, R> {
        let rec = self.rec;
        let ptr = reserve(rec, ring.id, ring.name, V::SIZE);
        let reserved = Value::new(rec, rec.recorder().not_null(ptr));
        rec.recorder().open();
        let ptr = rec.recorder().checked(ptr);
        let brand = PhantomData;
        body(&mut Scope::new(rec), RingRecord { rec, ptr, brand });
        Then::close(self, reserved)
    }
}

#[track_caller]
fn reserve(rec: Rec<'_>, map: MapId, name: &'static str, size: u32) -> ValueId {
    rec.recorder().uses_map(map, name);
    let args = [
        Arg::Map(map),
        Arg::Operand(Raw::Const(u64::from(size))),
        Arg::Operand(Raw::Const(0)),
    ];
    let recorder = rec.recorder();
    recorder.call(Type::Ptr, Helper::RingbufReserve, args)
}
