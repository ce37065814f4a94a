//! The labels of a program by name: bound where they stand, named by what goes there.

use super::token::Placed;
use crate::assembler::{Assembler, Label};
use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};
use std::num::NonZero;

/// The labels so far.
pub(super) struct Labels<'a> {
    /// In the order in which they are met.
    all: Vec<Named<'a>>,
    /// Where they are found by name.
    places: Places,
}

/// A label.
struct Named<'a> {
    name: Cow<'a, str>,
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

impl Default for Labels<'_> {
    fn default() -> Self {
        Labels {
            all: Vec::new(),
            places: Places::new(),
        }
    }
}

impl<'a> Labels<'a> {
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
    ) -> &mut Named<'a> {
        let Labels { all, places } = self;
        let hash = places.hash(&name);
        let is_it = |index: usize| all.get(index).is_some_and(|known| known.name == name);
        let index = places.find(hash, is_it).unwrap_or_else(|| {
            all.push(Named {
                name,
                label: assembler.label(),
                binding: Binding::Nothing,
                is_named: false,
                line,
                begin: placed.begin,
                end: placed.end,
            });
            places.add(hash);
            all.len() - 1
        });
        &mut all[index]
    }

    /// The first label that an instruction goes to and cannot.
    pub(super) fn astray(&self) -> Option<Astray<'_>> {
        let why = |named: &Named<'_>| match named.binding {
            Binding::Nothing => Some(Why::Nowhere),
            Binding::Functions => Some(Why::Several),
            Binding::Place | Binding::Function => None,
        };
        let named = self.all.iter().filter(|named| named.is_named);
        let astray = named.filter(|named| why(named).is_some());
        let named = astray.min_by_key(|named| (named.line, named.begin))?;
        Some(Astray {
            name: &named.name,
            why: why(named)?,
            line: named.line,
            begin: named.begin,
            end: named.end,
        })
    }

    /// The names of the labels that are bound, in alphabetical order.
    pub(super) fn bound(&self) -> Vec<&str> {
        let bound = self.all.iter();
        let bound = bound.filter(|named| named.binding != Binding::Nothing);
        let mut names: Vec<&str> = bound.map(|named| &*named.name).collect();
        names.sort_unstable();
        names
    }
}

/// A table of hashes: where names of some numbers are found.
///
/// Names that differ in their last characters only (`L24` and `L27`) are hashed to neighbours: what
/// goes to a label mostly stands near it, and so do then their places here. A table that is walked
/// at random costs more than the rest of a line, and so does one that holds more than numbers.
struct Places {
    /// By chance, so that nobody can make up names that are all hashed to one.
    multiplier: u64,
    /// A hash and the number that it was added as. Each stands where the hash says or behind it.
    /// A power of two, at least half of them free.
    places: Vec<Option<Place>>,
    /// How many are not free.
    taken: u32,
}

#[derive(Clone, Copy)]
struct Place {
    hash: u32,
    /// Counted from 1.
    number: NonZero<u32>,
}

impl Places {
    fn new() -> Places {
        Places {
            multiplier: RandomState::new().hash_one(0) | 1,
            places: vec![None; 16],
            taken: 0,
        }
    }

    /// A number with the bytes as its digits.
    fn hash(&self, name: &str) -> u32 {
        let digit = |hash: u64, byte| hash.wrapping_mul(self.multiplier).wrapping_add(byte);
        let hash = name.bytes().map(u64::from).fold(0, digit);
        (hash ^ hash >> 32) as u32
    }

    /// The index of the one with a hash that `is_it`.
    #[inline]
    fn find(&self, hash: u32, is_it: impl Fn(usize) -> bool) -> Option<usize> {
        let mut at = self.first(hash);
        loop {
            let place = self.places.get(at).copied()??;
            let index = place.number.get() as usize - 1;
            if place.hash == hash && is_it(index) {
                return Some(index);
            }
            at = self.behind(at);
        }
    }

    /// Adds one with a hash, which gets the next index: they are counted from 0.
    fn add(&mut self, hash: u32) {
        if self.places.len() < (self.taken as usize + 1) * 2 {
            self.grow();
        }
        let number = NonZero::<u32>::MIN.saturating_add(self.taken);
        self.taken += 1;
        self.put(Place { hash, number });
    }

    fn put(&mut self, new: Place) {
        let mut at = self.first(new.hash);
        while let Some(Some(_)) = self.places.get(at) {
            at = self.behind(at);
        }
        if let Some(free) = self.places.get_mut(at) {
            *free = Some(new);
        }
    }

    /// Where a hash is looked for.
    fn first(&self, hash: u32) -> usize {
        hash as usize & (self.places.len() - 1)
    }

    /// Where it is looked for if another is there.
    fn behind(&self, at: usize) -> usize {
        (at + 1) & (self.places.len() - 1)
    }

    fn grow(&mut self) {
        let larger = vec![None; self.places.len() * 4];
        let places = std::mem::replace(&mut self.places, larger);
        for place in places.into_iter().flatten() {
            self.put(place);
        }
    }
}
