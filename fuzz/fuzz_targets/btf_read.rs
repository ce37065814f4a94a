//! Bytes are BTF or an error, and what is read is written and read as the same.
#![no_main]
#![forbid(unsafe_code)]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| ebpf_fuzz::btf_read(bytes));
