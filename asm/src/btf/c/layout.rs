//! How C lays out what is printed, so that it comes out as BTF says: where padding goes, and
//! what must be packed.
//!
//! The rules are those of the System V ABI as clang has them for BPF: a member lies at the next
//! multiple of its alignment, a bit field where the last one ended unless it would cross a
//! unit of its own type.

use std::collections::HashMap;

use super::super::{Bitfields, Btf, Kind, Member, TypeId};

/// How deep records may lie in each other.
pub(super) const MAX_NESTING: u32 = 64;

/// How a struct or union is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As it is.
    Plain,
    /// With `__attribute__((packed))`.
    Packed,
    /// As so many bytes: C cannot express where its members are.
    Opaque,
}

/// How a struct or union is printed, and its alignment then, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) form: Form,
    pub(super) align: u64,
}

/// A line of a struct.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    /// The member of this index, with its size in bits if it is a bit field.
    Member(usize, Option<u64>),
    /// So many bits of nothing, which begin at this bit.
    Padding { at: u64, bits: u64 },
}

/// Layouts, each found out once.
#[derive(Default)]
pub(super) struct Layouts(HashMap<TypeId, Layout>);

/// Where a member lies, in bits.
#[derive(Clone, Copy)]
struct Place {
    offset: u64,
    bits: u64,
    is_bitfield: bool,
    /// The size of its type.
    unit: u64,
    align: u64,
}

impl Layouts {
    /// The layout of a struct or union.
    pub(super) fn of(&mut self, btf: &Btf, id: TypeId, depth: u32) -> Layout {
        if let Some(known) = self.0.get(&id) {
            return *known;
        }
        let opaque = Layout {
            form: Form::Opaque,
            align: 1,
        };
        // What lies in itself finds this.
        self.0.insert(id, opaque);
        let layout = [Form::Plain, Form::Packed].into_iter().find_map(|form| {
            let (_, align) = self.items(btf, id, form, depth)?;
            Some(Layout { form, align })
        });
        let layout = layout.unwrap_or(opaque);
        self.0.insert(id, layout);
        layout
    }

    /// The lines of a struct or union in a form, and its alignment in bytes; `None` if it does
    /// not come out right.
    pub(super) fn items(
        &mut self,
        btf: &Btf,
        id: TypeId,
        form: Form,
        depth: u32,
    ) -> Option<(Vec<Item>, u64)> {
        let (size, members, bitfields, is_union) = match &btf.get(id)?.kind {
            Kind::Struct {
                size,
                members,
                bitfields,
            } => (*size, members, *bitfields, false),
            Kind::Union {
                size,
                members,
                bitfields,
            } => (*size, members, *bitfields, true),
            _ => return None,
        };
        let places = members.iter().map(|member| {
            let place = self.place(btf, member, bitfields, depth)?;
            Some(match form {
                Form::Packed if place.is_bitfield => Place { align: 1, ..place },
                Form::Packed => Place { align: 8, ..place },
                _ => place,
            })
        });
        let places: Vec<Place> = places.collect::<Option<_>>()?;
        let widest = places
            .iter()
            .map(|place| place.align)
            .max()
            .unwrap_or(8)
            .max(8);
        let size = u64::from(size) * 8;
        let items = match is_union {
            false => struct_items(&places, size, widest, form),
            true => union_items(&places, size, widest),
        };
        Some((items?, widest / 8))
    }

    fn place(
        &mut self,
        btf: &Btf,
        member: &Member,
        bitfields: Bitfields,
        depth: u32,
    ) -> Option<Place> {
        let unit = u64::from(btf.size_of(member.ty)?) * 8;
        let align = self.align(btf, member.ty, depth)? * 8;
        let (offset, bits) = member.place(bitfields);
        let (mut offset, mut bits) = (u64::from(offset), u64::from(bits.unwrap_or(0)));
        // Before there was `kind_flag`, integers said how many of their bits there are.
        if let Some(Kind::Int {
            offset: skip,
            bits: width,
            size,
            ..
        }) = btf.get(btf.resolve(member.ty)).map(|ty| &ty.kind)
            && bits == 0
            && u64::from(*width) != u64::from(*size) * 8
        {
            (offset, bits) = (offset + u64::from(*skip), u64::from(*width));
        }
        let is_bitfield = bits != 0;
        Some(Place {
            offset,
            bits: if is_bitfield { bits } else { unit },
            is_bitfield,
            unit,
            align,
        })
    }

    /// The alignment of a type in bytes, as C has it when it is printed.
    fn align(&mut self, btf: &Btf, id: TypeId, depth: u32) -> Option<u64> {
        let depth = (depth < MAX_NESTING).then_some(depth + 1)?;
        let id = btf.resolve(id);
        Some(match &btf.get(id)?.kind {
            Kind::Int { size, .. } | Kind::Float { size } => {
                u64::from(*size).next_power_of_two().min(16)
            }
            Kind::Enum { size, .. } | Kind::Enum64 { size, .. } => u64::from(*size).max(1),
            Kind::Ptr(_) => 8,
            Kind::Array { element, .. } => self.align(btf, *element, depth)?,
            Kind::Struct { .. } | Kind::Union { .. } => self.of(btf, id, depth).align,
            _ => return None,
        })
    }
}

/// The lines of a struct of `size` bits whose members are at `places`.
fn struct_items(places: &[Place], size: u64, widest: u64, form: Form) -> Option<Vec<Item>> {
    let mut items = Vec::with_capacity(places.len());
    let mut end = 0;
    for (index, place) in places.iter().enumerate() {
        if natural(end, place, form) != place.offset {
            let bits = place.offset.checked_sub(end).filter(|bits| *bits > 0)?;
            items.push(Item::Padding { at: end, bits });
            if natural(place.offset, place, form) != place.offset {
                return None;
            }
        }
        items.push(Item::Member(index, place.is_bitfield.then_some(place.bits)));
        end = place.offset + place.bits;
    }
    if end.next_multiple_of(widest) != size {
        let bits = size.checked_sub(end).filter(|bits| *bits > 0)?;
        items.push(Item::Padding { at: end, bits });
        if !size.is_multiple_of(widest) {
            return None;
        }
    }
    Some(items)
}

/// Where C puts a member that follows bit `end`.
fn natural(end: u64, place: &Place, form: Form) -> u64 {
    match place.is_bitfield {
        false => end.next_multiple_of(place.align.max(8)),
        true if form == Form::Packed => end,
        true if end % place.align + place.bits > place.unit => end.next_multiple_of(place.align),
        true => end,
    }
}

/// The lines of a union of `size` bits: its members, all at its beginning.
fn union_items(places: &[Place], size: u64, widest: u64) -> Option<Vec<Item>> {
    if places.iter().any(|place| place.offset != 0) {
        return None;
    }
    let member = |(index, place): (usize, &Place)| {
        Item::Member(index, place.is_bitfield.then_some(place.bits))
    };
    let mut items: Vec<Item> = places.iter().enumerate().map(member).collect();
    let longest = places.iter().map(|place| place.bits).max().unwrap_or(0);
    let natural = longest.next_multiple_of(widest);
    if natural < size && size.is_multiple_of(widest) {
        items.push(Item::Padding { at: 0, bits: size });
    } else if natural != size {
        return None;
    }
    Some(items)
}
