//! Map definitions as BTF has them (section `.maps`): variables of anonymous structs, each
//! member a number (`int (*max_entries)[256]`), a type (`__u32 *key`), or what the map holds
//! from the start (`void *values[]`).
//!
//! Source: the kernel's `Documentation/bpf/maps.rst` and the macros of libbpf's
//! `bpf_helpers.h`. `btf/build/maps.rs` makes what this reads.

use super::ReadError;
use super::code::Functions;
use super::data::{FoundMap, Places};
use super::elf::{File, Home, Relocation, Role};
use super::legacy;
use crate::btf::build::MAPS_SECTION;
use crate::btf::{Btf, Kind, Member, TypeId};
use crate::map_type::MapType;
use crate::object::elf_numbers::{R_BPF_64_64, R_BPF_64_ABS64};
use crate::object::{Map, MapValue, Pinning};
use crate::program::Reference;
use std::collections::HashSet;

/// The maps that a file defines, in either way.
pub(super) fn read(
    file: &File<'_>,
    functions: &Functions,
    btf: Option<&Btf>,
) -> Result<Vec<FoundMap>, ReadError> {
    let mut maps = defined_by_btf(file, btf)?;
    maps.extend(legacy::read(file, functions, maps.len())?);
    let mut names = HashSet::new();
    match maps.iter().find(|found| !names.insert(&found.map.name)) {
        Some(FoundMap { map, .. }) => Err(ReadError::Map {
            map: map.name.clone(),
            why: "another map has its name".into(),
        }),
        None => Ok(maps),
    }
}

fn defined_by_btf(file: &File<'_>, btf: Option<&Btf>) -> Result<Vec<FoundMap>, ReadError> {
    let Some((index, section)) = file.section(MAPS_SECTION) else {
        return Ok(Vec::new());
    };
    let lacking = |why: &str| ReadError::Map {
        map: MAPS_SECTION.into(),
        why: why.into(),
    };
    let btf =
        btf.ok_or_else(|| lacking("the section has no BTF to describe its maps: compile with -g"))?;
    let id = super::data::data_section(btf, MAPS_SECTION);
    let Some(Kind::DataSec { vars, .. }) = id.and_then(|id| btf.get(id)).map(|ty| &ty.kind) else {
        return Err(lacking("its BTF has no such section: compile with -g"));
    };
    let mut maps = Vec::with_capacity(vars.len());
    for var in vars {
        let name = btf.name(var.var);
        if u64::from(var.offset) >= section.size {
            return Err(ReadError::Map {
                map: name.to_owned(),
                why: format!(
                    "it is at byte {} of a section of {}",
                    var.offset, section.size
                ),
            });
        }
        let map = of_variable(btf, var.var)?;
        let size = btf.size_of(var.var).unwrap_or(0);
        let room = section.size - u64::from(var.offset);
        if u64::from(size) > room {
            return Err(ReadError::Map {
                map: map.name,
                why: format!("its struct has {size} bytes, and its section {room} more"),
            });
        }
        maps.push(FoundMap {
            section: Some(index),
            offset: u64::from(var.offset),
            variables: None,
            map,
        });
    }
    Ok(maps)
}

/// The map that a variable of `.maps` defines.
fn of_variable(btf: &Btf, var: TypeId) -> Result<Map, ReadError> {
    let name = btf.name(var);
    let Some(Kind::Var { ty, .. }) = btf.get(var).map(|ty| &ty.kind) else {
        return Err(ReadError::Map {
            map: name.to_owned(),
            why: "its entry in the section is no variable".into(),
        });
    };
    Definition {
        btf,
        name,
        level: Level::Outer,
    }
    .read(*ty)
}

/// The map that a variable of `.maps` defines, if it defines one.
pub(crate) fn as_defined(btf: &Btf, var: TypeId) -> Option<Map> {
    of_variable(btf, var).ok()
}

/// Whether a definition is of a map of the object, or of what is in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Outer,
    Inner,
}

/// A definition that is being read.
struct Definition<'b> {
    btf: &'b Btf,
    /// The map's name.
    name: &'b str,
    level: Level,
}

impl Definition<'_> {
    fn refuse(&self, why: impl Into<String>) -> ReadError {
        ReadError::Map {
            map: self.name.to_owned(),
            why: why.into(),
        }
    }

    fn read(&self, ty: TypeId) -> Result<Map, ReadError> {
        let ty = self.btf.get(self.btf.resolve(ty)).map(|ty| &ty.kind);
        let Some(Kind::Struct { size, members, .. }) = ty else {
            return Err(self.refuse("its type is no struct"));
        };
        let mut map = Map::new(self.name, MapType::Array);
        let mut typed = false;
        for member in members {
            let member_name = self.btf.str(member.name);
            let begin = member.offset / 8;
            // What a map holds stands behind its struct.
            if begin > *size || (begin == *size && member_name != "values") {
                let why = format!(
                    "its member '{member_name}' begins at byte {begin} of a struct of {size}"
                );
                return Err(self.refuse(why));
            }
            match member_name {
                "type" => {
                    let uapi = self.number(member)?;
                    map.map_type = MapType::from_number(uapi)
                        .ok_or_else(|| self.refuse(format!("map type {uapi} is not known")))?;
                    typed = true;
                }
                "key" | "key_size" => {
                    let (ty, size) = self.sized(member, map.key_size)?;
                    (map.key_type, map.key_size) = (ty.or(map.key_type), size);
                }
                "value" | "value_size" => {
                    let (ty, size) = self.sized(member, map.value_size)?;
                    (map.value_type, map.value_size) = (ty.or(map.value_type), size);
                }
                "max_entries" => map.max_entries = self.number(member)?,
                "map_flags" => map.map_flags = self.number(member)?,
                "map_extra" => map.map_extra = self.long_number(member)?,
                "numa_node" => map.numa_node = self.number(member)?,
                "pinning" => map.pinning = self.pinning(member)?,
                "values" => self.values(member, &mut map)?,
                other => return Err(self.refuse(format!("no map has a member '{other}'"))),
            }
        }
        if !typed {
            return Err(self.refuse("its definition names no type"));
        }
        Ok(map)
    }

    fn number(&self, member: &Member) -> Result<u32, ReadError> {
        number(self.btf, member).ok_or_else(|| {
            let name = self.btf.str(member.name);
            self.refuse(format!("its {name} is no number"))
        })
    }

    /// A number of up to 64 bits: of an array's length, or of the one name of an enum.
    fn long_number(&self, member: &Member) -> Result<u64, ReadError> {
        match self.btf.get(self.btf.resolve(member.ty)).map(|ty| &ty.kind) {
            Some(Kind::Enum { values, .. }) => {
                if let [(_, value)] = values.as_slice() {
                    return Ok(u64::from(*value as u32));
                }
            }
            Some(Kind::Enum64 { values, .. }) => {
                if let [(_, value)] = values.as_slice() {
                    return Ok(*value as u64);
                }
            }
            _ => {}
        }
        self.number(member).map(u64::from)
    }

    /// The type, if there is one, and the size of keys or values; `known` is the size that
    /// another member gave, 0 for none.
    fn sized(&self, member: &Member, known: u32) -> Result<(Option<TypeId>, u32), ReadError> {
        let name = self.btf.str(member.name);
        let (ty, size) = match name.ends_with("_size") {
            true => (None, self.number(member)?),
            false => {
                let pointee = pointee(self.btf, member).and_then(|to| {
                    let size = self.btf.size_of(to)?;
                    Some((Some(to), size))
                });
                pointee.ok_or_else(|| self.refuse(format!("its {name} has no type with a size")))?
            }
        };
        if known != 0 && known != size {
            let why = format!("its {name} has {size} bytes, and another member says {known}");
            return Err(self.refuse(why));
        }
        Ok((ty, size))
    }

    fn pinning(&self, member: &Member) -> Result<Pinning, ReadError> {
        match self.number(member)? {
            0 => Ok(Pinning::None),
            1 => Ok(Pinning::ByName),
            other => Err(self.refuse(format!(
                "its pinning is {other}, and 0 (none) and 1 (by name) are known"
            ))),
        }
    }

    /// `struct {...} *values[]` for a map of maps, `void (*values[])()` for one of programs.
    fn values(&self, member: &Member, map: &mut Map) -> Result<(), ReadError> {
        if self.level == Level::Inner {
            return Err(self.refuse("a map in a map of maps holds no maps itself"));
        }
        let element = match self.btf.get(self.btf.resolve(member.ty)).map(|ty| &ty.kind) {
            Some(Kind::Array { element, .. }) => *element,
            _ => return Err(self.refuse("its values are no array")),
        };
        let pointee = match self.btf.get(self.btf.resolve(element)).map(|ty| &ty.kind) {
            Some(Kind::Ptr(to)) => self.btf.resolve(*to),
            _ => return Err(self.refuse("its values are no array of pointers")),
        };
        match self.btf.get(pointee).map(|ty| &ty.kind) {
            Some(Kind::FuncProto { .. }) if map.map_type == MapType::ProgArray => {}
            Some(Kind::Struct { .. }) if map.map_type.holds_maps() => {
                let inner = Definition {
                    btf: self.btf,
                    name: "",
                    level: Level::Inner,
                };
                let inner = inner.read(pointee).map_err(|error| match error {
                    ReadError::Map { why, .. } => self.refuse(format!("what it holds: {why}")),
                    other => other,
                })?;
                map.inner = Some(Box::new(inner));
            }
            _ => {
                let why = format!("a map of type {} has no such values", map.map_type);
                return Err(self.refuse(why));
            }
        }
        // An index into the kernel's tables, whatever C makes of it.
        if map.value_size == 0 {
            map.value_size = 4;
        }
        Ok(())
    }
}

/// The number that a member's type carries: the length of the array that it points to.
fn number(btf: &Btf, member: &Member) -> Option<u32> {
    match btf.get(btf.resolve(pointee(btf, member)?))?.kind {
        Kind::Array { len, .. } => Some(len),
        _ => None,
    }
}

/// The type that a member points to.
fn pointee(btf: &Btf, member: &Member) -> Option<TypeId> {
    match btf.get(btf.resolve(member.ty))?.kind {
        Kind::Ptr(to) => Some(to),
        _ => None,
    }
}

/// Where `values` are in the variable that defines a map, in bytes.
pub(in crate::object) fn values_offset(btf: &Btf, map: &str) -> Option<u64> {
    let section = super::data::data_section(btf, MAPS_SECTION)?;
    let Kind::DataSec { vars, .. } = &btf.get(section)?.kind else {
        return None;
    };
    let var = vars.iter().find(|var| btf.name(var.var) == map)?.var;
    let Kind::Var { ty, .. } = btf.get(var)?.kind else {
        return None;
    };
    let Kind::Struct { members, .. } = &btf.get(btf.resolve(ty))?.kind else {
        return None;
    };
    let member = members.iter().find(|m| btf.str(m.name) == "values")?;
    Some(u64::from(member.offset / 8))
}

/// Reads what maps hold from the start: relocations of `.maps`.
pub(super) fn read_values(
    file: &File<'_>,
    functions: &Functions,
    places: &Places,
    btf: Option<&Btf>,
    maps: &mut [FoundMap],
) -> Result<(), ReadError> {
    let Some((index, section)) = file.section(MAPS_SECTION) else {
        return Ok(());
    };
    for relocation in &section.relocations_by_place() {
        let refuse = |why: &str| file.refuse(section.name, relocation, why);
        if !matches!(relocation.r_type, R_BPF_64_ABS64 | R_BPF_64_64) {
            return Err(refuse("maps hold only addresses of 64 bits"));
        }
        let found = maps
            .iter_mut()
            .filter(|found| found.section == Some(index) && found.offset <= relocation.offset)
            .max_by_key(|found| found.offset)
            .ok_or_else(|| refuse("no map is defined there"))?;
        let values = btf.and_then(|btf| values_offset(btf, &found.map.name));
        let byte = values
            .and_then(|values| {
                relocation
                    .offset
                    .checked_sub(found.offset)?
                    .checked_sub(values)
            })
            .filter(|byte| byte.is_multiple_of(8))
            .ok_or_else(|| refuse("no value of a map is there"))?;
        let key = u32::try_from(byte / 8).map_err(|_| refuse("the map ends before"))?;
        let value = value(file, functions, places, relocation)
            .ok_or_else(|| refuse("it is neither a map nor a program"))?;
        let fits = matches!(
            (&value, found.map.inner.is_some()),
            (MapValue::Map(_), true) | (MapValue::Program(_), false)
        );
        if !fits {
            return Err(refuse("the map there holds no such thing"));
        }
        found.map.values.push((key, value));
    }
    Ok(())
}

/// The map or program that a relocation of `.maps` is against.
fn value(
    file: &File<'_>,
    functions: &Functions,
    places: &Places,
    relocation: &Relocation,
) -> Option<MapValue> {
    let symbol = file.symbol(relocation)?;
    let Home::Section(home) = symbol.home else {
        return None;
    };
    let section = file.sections.get(home)?;
    if section.role != Role::Code {
        return match places.at(home, symbol.value)? {
            Reference::Map(map) => Some(MapValue::Map(map)),
            _ => None,
        };
    }
    let program = functions.program_at(home, symbol.value, symbol.name)?;
    Some(MapValue::Program(program.to_owned()))
}
