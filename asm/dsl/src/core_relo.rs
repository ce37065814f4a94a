//! Questions about the kernel's types: what `bpf_core_read.h` asks, as values of the program.
//!
//! Each is a CO-RE relocation: whoever loads the program writes the running kernel's answer
//! into it. The verifier then knows the answer, and does not look at a branch that it rules
//! out; so what a kernel lacks may be named there.

use core::any;

use crate::kernel_ptr::KernelStruct;
use crate::kernel_struct::{KernelEnum, OfKernel};
use crate::recorder::{PlaceId, Rec};
use crate::recording::{CoreKind, KernelType, ValueId};
use crate::scope::Scope;
use crate::value::{Cond, U64, Value};

/// A type of the kernel, or a member or enumerator of it.
#[derive(Clone, Copy, Debug)]
pub struct CorePlace<'p> {
    rec: Rec<'p>,
    place: PlaceId,
}

impl<'p> CorePlace<'p> {
    /// The type that a Rust type declares.
    pub(crate) fn new(rec: Rec<'p>, declared: any::TypeId, ty: fn() -> KernelType) -> Self {
        let place = rec.recorder().kernel_type(declared, ty);
        CorePlace { rec, place }
    }

    fn of<T: OfKernel>(rec: Rec<'p>) -> Self {
        CorePlace::new(rec, any::TypeId::of::<T>(), T::kernel_type)
    }

    /// The member of this index.
    #[doc(hidden)]
    pub fn member(self, index: u32) -> Self {
        let place = self.rec.recorder().within(self.place, index);
        CorePlace { place, ..self }
    }

    /// Whether it is the type itself.
    pub(crate) fn is_whole(self) -> bool {
        self.rec.recorder().is_whole(self.place)
    }

    #[track_caller]
    pub(crate) fn ask(self, kind: CoreKind) -> ValueId {
        self.rec.recorder().core(kind, self.place)
    }

    #[track_caller]
    fn answer(self, kind: CoreKind) -> U64<'p> {
        Value::new(self.rec, self.ask(kind))
    }

    #[track_caller]
    fn holds(self, kind: CoreKind) -> Cond<'p> {
        self.answer(kind).ne(0)
    }
}

/// Something that can be asked about a field.
pub trait FieldQuestion {
    /// What the answer is.
    type Answer<'p>;
    #[doc(hidden)]
    fn ask(place: CorePlace<'_>) -> Self::Answer<'_>;
}

/// Whether the field is there.
#[derive(Clone, Copy, Debug)]
pub enum FieldExists {}

/// The size of the field in bytes.
#[derive(Clone, Copy, Debug)]
pub enum FieldSize {}

/// Where the field is, in bytes from the beginning of its struct.
#[derive(Clone, Copy, Debug)]
pub enum FieldOffset {}

impl FieldQuestion for FieldExists {
    type Answer<'p> = Cond<'p>;

    #[track_caller]
    fn ask(place: CorePlace<'_>) -> Cond<'_> {
        place.holds(CoreKind::FieldExists)
    }
}

impl FieldQuestion for FieldSize {
    type Answer<'p> = U64<'p>;

    #[track_caller]
    fn ask(place: CorePlace<'_>) -> U64<'_> {
        place.answer(CoreKind::FieldByteSize)
    }
}

impl FieldQuestion for FieldOffset {
    type Answer<'p> = U64<'p>;

    #[track_caller]
    fn ask(place: CorePlace<'_>) -> U64<'_> {
        place.answer(CoreKind::FieldByteOffset)
    }
}

impl<'p, R> Scope<'p, R> {
    /// Whether the running kernel's struct has a field, of the type declared:
    /// `f.core_field_exists::<task_struct>().__state()`.
    pub fn core_field_exists<T: KernelStruct>(&self) -> T::Asked<'p, FieldExists> {
        T::asked(CorePlace::of::<T>(self.rec))
    }

    /// The size in bytes that a field has in the running kernel:
    /// `f.core_field_size::<task_struct>().comm()`. Ask first whether there is such a field.
    pub fn core_field_size<T: KernelStruct>(&self) -> T::Asked<'p, FieldSize> {
        T::asked(CorePlace::of::<T>(self.rec))
    }

    /// Where a field is in the running kernel's struct, in bytes:
    /// `f.core_field_offset::<task_struct>().comm()`. Ask first whether there is such a field.
    pub fn core_field_offset<T: KernelStruct>(&self) -> T::Asked<'p, FieldOffset> {
        T::asked(CorePlace::of::<T>(self.rec))
    }

    /// Whether the running kernel has a type of this kind and name.
    #[track_caller]
    pub fn core_type_exists<T: OfKernel>(&self) -> Cond<'p> {
        CorePlace::of::<T>(self.rec).holds(CoreKind::TypeExists)
    }

    /// The size in bytes of the running kernel's type; 0 if it has none such.
    #[track_caller]
    pub fn core_type_size<T: OfKernel>(&self) -> U64<'p> {
        CorePlace::of::<T>(self.rec).answer(CoreKind::TypeSize)
    }

    /// Whether the running kernel's enum has an enumerator of this name.
    #[track_caller]
    pub fn core_enum_value_exists<E: KernelEnum>(&self, enumerator: E) -> Cond<'p> {
        let place = CorePlace::of::<E>(self.rec).member(enumerator.index());
        place.holds(CoreKind::EnumvalExists)
    }

    /// The value that an enumerator has in the running kernel. Ask first whether there is such
    /// an enumerator.
    #[track_caller]
    pub fn core_enum_value<E: KernelEnum>(&self, enumerator: E) -> U64<'p> {
        let place = CorePlace::of::<E>(self.rec).member(enumerator.index());
        place.answer(CoreKind::EnumvalValue)
    }
}
