//! The records of `.BTF.ext`, given to the functions that they speak of.

use super::ReadError;
use super::code::{Code, Functions};
use super::elf::File;
use crate::btf::core::CoreRelocation;
use crate::btf::ext::{Ext, LineInfo, SectionRecords};
use crate::btf::{Btf, Kind, Linkage, TypeId};

/// Gives the functions their types, the places of their lines, and what they ask of the
/// kernel's types.
pub(super) fn attach(
    file: &File<'_>,
    functions: &mut Functions,
    btf: &mut Btf,
    ext: &Ext,
) -> Result<(), ReadError> {
    for (section, records) in of_sections(file, btf, &ext.funcs) {
        let mut cursor = Cursor::new(functions, section);
        for record in records {
            if let Some((code, slot)) = cursor.place(record.insn_off) {
                give_type(code, slot, record.type_id);
            }
        }
    }
    for (section, records) in of_sections(file, btf, &ext.lines) {
        let mut cursor = Cursor::new(functions, section);
        for record in records {
            let Some((code, slot)) = cursor.place(record.insn_off) else {
                continue;
            };
            if code.lines.is_empty() {
                code.lines.reserve(code.insns.len().min(records.len()));
            }
            code.lines.push(LineInfo {
                insn_off: slot as u32,
                ..*record
            });
        }
    }
    for (section, records) in of_sections(file, btf, &ext.core_relos) {
        let mut cursor = Cursor::new(functions, section);
        for record in records {
            let Some((code, slot)) = cursor.place(record.insn_off) else {
                continue;
            };
            let relocation = CoreRelocation::of_record(btf, record).map_err(|error| {
                let section = file.sections.get(section);
                ReadError::CoreRelocation {
                    section: section.map_or("", |section| section.name).to_owned(),
                    error,
                }
            })?;
            code.core_relocations.push((slot, relocation));
        }
    }
    for code in &mut functions.all {
        code.lines.sort_by_key(|record| record.insn_off);
        code.lines.dedup_by_key(|record| record.insn_off);
        code.core_relocations.sort_by_key(|(slot, _)| *slot);
        settle_linkage(code, btf);
    }
    Ok(())
}

/// The records of each section, with the section's index.
fn of_sections<'r, T>(
    file: &File<'_>,
    btf: &Btf,
    sections: &'r [SectionRecords<T>],
) -> Vec<(usize, &'r [T])> {
    let with_index = sections.iter().filter_map(|records| {
        let (index, _) = file.section(btf.str(records.section))?;
        Some((index, records.records.as_slice()))
    });
    with_index.collect()
}

/// Finds the places of a section's records: most are in the function of the one before.
struct Cursor<'f> {
    functions: &'f mut Functions,
    /// The index of the section.
    section: usize,
    /// The index of the function of the last record.
    last: Option<usize>,
}

impl<'f> Cursor<'f> {
    fn new(functions: &'f mut Functions, section: usize) -> Cursor<'f> {
        Cursor {
            functions,
            section,
            last: None,
        }
    }

    /// The function and its slot that byte `insn_off` of the section is; `None` for what is no
    /// beginning of an instruction.
    fn place(&mut self, insn_off: u32) -> Option<(&mut Code, usize)> {
        let at = u64::from(insn_off);
        let index = self
            .functions
            .containing_after(self.last, self.section, at)?;
        self.last = Some(index);
        let code = self.functions.all.get_mut(index)?;
        let byte = at
            .checked_sub(code.base)
            .filter(|byte| byte.is_multiple_of(8))?;
        let slot = usize::try_from(byte / 8).ok()?;
        code.insn_at(slot)?;
        Some((code, slot))
    }
}

fn give_type(code: &mut Code, slot: usize, type_id: TypeId) {
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
/// type has to say so; otherwise the type knows best.
fn settle_linkage(code: &mut Code, btf: &mut Btf) {
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
