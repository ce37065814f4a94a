//! How packet headers are declared: [`header!`](crate::header!).

/// Declares a packet header: a handle with a getter for each field.
///
/// A getter records its load where it is named, once. `set()` gives the setters. The layout is
/// packed, as headers are; the size is the sum of the fields'.
///
/// ```
/// use ebpf_dsl::prelude::*;
///
/// header! {
///     /// Two numbers behind the Ethernet header.
///     pub struct pair {
///         /// The first.
///         first: Be16,
///         /// The second.
///         second: Be16,
///     }
/// }
///
/// let unit = Unit::new("pairs").xdp("xdp_swap_pair", |f, ctx| {
///     let eth = f.header::<ethhdr>(ctx.packet()).or_return(XDP_PASS);
///     let pair = f.header::<pair>(eth.end()).or_return(XDP_PASS);
///     let (first, second) = (pair.first(), pair.second());
///     pair.set().first(second);
///     pair.set().second(first);
///     XDP_TX
/// });
/// assert!(unit.check().is_ok());
/// ```
#[macro_export]
macro_rules! header {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident {
            $($(#[$field_meta:meta])* $field:ident : $ty:ty),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[allow(non_camel_case_types)]
        #[derive(Clone, Copy, Debug)]
        $vis struct $name<'c, 'p> {
            at: $crate::private::Address<'c, 'p>,
        }

        const _: () = {
            use $crate::private::{Address, Cursor, Field, Header, Write};

            #[allow(dead_code, non_snake_case)]
            #[repr(C, packed)]
            struct Layout {
                $($field: $ty,)+
            }

            /// Writes the fields of the header.
            #[derive(Clone, Copy, Debug)]
            pub struct Setters<'c, 'p>(Address<'c, 'p>);

            #[allow(non_snake_case)]
            impl<'c, 'p> $name<'c, 'p> {
                $(
                    $(#[$field_meta])*
                    #[track_caller]
                    pub fn $field(self) -> <$ty as Field>::Read<'p> {
                        let offset = ::core::mem::offset_of!(Layout, $field) as u32;
                        <$ty as Field>::read(self.at.plus(offset))
                    }
                )+

                /// The place behind the header's fixed part.
                pub fn end(self) -> Cursor<'c, 'p> {
                    Cursor::at(self.at.plus(<Self as Header<'c, 'p>>::SIZE))
                }

                /// The setters: a method for each field, which writes it into the packet.
                pub fn set(self) -> Setters<'c, 'p> {
                    Setters(self.at)
                }
            }

            #[allow(non_snake_case)]
            impl<'c, 'p> Setters<'c, 'p> {
                $(
                    $(#[$field_meta])*
                    #[track_caller]
                    pub fn $field(self, value: impl Write<'p, $ty>) {
                        let offset = ::core::mem::offset_of!(Layout, $field) as u32;
                        value.write(self.0.plus(offset));
                    }
                )+
            }

            impl<'c, 'p> Header<'c, 'p> for $name<'c, 'p> {
                const SIZE: u32 = ::core::mem::size_of::<Layout>() as u32;

                fn behind_check(at: Address<'c, 'p>) -> Self {
                    $name { at }
                }
            }
        };
    };
}
