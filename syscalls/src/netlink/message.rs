//! Writing a netlink message: header, family header, attributes, nested attributes.
//!
//! <https://man7.org/linux/man-pages/man7/netlink.7.html>. Everything is
//! aligned to 4 bytes and in the byte order of this machine.

use crate::{Error, Result};

/// Bytes of `struct nlmsghdr`.
pub(super) const HEADER_LEN: usize = 16;

/// Bytes of `struct nlattr`.
pub(super) const ATTRIBUTE_HEADER_LEN: usize = 4;

/// `NLA_F_NESTED`: the attribute's payload is attributes.
const NLA_F_NESTED: u16 = 1 << 15;

/// `NLM_F_*` flags of a message's header.
pub(super) mod flag {
    pub(in super::super) const REQUEST: u16 = 0x1;
    pub(in super::super) const ACK: u16 = 0x4;
    pub(in super::super) const DUMP: u16 = 0x300;
    pub(in super::super) const EXCL: u16 = 0x200;
    pub(in super::super) const CREATE: u16 = 0x400;
}

/// A message being written.
#[derive(Debug)]
pub(super) struct Message {
    bytes: Vec<u8>,
    /// Set when something did not fit its 16-bit length; reported by [`Message::finish`].
    too_long: bool,
}

impl Message {
    /// A request of a type such as `RTM_GETLINK`.
    pub(super) fn new(kind: u16, flags: u16) -> Self {
        let mut bytes = Vec::with_capacity(128);
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(&(flags | flag::REQUEST).to_ne_bytes());
        bytes.extend_from_slice(&[0; 8]);
        Message {
            bytes,
            too_long: false,
        }
    }

    /// Appends the family's own header, such as `struct ifinfomsg`.
    pub(super) fn header(mut self, header: &[u8]) -> Self {
        self.bytes.extend_from_slice(header);
        self.align();
        self
    }

    /// Appends an attribute.
    pub(super) fn attribute(mut self, kind: u16, payload: &[u8]) -> Self {
        let start = self.open(kind);
        self.bytes.extend_from_slice(payload);
        self.close(start);
        self
    }

    /// Appends an attribute that is a number.
    pub(super) fn u32(self, kind: u16, number: u32) -> Self {
        self.attribute(kind, &number.to_ne_bytes())
    }

    /// Appends an attribute that is a string, with the NUL the kernel wants.
    pub(super) fn string(mut self, kind: u16, text: &str) -> Self {
        let start = self.open(kind);
        self.bytes.extend_from_slice(text.as_bytes());
        self.bytes.push(0);
        self.close(start);
        self
    }

    /// Appends an attribute whose payload `fill` writes: attributes, usually.
    pub(super) fn nested(mut self, kind: u16, fill: impl FnOnce(Self) -> Self) -> Self {
        let start = self.open(kind | NLA_F_NESTED);
        self = fill(self);
        self.close(start);
        self
    }

    /// Fills in length and sequence number, and gives the bytes.
    ///
    /// # Errors
    /// When an attribute or the message outgrew its length field.
    pub(super) fn finish(mut self, sequence: u32) -> Result<Vec<u8>> {
        let len = u32::try_from(self.bytes.len()).ok();
        let (Some(len), false) = (len, self.too_long) else {
            return Err(Error::argument("a netlink message that is too long"));
        };
        put(&mut self.bytes, 0, &len.to_ne_bytes());
        put(&mut self.bytes, 8, &sequence.to_ne_bytes());
        Ok(self.bytes)
    }

    /// Starts an attribute and gives its position, for [`Message::close`].
    fn open(&mut self, kind: u16) -> usize {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 2]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        start
    }

    fn close(&mut self, start: usize) {
        match u16::try_from(self.bytes.len() - start) {
            Ok(len) => put(&mut self.bytes, start, &len.to_ne_bytes()),
            Err(_) => self.too_long = true,
        }
        self.align();
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(slot) = bytes.get_mut(at..at + value.len()) {
        slot.copy_from_slice(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_too_long_for_its_attribute_is_refused() {
        let fits = Message::new(1, 0).attribute(1, &[0; 65531]);
        assert!(fits.finish(1).is_ok());
        let outgrown = Message::new(1, 0).attribute(1, &[0; 65532]);
        assert!(outgrown.finish(1).is_err());
    }

    #[test]
    fn lengths_count_headers_but_not_the_padding_after() {
        let bytes = Message::new(16, flag::ACK)
            .string(3, "eth0")
            .finish(7)
            .unwrap();
        assert_eq!(bytes.len(), 16 + 12);
        assert_eq!(bytes[16..18], 9u16.to_ne_bytes());
        assert_eq!(&bytes[20..28], b"eth0\0\0\0\0");
    }
}
