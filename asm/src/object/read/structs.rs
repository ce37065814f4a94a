//! Structs of functions for the kernel (sections `.struct_ops`, `.struct_ops.link`, and
//! both with a `?` before them): each variable is a map, whose one value is the struct. The
//! members that are functions are relocations.
//!
//! Source: the kernel's `Documentation/bpf/libbpf/program_types.rst` for the sections, and what
//! clang and libbpf make of them.

use super::ReadError;
use super::code::Functions;
use super::data::FoundMap;
use super::elf::{File, Home, Relocation, Role, Section};
use crate::btf::{Btf, Kind, SecVar};
use crate::object::elf_numbers::{R_BPF_64_64, R_BPF_64_ABS64};
use crate::object::struct_section::{STRUCT_SECTIONS, StructSection};
use crate::object::{Map, MapValue};

/// The bytes of a member that is a function.
const POINTER: usize = 8;

/// The structs of a file.
pub(super) fn read(
    file: &File<'_>,
    functions: &Functions,
    btf: Option<&Btf>,
) -> Result<Vec<FoundMap>, ReadError> {
    let mut structs = Vec::new();
    for kind in STRUCT_SECTIONS {
        let Some((index, section)) = file.section(kind.name).filter(|(_, s)| s.size > 0) else {
            continue;
        };
        let place = Place {
            file,
            functions,
            index,
            section,
            kind,
        };
        place.read(btf, &mut structs)?;
    }
    Ok(structs)
}

/// A section of structs.
struct Place<'f, 'a> {
    file: &'f File<'a>,
    functions: &'f Functions<'a>,
    index: usize,
    section: &'f Section<'a>,
    kind: StructSection,
}

impl Place<'_, '_> {
    fn lacking(&self, why: &str) -> ReadError {
        ReadError::Map {
            map: self.section.name.to_owned(),
            why: why.to_owned(),
        }
    }

    fn read(&self, btf: Option<&Btf>, structs: &mut Vec<FoundMap>) -> Result<(), ReadError> {
        let untyped =
            || self.lacking("the section has no BTF to name its structs: compile with -g");
        let btf = btf.ok_or_else(untyped)?;
        let id = super::data::data_section(btf, self.section.name).ok_or_else(untyped)?;
        let Some(Kind::DataSec { vars, .. }) = btf.get(id).map(|ty| &ty.kind) else {
            return Err(untyped());
        };
        let relocations = self.section.relocations_by_place();
        let mut end = 0;
        for var in vars {
            if u64::from(var.offset) < end {
                return Err(self.lacking("its structs overlap"));
            }
            let found = self.variable(btf, var, &relocations)?;
            end = found.offset + u64::from(found.map.value_size);
            structs.push(found);
        }
        Ok(())
    }

    fn variable(
        &self,
        btf: &Btf,
        var: &SecVar,
        relocations: &[Relocation],
    ) -> Result<FoundMap, ReadError> {
        let name = btf.name(var.var);
        let refuse = |why: &str| ReadError::Map {
            map: name.to_owned(),
            why: why.to_owned(),
        };
        let ty = match btf.get(var.var).map(|ty| &ty.kind) {
            Some(Kind::Var { ty, .. }) => btf.resolve(*ty),
            _ => return Err(refuse("its entry in the section is no variable")),
        };
        let size = match btf.get(ty).map(|ty| &ty.kind) {
            Some(Kind::Struct { size: 0, .. }) => return Err(refuse("its struct is empty")),
            Some(Kind::Struct { size, .. }) => *size,
            _ => return Err(refuse("its type is no struct")),
        };
        let begin = u64::from(var.offset);
        let place = begin..begin + u64::from(size);
        if place.end > self.section.size {
            return Err(refuse("its struct ends outside of the section"));
        }
        let whole = begin as usize..place.end as usize;
        let mut bytes = match self.section.role {
            Role::Zeros => Vec::new(),
            _ => self
                .section
                .contents
                .get(whole)
                .unwrap_or_default()
                .to_vec(),
        };
        let mut values = Vec::new();
        let first = relocations.partition_point(|one| one.offset < place.start);
        let here = relocations.iter().skip(first);
        for relocation in here.take_while(|one| one.offset < place.end) {
            let member = (relocation.offset - begin) as usize;
            let end = member.saturating_add(POINTER);
            let pointer = bytes.get_mut(member..end);
            let pointer = pointer.ok_or_else(|| refuse("a function is outside of its struct"))?;
            let program = self.program(relocation, pointer)?;
            pointer.fill(0);
            values.push((member as u32, MapValue::Program(program)));
        }
        values.extend(without_zeros(&bytes));
        values.sort_by_key(|(byte, _)| *byte);
        Ok(FoundMap {
            section: Some(self.index),
            offset: begin,
            variables: None,
            map: Map {
                map_flags: self.kind.link,
                autocreate: self.kind.autocreate,
                values,
                ..Map::of_struct(name, Some(ty), size)
            },
        })
    }

    /// The program that a member is.
    fn program(&self, relocation: &Relocation, bytes: &[u8]) -> Result<String, ReadError> {
        let refuse = |why: &str| self.file.refuse(self.section.name, relocation, why);
        if !matches!(relocation.r_type, R_BPF_64_ABS64 | R_BPF_64_64) {
            return Err(refuse("structs hold only addresses of 64 bits"));
        }
        let stands = bytes.first_chunk().map_or(0, |b| i64::from_le_bytes(*b));
        let symbol = self.file.symbol(relocation);
        let symbol = symbol.ok_or_else(|| refuse("there is no such symbol"))?;
        let at = symbol
            .value
            .checked_add_signed(relocation.addend.unwrap_or(stands));
        let program = match (symbol.home, at) {
            (Home::Section(home), Some(at)) => self.functions.program_at(home, at, symbol.name),
            _ => None,
        };
        program
            .map(str::to_owned)
            .ok_or_else(|| refuse("no program begins there, and the kernel takes only programs"))
    }
}

/// The bytes from the first to the last that is not zero, with the place of the first.
fn without_zeros(bytes: &[u8]) -> Option<(u32, MapValue)> {
    let first = bytes.iter().position(|byte| *byte != 0)?;
    let last = bytes.iter().rposition(|byte| *byte != 0)?;
    let bytes = bytes.get(first..=last)?.to_vec();
    Some((u32::try_from(first).ok()?, MapValue::Bytes(bytes)))
}
