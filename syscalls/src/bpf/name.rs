//! Names of kernel objects: at most 15 characters out of a small set.

/// Bytes of a name in the UAPI, with its terminating NUL.
pub const BPF_OBJ_NAME_LEN: usize = 16;

/// Makes a name that the kernel takes: it refuses characters other than
/// letters, digits, `_` and `.` with EINVAL, and has room for 15 of them.
///
/// The whole name is kept in BTF, so cutting it here loses nothing that tools show.
pub(super) fn encode(name: &str) -> [u8; BPF_OBJ_NAME_LEN] {
    let mut out = [0; BPF_OBJ_NAME_LEN];
    for (slot, byte) in out[..BPF_OBJ_NAME_LEN - 1].iter_mut().zip(name.bytes()) {
        let allowed = byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.';
        *slot = if allowed { byte } else { b'_' };
    }
    out
}

/// Reads a name up to its NUL.
pub(super) fn decode(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_cut_to_fifteen_and_keeps_its_nul() {
        let name = encode("xdp_count_protocols");
        assert_eq!(decode(&name), "xdp_count_proto");
        assert_eq!(name[15], 0);
    }

    #[test]
    fn refused_characters_become_underscores() {
        assert_eq!(decode(&encode("a-b/c é")), "a_b_c___");
    }
}
