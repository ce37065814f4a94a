//! What is read from text is printed, and read again as the same.
#![no_main]
#![forbid(unsafe_code)]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| ebpf_fuzz::text(bytes));
