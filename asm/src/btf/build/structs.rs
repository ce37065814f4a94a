//! Structs of functions for the kernel: sections `.struct_ops` and its likes, a variable for
//! each struct.

use super::{section, set_section};
use crate::btf::{Btf, Kind, Linkage, SecVar, TypeId};
use crate::object::{Map, STRUCT_SECTIONS};

/// Lists the structs in their sections, one behind the other.
pub(super) fn add(btf: &mut Btf, maps: &[Map]) {
    for kind in STRUCT_SECTIONS {
        let structs: Vec<&Map> = maps.iter().filter(|map| kind.has(map)).collect();
        if structs.is_empty() && section(btf, kind.name).is_none() {
            continue;
        }
        let mut vars = Vec::with_capacity(structs.len());
        let mut end = 0u32;
        for map in structs {
            let var = variable(btf, map);
            vars.push(SecVar {
                var,
                offset: end,
                size: map.value_size,
            });
            end = end.saturating_add(map.value_size);
            end = end.checked_next_multiple_of(8).unwrap_or(end);
        }
        set_section(btf, kind.name, end, vars);
    }
}

/// The variable that a struct is; one that is there and has its type is taken.
fn variable(btf: &mut Btf, map: &Map) -> TypeId {
    let ty = map.value_type.unwrap_or(TypeId::VOID);
    let is_it = |kind: &Kind| matches!(kind, Kind::Var { ty: of, .. } if btf.resolve(*of) == ty);
    match btf.find(&map.name, is_it) {
        Some(var) => var,
        None => {
            let linkage = Linkage::Global;
            btf.add(&map.name, Kind::Var { ty, linkage })
        }
    }
}
