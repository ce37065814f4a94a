//! Objects with damage: each command shows them or refuses them, and never breaks down.
//!
//! The seeds are those of the fuzz targets, whose laws the libraries hold to; here are the parts
//! that only the command has.

use std::fs;

use ebpf_tests::differential::Chance;

use super::Place;

/// How often each seed is damaged.
const ROUNDS: u32 = 8;

/// The bytes of ELF's header.
const HEADER: usize = 64;

#[test]
fn damaged_objects_are_shown_or_refused() {
    let place = Place::new();
    let seeds = ebpf_tests::workspace().join("fuzz/seeds/elf_read");
    let mut chance = Chance::new(1);
    let mut shown = 0;
    for seed in fs::read_dir(seeds).expect("seeds") {
        let whole = fs::read(seed.expect("a seed").path()).expect("a file");
        fs::write(place.work().join("whole.o"), &whole).expect("a file");
        for _ in 0..ROUNDS {
            let mut bytes = whole.clone();
            for _ in 0..2 {
                // The header is looked at before all else, and any command would end there.
                let at = HEADER + chance.below(bytes.len() - HEADER);
                bytes[at] = chance.below(256) as u8;
            }
            fs::write(place.work().join("damaged.o"), bytes).expect("a file");
            for (line, ends) in [
                ("dis --source --bytes damaged.o", &[0, 7, 8][..]),
                ("cfg damaged.o", &[0, 7, 8]),
                ("cfg --format dot damaged.o", &[0, 7, 8]),
                ("diff whole.o damaged.o", &[0, 1, 7, 8]),
                ("btf damaged.o", &[0, 7, 8]),
            ] {
                let words: Vec<&str> = line.split(' ').collect();
                let ended = place.run(&words);
                let code = ended.code.expect("no signal");
                assert!(ends.contains(&code), "{line}: {code}, {}", ended.stderr);
                shown += u32::from(code == 0);
            }
        }
    }
    assert!(shown > 200, "only {shown} were shown: too much damage");
}
