//! Seeds of objects with a few bytes changed, the same at each run: `EBPF_MUTANTS=500000` is the
//! long one, to be run with `--release`.
#![forbid(unsafe_code)]

use std::path::Path;
use std::{env, fs};

/// How many there are among the tests.
const FEW: usize = 10_000;
/// The most changes of one mutant.
const CHANGES: usize = 6;
/// The bytes that tables of ELF and BTF count and tell kinds with.
const TELLING: [u8; 8] = [0, 1, 2, 3, 4, 8, 16, 255];

/// Numbers that look random (xorshift64).
struct Numbers(u64);

impl Numbers {
    /// The next one, below `end`.
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end.max(1)
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// A mutant of one of the seeds.
    fn mutant(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = self.of(seeds).clone();
        for _ in 0..=self.below(CHANGES) {
            self.change(&mut bytes, seeds);
        }
        bytes
    }

    fn change(&mut self, bytes: &mut [u8], seeds: &[Vec<u8>]) {
        let at = self.below(bytes.len());
        match self.below(6) {
            0 => bytes[at] = self.below(256) as u8,
            1 => bytes[at] ^= 1 << self.below(8),
            2 => bytes[at] = *self.of(&TELLING),
            3 => {
                let to = self.below(bytes.len());
                bytes.swap(at, to);
            }
            // A word of its own, or an entry of a table that it has elsewhere.
            4 => {
                let len = *self.of(&[8, 16, 24, 64]);
                let (at, to) = (at & !7, self.below(bytes.len()) & !7);
                if at.max(to) + len <= bytes.len() {
                    bytes.copy_within(at..at + len, to);
                }
            }
            // A part of another seed.
            _ => {
                let other = self.of(seeds);
                let from = self.below(other.len());
                let most = (other.len() - from).min(bytes.len() - at);
                let len = (1 + self.below(64)).min(most);
                bytes[at..at + len].copy_from_slice(&other[from..from + len]);
            }
        }
    }
}

/// All seeds of objects, in the order of their names.
fn seeds() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds/elf_read");
    let entries = fs::read_dir(folder).expect("a folder of seeds");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    let read = paths.iter().map(|path| fs::read(path).expect("a seed"));
    read.collect()
}

#[test]
fn elf_read() {
    let seeds = seeds();
    let count = env::var("EBPF_MUTANTS").map_or(FEW, |n| n.parse().expect("a number"));
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut kept = Vec::new();
    for number in 0..count {
        let mutant = numbers.mutant(&seeds);
        if std::panic::catch_unwind(|| ebpf_fuzz::elf_read(&mutant)).is_err() {
            let path = env::temp_dir().join(format!("mutant-{number}.o"));
            fs::write(&path, &mutant).expect("the mutant is kept");
            kept.push(path);
        }
    }
    assert!(kept.is_empty(), "the law does not hold for {kept:?}");
}
