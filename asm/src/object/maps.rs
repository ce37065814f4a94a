//! Map definitions as BTF has them (section `.maps`): variables of anonymous structs, each
//! member a number (`int (*max_entries)[256]`) or a type (`__u32 *key`).
//!
//! `btf/build.rs` makes what this reads.

use super::{Map, ReadError};
use crate::btf::build::MAPS_SECTION;
use crate::btf::{Btf, Kind, Member, TypeId};
use crate::map_type::MapType;

/// The maps that the section of `section_size` bytes defines, each with its offset in it.
pub(super) fn defined(btf: &Btf, section_size: u64) -> Result<Vec<(u64, Map)>, ReadError> {
    let section = btf.find(MAPS_SECTION, |kind| matches!(kind, Kind::DataSec { .. }));
    let Some(Kind::DataSec { vars, .. }) = section.and_then(|id| btf.get(id)).map(|ty| &ty.kind)
    else {
        return Err(ReadError::Map {
            map: MAPS_SECTION.into(),
            why: "its BTF has no such section: compile with -g".into(),
        });
    };
    let mut maps = Vec::with_capacity(vars.len());
    for var in vars {
        let name = btf.name(var.var);
        if u64::from(var.offset) >= section_size {
            return Err(ReadError::Map {
                map: name.to_owned(),
                why: format!(
                    "it is at byte {} of a section of {section_size}",
                    var.offset
                ),
            });
        }
        maps.push((u64::from(var.offset), definition(btf, name, var.var)?));
    }
    Ok(maps)
}

fn definition(btf: &Btf, name: &str, var: TypeId) -> Result<Map, ReadError> {
    let refuse = |why: String| ReadError::Map {
        map: name.to_owned(),
        why,
    };
    let ty = match btf.get(var).map(|ty| &ty.kind) {
        Some(Kind::Var { ty, .. }) => btf.resolve(*ty),
        _ => return Err(refuse("its entry in the section is no variable".into())),
    };
    let Some(Kind::Struct { members, .. }) = btf.get(ty).map(|ty| &ty.kind) else {
        return Err(refuse("its type is no struct".into()));
    };
    let mut map = Map::new(name, MapType::Array);
    let mut typed = false;
    for member in members {
        let member_name = btf.str(member.name);
        let number =
            || number(btf, member).ok_or_else(|| refuse(format!("its {member_name} is no number")));
        let pointee = || {
            let (ty, size) = pointee(btf, member)
                .ok_or_else(|| refuse(format!("its {member_name} has no type with a size")))?;
            Ok::<_, ReadError>((Some(ty), size))
        };
        match member_name {
            "type" => {
                let uapi = number()?;
                map.map_type = MapType::from_number(uapi)
                    .ok_or_else(|| refuse(format!("map type {uapi} is not known")))?;
                typed = true;
            }
            "key_size" => map.key_size = number()?,
            "value_size" => map.value_size = number()?,
            "max_entries" => map.max_entries = number()?,
            "map_flags" => map.map_flags = number()?,
            "key" => (map.key_type, map.key_size) = pointee()?,
            "value" => (map.value_type, map.value_size) = pointee()?,
            other => {
                let what = format!("member '{other}' of the definition of map '{name}'");
                return Err(ReadError::Unsupported(what));
            }
        }
    }
    if !typed {
        return Err(refuse("its definition names no type".into()));
    }
    Ok(map)
}

/// The number that a member's type carries: the length of the array that it points to.
fn number(btf: &Btf, member: &Member) -> Option<u32> {
    let Kind::Ptr(to) = btf.get(btf.resolve(member.ty))?.kind else {
        return None;
    };
    match btf.get(btf.resolve(to))?.kind {
        Kind::Array { len, .. } => Some(len),
        _ => None,
    }
}

/// The type that a member points to, and its size in bytes.
fn pointee(btf: &Btf, member: &Member) -> Option<(TypeId, u32)> {
    let Kind::Ptr(to) = btf.get(btf.resolve(member.ty))?.kind else {
        return None;
    };
    Some((to, btf.size_of(to)?))
}
