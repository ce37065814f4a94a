//! The records of `.BTF.ext`, given to the functions that they speak of.

use super::ReadError;
use super::code::{Code, Functions};
use super::elf::File;
use crate::btf::core::CoreRelocation;
use crate::btf::ext::{Ext, SectionRecords};
use crate::btf::{Btf, Kind, Linkage, StrId, TypeId};
use crate::span::Span;
use std::collections::HashMap;
use std::sync::Arc;

/// Gives the functions their types, the places of their lines, and what they ask of the
/// kernel's types.
pub(super) fn attach(
    file: &File<'_>,
    functions: &mut Functions,
    btf: &mut Btf,
    ext: &Ext,
) -> Result<(), ReadError> {
    for (section, records) in of_sections(file, btf, &ext.funcs) {
        for record in records {
            if let Some((code, slot)) = place(functions, section, record.insn_off) {
                give_type(code, slot, record.type_id);
            }
        }
    }
    let mut names = Names::default();
    for (section, records) in of_sections(file, btf, &ext.lines) {
        for record in records {
            let Some((code, slot)) = place(functions, section, record.insn_off) else {
                continue;
            };
            let span = Span {
                file: names.get(btf, record.file_name),
                line: record.line_number,
                column: record.column,
                text: names.get(btf, record.line).into(),
                inlined_at: None,
            };
            code.lines.push((slot, span));
        }
    }
    for (section, records) in of_sections(file, btf, &ext.core_relos) {
        for record in records {
            let Some((code, slot)) = place(functions, section, record.insn_off) else {
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
        code.lines.sort_by_key(|(slot, _)| *slot);
        code.lines.dedup_by_key(|(slot, _)| *slot);
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

/// The function and its slot that byte `insn_off` of a section is; `None` for what is no
/// beginning of an instruction.
fn place(functions: &mut Functions, section: usize, insn_off: u32) -> Option<(&mut Code, usize)> {
    let at = u64::from(insn_off);
    let index = functions.containing(section, at)?;
    let code = functions.all.get_mut(index)?;
    let byte = at
        .checked_sub(code.base)
        .filter(|byte| byte.is_multiple_of(8))?;
    let slot = usize::try_from(byte / 8).ok()?;
    code.starts.binary_search(&slot).ok()?;
    Some((code, slot))
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

/// Names that many lines share, each copied once.
#[derive(Default)]
struct Names(HashMap<StrId, Arc<str>>);

impl Names {
    fn get(&mut self, btf: &Btf, id: StrId) -> Arc<str> {
        let name = self.0.entry(id);
        name.or_insert_with(|| Arc::from(btf.str(id))).clone()
    }
}
