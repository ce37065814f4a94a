//! What shall become of a frame, decided in plain Rust from the programs' documentation.

/// `XDP_DROP` of `linux/bpf.h`.
pub const XDP_DROP: u32 = 1;
/// `XDP_PASS` of `linux/bpf.h`.
pub const XDP_PASS: u32 = 2;

/// The IPv4 protocol number of a frame that is long enough for Ethernet and 20 bytes of IPv4.
#[must_use]
pub fn protocol(frame: &[u8]) -> Option<u8> {
    let is_ipv4 = frame.get(12..14) == Some(&[0x08, 0x00]);
    (is_ipv4 && frame.len() >= 14 + 20).then(|| frame[14 + 9])
}

/// What `drop_icmp` and `count_protocols` return for a frame.
#[must_use]
pub fn verdict(frame: &[u8]) -> u32 {
    match protocol(frame) {
        Some(1) => XDP_DROP,
        _ => XDP_PASS,
    }
}
