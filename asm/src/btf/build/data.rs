//! The sections of global variables: a variable for each name, at its place.

use super::{known_or_new, scalar, set_section};
use crate::btf::{Btf, IntEncoding, Kind, Linkage, SecVar, Type, TypeId};
use crate::object::{DataKind, Map, Variable};
use std::collections::{HashMap, HashSet};

/// What the BTF has for variables, so that none is looked for among all of it.
pub(super) struct Known {
    /// The first variable of each name that no section lists: clang does not list all.
    unlisted: HashMap<Vec<u8>, TypeId>,
    /// The types of which nothing but the size in bytes is known.
    bytes: HashMap<u32, TypeId>,
}

impl Known {
    pub(super) fn of(btf: &Btf) -> Known {
        let lists = |(_, ty): (TypeId, &Type)| match &ty.kind {
            Kind::DataSec { vars, .. } => vars.iter().map(|var| var.var).collect(),
            _ => Vec::new(),
        };
        let listed: HashSet<TypeId> = btf.types().flat_map(lists).collect();
        let mut unlisted = HashMap::new();
        for (id, ty) in btf.types().filter(|(id, _)| !listed.contains(id)) {
            if matches!(ty.kind, Kind::Var { .. }) {
                unlisted.entry(btf.bytes(ty.name).to_vec()).or_insert(id);
            }
        }
        let bytes = HashMap::new();
        Known { unlisted, bytes }
    }

    /// The variable of this name and size in bytes, which is then listed; a new one if there
    /// is none.
    fn variable(&mut self, btf: &mut Btf, variable: &Variable, kind: DataKind) -> TypeId {
        let (name, size) = (variable.name.as_str(), variable.size);
        let unlisted = self.unlisted.get(name.as_bytes()).copied();
        if let Some(var) = unlisted.filter(|var| btf.size_of(*var) == Some(size)) {
            self.unlisted.remove(name.as_bytes());
            return var;
        }
        let ty = *self.bytes.entry(size).or_insert_with(|| bytes(btf, size));
        let linkage = linkage(kind, name);
        btf.add(name, Kind::Var { ty, linkage })
    }
}

/// Describes the variables of a section: those that have no type are plain numbers, or bytes.
pub(super) fn add(btf: &mut Btf, known: &mut Known, map: &mut Map) {
    let section = map.data_section().unwrap_or_default().to_owned();
    let Some(data) = map.data.as_mut().filter(|data| !data.variables.is_empty()) else {
        return;
    };
    let mut vars = Vec::with_capacity(data.variables.len());
    for variable in &mut data.variables {
        let var = variable.type_id;
        let var = var.unwrap_or_else(|| known.variable(btf, variable, data.kind));
        variable.type_id = Some(var);
        vars.push(SecVar {
            var,
            offset: variable.offset,
            size: variable.size,
        });
    }
    let size = u32::try_from(data.bytes.len()).unwrap_or(u32::MAX);
    let kind = data.kind;
    let section = set_section(btf, &section, size, vars);
    // An arena has no values.
    if kind != DataKind::Arena {
        map.value_type = Some(section);
    }
}

/// Who sees a variable: compilers name those of functions `function.variable`.
fn linkage(kind: DataKind, name: &str) -> Linkage {
    match kind {
        DataKind::Kconfig => Linkage::Extern,
        _ if name.contains('.') => Linkage::Static,
        DataKind::Data | DataKind::Rodata | DataKind::Bss | DataKind::Arena => Linkage::Global,
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
