//! Numbers in network order: [`Be16`] and [`Be32`].
//!
//! They are plain data, for fields of packets and records. A recorded value of such a type
//! compares with host constants, which are swapped at build time, and with its own kind;
//! mixing it with a recorded host number does not compile.

/// Sixteen bits in network order, as they stand in memory.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Be16(u16);

/// Thirty-two bits in network order, as they stand in memory.
///
/// An IPv4 address is one: 10.0.0.1 is `Be32::from_bytes([10, 0, 0, 1])`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Be32(u32);

macro_rules! network_order {
    ($name:ident, $host:ty, $bytes:literal) => {
        impl $name {
            /// Puts a host number in network order.
            pub const fn new(host: $host) -> Self {
                $name(host.to_be())
            }

            /// The number in host order.
            pub const fn to_host(self) -> $host {
                <$host>::from_be(self.0)
            }

            /// The bytes as they go over the wire.
            pub const fn to_bytes(self) -> [u8; $bytes] {
                self.0.to_ne_bytes()
            }

            /// The number whose bytes these are.
            pub const fn from_bytes(bytes: [u8; $bytes]) -> Self {
                $name(<$host>::from_ne_bytes(bytes))
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, concat!(stringify!($name), "({:#x})"), self.to_host())
            }
        }
    };
}

network_order!(Be16, u16, 2);
network_order!(Be32, u32, 4);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_in_network_order() {
        assert_eq!(Be16::new(0x0800).to_bytes(), [8, 0]);
        assert_eq!(Be32::from_bytes([10, 0, 0, 1]).to_host(), 0x0a00_0001);
        assert_eq!(format!("{:?}", Be16::new(0x86dd)), "Be16(0x86dd)");
    }
}
