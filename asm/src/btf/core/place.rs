//! Places in types: where a path of a relocation leads in the object's types, and where the
//! same names lead in the kernel's.
//!
//! Source: `Documentation/bpf/llvm_reloc.rst`, and what libbpf does, which the tests compare
//! with.

use super::super::{Bitfields, Btf, Kind, Member, TypeId};
use super::types::fields_are_compatible;
use super::{Access, CoreError};

/// How deep members without names may be nested.
const MAX_DEPTH: u32 = 32;

/// Places are below this bit of their type.
const MAX_OFFSET: u64 = 1 << 48;

/// A place in a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Bits from the beginning of the root type.
    pub(super) offset: u64,
    /// The size in bits, for bit fields.
    pub(super) bitfield: Option<u32>,
    /// The type of what is there.
    pub(super) ty: TypeId,
}

/// A step of a path, in words that both sides understand.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step<'a> {
    /// The element of this index.
    Index(u32),
    /// The member of this name, which has this type in the object.
    Member(&'a str, TypeId),
}

/// The members of a struct or union behind typedefs and qualifiers.
fn members(btf: &Btf, ty: TypeId) -> Option<(&[Member], Bitfields)> {
    match &btf.get(btf.resolve(ty))?.kind {
        Kind::Struct {
            members, bitfields, ..
        }
        | Kind::Union {
            members, bitfields, ..
        } => Some((members, *bitfields)),
        _ => None,
    }
}

/// The place of element `index` of what begins at `place` and has elements of type `ty`.
fn element(btf: &Btf, place: Place, ty: TypeId, index: u32) -> Option<Place> {
    let distance = u64::from(index) * u64::from(btf.size_of(ty)?);
    let offset = distance.checked_mul(8)?.checked_add(place.offset)?;
    Some(Place {
        // No object is so large, and the sums to come must not overflow.
        offset: (offset < MAX_OFFSET).then_some(offset)?,
        bitfield: None,
        ty,
    })
}

/// The element of an array; `None` beyond its end, unless it has none.
fn array_element(btf: &Btf, place: Place, index: u32) -> Option<Place> {
    match &btf.get(btf.resolve(place.ty))?.kind {
        Kind::Array {
            element: ty, len, ..
        } if index < *len || *len == 0 => element(btf, place, *ty, index),
        _ => None,
    }
}

/// Where a path leads in the object's own types, and its steps.
pub(super) fn local<'a>(
    btf: &'a Btf,
    root: TypeId,
    access: &Access,
) -> Result<(Place, Vec<Step<'a>>), CoreError> {
    let nowhere = || CoreError::Path {
        access: access.to_string(),
        root: btf.name(root).to_owned(),
    };
    let mut place = Place {
        offset: 0,
        bitfield: None,
        ty: root,
    };
    let mut steps = Vec::with_capacity(access.steps().len());
    for (depth, &number) in access.steps().iter().enumerate() {
        let record = members(btf, place.ty).filter(|_| depth > 0);
        place = match record {
            None if depth == 0 => {
                steps.push(Step::Index(number));
                element(btf, place, root, number).ok_or_else(nowhere)?
            }
            None => {
                steps.push(Step::Index(number));
                array_element(btf, place, number).ok_or_else(nowhere)?
            }
            Some((members, bitfields)) => {
                let member = members.get(number as usize).ok_or_else(nowhere)?;
                // What has no name is found by the names in it.
                let name = btf.str(member.name);
                if !name.is_empty() {
                    steps.push(Step::Member(name, member.ty));
                }
                let (offset, bitfield) = member.place(bitfields);
                Place {
                    offset: place.offset + u64::from(offset),
                    bitfield,
                    ty: member.ty,
                }
            }
        };
    }
    Ok((place, steps))
}

/// Where the same steps lead from a type of the kernel; `None` if they lead nowhere there.
pub(super) fn target(local: &Btf, target: &Btf, root: TypeId, steps: &[Step<'_>]) -> Option<Place> {
    let mut place = Place {
        offset: 0,
        bitfield: None,
        ty: root,
    };
    for (depth, step) in steps.iter().enumerate() {
        place = match *step {
            Step::Index(index) if depth == 0 => element(target, place, root, index)?,
            Step::Index(index) => array_element(target, place, index)?,
            Step::Member(name, ty) => find(local, target, place, (name, ty), MAX_DEPTH)?,
        };
    }
    Some(place)
}

/// The member of a name, also of members without names, whose type goes with that of the
/// object's.
fn find(
    local: &Btf,
    target: &Btf,
    place: Place,
    wanted: (&str, TypeId),
    depth: u32,
) -> Option<Place> {
    let depth = depth.checked_sub(1)?;
    let (members, bitfields) = members(target, place.ty)?;
    members.iter().find_map(|member| {
        let (offset, bitfield) = member.place(bitfields);
        let inner = Place {
            offset: place.offset + u64::from(offset),
            bitfield,
            ty: member.ty,
        };
        match target.str(member.name) {
            "" => find(local, target, inner, wanted, depth),
            name if name == wanted.0 => {
                fields_are_compatible(local, wanted.1, target, member.ty).then_some(inner)
            }
            _ => None,
        }
    })
}
