//! Records on the stack, for keys and values that are more than one number.

use core::marker::PhantomData;

use crate::address::Address;
use crate::record::Data;
use crate::recording::{OpKind, Type, ValueId};
use crate::scope::Scope;

/// A record on the stack, made by [`Scope::local`]; all zeros until its fields are set.
#[derive(Debug)]
pub struct Local<'p, T> {
    at: Address<'p, 'p>,
    ty: PhantomData<fn() -> T>,
}

impl<'p, T> Local<'p, T> {
    pub(crate) fn ptr(&self) -> ValueId {
        self.at.ptr
    }
}

impl<'p, T: Data> Local<'p, T> {
    /// The record's fields.
    pub fn fields(&self) -> T::Handle<'_, 'p> {
        T::handle(self.at)
    }
}

impl<'p, R> Scope<'p, R> {
    /// Zeroed memory on the stack, for a key or a value that is a record.
    ///
    /// ```
    /// use ebpf_dsl::prelude::*;
    ///
    /// record! {
    ///     /// Who talks to whom.
    ///     pub struct Flow { pub saddr: Be32, pub daddr: Be32 }
    /// }
    ///
    /// let mut unit = Unit::new("flows").license("GPL");
    /// let flows = unit.hash::<Flow, u64>("flows", 1024);
    /// let unit = unit.xdp("xdp_flows", |f, ctx| {
    ///     let eth = f.header::<ethhdr>(ctx.packet()).or_return(XDP_PASS);
    ///     f.return_if(eth.h_proto().ne(ETH_P_IP), XDP_PASS);
    ///     let ip = f.header::<iphdr>(eth.end()).or_return(XDP_PASS);
    ///     let flow = f.local::<Flow>();
    ///     flow.fields().saddr().set(ip.saddr());
    ///     flow.fields().daddr().set(ip.daddr());
    ///     f.lookup(flows, &flow)
    ///         .then(|_, packets| packets.atomic_add(1))
    ///         .else_(|f| {
    ///             f.update(flows, &flow, 1, UpdateFlag::NoExist);
    ///         });
    ///     XDP_PASS
    /// });
    /// assert!(unit.check().is_ok());
    /// ```
    #[track_caller]
    pub fn local<T: Data>(&self) -> Local<'p, T> {
        let size = T::SIZE;
        let define = |dst| OpKind::Local { dst, size };
        let ptr = self.rec.recorder().define(Type::Ptr, define);
        Local {
            at: Address::new(self.rec, ptr),
            ty: PhantomData,
        }
    }
}
