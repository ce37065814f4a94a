//! An object that is read can be printed and cut into basic blocks.
#![no_main]
#![forbid(unsafe_code)]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| ebpf_fuzz::elf_show(bytes));
