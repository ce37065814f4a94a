//! UDP: `struct udphdr`, from `linux/udp.h`.

use crate::order::Be16;
use crate::unchecked::known_header;

known_header! {
    /// A UDP header, 8 bytes (RFC 768).
    pub struct udphdr {
        /// Source port.
        source: Be16,
        /// Destination port.
        dest: Be16,
        /// Length of header and payload in bytes.
        len: Be16,
        /// Checksum; 0 means none was made.
        check: Be16,
    }
}
