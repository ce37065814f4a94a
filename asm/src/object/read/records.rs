//! The records of `.BTF.ext`, given to the functions that they speak of.

use super::ReadError;
use super::code::{Code, Functions};
use super::elf::File;
use crate::btf::core::CoreRelocation;
use crate::btf::ext::{ExtBytes, LineInfo, Packed, Record, SectionRecords};
use crate::btf::{Btf, Kind, Linkage, TypeId};

/// Gives the functions their types, the places of their lines, and what they ask of the
/// kernel's types.
pub(super) fn attach(
    file: &File<'_>,
    functions: &mut Functions,
    btf: &mut Btf,
    ext: &ExtBytes<'_>,
) -> Result<(), ReadError> {
    for (section, records) in of_sections(file, btf, &ext.funcs) {
        hand_out(functions, section, records, |code, records| {
            let placed: Vec<_> = code.placed(records.iter()).collect();
            for (slot, record) in placed {
                give_type(code, slot, record.type_id);
            }
            Ok(())
        })?;
    }
    for (section, records) in of_sections(file, btf, &ext.lines) {
        hand_out(functions, section, records, |code, records| {
            // There are about as many as instructions.
            match records.of_known_size() {
                Some(known) => code.take_lines(known),
                None => code.take_lines(records.iter()),
            }
            Ok(())
        })?;
    }
    for (section, records) in of_sections(file, btf, &ext.core_relos) {
        hand_out(functions, section, records, |code, records| {
            let placed: Vec<_> = code.placed(records.iter()).collect();
            for (slot, record) in placed {
                let relocation = CoreRelocation::of_record(btf, &record);
                let relocation = relocation.map_err(|error| {
                    let section = file.sections.get(section);
                    ReadError::CoreRelocation {
                        section: section.map_or("", |section| section.name).to_owned(),
                        error,
                    }
                })?;
                code.core_relocations.push((slot, relocation));
            }
            Ok(())
        })?;
    }
    for code in &mut functions.all {
        // Mostly they are in order.
        if !code
            .lines
            .is_sorted_by(|one, next| one.insn_off < next.insn_off)
        {
            code.lines.sort_by_key(|record| record.insn_off);
            code.lines.dedup_by_key(|record| record.insn_off);
        }
        code.core_relocations.sort_by_key(|(slot, _)| *slot);
        settle_linkage(code, btf);
    }
    name_exception_callbacks(functions, btf);
    Ok(())
}

/// Finds the functions that are called when programs throw: nothing in the code leads there.
fn name_exception_callbacks(functions: &mut Functions, btf: &Btf) {
    for (program, callback) in btf.exception_callbacks() {
        let found = functions.all.iter().position(|code| code.name == callback);
        let all = functions.all.iter_mut();
        for code in all.filter(|code| code.type_id == Some(program)) {
            code.exception_callback = code.exception_callback.or(found);
        }
    }
}

/// The records of each section, with the section's index.
fn of_sections<'r, T: Record>(
    file: &File<'_>,
    btf: &Btf,
    sections: &[SectionRecords<Packed<'r, T>>],
) -> Vec<(usize, Packed<'r, T>)> {
    let with_index = sections.iter().filter_map(|of| {
        let (index, _) = file.code(btf.str(of.section))?;
        Some((index, of.records))
    });
    with_index.collect()
}

/// Gives each function the records of a section that are in it: those that follow each other at
/// once.
fn hand_out<T: Record>(
    functions: &mut Functions,
    section: usize,
    mut records: Packed<'_, T>,
    mut give: impl FnMut(&mut Code<'_>, Packed<'_, T>) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    while let Some(first) = records.iter().next() {
        let index = functions.containing(section, first.insn_off().into());
        let Some(code) = index.and_then(|index| functions.all.get_mut(index)) else {
            (_, records) = records.split_at(1);
            continue;
        };
        let (own, others) = records.split_at(code.count_own(records.offsets()));
        give(code, own)?;
        records = others;
    }
    Ok(())
}

impl Code<'_> {
    /// How many bytes of its section, one after the other, are its own.
    #[inline(never)]
    fn count_own(&self, bytes: impl Iterator<Item = u32>) -> usize {
        let own = self.bytes();
        bytes.take_while(|at| own.contains(&u64::from(*at))).count()
    }

    /// Takes the records of lines at beginnings of its instructions, all of which are its own.
    #[inline(never)]
    fn take_lines(&mut self, records: impl Iterator<Item = LineInfo>) {
        let mut lines: Vec<LineInfo> = records.collect();
        let base = self.base as u32;
        let (mut before, mut seconds) = (0, self.seconds_from(0));
        // Mostly they are all.
        lines.retain_mut(|record| {
            let byte = record.insn_off.wrapping_sub(base);
            record.insn_off = byte / 8;
            let slot = record.insn_off as usize;
            // Mostly they ascend.
            if slot < before {
                seconds = self.seconds_from(slot);
            }
            before = slot;
            while let [second, behind @ ..] = seconds
                && *second < slot
            {
                seconds = behind;
            }
            byte % 8 == 0 && seconds.first() != Some(&slot)
        });
        match self.lines.is_empty() {
            true => self.lines = lines,
            false => self.lines.append(&mut lines),
        }
    }

    /// The records at beginnings of its instructions, by slot.
    fn placed<T: Record>(
        &self,
        records: impl Iterator<Item = T>,
    ) -> impl Iterator<Item = (usize, T)> {
        let (mut before, mut seconds) = (0, self.seconds_from(0));
        records.filter_map(move |record| {
            let byte = u64::from(record.insn_off()).checked_sub(self.base)?;
            let slot = (byte / 8) as usize;
            if slot < before {
                seconds = self.seconds_from(0);
            }
            before = slot;
            // Most records are before the next of them.
            if seconds.first().is_some_and(|second| *second < slot) {
                seconds = self.seconds_from(slot);
            }
            let begins = byte.is_multiple_of(8) && seconds.first() != Some(&slot);
            begins.then_some((slot, record))
        })
    }
}

fn give_type(code: &mut Code<'_>, slot: usize, type_id: TypeId) {
    if slot == 0 {
        code.type_id = Some(type_id);
    }
    for inner in &mut code.inner {
        if inner.slot == slot {
            inner.type_id = Some(type_id);
        }
    }
}

/// A function that only its object sees (`__hidden`) is verified as a static one, and its
/// type has to say so; otherwise the type knows best. Functions within another have no symbols
/// that others see, and only a type that could say more.
fn settle_linkage(code: &mut Code<'_>, btf: &mut Btf) {
    for inner in &mut code.inner {
        let ty = inner.type_id.and_then(|id| btf.get(id));
        if let Some(Kind::Func { linkage, .. }) = ty.map(|ty| &ty.kind) {
            inner.linkage = *linkage;
        }
    }
    let Some(ty) = code.type_id.and_then(|id| btf.get_mut(id)) else {
        return;
    };
    if let Kind::Func { linkage, .. } = &mut ty.kind {
        match code.linkage {
            Linkage::Static => *linkage = Linkage::Static,
            Linkage::Global | Linkage::Extern => code.linkage = *linkage,
        }
    }
}
