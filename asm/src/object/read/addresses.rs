//! Relocations of global data: whose addresses stand there.

use super::code::Functions;
use super::data::{FoundMap, Places};
use super::elf::{File, Home, Relocation, Role, Section};
use super::error::ReadError;
use super::externs::{Externs, Outside};
use crate::object::elf_numbers::{R_BPF_64_64, R_BPF_64_ABS64};
use crate::object::{Address, Addressed, Data, DataKind};
use crate::program::Reference;

/// What all addresses in data may be found in.
pub(super) struct Surroundings<'f, 'a> {
    pub(super) file: &'f File<'a>,
    pub(super) functions: &'f Functions<'a>,
    pub(super) places: &'f Places,
    pub(super) externs: &'f Externs,
}

impl Surroundings<'_, '_> {
    /// Gives the sections of global variables their addresses. Those that lead to what no
    /// object holds are left out: `relocate.rs` refuses code that uses such data.
    ///
    /// # Errors
    /// If an address is not in its section, or two are in one place.
    pub(super) fn read_addresses(&self, maps: &mut [FoundMap]) -> Result<(), ReadError> {
        for found in maps {
            // Zeros are not in the file.
            let Some(data) = found.map.data.as_mut().filter(|d| d.kind != DataKind::Bss) else {
                continue;
            };
            let sections = found.variables.into_iter();
            for (_, section) in sections.flat_map(|of| self.file.joined(of)) {
                self.read_section(section, data)?;
            }
        }
        Ok(())
    }

    fn read_section(&self, section: &Section<'_>, data: &mut Data) -> Result<(), ReadError> {
        let relocations = section.relocations_by_place();
        for relocation in relocations.iter().filter(|one| is_address(one)) {
            let refuse = |why: String| self.file.refuse(section.name, relocation, why);
            let at = relocation.offset.checked_add(section.joined.begin);
            let fits = relocation.offset.saturating_add(8) <= section.size;
            let place = at.filter(|_| fits);
            let place = place.and_then(|at| place_of(&data.bytes, at));
            let (offset, bytes) = place.ok_or_else(|| {
                let len = section.size;
                refuse(format!("an address has 8 bytes, and the section {len}"))
            })?;
            if let Some(before) = data.addresses.last().filter(|a| offset < a.offset + 8) {
                let before = before.offset;
                return Err(refuse(format!("the address at byte {before} is there")));
            }
            let of = self.addressed(relocation, i64::from_le_bytes(*bytes));
            data.addresses.extend(of.map(|of| Address { offset, of }));
        }
        Ok(())
    }

    /// What a relocation leads to; `stands` is the number in the place itself.
    fn addressed(&self, relocation: &Relocation, stands: i64) -> Option<Addressed> {
        let symbol = self.file.symbol(relocation)?;
        let addend = relocation.addend.unwrap_or(stands);
        let home = match symbol.home {
            Home::Section(home) => home,
            Home::Undefined => return self.outside(relocation, addend),
            Home::Nowhere => return None,
        };
        let at = symbol.value.checked_add_signed(addend)?;
        if let Some(reference) = self.places.at(home, at) {
            return Some(Addressed::Reference(reference));
        }
        let is_code = self.file.sections.get(home)?.role == Role::Code;
        let name = match self.functions.program_at(home, at, symbol.name) {
            Some(program) => program,
            None => self.functions.name_at(home, at).filter(|_| is_code)?,
        };
        Some(Addressed::Function(name.into()))
    }

    fn outside(&self, relocation: &Relocation, addend: i64) -> Option<Addressed> {
        let reference = match self.externs.of_symbol(relocation.symbol)? {
            Outside::Extern(index) if addend == 0 => Reference::Extern(index),
            Outside::Extern(_) => return None,
            Outside::Kconfig { map, offset } => {
                let offset = i64::from(offset).checked_add(addend)?;
                let offset = u32::try_from(offset).ok()?;
                Reference::MapValue { map, offset }
            }
        };
        Some(Addressed::Reference(reference))
    }
}

/// Whether a relocation asks for an address of 8 bytes.
fn is_address(relocation: &Relocation) -> bool {
    matches!(relocation.r_type, R_BPF_64_ABS64 | R_BPF_64_64)
}

/// The 8 bytes at an offset, which has 32 bits.
fn place_of(bytes: &[u8], offset: u64) -> Option<(u32, &[u8; 8])> {
    let offset = u32::try_from(offset).ok()?;
    Some((offset, bytes.get(offset as usize..)?.first_chunk()?))
}
