//! Random numbers that a seed repeats, and the numbers worth trying.

use ebpf_dsl::recording::Type;
use ebpf_tests::differential::Chance;

/// Chance, and the numbers that it prefers.
#[derive(Debug, Clone)]
pub(crate) struct Random(Chance);

/// Numbers at which widths, signs and shifts change their minds.
const CORNERS: [u64; 29] = [
    0,
    1,
    2,
    3,
    7,
    8,
    14,
    16,
    31,
    32,
    33,
    63,
    64,
    0x7f,
    0x80,
    0xfe,
    0xff,
    0x0800,
    0x7fff,
    0x8000,
    0xfffe,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fffe,
    0xffff_ffff,
    0x1_0000_0000,
    0x8000_0000_0000_0000,
    u64::MAX,
];

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(Chance::new(seed))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0.number()
    }

    /// A number below `limit`, which is not 0.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0.below(limit)
    }

    /// True once in so many times.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of these; `None` of none.
    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        (!of.is_empty()).then(|| of[self.below(of.len())])
    }

    /// A constant that fits a type: often a corner, often small, sometimes anything.
    pub(crate) fn constant(&mut self, ty: Type) -> u64 {
        let number = match self.below(4) {
            0 => self.below(4) as u64,
            1 => self.next(),
            _ => CORNERS[self.below(CORNERS.len())],
        };
        number & u64::MAX >> (64 - 8 * ty.size())
    }

    /// A packet whose bytes repeat, so that what a program compares is often equal.
    pub(crate) fn packet(&mut self, lengths: std::ops::RangeInclusive<usize>) -> Vec<u8> {
        let len = lengths.start() + self.below(lengths.end() - lengths.start() + 1);
        const BYTES: [u8; 8] = [0, 1, 2, 3, 8, 0x7f, 0x80, 0xff];
        let byte = |random: &mut Random| match random.below(8) {
            0 => random.next() as u8,
            _ => BYTES[random.below(BYTES.len())],
        };
        (0..len).map(|_| byte(self)).collect()
    }
}
