//! What the compiler says of a known header's field that is read before the bounds check, and of a
//! number in a map that is used before the null check.
//!
//! A `NeedsBoundsCheck` has none of the header's methods, and of a method that is missing the
//! compiler says no more. So the methods of the headers here are there, under a bound that nothing
//! meets, and whose message says what is missing; and so are those of numbers in maps. Of headers
//! and records that program files declare the compiler says that there is no such method: nobody
//! else may add some.

use crate::map::NeedsNullCheck;
use crate::value::Value;

/// A header behind its bounds check, which a `NeedsBoundsCheck` is not.
#[diagnostic::on_unimplemented(
    message = "the header is read before its bounds check",
    label = "add `.or_return(...)` or `.then(...)` where the header is made",
    note = "`let eth = f.header::<ethhdr>(ctx.packet()).or_return(XDP_PASS);` gives the header, and returns where the packet is too short for it"
)]
pub trait BehindBoundsCheck {
    #[doc(hidden)]
    fn never(&self) -> !;
}

/// A map's value behind its null check, which a `NeedsNullCheck` is not.
#[diagnostic::on_unimplemented(
    message = "the map's value is used before its null check",
    label = "add `.or_return(...)` or `.then(...)` where it is looked up",
    note = "`let value = f.lookup(map, key).or_return(XDP_PASS);` gives the value, and returns where the map has none"
)]
pub trait BehindNullCheck {
    #[doc(hidden)]
    fn never(&self) -> !;
}

/// The methods of a number in a map, before the check.
#[doc(hidden)]
impl<'p, R, V> NeedsNullCheck<'_, 'p, R, V> {
    pub fn get(&self) -> Value<'p, V>
    where
        Self: BehindNullCheck,
    {
        self.never()
    }

    pub fn set(&self, _: impl Sized)
    where
        Self: BehindNullCheck,
    {
        self.never()
    }

    pub fn add(&self, _: impl Sized)
    where
        Self: BehindNullCheck,
    {
        self.never()
    }

    pub fn atomic_add(&self, _: impl Sized)
    where
        Self: BehindNullCheck,
    {
        self.never()
    }
}

/// Declares a header as [`header!`](crate::header!) does, and its methods before the check.
macro_rules! known_header {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $($(#[$field_meta:meta])* $field:ident : $ty:ty),+ $(,)?
        }
    ) => {
        $crate::header! {
            $(#[$meta])*
            pub struct $name {
                $($(#[$field_meta])* $field: $ty,)+
            }
        }

        #[allow(non_snake_case)]
        impl<'c, 'p, R> $crate::NeedsBoundsCheck<'_, 'c, 'p, R, $name<'c, 'p>> {
            $(
                #[doc(hidden)]
                pub fn $field(&self) -> <$ty as $crate::private::Field>::Read<'p>
                where
                    Self: $crate::unchecked::BehindBoundsCheck,
                {
                    $crate::unchecked::BehindBoundsCheck::never(self)
                }
            )+

            #[doc(hidden)]
            pub fn end(&self) -> $crate::private::Cursor<'c, 'p>
            where
                Self: $crate::unchecked::BehindBoundsCheck,
            {
                $crate::unchecked::BehindBoundsCheck::never(self)
            }
        }
    };
}
pub(crate) use known_header;
