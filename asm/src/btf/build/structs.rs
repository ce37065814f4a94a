//! Structs of functions for the kernel: sections `.struct_ops` and `.struct_ops.link`, a variable
//! for each struct.

use super::{section, set_section};
use crate::btf::{Btf, Kind, Linkage, SecVar, TypeId};
use crate::map_type::MapType;
use crate::object::{BPF_F_LINK, Map, STRUCT_SECTIONS};

/// Lists the structs in their sections, one behind the other.
pub(super) fn add(btf: &mut Btf, maps: &[Map]) {
    for (name, flag) in STRUCT_SECTIONS {
        let here =
            |map: &&Map| map.map_type == MapType::StructOps && map.map_flags & BPF_F_LINK == flag;
        let structs: Vec<&Map> = maps.iter().filter(here).collect();
        if structs.is_empty() && section(btf, name).is_none() {
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
        set_section(btf, name, end, vars);
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
