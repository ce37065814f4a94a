//! Addresses in global data: the directive `.address`, read and printed.
//!
//! ```text
//! .address 8 map counters
//! .address 16 data .rodata 4
//! .address 24 func parse
//! .address 32 extern runqueues
//! ```

use super::parse::Parser;
use super::spelling::Wrong;
use super::words::Words;
use crate::near::near;
use crate::object::{Address, Addressed, Data, Object};
use crate::program::Reference;
use std::fmt::{self, Write};

/// The bytes of an address.
const POINTER: usize = 8;

/// An address whose target may stand further down than itself.
pub(super) struct LateAddress {
    /// The index of the section's map.
    section: usize,
    offset: u32,
    to: Named,
    line: u32,
    wrong: Wrong,
}

/// Whose address it is, by name.
enum Named {
    Map(String),
    Data(String, u32),
    Extern(String),
    Function(String),
}

impl<'a> Parser<'a> {
    /// `.address OFFSET map NAME`, `... data SECTION OFFSET`, `... func NAME`, `... extern NAME`:
    /// whose address should stand in the section above.
    pub(super) fn address(&mut self, words: &mut Words<'a>) -> Result<(), Wrong> {
        let place = words.wants("an offset in bytes")?;
        let offset: u32 = place.number("an offset in bytes")?;
        let kind = words.wants("map, data, func or extern")?;
        let target = words.wants("a name")?;
        let name = target.string()?;
        let to = match kind.text {
            "map" => Named::Map(name),
            "data" => {
                let offset = words.wants("an offset in bytes")?;
                Named::Data(name, offset.number("an offset in bytes")?)
            }
            "func" => Named::Function(name),
            "extern" => Named::Extern(name),
            _ => return Err(kind.wrong("expected map, data, func or extern")),
        };
        let section = self.object.maps.len().checked_sub(1);
        let data = self.object.maps.last().and_then(|map| map.data.as_ref());
        let (Some(section), Some(data)) = (section, data) else {
            return Err(words.wrong("'.address' wants '.data SECTION' above"));
        };
        let room = data.bytes.len().checked_sub(POINTER);
        if room.is_none_or(|room| offset as usize > room) {
            let len = data.bytes.len();
            let message = format!("an address has 8 bytes, and the section ends at byte {len}");
            return Err(place.wrong(message));
        }
        self.late_addresses.push(LateAddress {
            section,
            offset,
            to,
            line: self.number,
            wrong: target.wrong(format!("nothing of this kind is named '{}'", target.text)),
        });
        Ok(())
    }

    /// Puts the addresses into their sections, now that all names are known.
    pub(super) fn finish_addresses(&mut self) -> Result<(), Wrong> {
        for late in std::mem::take(&mut self.late_addresses) {
            let Some(of) = addressed(&self.object, &late.to) else {
                self.number = late.line;
                let names = names(&self.object);
                let meant = near(late.to.name(), names.iter().copied());
                return Err(late
                    .wrong
                    .help(meant.map(|meant| format!("did you mean '{meant}'?"))));
            };
            let section = self.object.maps.get_mut(late.section);
            if let Some(data) = section.and_then(|map| map.data.as_mut()) {
                let at = data.addresses.partition_point(|a| a.offset <= late.offset);
                let offset = late.offset;
                data.addresses.insert(at, Address { offset, of });
            }
        }
        Ok(())
    }
}

impl Named {
    fn name(&self) -> &str {
        match self {
            Named::Map(name)
            | Named::Data(name, _)
            | Named::Extern(name)
            | Named::Function(name) => name,
        }
    }
}

fn addressed(object: &Object, to: &Named) -> Option<Addressed> {
    let map = |name: &str| object.maps.iter().position(|map| map.name == *name);
    let reference = match to {
        Named::Map(name) => Reference::Map(map(name)?),
        Named::Data(name, offset) => Reference::MapValue {
            map: map(name)?,
            offset: *offset,
        },
        Named::Extern(name) => {
            let mut externs = object.externs.iter();
            Reference::Extern(externs.position(|known| known.name == *name)?)
        }
        // Functions that no program reaches are in no object, and may be named all the same.
        Named::Function(name) => return Some(Addressed::Function(name.as_str().into())),
    };
    Some(Addressed::Reference(reference))
}

fn names(object: &Object) -> Vec<&str> {
    let maps = object.maps.iter().map(|map| map.name.as_str());
    let externs = object.externs.iter().map(|known| known.name.as_str());
    maps.chain(externs).collect()
}

/// Writes the addresses of a section as the directives that make them.
pub(super) fn print_addresses(out: &mut dyn Write, object: &Object, data: &Data) -> fmt::Result {
    let map = |index: &usize| {
        let map = object.maps.get(*index);
        super::print::name(map.map_or("?", |map| &map.name))
    };
    for Address { offset, of } in &data.addresses {
        write!(out, ".address {offset} ")?;
        match of {
            Addressed::Function(name) => writeln!(out, "func {}", super::print::name(name))?,
            Addressed::Reference(Reference::Map(index)) => writeln!(out, "map {}", map(index))?,
            Addressed::Reference(Reference::MapValue { map: of, offset }) => {
                writeln!(out, "data {} {offset}", map(of))?;
            }
            Addressed::Reference(Reference::Extern(index)) => {
                let known = object.externs.get(*index);
                let known = super::print::name(known.map_or("?", |known| &known.name));
                writeln!(out, "extern {known}")?;
            }
        }
    }
    Ok(())
}
