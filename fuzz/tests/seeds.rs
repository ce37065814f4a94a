//! Each seed of a fuzz target, as an ordinary test.
#![forbid(unsafe_code)]

use std::fs;
use std::path::Path;

/// Runs a law over the seeds in a folder, and over what is left of each when a part is cut out.
fn over(folder: &str, law: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("seeds")
        .join(folder);
    let mut count = 0;
    for entry in fs::read_dir(&folder).expect("a folder of seeds") {
        let seed = fs::read(entry.expect("an entry").path()).expect("a seed");
        law(&seed);
        for cut in (0..seed.len()).step_by(seed.len() / 64 + 1) {
            law(&seed[cut..]);
            law(&seed[..cut]);
            let mut without = seed.clone();
            without.drain(cut..(cut + 9).min(seed.len()));
            law(&without);
        }
        count += 1;
    }
    assert!(count > 0, "no seeds in {}", folder.display());
}

#[test]
fn text() {
    over("text", ebpf_fuzz::text);
}

#[test]
fn decode() {
    over("decode", ebpf_fuzz::decode);
}

#[test]
fn elf_read() {
    over("elf_read", ebpf_fuzz::elf_read);
}

#[test]
fn elf_show() {
    over("elf_read", ebpf_fuzz::elf_show);
}

#[test]
fn btf_read() {
    over("btf_read", ebpf_fuzz::btf_read);
}
