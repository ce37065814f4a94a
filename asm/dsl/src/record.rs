//! Records: a struct declared once, for the program and for user space.

use crate::address::Address;
use crate::order::{Be16, Be32};
use crate::place::Place;
use crate::recording::DataType;
use crate::value::Scalar;

/// Plain data with a fixed layout: numbers, arrays of bytes, and [`record!`](crate::record!)s.
pub trait Data: Sized + 'static {
    /// Size in bytes.
    const SIZE: u32;
    /// What a program has of such data in memory: a [`Place`], or one for each field.
    type Handle<'m, 'p>;

    /// The layout, from which BTF is built.
    fn data_type() -> DataType;

    /// Reads `Self` from exactly [`SIZE`](Data::SIZE) bytes, as the kernel hands them out;
    /// `None` if there are more or fewer.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;

    /// Appends the bytes, as the kernel takes them.
    fn write_bytes(&self, bytes: &mut Vec<u8>);

    /// The bytes, as the kernel takes them.
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write_bytes(&mut bytes);
        bytes
    }

    #[doc(hidden)]
    fn handle<'m, 'p>(at: Address<'m, 'p>) -> Self::Handle<'m, 'p>;
}

macro_rules! numbers {
    ($($ty:ty, $from:expr, $to:expr;)*) => {$(
        impl Data for $ty {
            const SIZE: u32 = <$ty as Scalar>::TYPE.size();
            type Handle<'m, 'p> = Place<'m, 'p, $ty>;

            fn data_type() -> DataType {
                DataType::Scalar(<$ty as Scalar>::TYPE)
            }

            fn from_bytes(bytes: &[u8]) -> Option<Self> {
                Some($from(bytes.try_into().ok()?))
            }

            fn write_bytes(&self, bytes: &mut Vec<u8>) {
                bytes.extend($to(*self));
            }

            fn handle<'m, 'p>(at: Address<'m, 'p>) -> Place<'m, 'p, $ty> {
                Place::new(at)
            }
        }
    )*};
}

numbers! {
    u8, u8::from_ne_bytes, u8::to_ne_bytes;
    u16, u16::from_ne_bytes, u16::to_ne_bytes;
    u32, u32::from_ne_bytes, u32::to_ne_bytes;
    u64, u64::from_ne_bytes, u64::to_ne_bytes;
    Be16, Be16::from_bytes, Be16::to_bytes;
    Be32, Be32::from_bytes, Be32::to_bytes;
}

impl<const N: usize> Data for [u8; N] {
    const SIZE: u32 = N as u32;
    type Handle<'m, 'p> = Place<'m, 'p, [u8; N]>;

    fn data_type() -> DataType {
        DataType::Bytes(N as u32)
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok()
    }

    fn write_bytes(&self, bytes: &mut Vec<u8>) {
        bytes.extend(*self);
    }

    fn handle<'m, 'p>(at: Address<'m, 'p>) -> Place<'m, 'p, [u8; N]> {
        Place::new(at)
    }
}

/// Declares a record: a `#[repr(C)]` struct for user space, and for programs a handle with a
/// method for each field.
///
/// Attributes such as `#[derive(...)]` go to the struct. Each derive costs time when the program
/// is built; those that only user space needs can stand behind a feature, with `cfg_attr`.
///
/// Padding is refused at compile time: the kernel would compare it in keys, and the verifier
/// would refuse to hand it out.
///
/// ```
/// use ebpf_dsl::prelude::*;
///
/// record! {
///     /// Packets and bytes.
///     #[derive(Debug, PartialEq)]
///     pub struct Counter {
///         /// How many packets.
///         pub packets: u64,
///         /// How many bytes.
///         pub bytes: u64,
///     }
/// }
///
/// let mut unit = Unit::new("count").license("GPL");
/// let total = unit.percpu_array::<Counter>("total", 1);
/// let unit = unit.xdp("xdp_count", |f, ctx| {
///     let total = f.lookup(total, 0).or_return(XDP_PASS);
///     total.packets().add(1);
///     total.bytes().add(ctx.len().to_u64());
///     XDP_PASS
/// });
/// assert!(unit.check().is_ok());
///
/// let counter = Counter { packets: 3, bytes: 180 };
/// assert_eq!(Counter::from_bytes(&counter.to_bytes()), Some(counter));
/// ```
#[macro_export]
macro_rules! record {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident {
            $($(#[$field_meta:meta])* $field_vis:vis $field:ident : $ty:ty),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[repr(C)]
        $vis struct $name {
            $($(#[$field_meta])* $field_vis $field: $ty,)+
        }

        const _: () = {
            use $crate::private::{Address, Data, DataType, StructType};

            assert!(
                ::core::mem::size_of::<$name>() == 0 $(+ ::core::mem::size_of::<$ty>())+,
                "a record has no padding: order its fields by size, or add a field that fills the gap"
            );

            /// The fields of the record in memory.
            pub struct Fields<'m, 'p>(Address<'m, 'p>);

            impl<'m, 'p> Fields<'m, 'p> {
                $(
                    $(#[$field_meta])*
                    pub fn $field(&self) -> <$ty as Data>::Handle<'m, 'p> {
                        let offset = ::core::mem::offset_of!($name, $field) as u32;
                        <$ty as Data>::handle(self.0.plus(offset))
                    }
                )+
            }

            impl Data for $name {
                const SIZE: u32 = ::core::mem::size_of::<$name>() as u32;
                type Handle<'m, 'p> = Fields<'m, 'p>;

                fn data_type() -> DataType {
                    let mut ty = StructType::new(stringify!($name), Self::SIZE);
                    $(
                        let offset = ::core::mem::offset_of!($name, $field) as u32;
                        ty.push(stringify!($field), offset, <$ty as Data>::data_type());
                    )+
                    DataType::Struct(ty)
                }

                fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
                    $(
                        let (part, rest) = bytes.split_at_checked(<$ty as Data>::SIZE as usize)?;
                        let $field = <$ty as Data>::from_bytes(part)?;
                        bytes = rest;
                    )+
                    if bytes.is_empty() { Some($name { $($field),+ }) } else { None }
                }

                fn write_bytes(&self, bytes: &mut Vec<u8>) {
                    $(Data::write_bytes(&self.$field, bytes);)+
                }

                fn handle<'m, 'p>(at: Address<'m, 'p>) -> Fields<'m, 'p> {
                    Fields(at)
                }
            }
        };
    };
}
