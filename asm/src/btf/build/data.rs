//! The sections of global variables: a variable for each name, at its place.

use super::{known_or_new, scalar, set_section};
use crate::btf::{Btf, IntEncoding, Kind, Linkage, SecVar, TypeId};
use crate::object::{DataKind, Map};

/// Describes the variables of a section: those that have no type are plain numbers, or bytes.
pub(super) fn add(btf: &mut Btf, map: &mut Map) {
    let Some(data) = map.data.as_mut().filter(|data| !data.variables.is_empty()) else {
        return;
    };
    let mut vars = Vec::with_capacity(data.variables.len());
    for variable in &mut data.variables {
        let var = variable.type_id;
        let var = var.or_else(|| known(btf, &variable.name, variable.size));
        let var = var.unwrap_or_else(|| {
            let ty = bytes(btf, variable.size);
            let linkage = linkage(data.kind, &variable.name);
            btf.add(&variable.name, Kind::Var { ty, linkage })
        });
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

/// A variable of this name and size that no section lists: clang does not list all.
fn known(btf: &Btf, name: &str, size: u32) -> Option<TypeId> {
    let var = btf.find(name, |kind| matches!(kind, Kind::Var { .. }))?;
    (btf.size_of(var) == Some(size)).then_some(var)
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
