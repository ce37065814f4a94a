//! Maps: declared on the [`Unit`](crate::Unit), used through handles that closures capture.
//!
//! A value looked up may be missing, so its handle exists only behind the null check.

use core::marker::PhantomData;

use crate::address::Address;
use crate::order::{Be16, Be32};
use crate::record::Data;
use crate::recorder::Rec;
use crate::recording::{Arg, Helper, MapId, Operand as Raw, Type, ValueId};
use crate::returns::Returns;
use crate::scope::{Scope, Then};
use crate::stack::Local;
use crate::value::{Cond, Operand, Scalar, Value};

/// A map from `K` to `V`, declared by one of [`Unit`](crate::Unit)'s methods.
#[derive(Debug)]
pub struct Map<K, V> {
    id: MapId,
    name: &'static str,
    types: PhantomData<fn(K) -> V>,
}

impl<K, V> Clone for Map<K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for Map<K, V> {}

impl<K, V> Map<K, V> {
    pub(crate) fn new(id: MapId, name: &'static str) -> Self {
        Map {
            id,
            name,
            types: PhantomData,
        }
    }

    #[track_caller]
    fn arg(self, rec: Rec<'_>) -> Arg {
        rec.recorder().uses_map(self.id, self.name);
        Arg::Map(self.id)
    }
}

/// A key or a value that a helper takes by address: a number, or a record on the stack.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the key or value `{T}` of a map",
    note = "a number is given as it is; a record is built with `f.local::<{T}>()` and given as `&local`"
)]
pub trait InMemory<'p, T> {
    #[doc(hidden)]
    fn in_memory(self, rec: Rec<'p>) -> Arg;
}

macro_rules! numbers {
    ($($ty:ty)*) => {$(
        impl<'p, V: Operand<'p, $ty>> InMemory<'p, $ty> for V {
            #[track_caller]
            fn in_memory(self, rec: Rec<'p>) -> Arg {
                let value = self.operand(rec);
                Arg::InMemory { ty: <$ty as Scalar>::TYPE, value }
            }
        }
    )*};
}

numbers!(u8 u16 u32 u64 Be16 Be32);

impl<'p, T> InMemory<'p, T> for &Local<'p, T> {
    fn in_memory(self, _: Rec<'p>) -> Arg {
        Arg::Operand(Raw::Value(self.ptr()))
    }
}

/// When an update may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateFlag {
    /// `BPF_ANY`: whether or not the key is there.
    Any,
    /// `BPF_NOEXIST`: only if the key is not there.
    NoExist,
    /// `BPF_EXIST`: only if the key is there.
    Exist,
}

/// [`UpdateFlag::Any`] by its UAPI name.
pub const BPF_ANY: UpdateFlag = UpdateFlag::Any;
/// [`UpdateFlag::NoExist`] by its UAPI name.
pub const BPF_NOEXIST: UpdateFlag = UpdateFlag::NoExist;
/// [`UpdateFlag::Exist`] by its UAPI name.
pub const BPF_EXIST: UpdateFlag = UpdateFlag::Exist;

/// What a helper said: it worked, or it failed.
#[derive(Clone, Copy, Debug)]
pub struct Outcome<'p>(Value<'p, u64>);

impl<'p> Outcome<'p> {
    pub(crate) fn new(rec: Rec<'p>, id: ValueId) -> Self {
        Outcome(Value::new(rec, id))
    }

    /// Whether the helper failed.
    #[track_caller]
    pub fn failed(self) -> Cond<'p> {
        self.0.ne(0)
    }
}

impl<'p, R> Scope<'p, R> {
    /// Looks a key up (`bpf_map_lookup_elem`): the value's handle exists behind the null check.
    #[track_caller]
    pub fn lookup<K, V: Data>(
        &mut self,
        map: Map<K, V>,
        key: impl InMemory<'p, K>,
    ) -> NeedsNullCheck<'_, 'p, R, V> {
        let args = [map.arg(self.rec), key.in_memory(self.rec)];
        let recorder = self.rec.recorder();
        let ptr = recorder.call(Type::Ptr, Helper::MapLookupElem, args);
        NeedsNullCheck {
            scope: self,
            ptr,
            value: PhantomData,
        }
    }

    /// Sets the value of a key (`bpf_map_update_elem`).
    #[track_caller]
    pub fn update<K, V>(
        &self,
        map: Map<K, V>,
        key: impl InMemory<'p, K>,
        value: impl InMemory<'p, V>,
        flag: UpdateFlag,
    ) -> Outcome<'p> {
        let args = [
            map.arg(self.rec),
            key.in_memory(self.rec),
            value.in_memory(self.rec),
            Arg::Operand(Raw::Const(flag as u64)),
        ];
        let recorder = self.rec.recorder();
        let id = recorder.call(Type::U64, Helper::MapUpdateElem, args);
        Outcome::new(self.rec, id)
    }

    /// Removes a key (`bpf_map_delete_elem`). Array maps refuse.
    #[track_caller]
    pub fn delete<K, V>(&self, map: Map<K, V>, key: impl InMemory<'p, K>) -> Outcome<'p> {
        let args = [map.arg(self.rec), key.in_memory(self.rec)];
        let recorder = self.rec.recorder();
        let id = recorder.call(Type::U64, Helper::MapDeleteElem, args);
        Outcome::new(self.rec, id)
    }
}

/// A value looked up that may be missing: it cannot be used before its null check.
///
/// So none of the value's methods compiles: those of numbers say that the check is missing
/// (`unchecked.rs`), and others are not found. `.or_return(...)` gives the value's handle, and
/// `.then(...)` hands it to a closure.
#[must_use = "the value can be used behind its null check: add `.or_return(...)` or `.then(...)`"]
#[derive(Debug)]
pub struct NeedsNullCheck<'f, 'p, R, V> {
    scope: &'f mut Scope<'p, R>,
    ptr: ValueId,
    value: PhantomData<fn() -> V>,
}

impl<'f, 'p, R, V: Data> NeedsNullCheck<'f, 'p, R, V> {
    /// The value; where it is missing, returns `result`.
    #[track_caller]
    pub fn or_return(self, result: impl Returns<'p, R>) -> V::Handle<'p, 'p> {
        let rec = self.scope.rec;
        let result = result.returned(rec);
        let found = rec.recorder().not_null(self.ptr);
        rec.recorder().or_return(found, result);
        V::handle(Address::new(rec, self.ptr).checked())
    }

    /// Records what runs with the value, where it is not missing.
    #[track_caller]
    pub fn then(self, body: impl FnOnce(&mut Scope<'p, R>, V::Handle<'p, 'p>)) -> Then<'f, 'p, R> {
        let rec = self.scope.rec;
        let found = Value::new(rec, rec.recorder().not_null(self.ptr));
        rec.recorder().open();
        let value = V::handle(Address::new(rec, self.ptr).checked());
        body(&mut Scope::new(rec), value);
        Then::close(self.scope, found)
    }
}
