//! The labels of a program by name: bound where they stand, named by what goes there.

use super::token::Placed;
use crate::assembler::{Assembler, Label};
use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

/// The labels so far.
#[derive(Default)]
pub(super) struct Labels<'a>(HashMap<Cow<'a, str>, Named, Nearby>);

/// A label.
struct Named {
    label: Label,
    binding: Binding,
    /// Whether an instruction goes there.
    is_named: bool,
    /// Where it is named first; where it is bound, if it is nowhere named.
    line: u32,
    begin: u32,
    end: u32,
}

/// What a label stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Binding {
    /// Nothing yet.
    Nothing,
    /// A place.
    Place,
    /// A function.
    Function,
    /// Several functions, as linked objects may have of one name.
    Functions,
}

/// A label is bound that is bound already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Twice;

/// A label that instructions cannot go to, and where one does.
pub(super) struct Astray<'l> {
    pub(super) name: &'l str,
    pub(super) why: Why,
    pub(super) line: u32,
    pub(super) begin: u32,
    pub(super) end: u32,
}

/// Why no instruction can go to a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// It is nowhere bound.
    Nowhere,
    /// It stands for several functions.
    Several,
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
        let named = self.entry(name, (line, placed), assembler);
        if !named.is_named {
            named.is_named = true;
            (named.line, named.begin, named.end) = (line, placed.begin, placed.end);
        }
        named.label
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
        match std::mem::replace(&mut named.binding, Binding::Place) {
            Binding::Nothing => Ok(named.label),
            _ => Err(Twice),
        }
    }

    /// The label of a function of this name, which begins in the line.
    ///
    /// # Errors
    /// If the name is that of a place.
    pub(super) fn bind_function(
        &mut self,
        name: Cow<'a, str>,
        (line, placed): (u32, Placed),
        assembler: &mut Assembler,
    ) -> Result<Label, Twice> {
        let named = self.entry(name, (line, placed), assembler);
        match named.binding {
            Binding::Nothing => {
                named.binding = Binding::Function;
                Ok(named.label)
            }
            Binding::Function | Binding::Functions => {
                named.binding = Binding::Functions;
                Ok(assembler.label())
            }
            Binding::Place => Err(Twice),
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
            binding: Binding::Nothing,
            is_named: false,
            line,
            begin: placed.begin,
            end: placed.end,
        })
    }

    /// The first label that an instruction goes to and cannot.
    pub(super) fn astray(&self) -> Option<Astray<'_>> {
        let why = |named: &Named| match named.binding {
            Binding::Nothing => Some(Why::Nowhere),
            Binding::Functions => Some(Why::Several),
            Binding::Place | Binding::Function => None,
        };
        let named = self.0.iter().filter(|(_, named)| named.is_named);
        let astray = named.filter(|(_, named)| why(named).is_some());
        let (name, named) = astray.min_by_key(|(_, named)| (named.line, named.begin))?;
        Some(Astray {
            name,
            why: why(named)?,
            line: named.line,
            begin: named.begin,
            end: named.end,
        })
    }

    /// The names of the labels that are bound, in alphabetical order.
    pub(super) fn bound(&self) -> Vec<&str> {
        let bound = self
            .0
            .iter()
            .filter(|(_, named)| named.binding != Binding::Nothing);
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
