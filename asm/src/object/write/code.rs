//! Code: functions in their sections, the relocations of their instructions, and the records
//! of `.BTF.ext` about them.

use super::functions::{Unit, no_callee, units};
use super::{File, Referred, Seen, WriteError, symbol};
use crate::btf::ext::{Ext, FuncInfo, LineInfo, SectionRecords};
use crate::btf::{Btf, Linkage, StrId};
use crate::insn::{Fields, Insn};
use crate::isa::{Callee, Imm64, Sem};
use crate::object::elf_numbers::{R_BPF_64_32, R_BPF_64_64};
use crate::object::{DataKind, Object};
use crate::program::Reference;
use object::write::{SectionId, Symbol, SymbolId};
use object::{SectionKind, SymbolKind};
use std::collections::HashMap;

/// A unit in the file.
struct Placed {
    section: SectionId,
    /// Where it begins there, in bytes.
    base: u64,
    /// What those that call it are relocated against: static functions are named by their
    /// section and place, as libbpf wants it.
    symbol: SymbolId,
    /// What is added to the symbol's place, in bytes.
    addend: u64,
}

impl File {
    /// All functions; the records about them.
    pub(super) fn add_code(&mut self, object: &Object, btf: &mut Btf) -> Result<Ext, WriteError> {
        let units = units(object)?;
        let mut sections: HashMap<&str, (SectionId, u64)> = HashMap::new();
        let mut placed = Vec::with_capacity(units.len());
        let mut ext = Ext::default();
        for unit in &units {
            let (section, end) = sections.entry(unit.section).or_insert_with(|| {
                let name = unit.section.as_bytes().to_vec();
                (self.elf.add_section(Vec::new(), name, SectionKind::Text), 0)
            });
            let at = self.place(unit, *section, *end);
            *end += unit.insns.iter().map(Insn::slots).sum::<usize>() as u64 * 8;
            record(&mut ext, btf, unit, at.base as u32);
            placed.push(at);
        }
        for (unit, at) in units.iter().zip(&placed) {
            let code = self.unbound(object, unit, &placed)?;
            self.elf.append_section_data(at.section, &code, 8);
            self.add_relocations(object, unit, at, &placed)?;
        }
        Ok(ext)
    }

    /// The unit at byte `base` of its section, with its symbols.
    fn place(&mut self, unit: &Unit<'_>, section: SectionId, base: u64) -> Placed {
        let len = unit.insns.iter().map(Insn::slots).sum::<usize>() as u64 * 8;
        let seen = match unit.function.linkage {
            Linkage::Static => Seen::ByFile,
            Linkage::Global | Linkage::Extern => Seen::ByAll,
        };
        let function = Symbol {
            kind: SymbolKind::Text,
            ..symbol(&unit.function.name, section, base..base + len, seen)
        };
        let own = self.elf.add_symbol(function);
        for inner in unit.inner {
            let begin = base + inner.slot as u64 * 8;
            self.elf.add_symbol(Symbol {
                kind: SymbolKind::Label,
                ..symbol(&inner.name, section, begin..begin, Seen::ByFile)
            });
        }
        let name = &unit.function.name;
        self.functions.entry(name.clone()).or_insert(own);
        if unit.function.slot == 0 {
            self.programs.push((unit.program.name.clone(), own));
        }
        let (symbol, addend) = match seen {
            Seen::ByFile => (self.elf.section_symbol(section), base),
            Seen::ByAll => (own, 0),
        };
        Placed {
            section,
            base,
            symbol,
            addend,
        }
    }

    /// The bytes as compilers leave them to the loader: what a relocation fills in is a plain
    /// number, which the relocation adds to.
    fn unbound(
        &self,
        object: &Object,
        unit: &Unit<'_>,
        placed: &[Placed],
    ) -> Result<Vec<u8>, WriteError> {
        let base = unit.function.slot;
        let mut references = unit.references.iter().peekable();
        let mut calls = unit.calls.iter().peekable();
        let mut code = Vec::with_capacity(unit.insns.len() * 8);
        let mut slot = 0;
        for insn in unit.insns {
            let mut written = *insn;
            if let Some((_, reference)) = references.next_if(|(at, _)| at - base == slot) {
                let (_, addend) = self.target(object, unit, *reference)?;
                written = plain(insn, addend);
            }
            if let Some((_, callee)) = calls.next_if(|(at, _)| *at == slot) {
                let addend = callee_at(placed, unit, slot, *callee)?.addend;
                written = plain(insn, addend as u32);
            }
            written.write(&mut code);
            slot += insn.slots();
        }
        Ok(code)
    }

    fn add_relocations(
        &mut self,
        object: &Object,
        unit: &Unit<'_>,
        at: &Placed,
        placed: &[Placed],
    ) -> Result<(), WriteError> {
        let mut needed: Vec<(usize, SymbolId)> = Vec::new();
        for (slot, reference) in unit.references {
            let (symbol, _) = self.target(object, unit, *reference)?;
            needed.push((slot - unit.function.slot, symbol));
        }
        for (slot, callee) in &unit.calls {
            let callee = callee_at(placed, unit, *slot, *callee)?;
            needed.push((*slot, callee.symbol));
        }
        needed.sort_by_key(|(slot, _)| *slot);
        let mut insns = unit.insns.iter();
        let mut next = 0;
        for (slot, symbol) in needed {
            let mut insn = None;
            while next <= slot {
                insn = insns.next();
                match insn {
                    Some(insn) => next += insn.slots(),
                    None => break,
                }
            }
            let r_type = match insn.map(Insn::sem) {
                Some(Sem::LoadImm64(_)) => R_BPF_64_64,
                _ => R_BPF_64_32,
            };
            self.relocate(at.section, at.base + slot as u64 * 8, r_type, symbol)?;
        }
        Ok(())
    }

    /// The symbol that a reference is relocated against, and what is added to its place.
    fn target(
        &self,
        object: &Object,
        unit: &Unit<'_>,
        reference: Reference,
    ) -> Result<(SymbolId, u32), WriteError> {
        let program = &unit.program.name;
        let missing = |what, index, count| WriteError::NoSuchIndex {
            program: program.clone(),
            what,
            index,
            count,
        };
        let (index, offset) = match reference {
            Reference::Extern(index) => {
                let symbol = self.externs.get(index).copied();
                let count = self.externs.len();
                return Ok((
                    symbol.ok_or_else(|| missing(Referred::Extern, index, count))?,
                    0,
                ));
            }
            Reference::Map(map) => (map, None),
            Reference::MapValue { map, offset } => (map, Some(offset)),
        };
        let count = object.maps.len();
        let map = object.maps.get(index);
        let map = map.ok_or_else(|| missing(Referred::Map, index, count))?;
        let kind = map.data.as_ref().map(|data| data.kind);
        let found = match (kind, offset) {
            (Some(DataKind::Kconfig), Some(offset)) => self.option(offset),
            (Some(_), Some(offset)) => {
                let section = self.data.iter().find(|known| known.map == index);
                section.map(|known| (known.symbol, offset))
            }
            (None | Some(DataKind::Arena), None) => {
                self.maps.get(index).copied().flatten().zip(Some(0))
            }
            (Some(_), None) | (None, Some(_)) => None,
        };
        found.ok_or_else(|| WriteError::NoVariable {
            program: program.clone(),
            map: map.name.clone(),
            offset: offset.unwrap_or(0),
        })
    }

    /// The symbol of the option at a byte of the options, and the byte in it.
    pub(super) fn option(&self, offset: u32) -> Option<(SymbolId, u32)> {
        let here = |(place, _): &&(std::ops::Range<u32>, SymbolId)| place.contains(&offset);
        let (place, symbol) = self.options.iter().find(here)?;
        Some((*symbol, offset - place.start))
    }
}

/// The unit that one calls at a slot of its own.
fn callee_at<'p>(
    placed: &'p [Placed],
    unit: &Unit<'_>,
    slot: usize,
    callee: usize,
) -> Result<&'p Placed, WriteError> {
    let found = placed.get(callee);
    found.ok_or_else(|| no_callee(unit.program, unit.slots.start + slot))
}

/// The plain form of an instruction that a relocation fills in; it adds `addend` bytes.
fn plain(insn: &Insn, addend: u32) -> Insn {
    let (sem, imm) = match insn.sem() {
        Sem::LoadImm64(_) => (Sem::LoadImm64(Imm64::Value), addend as i32),
        _ => (Sem::Call(Callee::Local), (addend / 8) as i32 - 1),
    };
    let fields = Fields {
        dst: insn.dst(),
        imm,
        ..Fields::default()
    };
    sem.row().map_or(*insn, |row| Insn::new(row, fields))
}

/// Adds the records about a unit that begins at byte `base` of its section.
fn record(ext: &mut Ext, btf: &mut Btf, unit: &Unit<'_>, base: u32) {
    let section = btf.intern(unit.section);
    let first = unit.function.slot;
    let place = |slot: usize| base + (slot - first) as u32 * 8;
    let functions = std::iter::once(unit.function).chain(unit.inner);
    let typed = functions.filter_map(|function| {
        Some(FuncInfo {
            insn_off: place(function.slot),
            type_id: function.type_id?,
        })
    });
    append(&mut ext.funcs, section, typed.collect());
    let lines = unit.program.lines.records_in(unit.slots.clone(), btf);
    let lines = lines.map(|record| LineInfo {
        insn_off: place(record.insn_off as usize),
        ..record
    });
    append(&mut ext.lines, section, lines.collect());
    let relocations = unit.core_relocations.iter();
    let relocations = relocations.map(|(slot, of)| of.to_record(btf, place(*slot)));
    append(&mut ext.core_relos, section, relocations.collect());
}

/// Adds records to those of their section.
fn append<T>(sections: &mut Vec<SectionRecords<Vec<T>>>, section: StrId, records: Vec<T>) {
    match sections.iter_mut().find(|known| known.section == section) {
        Some(known) => known.records.extend(records),
        None if records.is_empty() => {}
        None => sections.push(SectionRecords { section, records }),
    }
}
