//! Relocations of global data: whose addresses stand there.

use super::code::Functions;
use super::data::{FoundMap, Places};
use super::elf::{File, Home, Relocation, Role};
use super::externs::{Externs, Outside};
use crate::object::elf_numbers::{R_BPF_64_64, R_BPF_64_ABS64};
use crate::object::{Address, Addressed, DataKind};
use crate::program::Reference;

/// What all addresses in data may be found in.
pub(super) struct Surroundings<'f, 'a> {
    pub(super) file: &'f File<'a>,
    pub(super) functions: &'f Functions,
    pub(super) places: &'f Places,
    pub(super) externs: &'f Externs,
}

impl Surroundings<'_, '_> {
    /// Gives the sections of global variables their addresses. Those that lead to what no
    /// object holds are left out: `relocate.rs` refuses code that uses such data.
    pub(super) fn read_addresses(&self, maps: &mut [FoundMap]) {
        for found in maps {
            let Some(section) = self.file.sections.get(found.section) else {
                continue;
            };
            // Zeros are not in the file, and options are in no section.
            let Some(data) = found.map.data.as_mut().filter(|d| d.kind != DataKind::Bss) else {
                continue;
            };
            for relocation in section.relocations_by_place() {
                let Ok(offset) = u32::try_from(relocation.offset) else {
                    continue;
                };
                let place = data.bytes.get(offset as usize..);
                let Some(bytes) = place.and_then(<[u8]>::first_chunk) else {
                    continue;
                };
                let overlaps = data.addresses.last().is_some_and(|a| offset < a.offset + 8);
                if overlaps {
                    continue;
                }
                let of = self.addressed(&relocation, i64::from_le_bytes(*bytes));
                data.addresses.extend(of.map(|of| Address { offset, of }));
            }
        }
    }

    /// What a relocation leads to; `stands` is the number in the place itself.
    fn addressed(&self, relocation: &Relocation, stands: i64) -> Option<Addressed> {
        if !matches!(relocation.r_type, R_BPF_64_ABS64 | R_BPF_64_64) {
            return None;
        }
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
