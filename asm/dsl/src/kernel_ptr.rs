//! Pointers into the kernel's memory, and how what they point to is read.
//!
//! The verifier lets no program read through such a pointer: `bpf_probe_read_kernel` copies
//! what is there, and refuses where nothing is. So a [`KernelPtr`] is no address that can be
//! loaded from; its fields are methods, and each records such a copy.

use core::marker::PhantomData;
use core::ops::Deref;
use core::{any, fmt};

use crate::address::{Address, Field};
use crate::core_relo::{CorePlace, FieldQuestion};
use crate::kernel_struct::OfKernel;
use crate::map::Outcome;
use crate::order::{Be16, Be32};
use crate::record::Data;
use crate::recorder::Rec;
use crate::recording::{
    Arg, BinaryOp, CoreKind, Helper, KernelType, MemberType, NumberType, Operand as Raw, Pointee,
    Sign, Type, ValueId,
};
use crate::scope::Scope;
use crate::stack::Local;
use crate::value::{Cond, U64, Value};

/// A place in the kernel's memory.
#[derive(Clone, Copy, Debug)]
pub struct KernelAddress<'p> {
    rec: Rec<'p>,
    /// Where the type begins that the place is in.
    base: ValueId,
    /// Which place of the type; numbers have none.
    place: Option<CorePlace<'p>>,
}

impl<'p> KernelAddress<'p> {
    /// The member of this index.
    #[doc(hidden)]
    pub fn member(self, index: u32) -> Self {
        let place = self.place.map(|place| place.member(index));
        KernelAddress { place, ..self }
    }

    /// The address as a number.
    #[track_caller]
    fn number(self) -> ValueId {
        match self.place.filter(|place| !place.is_whole()) {
            None => self.base,
            Some(place) => {
                let offset = Raw::Value(place.ask(CoreKind::FieldByteOffset));
                let (recorder, base) = (self.rec.recorder(), Raw::Value(self.base));
                recorder.binary(Type::U64, BinaryOp::Add, offset, base)
            }
        }
    }

    /// Copies `size` bytes from here.
    #[track_caller]
    fn copy_to(self, from: ValueId, to: ValueId, size: Raw) -> ValueId {
        let args = [Raw::Value(to), size, Raw::Value(from)].map(Arg::Operand);
        let recorder = self.rec.recorder();
        recorder.call(Type::U64, Helper::ProbeReadKernel, args)
    }

    /// Memory of 8 bytes with the number that is here, in the size that it has in the kernel;
    /// `ty` is what it was declared as.
    #[track_caller]
    fn read_sized(self, ty: Type) -> ValueId {
        let (recorder, from) = (self.rec.recorder(), self.number());
        let scratch = recorder.scratch(8);
        // What is copied may be less.
        recorder.store(Type::U64, scratch, 0, Raw::Const(0));
        let size = match self.place {
            Some(place) => Raw::Value(place.ask(CoreKind::FieldByteSize)),
            None => Raw::Const(u64::from(ty.size())),
        };
        self.copy_to(from, scratch, size);
        scratch
    }

    #[track_caller]
    fn read_number(self, ty: Type) -> ValueId {
        let scratch = self.read_sized(ty);
        self.rec.recorder().load(ty, scratch, 0)
    }

    /// The bits of a bit field.
    #[track_caller]
    fn read_bits(self, number: NumberType) -> ValueId {
        let recorder = self.rec.recorder();
        let scratch = self.read_sized(number.ty);
        let whole = recorder.load(Type::U64, scratch, 0);
        let shift = |value, op, kind| match self.place {
            Some(place) => {
                let count = Raw::Value(place.ask(kind));
                recorder.binary(Type::U64, op, Raw::Value(value), count)
            }
            None => value,
        };
        let right = match number.sign {
            Sign::Unsigned => BinaryOp::Rsh,
            Sign::Signed => BinaryOp::Arsh,
        };
        let high = shift(whole, BinaryOp::Lsh, CoreKind::FieldLshiftU64);
        let bits = shift(high, right, CoreKind::FieldRshiftU64);
        match number.ty {
            Type::U64 => bits,
            ty => recorder.cast(ty, bits),
        }
    }

    /// Memory with `size` bytes from here.
    #[track_caller]
    fn read_bytes(self, size: u32) -> ValueId {
        let from = self.number();
        let scratch = self.rec.recorder().scratch(size);
        self.copy_to(from, scratch, Raw::Const(u64::from(size)));
        scratch
    }
}

/// What a pointer of the kernel can point to: what [`kernel_struct!`](crate::kernel_struct!)
/// declares, or a number.
#[diagnostic::on_unimplemented(
    message = "no pointer of the kernel points to `{Self}`",
    note = "declare what you need of a struct or union with `kernel_struct!`; a pointer to what is not declared is a `*const u8`"
)]
pub trait PointedTo: Sized + 'static {
    /// What is there, as methods.
    type Fields<'p>: Copy;
    /// The declaration; numbers have none.
    #[doc(hidden)]
    const TYPE: Option<fn() -> KernelType>;
    #[doc(hidden)]
    fn pointee() -> Pointee;
    #[doc(hidden)]
    fn fields(at: KernelAddress<'_>) -> Self::Fields<'_>;
}

/// A struct or union of the kernel: what [`kernel_struct!`](crate::kernel_struct!) declares.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no struct and no union of the kernel",
    note = "declare what you need of it with `kernel_struct!`"
)]
pub trait KernelStruct: OfKernel + PointedTo {
    /// Its fields, as something is asked about one of them.
    type Asked<'p, Q: FieldQuestion>;
    /// The name declared, flavour included.
    #[doc(hidden)]
    const NAME: &'static str;
    #[doc(hidden)]
    fn asked<Q: FieldQuestion>(place: CorePlace<'_>) -> Self::Asked<'_, Q>;
}

/// A pointer to a `T` in the kernel's memory.
///
/// The fields of a struct are methods: `task.real_parent().tgid()`. Each is read where it is
/// named, once, by `bpf_probe_read_kernel`. **What cannot be read is zero**, as with
/// `BPF_CORE_READ` in C: a field behind a null pointer, or behind one to memory that is gone.
/// A null pointer is told by [`is_null`](KernelPtr::is_null); to know of every failure, read
/// with [`Scope::probe_read_kernel`].
///
/// The functions of the pointer itself are no methods, since fields may have any name: write
/// `KernelPtr::is_null(task)`.
pub struct KernelPtr<'p, T: PointedTo> {
    at: KernelAddress<'p>,
    fields: T::Fields<'p>,
}

impl<T: PointedTo> Clone for KernelPtr<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: PointedTo> Copy for KernelPtr<'_, T> {}

impl<T: PointedTo> fmt::Debug for KernelPtr<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KernelPtr").field(&self.at).finish()
    }
}

impl<'p, T: PointedTo> Deref for KernelPtr<'p, T> {
    type Target = T::Fields<'p>;

    fn deref(&self) -> &T::Fields<'p> {
        &self.fields
    }
}

impl<'p, T: PointedTo> KernelPtr<'p, T> {
    #[doc(hidden)]
    pub fn new(at: KernelAddress<'p>) -> Self {
        let fields = T::fields(at);
        KernelPtr { at, fields }
    }

    /// The pointer that a number is.
    pub(crate) fn of_number(rec: Rec<'p>, base: ValueId) -> Self {
        let place = T::TYPE.map(|ty| CorePlace::new(rec, any::TypeId::of::<T>(), ty));
        KernelPtr::new(KernelAddress { rec, base, place })
    }

    /// A pointer to this address. Nothing says that there is a `T`: what is found by counting,
    /// as a header from `skb.head()` on, is the program's word.
    pub fn from_address(address: U64<'p>) -> Self {
        KernelPtr::of_number(address.rec, address.id)
    }

    /// The address as a number.
    #[track_caller]
    pub fn address(this: Self) -> U64<'p> {
        Value::new(this.at.rec, this.at.number())
    }

    /// Whether the pointer is null.
    #[track_caller]
    pub fn is_null(this: Self) -> Cond<'p> {
        KernelPtr::address(this).eq(0)
    }

    /// The same address as that of a `U`: of another flavour, or of what a field that is
    /// declared `*const u8` really points to.
    #[track_caller]
    pub fn cast<U: PointedTo>(this: Self) -> KernelPtr<'p, U> {
        KernelPtr::of_number(this.at.rec, this.at.number())
    }
}

impl<'p, R> Scope<'p, R> {
    /// Copies memory of the kernel to the stack (`bpf_probe_read_kernel`): as many bytes as
    /// the local has, whatever is there. Where it cannot be read, the helper has failed and
    /// the local is zero.
    #[track_caller]
    pub fn probe_read_kernel<T: Data, P: PointedTo>(
        &self,
        to: &Local<'p, T>,
        from: KernelPtr<'p, P>,
    ) -> Outcome<'p> {
        let (address, size) = (from.at.number(), Raw::Const(u64::from(T::SIZE)));
        Outcome::new(self.rec, from.at.copy_to(address, to.ptr(), size))
    }
}

/// A type that a field of the kernel can have.
#[diagnostic::on_unimplemented(
    message = "a field of the kernel cannot be a `{Self}`",
    note = "it can be a number, `[u8; N]`, a pointer (`*const T`), a `Bitfield<T>`, and what `kernel_struct!` or `kernel_enum!` declares"
)]
pub trait KernelField {
    /// What reading gives.
    type Read<'p>;
    #[doc(hidden)]
    fn member() -> MemberType;
    #[doc(hidden)]
    fn read(at: KernelAddress<'_>) -> Self::Read<'_>;
}

/// A bit field of the kernel that is read as a `T`, or a number of any size: its sign is
/// extended if `T` has one.
#[derive(Clone, Copy, Debug)]
pub struct Bitfield<T>(PhantomData<fn() -> T>);

/// A number in the kernel's memory, of no struct.
#[derive(Clone, Copy, Debug)]
pub struct KernelNumber<'p, T> {
    at: KernelAddress<'p>,
    ty: PhantomData<fn() -> T>,
}

macro_rules! numbers {
    ($($ty:ty => $read:ty, $recorded:ident $sign:ident;)*) => {$(
        impl KernelField for $ty {
            type Read<'p> = Value<'p, $read>;

            fn member() -> MemberType {
                MemberType::Number(NumberType { ty: Type::$recorded, sign: Sign::$sign })
            }

            #[track_caller]
            fn read(at: KernelAddress<'_>) -> Value<'_, $read> {
                Value::new(at.rec, at.read_number(Type::$recorded))
            }
        }

        impl PointedTo for $ty {
            type Fields<'p> = KernelNumber<'p, $ty>;
            const TYPE: Option<fn() -> KernelType> = None;

            fn pointee() -> Pointee {
                Pointee::Number(NumberType { ty: Type::$recorded, sign: Sign::$sign })
            }

            fn fields(at: KernelAddress<'_>) -> KernelNumber<'_, $ty> {
                KernelNumber { at, ty: PhantomData }
            }
        }

        impl<'p> KernelNumber<'p, $ty> {
            /// Reads the number.
            #[track_caller]
            pub fn get(self) -> Value<'p, $read> {
                let scratch = self.at.read_bytes(Type::$recorded.size());
                let recorder = self.at.rec.recorder();
                Value::new(self.at.rec, recorder.load(Type::$recorded, scratch, 0))
            }
        }
    )*};
}

macro_rules! bitfields {
    ($($ty:ty => $read:ty, $recorded:ident $sign:ident;)*) => {$(
        impl KernelField for Bitfield<$ty> {
            type Read<'p> = Value<'p, $read>;

            fn member() -> MemberType {
                <$ty as KernelField>::member()
            }

            #[track_caller]
            fn read(at: KernelAddress<'_>) -> Value<'_, $read> {
                let number = NumberType { ty: Type::$recorded, sign: Sign::$sign };
                Value::new(at.rec, at.read_bits(number))
            }
        }
    )*};
}

macro_rules! host_order {
    ($($number:tt)*) => {
        numbers! { $($number)* }
        bitfields! { $($number)* }
    };
}

host_order! {
    u8 => u8, U8 Unsigned;
    u16 => u16, U16 Unsigned;
    u32 => u32, U32 Unsigned;
    u64 => u64, U64 Unsigned;
    i8 => u8, U8 Signed;
    i16 => u16, U16 Signed;
    i32 => u32, U32 Signed;
    i64 => u64, U64 Signed;
}

numbers! {
    Be16 => Be16, Be16 Unsigned;
    Be32 => Be32, Be32 Unsigned;
}

impl<const N: usize> KernelField for [u8; N] {
    type Read<'p> = <[u8; N] as Field>::Read<'p>;

    fn member() -> MemberType {
        MemberType::Bytes(N as u32)
    }

    #[track_caller]
    fn read(at: KernelAddress<'_>) -> Self::Read<'_> {
        let scratch = at.read_bytes(N as u32);
        <[u8; N] as Field>::read(Address::new(at.rec, scratch))
    }
}

impl<T: PointedTo> KernelField for *const T {
    type Read<'p> = KernelPtr<'p, T>;

    fn member() -> MemberType {
        MemberType::Pointer(T::pointee())
    }

    #[track_caller]
    fn read(at: KernelAddress<'_>) -> KernelPtr<'_, T> {
        let scratch = at.read_bytes(8);
        let pointer = at.rec.recorder().load(Type::U64, scratch, 0);
        KernelPtr::of_number(at.rec, pointer)
    }
}
