//! The sections of global variables: a variable for each name, at its place.

use super::{known_or_new, scalar, set_section};
use crate::btf::{Btf, IntEncoding, Kind, Linkage, SecVar, TypeId};
use crate::object::{DataKind, Map};
use std::collections::HashMap;

/// What the BTF has for variables, so that none is looked for among all of it.
pub(super) struct Known {
    /// The first variable of each name.
    variables: HashMap<Vec<u8>, TypeId>,
    /// The types of which nothing but the size in bytes is known.
    bytes: HashMap<u32, TypeId>,
}

impl Known {
    pub(super) fn of(btf: &Btf) -> Known {
        Known {
            variables: btf.first_by_name(|kind| matches!(kind, Kind::Var { .. })),
            bytes: HashMap::new(),
        }
    }

    /// A variable of this name and size that no section lists: clang does not list all.
    fn variable(&self, btf: &Btf, name: &str, size: u32) -> Option<TypeId> {
        let var = *self.variables.get(name.as_bytes())?;
        (btf.size_of(var) == Some(size)).then_some(var)
    }

    /// Adds a variable of this size in bytes.
    fn add(&mut self, btf: &mut Btf, name: &str, size: u32, linkage: Linkage) -> TypeId {
        let ty = *self.bytes.entry(size).or_insert_with(|| bytes(btf, size));
        let var = btf.add(name, Kind::Var { ty, linkage });
        self.variables.entry(name.into()).or_insert(var);
        var
    }
}

/// Describes the variables of a section: those that have no type are plain numbers, or bytes.
pub(super) fn add(btf: &mut Btf, known: &mut Known, map: &mut Map) {
    let Some(data) = map.data.as_mut().filter(|data| !data.variables.is_empty()) else {
        return;
    };
    let mut vars = Vec::with_capacity(data.variables.len());
    for variable in &mut data.variables {
        let var = variable.type_id;
        let (name, size) = (&variable.name, variable.size);
        let var = var.or_else(|| known.variable(btf, name, size));
        let var = var.unwrap_or_else(|| known.add(btf, name, size, linkage(data.kind, name)));
        variable.type_id = Some(var);
        vars.push(SecVar {
            var,
            offset: variable.offset,
            size: variable.size,
        });
    }
    let size = u32::try_from(data.bytes.len()).unwrap_or(u32::MAX);
    map.value_type = Some(set_section(btf, &map.name, size, vars));
}

/// Who sees a variable: compilers name those of functions `function.variable`.
fn linkage(kind: DataKind, name: &str) -> Linkage {
    match kind {
        DataKind::Kconfig => Linkage::Extern,
        _ if name.contains('.') => Linkage::Static,
        DataKind::Data | DataKind::Rodata | DataKind::Bss => Linkage::Global,
    }
}

/// A type of this size in bytes, of which nothing is known.
fn bytes(btf: &mut Btf, size: u32) -> TypeId {
    let unsigned = IntEncoding::default();
    match size {
        1 => scalar(btf, "__u8", 1, unsigned),
        2 => scalar(btf, "__u16", 2, unsigned),
        4 => scalar(btf, "__u32", 4, unsigned),
        8 => scalar(btf, "__u64", 8, unsigned),
        len => {
            let kind = Kind::Array {
                element: scalar(btf, "char", 1, IntEncoding::SIGNED),
                index: scalar(btf, "__u32", 4, unsigned),
                len,
            };
            known_or_new(btf, "", kind)
        }
    }
}
