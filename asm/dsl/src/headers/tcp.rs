//! TCP: `struct tcphdr`, from `linux/tcp.h`.

use crate::order::{Be16, Be32};
use crate::packet::Cursor;
use crate::unchecked::known_header;
use crate::value::{Cond, Value};

known_header! {
    /// A TCP header without options, 20 bytes (RFC 9293).
    pub struct tcphdr {
        /// Source port.
        source: Be16,
        /// Destination port.
        dest: Be16,
        /// Sequence number.
        seq: Be32,
        /// Acknowledgement number.
        ack_seq: Be32,
        /// [`doff`](Self::doff) in the high four bits.
        doff_reserved: u8,
        /// Flags: the `TCP_FLAG_*` bits.
        flags: u8,
        /// Window.
        window: Be16,
        /// Checksum.
        check: Be16,
        /// Urgent pointer.
        urg_ptr: Be16,
    }
}

/// Flag FIN.
pub const TCP_FLAG_FIN: u8 = 0x01;
/// Flag SYN.
pub const TCP_FLAG_SYN: u8 = 0x02;
/// Flag RST.
pub const TCP_FLAG_RST: u8 = 0x04;
/// Flag PSH.
pub const TCP_FLAG_PSH: u8 = 0x08;
/// Flag ACK.
pub const TCP_FLAG_ACK: u8 = 0x10;
/// Flag URG.
pub const TCP_FLAG_URG: u8 = 0x20;

impl<'c, 'p> tcphdr<'c, 'p> {
    /// Length of the header with its options, in units of 4 bytes.
    #[track_caller]
    pub fn doff(self) -> Value<'p, u8> {
        self.doff_reserved() >> 4
    }

    /// The place behind the header and its options, by what [`doff`](Self::doff) says.
    #[track_caller]
    pub fn payload(self) -> Cursor<'c, 'p> {
        let header_len = self.doff().to_u16() << 2;
        Cursor::at(self.at).advance(header_len)
    }

    /// Whether the flag SYN is set.
    #[track_caller]
    pub fn syn(self) -> Cond<'p> {
        self.flags().has_any(TCP_FLAG_SYN)
    }

    /// Whether the flag ACK is set.
    #[track_caller]
    pub fn ack(self) -> Cond<'p> {
        self.flags().has_any(TCP_FLAG_ACK)
    }
}
