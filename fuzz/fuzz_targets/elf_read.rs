//! A file is an object or an error; an object that can be written is read back as the same.
#![no_main]
#![forbid(unsafe_code)]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| ebpf_fuzz::elf_read(bytes));
