//! Addresses in global data: relocations, and what is added to their symbols' places.

use super::{File, Variables, WriteError};
use crate::object::elf_numbers::R_BPF_64_ABS64;
use crate::object::{Address, Addressed, Object};
use crate::program::Reference;
use object::write::{SectionId, Symbol, SymbolId, SymbolSection};
use object::{SymbolFlags, SymbolKind, SymbolScope};

impl File {
    /// The relocations of all sections of variables. What the object does not hold has no
    /// symbol, and its address is left out.
    pub(super) fn fill_addresses(&mut self, object: &Object) -> Result<(), WriteError> {
        for Variables { map, section, .. } in self.data.clone() {
            let map = object.maps.get(map);
            let data = map.and_then(|map| map.data.as_ref());
            for address in data.iter().flat_map(|data| &data.addresses) {
                self.fill_address(section, address)?;
            }
        }
        Ok(())
    }

    fn fill_address(&mut self, section: SectionId, address: &Address) -> Result<(), WriteError> {
        let begin = address.offset as usize;
        let Some(end) = begin.checked_add(8) else {
            return Ok(());
        };
        let bytes = self.elf.section(section).data().get(begin..end);
        let Some(bytes) = bytes.and_then(<[u8]>::first_chunk) else {
            return Ok(());
        };
        let Some((symbol, addend)) = self.symbol_of(&address.of, u64::from_le_bytes(*bytes)) else {
            return Ok(());
        };
        let place = self.elf.section_mut(section).data_mut();
        if let Some(place) = place.get_mut(begin..end) {
            place.copy_from_slice(&addend.to_le_bytes());
        }
        self.relocate(section, u64::from(address.offset), R_BPF_64_ABS64, symbol)
    }

    /// A symbol for what is addressed, and what is to be added to its place: if it can be,
    /// what stands in the bytes already, which programs see.
    fn symbol_of(&mut self, of: &Addressed, stands: u64) -> Option<(SymbolId, u64)> {
        let (map, offset) = match of {
            Addressed::Function(name) => return Some((*self.functions.get(&**name)?, 0)),
            Addressed::Reference(Reference::Extern(index)) => {
                return Some((*self.externs.get(*index)?, 0));
            }
            Addressed::Reference(Reference::Map(map)) => {
                return Some(((*self.maps.get(*map)?)?, 0));
            }
            Addressed::Reference(Reference::MapValue { map, offset }) => (*map, *offset),
        };
        let section = self.data.iter().find(|known| known.map == map);
        let Some(Variables {
            section, symbol, ..
        }) = section.copied()
        else {
            let (symbol, past) = self.option(offset)?;
            return Some((symbol, u64::from(past)));
        };
        let offset = u64::from(offset);
        match offset.checked_sub(stands) {
            None | Some(0) => Some((symbol, offset)),
            Some(begin) => Some((self.place_symbol(section, begin), stands)),
        }
    }

    /// A symbol without a name at a place of a section.
    fn place_symbol(&mut self, section: SectionId, begin: u64) -> SymbolId {
        self.elf.add_symbol(Symbol {
            name: Vec::new(),
            value: begin,
            size: 0,
            kind: SymbolKind::Data,
            scope: SymbolScope::Compilation,
            weak: false,
            section: SymbolSection::Section(section),
            flags: SymbolFlags::None,
        })
    }
}
