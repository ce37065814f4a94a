//! Bytes are BTF or an error, and what is read is written and read as the same; likewise for
//! `.BTF.ext`.
#![no_main]
#![forbid(unsafe_code)]

use ebpf_asm::btf::Btf;
use ebpf_asm::btf::ext::Ext;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(btf) = Btf::from_bytes(bytes) {
        assert_eq!(Btf::from_bytes(&btf.to_bytes()), Ok(btf));
    }
    if let Ok(ext) = Ext::from_bytes(bytes) {
        assert_eq!(Ext::from_bytes(&ext.to_bytes()), Ok(ext));
    }
});
