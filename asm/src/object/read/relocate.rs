//! Relocations of code: what an instruction refers to, and whom it calls.
//!
//! Source: the kernel's `Documentation/bpf/llvm_reloc.rst`. What is added to a symbol's place
//! stands in the instruction itself: `S + A` in the number that a 16-byte instruction loads,
//! and `(S + A) / 8 - 1` in a call.

use super::ReadError;
use super::code::{Functions, leads_to_a_function};
use super::data::{FoundMap, Places};
use super::elf::{File, Home, Relocation, Role, Section, Symbol};
use super::externs::{Externs, Outside};
use crate::btf::Linkage;
use crate::insn::{Fields, Insn};
use crate::isa::{Callee, Imm64, Sem};
use crate::object::elf_numbers::{R_BPF_64_32, R_BPF_64_64};
use crate::program::{Function, Reference};
use std::collections::HashMap;

/// What an instruction was found to refer to.
enum Found {
    Reference(Reference),
    /// The function of this index.
    Function(usize),
}

/// Carries out the relocations of all code, and then finds whom the calls lead to that need
/// none.
pub(super) fn relocate(
    file: &File<'_>,
    functions: &mut Functions,
    places: &Places,
    externs: &Externs,
) -> Result<(), ReadError> {
    for (index, section) in file.sections.iter().enumerate() {
        if section.role != Role::Code {
            continue;
        }
        let mut last = None;
        let mut of = None;
        for relocation in &section.relocations_by_place() {
            if last.replace(relocation.offset) == Some(relocation.offset) {
                let why = "there is another relocation of the same instruction";
                return Err(file.refuse(section.name, relocation, why));
            }
            let place = Place {
                file,
                section,
                index,
                relocation,
            };
            of = place.carry_out(functions, places, externs, of)?;
        }
    }
    for index in 0..functions.all.len() {
        follow_calls(file, functions, index)?;
    }
    Ok(())
}

/// Refuses code that uses data with addresses of what no object holds.
pub(super) fn refuse_lost_addresses(
    file: &File<'_>,
    functions: &Functions,
    maps: &[FoundMap],
) -> Result<(), ReadError> {
    let lost = |(index, found): (usize, &FoundMap)| {
        let addresses = &found.map.data.as_ref()?.addresses;
        let is_held = |begin: u64, relocation: &Relocation| {
            let offset = relocation.offset.saturating_add(begin);
            let known = |at: u32| addresses.binary_search_by_key(&at, |a| a.offset).is_ok();
            u32::try_from(offset).is_ok_and(known)
        };
        let mut sections = file.joined(found.variables?);
        sections.find_map(|(_, section)| {
            let mut relocations = section.relocations();
            let lost = relocations.find(|one| !is_held(section.joined.begin, one))?;
            Some((index, (section.name, lost)))
        })
    };
    let lost: HashMap<usize, (&str, Relocation)> =
        maps.iter().enumerate().filter_map(lost).collect();
    if lost.is_empty() {
        return Ok(());
    }
    let mut references = functions.all.iter().flat_map(|code| &code.references);
    let used = references.find_map(|(_, reference)| match reference {
        Reference::MapValue { map, .. } => lost.get(map),
        _ => None,
    });
    match used {
        Some((section, relocation)) => {
            let why = "data cannot hold the address of that";
            let error = file.refuse(section, relocation, why);
            Err(ReadError::Unsupported(error.to_string()))
        }
        None => Ok(()),
    }
}

/// A relocation and where it is.
struct Place<'f, 'a> {
    file: &'f File<'a>,
    section: &'f Section<'a>,
    /// The index of the section.
    index: usize,
    relocation: &'f Relocation,
}

impl Place<'_, '_> {
    fn refuse(&self, why: impl Into<String>) -> ReadError {
        self.file.refuse(self.section.name, self.relocation, why)
    }

    /// Carries it out; the function that it is in, which is likely to be that of the `last` one.
    fn carry_out(
        &self,
        functions: &mut Functions,
        places: &Places,
        externs: &Externs,
        last: Option<usize>,
    ) -> Result<Option<usize>, ReadError> {
        let at = self.relocation.offset;
        let Some(of) = functions.containing_after(last, self.index, at) else {
            return Err(self.refuse("no instruction of a function begins there"));
        };
        let code = functions.all.get(of);
        let (slot, insn_at) = code
            .filter(|_| at.is_multiple_of(8))
            .and_then(|code| {
                let slot = usize::try_from((at - code.base) / 8).ok()?;
                Some((slot, code.insn_at(slot)?))
            })
            .ok_or_else(|| self.refuse("no instruction of a function begins there"))?;
        let insn = code.and_then(|code| code.insns.get(insn_at)).copied();
        let insn = insn.ok_or_else(|| self.refuse("no instruction is there"))?;
        let found = self.find(&insn, functions, places, externs)?;
        let Some(code) = functions.all.get_mut(of) else {
            return Ok(None);
        };
        match found {
            Found::Function(callee) => code.calls.push((slot, callee)),
            Found::Reference(reference) => {
                if code.references.is_empty() {
                    // Nearly all are in instructions of two slots.
                    code.references.reserve_exact(code.seconds_from(0).len());
                }
                code.references.push((slot, reference));
                if let Some(insn) = code.insns.get_mut(insn_at) {
                    *insn = bare(insn, reference);
                }
            }
        }
        Ok(Some(of))
    }

    fn find(
        &self,
        insn: &Insn,
        functions: &Functions,
        places: &Places,
        externs: &Externs,
    ) -> Result<Found, ReadError> {
        match (self.relocation.r_type, insn.sem()) {
            (R_BPF_64_64, Sem::LoadImm64(_)) => self.address(insn, functions, places, externs),
            (R_BPF_64_32, Sem::Call(_)) => self.callee(insn, functions, externs),
            (R_BPF_64_64, _) => Err(self.refuse("the instruction there loads no 64-bit immediate")),
            (R_BPF_64_32, _) => Err(self.refuse("the instruction there is no call")),
            _ => Err(self.refuse("BPF has no relocation of this type that code can have")),
        }
    }

    /// What a 16-byte instruction loads the address of.
    fn address(
        &self,
        insn: &Insn,
        functions: &Functions,
        places: &Places,
        externs: &Externs,
    ) -> Result<Found, ReadError> {
        let symbol = self.file.target(self.relocation);
        let symbol = symbol.ok_or_else(|| self.refuse("there is no such symbol"))?;
        let addend = self.relocation.addend.unwrap_or(insn.imm64() as i64);
        let home = match symbol.home {
            Home::Section(home) => home,
            Home::Undefined => return self.outside(externs, addend),
            Home::Nowhere => return Err(self.refuse("the symbol is in no section")),
        };
        let at = symbol.value.checked_add_signed(addend);
        let at = at.ok_or_else(|| self.refuse("it leads to before the section"))?;
        if let Some(reference) = places.at(home, at) {
            return Ok(Found::Reference(reference));
        }
        let section = self.file.sections.get(home);
        if section.is_some_and(|section| section.role == Role::Code) {
            let callee = functions.beginning(home, at);
            return callee
                .map(Found::Function)
                .ok_or_else(|| self.refuse(format!("no function begins at byte {at} there")));
        }
        let name = section.map_or("", |section| section.name);
        Err(self.refuse(match places.holds_maps(home) {
            true => format!("no map is defined at byte {at} of section '{name}'"),
            false => format!("byte {at} of section '{name}' is no data that programs can use"),
        }))
    }

    fn outside(&self, externs: &Externs, addend: i64) -> Result<Found, ReadError> {
        match externs.of_symbol(self.relocation.symbol) {
            Some(Outside::Extern(_)) if addend != 0 => Err(self.refuse(format!(
                "it leads {addend} bytes into what the kernel defines"
            ))),
            Some(Outside::Extern(index)) => Ok(Found::Reference(Reference::Extern(index))),
            Some(Outside::Kconfig { map, offset }) => {
                let offset = i64::from(offset).checked_add(addend);
                let offset = offset.and_then(|offset| u32::try_from(offset).ok());
                let offset = offset.ok_or_else(|| self.refuse("it leads outside of .kconfig"))?;
                Ok(Found::Reference(Reference::MapValue { map, offset }))
            }
            None => Err(self.refuse("the symbol is not defined, and has no name")),
        }
    }

    /// Whom a call leads to.
    fn callee(
        &self,
        insn: &Insn,
        functions: &Functions,
        externs: &Externs,
    ) -> Result<Found, ReadError> {
        let symbol = self.file.target(self.relocation);
        let symbol = symbol.ok_or_else(|| self.refuse("there is no such symbol"))?;
        let home = match symbol.home {
            Home::Section(home) => home,
            Home::Undefined => {
                return match externs.of_symbol(self.relocation.symbol) {
                    Some(Outside::Extern(index)) => Ok(Found::Reference(Reference::Extern(index))),
                    _ => Err(self.refuse("what is called is no function of the kernel")),
                };
            }
            Home::Nowhere => return Err(self.refuse("the symbol is in no section")),
        };
        let addend = self.relocation.addend;
        let addend = addend.unwrap_or((i64::from(insn.imm()) + 1) * 8);
        let at = symbol.value.checked_add_signed(addend);
        at.and_then(|at| functions.beginning(home, at))
            .map(Found::Function)
            .ok_or_else(|| self.refuse("no function begins where it leads to"))
    }
}

/// The instruction in the form that the kernel takes for the reference, with zeros for what
/// the loader fills in: compilers leave the form to the relocation.
fn bare(insn: &Insn, reference: Reference) -> Insn {
    let sem = match (reference, insn.sem()) {
        (Reference::Extern(_), Sem::Call(_)) => Sem::Call(Callee::Kfunc),
        (Reference::Extern(_), _) => Sem::LoadImm64(Imm64::Variable),
        (Reference::Map(_), _) => Sem::LoadImm64(Imm64::MapFd),
        (Reference::MapValue { .. }, _) => Sem::LoadImm64(Imm64::MapValueFd),
    };
    let fields = Fields {
        dst: insn.dst(),
        ..Fields::default()
    };
    sem.row().map_or(*insn, |row| Insn::new(row, fields))
}

/// Finds whom calls lead to that no relocation speaks of: functions of the same section,
/// or places in the same function, which are functions without a symbol.
fn follow_calls(file: &File<'_>, functions: &mut Functions, index: usize) -> Result<(), ReadError> {
    let Some(code) = functions.all.get_mut(index) else {
        return Ok(());
    };
    code.calls.sort_unstable();
    let Some(code) = functions.all.get(index) else {
        return Ok(());
    };
    let mut calls = Vec::new();
    let mut inner = Vec::new();
    for &slot in &code.leads {
        let insn = code.insn_at(slot).and_then(|index| code.insns.get(index));
        let Some(insn) = insn.filter(|insn| leads_to_a_function(insn)) else {
            continue;
        };
        let known = code.calls.binary_search_by_key(&slot, |(slot, _)| *slot);
        if known.is_ok() {
            continue;
        }
        let distance = i64::from(insn.distance().unwrap_or(0));
        let target = slot as i64 + 1 + distance;
        match usize::try_from(target) {
            Ok(target) if target > 0 && code.insn_at(target).is_some() => {
                inner.push(target);
                continue;
            }
            _ => {}
        }
        let at = (code.base as i64).checked_add(target.saturating_mul(8));
        let at = at.and_then(|at| u64::try_from(at).ok());
        let callee = at.and_then(|at| functions.beginning(code.section, at));
        let callee = callee.ok_or_else(|| {
            let section = file.sections.get(code.section);
            ReadError::Section {
                section: section.map_or("", |section| section.name).to_owned(),
                offset: code.base + slot as u64 * 8,
                why: format!(
                    "'{}' calls what lies {distance} slots ahead, where no function begins",
                    code.name
                ),
            }
        })?;
        calls.push((slot, callee));
    }
    inner.sort_unstable();
    inner.dedup();
    let named: Vec<Function> = inner
        .into_iter()
        .map(|slot| Function {
            slot,
            name: name_of_inner(
                file,
                code.section,
                code.base + slot as u64 * 8,
                code.name,
                slot,
            ),
            linkage: Linkage::Static,
            type_id: None,
        })
        .collect();
    if let Some(code) = functions.all.get_mut(index) {
        code.inner = named;
        code.calls.extend(calls);
        code.calls.sort_unstable();
        code.references.sort_unstable_by_key(|(slot, _)| *slot);
    }
    Ok(())
}

/// The name of a function inside of `outer`: of any symbol that is there.
fn name_of_inner(file: &File<'_>, section: usize, at: u64, outer: &str, slot: usize) -> String {
    let here = |symbol: &Symbol<'_>| {
        symbol.is_in(section) && symbol.value == at && !symbol.name.is_empty()
    };
    match file.every_symbol().find(here) {
        Some(symbol) => symbol.name.to_owned(),
        None => format!("{outer}_{slot}"),
    }
}
