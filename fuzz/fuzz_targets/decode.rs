//! Random bytes either decode and encode back to the same bytes, or are an error.
#![no_main]
#![forbid(unsafe_code)]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| ebpf_fuzz::decode(bytes));
