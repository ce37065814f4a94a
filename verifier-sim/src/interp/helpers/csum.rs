//! The Internet checksum (RFC 1071).

use super::{Call, Returned};
use crate::interp::fault::FaultKind;
use ebpf_asm::insn::Reg;

/// `s64 bpf_csum_diff(__be32 *from, u32 from_size, __be32 *to, u32 to_size, __wsum seed)`
///
/// As Linux 6.18 does it: the result is folded to 16 bits (older releases leave more bits of
/// the same sum), and sizes need not be multiples of 4 (bpf-helpers(7) asks for that).
pub(super) fn csum_diff(call: &mut Call<'_, '_>) -> Returned {
    let (from_size, to_size) = (call.arg(Reg::R2)? as u32, call.arg(Reg::R4)? as u32);
    let from = optional(call, Reg::R1, from_size)?;
    let to = optional(call, Reg::R3, to_size)?;
    let seed = call.arg(Reg::R5)? as u32;
    let removed = !fold(sum(&from)) & 0xffff;
    let removed = if from.is_empty() { 0 } else { removed };
    Ok(Some(fold(sum(&to) + u64::from(seed) + removed)))
}

/// The bytes of a buffer that may be null if its size is 0.
fn optional(call: &Call<'_, '_>, reg: Reg, size: u32) -> Result<Vec<u8>, FaultKind> {
    match size {
        0 => call.arg(reg).map(|_| Vec::new()),
        _ => call.bytes(reg, u64::from(size)),
    }
}

/// The sum of 16-bit words in host order.
fn sum(bytes: &[u8]) -> u64 {
    let (words, odd) = bytes.as_chunks::<2>();
    let words = words.iter().map(|w| u64::from(u16::from_le_bytes(*w)));
    words.chain(odd.iter().map(|b| u64::from(*b))).sum()
}

/// Carries added back in until 16 bits are left.
fn fold(mut sum: u64) -> u64 {
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 1071 section 3's example, in network order there.
    #[test]
    fn the_sum_of_the_rfcs_example() {
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        let swapped = (fold(sum(&bytes)) as u16).swap_bytes();
        assert_eq!(swapped, 0xddf2);
    }
}
