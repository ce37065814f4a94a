//! The context of an XDP program: its packet, and what is known about it.

use crate::map::Outcome;
use crate::packet::Cursor;
use crate::recorder::Rec;
use crate::recording::{Arg, ContextField, Helper, OpKind, Operand as Raw, Type, ValueId};
use crate::scope::Scope;
use crate::value::Value;

/// What an XDP program gets: the kernel's `struct xdp_md`.
///
/// Header handles borrow it. A helper that moves the packet takes it `&mut` and so ends them.
#[derive(Debug)]
pub struct XdpContext<'p> {
    rec: Rec<'p>,
}

impl<'p> XdpContext<'p> {
    pub(crate) fn new(rec: Rec<'p>) -> Self {
        XdpContext { rec }
    }

    #[track_caller]
    fn field(&self, ty: Type, field: ContextField) -> ValueId {
        let define = |dst| OpKind::Context { dst, field };
        self.rec.recorder().define(ty, define)
    }

    /// The packet's first byte.
    #[track_caller]
    pub fn packet(&self) -> Cursor<'_, 'p> {
        Cursor::new(self.rec, self.field(Type::Ptr, ContextField::Data))
    }

    /// Length in bytes of the packet's linear part: all of it, unless the program is loaded
    /// for multi-buffer packets.
    // A length is a value here: there is nothing that an `is_empty` could return at once.
    #[allow(clippy::len_without_is_empty)]
    #[track_caller]
    pub fn len(&self) -> Value<'p, u32> {
        Value::new(self.rec, self.field(Type::U32, ContextField::Length))
    }

    /// Index of the interface that the packet came in by.
    #[track_caller]
    pub fn ingress_ifindex(&self) -> Value<'p, u32> {
        let id = self.field(Type::U32, ContextField::IngressIfindex);
        Value::new(self.rec, id)
    }

    /// Index of the receive queue that the packet came in by.
    #[track_caller]
    pub fn rx_queue_index(&self) -> Value<'p, u32> {
        Value::new(self.rec, self.field(Type::U32, ContextField::RxQueueIndex))
    }
}

impl<'p, R> Scope<'p, R> {
    /// Moves the packet's first byte by `delta` bytes (`bpf_xdp_adjust_head`): a positive
    /// number cuts bytes off, a negative one makes room in front.
    ///
    /// Header handles taken before are void, and the compiler says so.
    #[track_caller]
    pub fn xdp_adjust_head(&self, ctx: &mut XdpContext<'p>, delta: i32) -> Outcome<'p> {
        adjust(ctx, Helper::XdpAdjustHead, delta)
    }

    /// Moves the packet's end by `delta` bytes (`bpf_xdp_adjust_tail`): a negative number cuts
    /// bytes off, a positive one adds zeros.
    ///
    /// Header handles taken before are void, and the compiler says so.
    #[track_caller]
    pub fn xdp_adjust_tail(&self, ctx: &mut XdpContext<'p>, delta: i32) -> Outcome<'p> {
        adjust(ctx, Helper::XdpAdjustTail, delta)
    }
}

#[track_caller]
fn adjust<'p>(ctx: &mut XdpContext<'p>, helper: Helper, delta: i32) -> Outcome<'p> {
    let delta = Arg::Operand(Raw::Const(i64::from(delta) as u64));
    let recorder = ctx.rec.recorder();
    let id = recorder.call(Type::U64, helper, [Arg::Context, delta]);
    Outcome::new(ctx.rec, id)
}
