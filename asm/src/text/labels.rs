//! The labels of a program by name: bound where they stand, named by what goes there.

use super::token::Placed;
use crate::assembler::{Assembler, Label};
use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

/// The labels so far.
#[derive(Default)]
pub(super) struct Labels<'a>(HashMap<Cow<'a, str>, Named, Nearby>);

/// A label, and where it stands first, bound or named.
struct Named {
    label: Label,
    line: u32,
    begin: u32,
    end: u32,
    is_bound: bool,
}

/// A label is bound that is bound already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Twice;

/// A label that is named and nowhere bound: where it is named first, from byte to byte.
pub(super) struct Unbound<'l> {
    pub(super) name: &'l str,
    pub(super) line: u32,
    pub(super) begin: u32,
    pub(super) end: u32,
}

impl<'a> Labels<'a> {
    /// Makes room for so many times as many labels as there are.
    pub(super) fn reserve(&mut self, times: usize) {
        self.0.reserve(self.0.len().saturating_mul(times));
    }

    /// The label of this name, which an instruction of the line goes to.
    pub(super) fn name(
        &mut self,
        name: Cow<'a, str>,
        (line, placed): (u32, Placed),
        assembler: &mut Assembler,
    ) -> Label {
        self.entry(name, (line, placed), assembler).label
    }

    /// The label of this name, which is bound in the line.
    ///
    /// # Errors
    /// If it is bound already.
    pub(super) fn bind(
        &mut self,
        name: Cow<'a, str>,
        (line, placed): (u32, Placed),
        assembler: &mut Assembler,
    ) -> Result<Label, Twice> {
        let named = self.entry(name, (line, placed), assembler);
        match std::mem::replace(&mut named.is_bound, true) {
            true => Err(Twice),
            false => Ok(named.label),
        }
    }

    fn entry(
        &mut self,
        name: Cow<'a, str>,
        (line, placed): (u32, Placed),
        assembler: &mut Assembler,
    ) -> &mut Named {
        self.0.entry(name).or_insert_with(|| Named {
            label: assembler.label(),
            line,
            begin: placed.begin,
            end: placed.end,
            is_bound: false,
        })
    }

    /// The first label that is named and nowhere bound.
    pub(super) fn unbound(&self) -> Option<Unbound<'_>> {
        let unbound = self.0.iter().filter(|(_, named)| !named.is_bound);
        let (name, named) = unbound.min_by_key(|(_, named)| (named.line, named.begin))?;
        Some(Unbound {
            name,
            line: named.line,
            begin: named.begin,
            end: named.end,
        })
    }

    /// The names of the labels that are bound, in alphabetical order.
    pub(super) fn bound(&self) -> Vec<&str> {
        let bound = self.0.iter().filter(|(_, named)| named.is_bound);
        let mut names: Vec<&str> = bound.map(|(name, _)| &**name).collect();
        names.sort_unstable();
        names
    }
}

/// Hashes names that differ in their last characters only (`L24` and `L27`) to neighbours: what
/// goes to a label mostly stands near it, and so do then their places in the table. A table that
/// is walked at random costs more than the rest of a line.
#[derive(Clone)]
struct Nearby {
    /// By chance, so that nobody can make up names that are all hashed to one.
    multiplier: u64,
}

impl Default for Nearby {
    fn default() -> Nearby {
        Nearby {
            multiplier: RandomState::new().hash_one(0) | 1,
        }
    }
}

impl BuildHasher for Nearby {
    type Hasher = NearbyHasher;

    fn build_hasher(&self) -> NearbyHasher {
        NearbyHasher {
            multiplier: self.multiplier,
            hash: 0,
        }
    }
}

/// A number with the bytes as its digits.
struct NearbyHasher {
    multiplier: u64,
    hash: u64,
}

impl Hasher for NearbyHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u8(*byte);
        }
    }

    fn write_u8(&mut self, byte: u8) {
        let shifted = self.hash.wrapping_mul(self.multiplier);
        self.hash = shifted.wrapping_add(byte.into());
    }

    fn finish(&self) -> u64 {
        // The table takes the place from the lower bits, and tells neighbours apart by the
        // uppermost seven.
        const UPPER: u64 = 0x7f << 57;
        self.hash ^ (self.hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) & UPPER)
    }
}
