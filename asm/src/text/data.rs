//! Global variables: the directives `.data` and `.var`, read and printed.
//!
//! ```text
//! .data .data size=16
//! .var counter u64 42
//! .var name "eth0\x00" size=8
//! ```
//!
//! `.data .addr_space.1` stands below an arena, and what follows are the variables in it.

use super::object::{Extent, print_parameters};
use super::parse::Parser;
use super::print::name;
use super::spelling::Wrong;
use super::types::print_type_id;
use super::words::{Word, Words, quoted};
use crate::btf::TypeId;
use crate::map_type::MapType;
use crate::object::{ARENA_SECTION, Data, DataKind, Map, Strength, Variable};
use std::fmt::{self, Write};

/// The most bytes of global data that one text may have: as much as an array's value can,
/// and no more memory than a text can ask for by mistake.
const MOST_BYTES: usize = 1 << 26;

/// The kinds by the beginning of their sections' names.
const KINDS: [(&str, DataKind); 4] = [
    (".data", DataKind::Data),
    (".rodata", DataKind::Rodata),
    (".bss", DataKind::Bss),
    (".kconfig", DataKind::Kconfig),
];

impl<'a> Parser<'a> {
    /// `.data SECTION [size=N] [map_flags=N ...]`.
    pub(super) fn data(&mut self, words: &mut Words<'a>) -> Result<(), Wrong> {
        let name = words.wants("a section: .data, .rodata, .bss, .kconfig or .addr_space.1")?;
        let text = name.string()?;
        if text == ARENA_SECTION {
            return self.arena_data(&name, words);
        }
        if self.object.map(&text).is_some() || self.external_named(&text).is_some() {
            let message = format!("a map, section or extern '{text}' is there already");
            return Err(name.wrong(message));
        }
        let known = KINDS.iter().find(|(known, _)| {
            let rest = text.strip_prefix(known);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        });
        let Some((_, kind)) = known else {
            let message = "expected .data, .rodata, .bss or .kconfig, or more behind a dot";
            return Err(name.wrong(message));
        };
        let mut map = Map::of_data(text, empty(*kind));
        for word in words {
            match word.split_at_equals() {
                Some((field, size)) if field.text == "size" => {
                    let len = size.number("a size in bytes")?;
                    self.grow(&mut map, len, &size)?;
                }
                _ => self.parameter(&mut map, &word)?,
            }
        }
        self.object.maps.push(map);
        self.behind_variables = 0;
        Ok(())
    }

    /// `.data .addr_space.1 [size=N]`, the variables in the arena above.
    fn arena_data(&mut self, name: &Word<'_>, words: &mut Words<'a>) -> Result<(), Wrong> {
        let is_it = |map: &Map| map.map_type == MapType::Arena && map.data.is_none();
        let Some(mut map) = self.object.maps.pop_if(|map| is_it(map)) else {
            let message = "variables in an arena stand below the '.map' that it is";
            return Err(name.wrong(message));
        };
        map.data = Some(empty(DataKind::Arena));
        let grown = words.try_for_each(|word| match word.split_at_equals() {
            Some((field, size)) if field.text == "size" => {
                let len = size.number("a size in bytes")?;
                self.grow(&mut map, len, &size)
            }
            _ => Err(word.wrong("expected size= or the end of the line")),
        });
        self.object.maps.push(map);
        self.behind_variables = 0;
        grown
    }

    /// `.var NAME [weak] [offset=N] [size=N] [u32 NUMBER... | "BYTES"]` of the section above; without
    /// an offset behind the variable above, aligned as its numbers are.
    pub(super) fn variable(&mut self, words: &mut Words<'a>) -> Result<(), Wrong> {
        let name = words.wants("a name for the variable")?;
        let (mut offset, mut size, mut value) = (None, None, Value::default());
        let (mut strength, mut type_id) = (Strength::Strong, None);
        while let Some(word) = words.next() {
            match word
                .split_at_equals()
                .filter(|_| !word.text.starts_with('"'))
            {
                Some((field, at)) if field.text == "offset" => {
                    offset = Some(at.number::<u32>("an offset in bytes")?);
                }
                Some((field, bytes)) if field.text == "size" => {
                    size = Some(bytes.number::<u32>("a size in bytes")?);
                }
                Some((field, id)) if field.text == "type_id" => type_id = Some(self.type_id(&id)?),
                _ if word.text == "weak" => strength = Strength::Weak,
                _ => value.take(&word, words)?,
            }
        }
        let Some(mut map) = self.object.maps.pop() else {
            return Err(no_section(words));
        };
        let placed = self.place(&mut map, &name, (offset, size), value, (strength, type_id));
        self.object.maps.push(map);
        placed
    }

    fn place(
        &mut self,
        map: &mut Map,
        name: &Word<'_>,
        (offset, size): (Option<u32>, Option<u32>),
        value: Value,
        (strength, type_id): (Strength, Option<TypeId>),
    ) -> Result<(), Wrong> {
        if map.data.is_none() {
            return Err(name.wrong("'.var' wants '.data SECTION' above"));
        }
        let size = match size {
            Some(size) => size as usize,
            None => value.bytes.len(),
        };
        if value.bytes.len() > size {
            let message = format!(
                "the value has {} bytes, and the variable {size}",
                value.bytes.len()
            );
            return Err(name.wrong(message));
        }
        let offset = match offset {
            Some(offset) => offset as usize,
            None => self.behind_variables.next_multiple_of(value.align.max(1)),
        };
        let end = offset + size;
        self.grow(map, end, name)?;
        let Some(data) = &mut map.data else {
            return Ok(());
        };
        if let Some(place) = data.bytes.get_mut(offset..offset + value.bytes.len()) {
            place.copy_from_slice(&value.bytes);
        }
        if name.text == UNNAMED {
            return Ok(());
        }
        self.behind_variables = self.behind_variables.max(end);
        let (offset, size) = (offset as u32, size as u32);
        let at = data.variables.partition_point(|v| v.offset <= offset);
        let variable = Variable {
            name: name.string()?,
            offset,
            size,
            strength,
            type_id,
        };
        data.variables.insert(at, variable);
        Ok(())
    }

    /// Makes a section at least `len` bytes long.
    fn grow(&self, map: &mut Map, len: usize, word: &Word<'_>) -> Result<(), Wrong> {
        let sections = self.object.maps.iter().filter_map(|map| map.data.as_ref());
        let others: usize = sections.map(|data| data.bytes.len()).sum();
        if others.saturating_add(len) > MOST_BYTES {
            let message = format!("more than {MOST_BYTES} bytes of global data");
            return Err(word.wrong(message));
        }
        if let Some(data) = map.data.as_mut().filter(|data| data.bytes.len() < len) {
            data.bytes.resize(len, 0);
            if data.kind != DataKind::Arena {
                map.value_size = len as u32;
            }
        }
        Ok(())
    }
}

/// A section without a byte.
fn empty(kind: DataKind) -> Data {
    Data {
        kind,
        bytes: Vec::new(),
        variables: Vec::new(),
        addresses: Vec::new(),
    }
}

/// Bytes that no variable has.
pub(super) const UNNAMED: &str = "-";

fn no_section(words: &Words<'_>) -> Wrong {
    words.wrong("'.var' wants '.data SECTION' above")
}

/// What a variable begins with.
#[derive(Default)]
struct Value {
    bytes: Vec<u8>,
    /// In bytes.
    align: usize,
}

impl Value {
    /// Takes `u32 1 2 3` or `"text"`, whose first word is `word`.
    fn take(&mut self, word: &Word<'_>, words: &mut Words<'_>) -> Result<(), Wrong> {
        if word.text.starts_with('"') {
            self.bytes.extend(word.bytes()?);
            return Ok(());
        }
        let size = match word.text {
            "u8" | "s8" => 1,
            "u16" | "s16" => 2,
            "u32" | "s32" => 4,
            "u64" | "s64" => 8,
            _ => {
                let message = "expected offset=, size=, u8, u16, u32, u64 or a string";
                return Err(word.wrong(message));
            }
        };
        self.align = self.align.max(size);
        let first = words.wants("a number")?;
        self.number(&first, size)?;
        while let Some(next) = words.next_plain_number() {
            self.number(&next, size)?;
        }
        Ok(())
    }

    /// Appends a number of `size` bytes, little-endian.
    fn number(&mut self, word: &Word<'_>, size: usize) -> Result<(), Wrong> {
        let negative = word.text.strip_prefix('-');
        let digits = Word {
            text: negative.unwrap_or(word.text),
            ..*word
        };
        let number = i128::from(digits.number64("a number")?);
        let number = if negative.is_some() { -number } else { number };
        let bits = size * 8;
        if number >= 1 << bits || number < -(1 << (bits - 1)) {
            return Err(word.wrong(format!("{number} does not fit {bits} bits")));
        }
        self.bytes.extend(number.to_le_bytes().iter().take(size));
        Ok(())
    }
}

/// Writes a section of global variables as the directives that make it; of an arena the
/// variables in it.
pub(super) fn print_data(
    out: &mut dyn Write,
    map: &Map,
    data: &Data,
    extent: Extent,
) -> fmt::Result {
    let section = map.data_section().unwrap_or_default();
    write!(out, ".data {} size={}", name(section), data.bytes.len())?;
    if data.kind != DataKind::Arena {
        let usual = Map {
            value_size: data.bytes.len() as u32,
            ..Map::of_data(section, empty(data.kind))
        };
        print_parameters(out, map, &usual, extent)?;
    }
    writeln!(out)?;
    let mut covered = 0;
    for variable in &data.variables {
        let begin = variable.offset as usize;
        print_unnamed(out, data, covered, begin)?;
        let end = begin + variable.size as usize;
        let name = name(&variable.name);
        let weak = match variable.strength {
            Strength::Strong => "",
            Strength::Weak => " weak",
        };
        write!(out, ".var {name}{weak} offset={begin}")?;
        print_type_id(out, "type_id", variable.type_id, extent)?;
        print_value(out, data.bytes.get(begin..end).unwrap_or_default())?;
        covered = covered.max(end);
    }
    print_unnamed(out, data, covered, data.bytes.len())
}

/// The bytes between variables, if any is not zero.
fn print_unnamed(out: &mut dyn Write, data: &Data, begin: usize, end: usize) -> fmt::Result {
    let bytes = data.bytes.get(begin..end).unwrap_or_default();
    if bytes.iter().all(|byte| *byte == 0) {
        return Ok(());
    }
    writeln!(out, ".var {UNNAMED} offset={begin} {}", quoted(bytes))
}

fn print_value(out: &mut dyn Write, bytes: &[u8]) -> fmt::Result {
    let number = bytes
        .iter()
        .rev()
        .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    match bytes.len() {
        len @ (1 | 2 | 4 | 8) => writeln!(out, " u{} {number}", len * 8),
        len if bytes.iter().all(|byte| *byte == 0) => writeln!(out, " size={len}"),
        _ => writeln!(out, " {}", quoted(bytes)),
    }
}
