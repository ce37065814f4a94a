//! The packet: cursors into it, and headers behind their bounds checks.

use core::marker::PhantomData;

use crate::address::Address;
use crate::recorder::Rec;
use crate::recording::{OpKind, Operand as Raw, Type, ValueId};
use crate::returns::Returns;
use crate::scope::{Scope, Then};
use crate::value::{Operand, Value};

/// A place in the packet. Nothing is known about it: reading asks for a
/// [`header`](Scope::header).
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'c, 'p>(Address<'c, 'p>);

impl<'c, 'p> Cursor<'c, 'p> {
    pub(crate) fn new(rec: Rec<'p>, ptr: ValueId) -> Self {
        Cursor(Address::new(rec, ptr))
    }

    #[doc(hidden)]
    pub fn at(address: Address<'c, 'p>) -> Self {
        Cursor(address)
    }

    /// The place so many bytes further. The kernel follows at most 65535 bytes.
    #[track_caller]
    pub fn advance(self, bytes: impl Operand<'p, u16>) -> Self {
        let Address {
            rec, ptr, offset, ..
        } = self.0;
        match bytes.operand(rec) {
            Raw::Const(bytes) => Cursor(self.0.plus(bytes as u32)),
            Raw::Value(amount) => {
                let advance = |dst| OpKind::Advance {
                    dst,
                    ptr,
                    offset,
                    amount,
                };
                let ptr = rec.recorder().define(Type::Ptr, advance);
                Cursor::new(rec, ptr)
            }
        }
    }
}

/// A packet header: what [`header!`](crate::header!) declares.
pub trait Header<'c, 'p> {
    /// Size in bytes.
    const SIZE: u32;
    /// The header at a place that was checked.
    #[doc(hidden)]
    fn behind_check(at: Address<'c, 'p>) -> Self;
}

impl<'p, R> Scope<'p, R> {
    /// Asks for a header at a place in the packet: the handle exists behind the bounds check.
    ///
    /// ```
    /// use ebpf_dsl::prelude::*;
    ///
    /// let unit = Unit::new("lengths").xdp("xdp_lengths", |f, ctx| {
    ///     let eth = f.header::<ethhdr>(ctx.packet()).or_return(XDP_PASS);
    ///     let ip = f.header::<iphdr>(eth.end()).or_return(XDP_PASS);
    ///     f.return_if(ip.tot_len().to_host().lt(20), XDP_DROP);
    ///     XDP_PASS
    /// });
    /// assert!(unit.check().is_ok());
    /// ```
    pub fn header<'c, H: Header<'c, 'p>>(
        &mut self,
        at: Cursor<'c, 'p>,
    ) -> NeedsBoundsCheck<'_, 'c, 'p, R, H> {
        NeedsBoundsCheck {
            scope: self,
            at: at.0,
            header: PhantomData,
        }
    }
}

/// A header that may lie outside the packet: it cannot be read before its bounds check.
///
/// So none of the header's methods compiles: those of the headers here say that the check is
/// missing (`unchecked.rs`), and others are not found. `.or_return(...)` gives the header, and
/// `.then(...)` hands it to a closure.
#[must_use = "the header can be read behind its bounds check: add `.or_return(...)` or `.then(...)`"]
#[derive(Debug)]
pub struct NeedsBoundsCheck<'f, 'c, 'p, R, H> {
    scope: &'f mut Scope<'p, R>,
    at: Address<'c, 'p>,
    header: PhantomData<fn() -> H>,
}

#[track_caller]
fn in_packet(at: Address<'_, '_>, size: u32) -> ValueId {
    let end = at.offset.saturating_add(size);
    at.rec.recorder().in_packet(at.ptr, end)
}

impl<'f, 'c, 'p, R, H: Header<'c, 'p>> NeedsBoundsCheck<'f, 'c, 'p, R, H> {
    /// The header; where the packet is too short for it, returns `result`.
    #[track_caller]
    pub fn or_return(self, result: impl Returns<'p, R>) -> H {
        let rec = self.at.rec;
        let result = result.returned(rec);
        let inside = in_packet(self.at, H::SIZE);
        rec.recorder().or_return(inside, result);
        H::behind_check(self.at.checked())
    }

    /// Records what runs with the header, where the packet is long enough for it.
    #[track_caller]
    pub fn then(self, body: impl FnOnce(&mut Scope<'p, R>, H)) -> Then<'f, 'p, R> {
        let rec = self.at.rec;
        let inside = Value::new(rec, in_packet(self.at, H::SIZE));
        rec.recorder().open();
        let header = H::behind_check(self.at.checked());
        body(&mut Scope::new(rec), header);
        Then::close(self.scope, inside)
    }
}
