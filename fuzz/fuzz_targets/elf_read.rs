//! A file is an object or an error; an object that can be written is read back as the same.
#![no_main]
#![forbid(unsafe_code)]

use ebpf_asm::object::{read, write};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(object) = read(bytes) else { return };
    let Ok(written) = write(&object) else { return };
    let again = read(&written).expect("what was written is an object");
    assert_eq!(again.programs.len(), object.programs.len());
    for (again, first) in again.programs.iter().zip(&object.programs) {
        assert_eq!(again.insns.len(), first.insns.len());
    }
    assert_eq!(again.maps.len(), object.maps.len());
});
