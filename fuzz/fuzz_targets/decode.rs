//! Random bytes either decode and encode back to the same bytes, or are an error.
#![no_main]
#![forbid(unsafe_code)]

use ebpf_asm::insn::{decode_all, encode_all};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(insns) = decode_all(bytes) {
        assert_eq!(encode_all(&insns), bytes);
    }
});
